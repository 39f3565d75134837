"""The form of auto-topup: shown with what is saved or suggested, read into a wish."""

from collections.abc import Callable, Mapping
from decimal import ROUND_UP, Decimal
from typing import Any

from django import forms
from django.conf import settings

from billing.amounts import Amount
from billing.auto_topup import Standing, Wish
from billing.models import PaymentMethod
from billing.money import CENT, ZERO, usd

FIRST_THRESHOLD, FIRST_AMOUNT = Decimal(5), Decimal(25)  # dollars, suggested to who spends little
STEP = Decimal(5)  # suggestions are multiples of it
DAYS_LEFT, DAYS_ADDED = 3, 10  # what the suggestions last at the account's pace
NOT_DOLLARS = "Type an amount such as 25.00."
NOT_CENTS = "Use dollars and whole cents, such as 25.00."
NO_CONSENT = "Please tick this first: we charge your card automatically only if you allow it."


def dollars(label: str) -> Amount:
    messages = {
        "required": NOT_DOLLARS, "invalid": NOT_DOLLARS, "max_digits": NOT_DOLLARS,
        "max_whole_digits": NOT_DOLLARS, "max_decimal_places": NOT_CENTS,
    }  # fmt: skip
    shown = {"step": "0.01", "inputmode": "decimal", "autocomplete": "off"}
    widget = forms.NumberInput(attrs=shown)
    return Amount(label=label, max_digits=12, decimal_places=2, error_messages=messages, widget=widget)


class AutoTopupForm(forms.Form):
    """`clean` asks for consent only; whether the numbers may be saved is decided where they are (auto_topup)."""

    enabled = forms.BooleanField(
        label="Add funds when the balance runs low",
        required=False,
        widget=forms.CheckboxInput(attrs={"role": "switch"}),
    )
    threshold = dollars("When available falls below")
    amount = dollars("Add this amount")
    card = forms.ChoiceField(label="Charge this card")
    monthly_limit = dollars("At most in a month")
    consent = forms.BooleanField(label="I allow thinnest to charge this card automatically", required=False)

    def __init__(self, *args: Any, cards: list[PaymentMethod], standing: Standing, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.standing = standing
        chosen: Any = self.fields["card"]
        chosen.choices = [(card.gateway_id, told(card)) for card in cards]
        gone = "This card is no longer saved. Choose another card."
        chosen.error_messages |= {"required": "Choose a card.", "invalid_choice": gone}
        smallest = {"threshold": CENT, "amount": settings.TOPUP_MIN, "monthly_limit": settings.TOPUP_MIN}
        for name, least in smallest.items():
            self.fields[name].widget.attrs["min"] = least
        self.fields["amount"].help_text = f"From {usd(settings.TOPUP_MIN)} to {usd(settings.TOPUP_MAX)}."

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if data.get("enabled") and not data.get("consent"):
            self.add_error("consent", NO_CONSENT)
        return data

    def hint(self, *, lasts: Callable[[Decimal], str], month: str) -> None:
        """Beside the fields, what they mean for this account. `lasts`: how long dollars last, in words."""
        threshold = self._shown("threshold")
        if threshold and (span := lasts(threshold)):
            self["threshold"].help_text = f"At your pace {usd(threshold)} lasts {span}."
        self["monthly_limit"].help_text = f"{usd(self.standing.used_this_month)} used in {month}."

    def _shown(self, field: str) -> Decimal | None:
        try:
            value: Decimal = self.fields[field].clean(self[field].value())
            return value
        except forms.ValidationError:
            return None

    @property
    def below(self) -> bool:
        """Whether saving what is shown would charge the card at once."""
        threshold = self._shown("threshold")
        return threshold is not None and self.standing.available < threshold

    @property
    def turns_off(self) -> bool:
        return self.is_bound and not self.cleaned_data.get("enabled")

    def wish(self) -> Wish:
        data = self.cleaned_data
        return Wish(data["enabled"], data["threshold"], data["amount"], data["card"], data["monthly_limit"])

    def refuse(self, fields: Mapping[str, str]) -> None:
        for field, sentence in fields.items():
            self.add_error(field, sentence)


def told(card: PaymentMethod) -> str:
    return f"{card.brand_name} ending {card.last4} ({card.expiry}{', expired' if card.has_expired else ''})"


def initial(
    standing: Standing, *, cards: list[PaymentMethod], asked: Mapping[str, str], pace: Decimal | None
) -> dict[str, Any]:
    """What an unsent form shows: what the address asks for (a card that the reader just added, a suggestion that was
    followed), else what is saved, else a suggestion."""
    auto = standing.auto
    threshold, amount = (auto.threshold, auto.amount) if auto else suggestion(pace)
    threshold, amount = _asked(asked, "threshold") or threshold, _asked(asked, "amount") or amount
    known, chosen = [card.gateway_id for card in cards], asked.get("card", "")
    wanted = chosen if chosen in known else auto.card if auto else ""
    return {
        "enabled": standing.is_on or chosen in known,
        "threshold": f"{threshold:.2f}",
        "amount": f"{amount:.2f}",
        "monthly_limit": f"{max(standing.monthly_limit, amount):.2f}",
        "card": wanted if wanted in known else next(iter(known), ""),
    }


def _asked(asked: Mapping[str, str], field: str) -> Decimal | None:
    """An amount in the address; nonsense there is as good as none."""
    try:
        wanted = dollars(field).clean(asked.get(field))
    except forms.ValidationError:
        return None
    return wanted if CENT <= wanted <= settings.TOPUP_MAX else None


def suggestion(pace: Decimal | None) -> tuple[Decimal, Decimal]:
    """A threshold and an amount for an account that spends `pace` dollars a day."""
    threshold = suggested(pace, days=DAYS_LEFT, least=FIRST_THRESHOLD)
    return threshold, suggested(pace, days=DAYS_ADDED, least=max(FIRST_AMOUNT, threshold))


def suggested(pace: Decimal | None, *, days: int, least: Decimal) -> Decimal:
    """What lasts `days` at the account's pace, in round dollars that a top-up may have."""
    wanted = ((pace or ZERO) * days / STEP).quantize(Decimal(1), ROUND_UP) * STEP
    return min(max(wanted, least), settings.TOPUP_MAX)
