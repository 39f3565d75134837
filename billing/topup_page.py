"""How one top-up is told to a person: where it stands, what it means for their money, what they can do next."""

from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings

from billing import claims, gateways
from billing.declines import sentence_of
from billing.models import TopUp
from billing.money import usd, usd_balance

NOT_CHARGED = "You have not been charged and your balance has not changed."


@dataclass(frozen=True, slots=True)
class TopUpStatus:
    """What templates/billing/topup.html shows."""

    title: str
    body: str
    icon: str
    kind: str = ""  # ok, warn, bad or nothing
    waiting: bool = False  # looks again by itself
    facts: list[tuple[str, str]] = field(default_factory=list)
    forward_url: str = ""
    forward_label: str = ""
    goes_by_itself: bool = False  # on to forward_url
    confirms: bool = False  # offers to confirm the payment
    confirm_label: str = "Continue to your bank"
    follows: str = ""  # what it means beyond this payment
    cancels: bool = False
    tries_again: str = ""  # the label of the way back to Add funds


def status_of(topup: TopUp, *, balance: Decimal, forward: bool, may_act: bool) -> TopUpStatus:
    """`forward`: whether to go on to the bank or the payment page by itself (not for who just came from there)."""
    if topup.status == TopUp.Status.REQUIRES_ACTION:
        return _waiting_for_holder(topup, forward=forward, may_act=may_act)
    if topup.status == TopUp.Status.SUCCEEDED:
        facts = [*_facts(topup), ("New balance", usd_balance(balance))]
        whole = claims.left(topup) == topup.credited
        body = (
            "The funds are ready to use."
            if whole
            else "Some or all of it was taken back since, as listed below."
        )
        return TopUpStatus(f"{usd(topup.credited)} added", body, "check", "ok", facts=facts)
    return _TELL[TopUp.Status(topup.status)](topup)


def _facts(topup: TopUp) -> list[tuple[str, str]]:
    card = [("Card", topup.card_name)] if topup.card_name else []
    return [("Amount", usd(topup.received or topup.amount)), *card, ("Reference", topup.public_id)]


def _waiting_for_holder(topup: TopUp, *, forward: bool, may_act: bool) -> TopUpStatus:
    url = topup.action_url.removeprefix(settings.SITE_URL)  # the sandbox's pages lie on our own site
    page = bool(topup.page_id)
    label = gateways.gateway().label
    return TopUpStatus(
        title="Continue to the payment page" if page else "Confirm with your bank",
        body=f"You pay on {label}'s page and come back here. You have not been charged yet."
        if page
        else "Your bank asks you to approve this payment. You have not been charged yet.",
        icon="external-link" if page else "shield-check",
        kind="warn",
        facts=_facts(topup),
        forward_url=url if may_act else "",
        forward_label="Continue to payment" if page else "Continue to your bank",
        goes_by_itself=bool(forward and may_act and url),
        confirms=may_act and not url,
        cancels=may_act,
    )


def _confirming(topup: TopUp) -> TopUpStatus:
    body = "This usually takes a few seconds. You can leave this page; the funds arrive either way."
    return TopUpStatus("Confirming your payment", body, "loader-circle", waiting=True, facts=_facts(topup))


def _on_its_way(topup: TopUp) -> TopUpStatus:
    body = "Your bank has the payment. The funds are added the moment it arrives; you can leave this page."
    return TopUpStatus("Received, not yet added", body, "loader-circle", waiting=True, facts=_facts(topup))


def _failed(topup: TopUp) -> TopUpStatus:
    declined = topup.declined_at is not None
    return TopUpStatus(
        title="Your card was declined" if declined else "The payment did not go through",
        body=f"{sentence_of(topup)} {NOT_CHARGED}".strip(),
        icon="x",
        kind="bad",
        facts=_facts(topup),
        tries_again="Try another card" if declined else "Try again",
    )


def _canceled(topup: TopUp) -> TopUpStatus:
    return TopUpStatus("Payment canceled", NOT_CHARGED, "x", facts=_facts(topup), tries_again="Add funds")


_TELL = {
    TopUp.Status.CREATED: _confirming,
    TopUp.Status.UNKNOWN: _confirming,
    TopUp.Status.PROCESSING: _on_its_way,
    TopUp.Status.FAILED: _failed,
    TopUp.Status.CANCELED: _canceled,
}
