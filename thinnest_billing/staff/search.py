"""One box for everything: what staff type or paste, and the rows it means."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.urls import reverse

from accounts import ids
from accounts.models import Account, ApiKey, Invitation, StaffAct, User
from alerts.models import Delivery, Notification, Rule
from billing.models import Customer, Dispute, EventReceipt, Hold, LedgerEntry, PaymentMethod, Refund, TopUp
from thinnest_billing.staff.panels import row_url
from usage.models import Agent, Campaign, Charge, Flag, PhoneNumber

LONGEST, MOST = 200, 20  # characters of what is typed; hits of one kind
NEWEST_CHARGES, NEWEST_EVENTS = 100_000, 20_000  # looked through where there is no index

PUBLIC: dict[str, type[Model]] = {
    "acct": Account, "usr": User, "key": ApiKey, "inv": Invitation, "bill": Charge, "agent": Agent, "num": PhoneNumber,
    "camp": Campaign, "flag": Flag, "top": TopUp, "ref": Refund, "hold": Hold, "entry": LedgerEntry,
    "rule": Rule, "ntf": Notification, "msg": Delivery,
}  # fmt: skip
ON_THE_PAGE = {
    User: "members",
    Invitation: "members",
    PhoneNumber: "numbers",
    Campaign: "campaigns",
    Rule: "rules",
    Customer: "cards",
}


@dataclass(frozen=True, slots=True)
class Hit:
    """`account`: whose it is, with its page; nothing for a platform's key or staff."""

    kind: str
    label: str
    url: str
    account: Account | None

    @property
    def account_url(self) -> str:
        return reverse("admin:account_page", args=[self.account.public_id]) if self.account else ""


def find(text: str, *, staff: User) -> list[Hit]:
    """What this person may see of what the text means, each row once."""
    term = text.replace("\0", "").strip()[:LONGEST]
    found: dict[str, Hit] = {}
    for row in _rows(term) if term else ():
        right = f"{row._meta.app_label}.view_{row._meta.model_name}"
        if staff.has_perm(right):
            hit = _hit(row)
            found.setdefault(hit.url, hit)
    return list(found.values())


def _rows(term: str) -> Iterator[Model]:
    prefix = term.partition("_")[0]
    if prefix in PUBLIC and (pk := ids.parse(prefix, term)):
        yield from PUBLIC[prefix]._default_manager.filter(pk=pk)
        return
    for look in _looks(term, prefix):
        yield from look(term)[:MOST]


def _looks(term: str, prefix: str) -> list[Callable[[str], QuerySet[Any]]]:
    """Which tables a text of this shape may be in."""
    if "@" in term:
        return [_people, _invited, _names]
    if term.isdigit() and len(term) == 4:
        return [_cards, _topups_by_card, _names]
    if term.startswith("+"):
        return [_numbers, _names]
    if prefix in STRIPE and prefix != term:
        return STRIPE[prefix]
    if prefix == "req" and prefix != term:
        return [_asked, _did]
    return [_names, _people, _keys, _agents, _asked, _events_of_usage, _did]


def _people(term: str) -> QuerySet[User]:
    exact = User.objects.filter(email=term.lower())
    return exact if exact.exists() else User.objects.filter(email__icontains=term).order_by("email")


def _invited(term: str) -> QuerySet[Invitation]:
    return Invitation.objects.filter(email=term.lower(), accepted_at=None, withdrawn_at=None)


def _names(term: str) -> QuerySet[Account]:
    return Account.objects.filter(name__icontains=term).order_by("-created_at")


def _cards(term: str) -> QuerySet[PaymentMethod]:
    return PaymentMethod.objects.filter(last4=term).order_by("-created_at")


def _topups_by_card(term: str) -> QuerySet[TopUp]:
    return TopUp.objects.filter(last4=term).order_by("-created_at")


def _numbers(term: str) -> QuerySet[PhoneNumber]:
    return PhoneNumber.objects.filter(number=term)


def _keys(term: str) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(prefix=term[:12]) if term.startswith("tb_") else ApiKey.objects.none()


def _agents(term: str) -> QuerySet[Agent]:
    return Agent.objects.filter(name__iexact=term).order_by("-created_at")


def _newest_charges() -> QuerySet[Charge]:
    """Ids rise with time, so this reads the end of one index."""
    return Charge.objects.filter(pk__in=Charge.objects.order_by("-pk").values("pk")[:NEWEST_CHARGES])


def _asked(term: str) -> QuerySet[Charge]:
    return _newest_charges().filter(request_id=term).order_by("-pk")


def _events_of_usage(term: str) -> QuerySet[Charge]:
    return _newest_charges().filter(event_id=term).order_by("-pk")


def _did(term: str) -> QuerySet[StaffAct]:
    return StaffAct.objects.filter(Q(request_id=term) | Q(target=term)).order_by("-id")


def _payments(term: str) -> QuerySet[TopUp]:
    return TopUp.objects.filter(Q(payment_id=term) | Q(page_id=term))


def _customers(term: str) -> QuerySet[Customer]:
    return Customer.objects.filter(gateway_id=term)


def _of_customer(term: str) -> QuerySet[TopUp]:
    return TopUp.objects.filter(customer=term).order_by("-created_at")


def _saved(term: str) -> QuerySet[PaymentMethod]:
    return PaymentMethod.objects.filter(gateway_id=term)


def _paid_with(term: str) -> QuerySet[TopUp]:
    return TopUp.objects.filter(card=term).order_by("-created_at")


def _refunds(term: str) -> QuerySet[Refund]:
    return Refund.objects.filter(gateway_id=term)


def _disputes(term: str) -> QuerySet[Dispute]:
    return Dispute.objects.filter(pk=term)


def _receipts(term: str) -> QuerySet[EventReceipt]:
    return EventReceipt.objects.filter(gateway_id=term)


def _named_in_events(term: str) -> QuerySet[EventReceipt]:
    """We keep no charge ids (ch_…): the processor's events name them."""
    newest = EventReceipt.objects.order_by("-pk").values("pk")[:NEWEST_EVENTS]
    return EventReceipt.objects.filter(pk__in=newest, body__contains=f'"{term}"').order_by("-pk")


STRIPE: dict[str, list[Callable[[str], QuerySet[Any]]]] = {
    "pi": [_payments], "cs": [_payments], "cus": [_customers, _of_customer], "pm": [_saved, _paid_with],
    "card": [_saved, _paid_with], "re": [_refunds], "pyr": [_refunds], "dp": [_disputes], "du": [_disputes],
    "evt": [_receipts], "ch": [_named_in_events], "py": [_named_in_events],
}  # fmt: skip


def _hit(row: Any) -> Hit:
    account = row if isinstance(row, Account) else _account_of(row)
    name = str(row._meta.verbose_name)
    return Hit(name[:1].upper() + name[1:], str(row), _url(row, account), account)


def _account_of(row: Any) -> Account | None:
    if isinstance(row, Dispute):
        return row.topup.account
    return getattr(row, "account", None)


def _url(row: Any, account: Account | None) -> str:
    page = reverse("admin:account_page", args=[account.public_id]) if account else ""
    if isinstance(row, Account):
        return page
    if type(row) in ON_THE_PAGE and page:
        return f"{page}#{ON_THE_PAGE[type(row)]}"
    return row_url(row)
