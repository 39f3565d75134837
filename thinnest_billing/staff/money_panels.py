"""The money of one account for staff: newest rows of each table, each query with its index and its limit."""

from collections.abc import Iterator

from django.urls import reverse

from accounts.models import Account, User
from billing.models import Dispute, Hold, PaymentMethod, Refund, TopUp
from billing.money import usd, usd_exact
from thinnest_billing.staff.panels import Cell, Panel, list_url, moment, panel, row_url
from usage import records
from usage.models import Charge
from usage.records import Wanted

FEW, SOME = 10, 15


def money_panels(account: Account, *, staff: User) -> list[Panel]:
    """`staff` sees the acts that they may do; none on an account of their own."""
    is_own = staff.account_id == account.pk
    return [
        charges(account, may_reverse=staff.has_perm("usage.change_charge") and not is_own),
        topups(account, may_refund=staff.has_perm("billing.add_refund") and not is_own),
        entries(account),
        holds(account),
        refunds(account),
        disputes(account),
        cards(account),
    ]


def charges(account: Account, *, may_reverse: bool) -> Panel:
    found = list(Charge.objects.filter(account_id=account.pk).order_by("-recorded_at")[:SOME])
    told = records.told(account.pk, found)
    undone = Charge.objects.filter(account_id=account.pk, reverses__in=[row.pk for row in found])
    reversed_ = set(undone.values_list("reverses", flat=True))
    rows: list[list[object]] = []
    for row, record in zip(found, told, strict=True):
        last = "reversal" if row.reverses else "reversed" if row.pk in reversed_ else ""
        act = Cell("Reverse…", reverse("admin:reverse_charge", args=[row.pk]), is_act=True)
        rows.append([
            Cell(record.public_id, row_url(row)), act if may_reverse and not last else last, record.at, record.what,
            record.agent, record.quantity, usd_exact(row.cost), usd_exact(row.balance_after),
        ])  # fmt: skip
    headings = ("Charge", "Act", "When", "What", "Agent", "Quantity", "Cost", "Balance after")
    return panel(
        "charges", "Latest charges", headings, rows, more=list_url("usage_charge", q=account.public_id),
        empty="Nothing was used yet.",
    )  # fmt: skip


def topups(account: Account, *, may_refund: bool) -> Panel:
    found = TopUp.objects.filter(account_id=account.pk).order_by("-created_at")
    rows = (_topup(row, may_refund) for row in found[:FEW])
    headings = ("Top-up", "Act", "When", "Amount", "State", "Why", "Card", "Origin", "Payment")
    return panel("topups", "Top-ups", headings, rows, more=list_url("billing_topup", q=account.public_id))


def _topup(row: TopUp, may_refund: bool) -> Iterator[object]:
    yield Cell(row.public_id, row_url(row))
    yield _act(row, may_refund)
    yield row.created_at
    yield usd(row.amount)
    yield row.get_status_display()
    yield row.reason or row.decline_code or row.failure_code
    yield row.card_name
    yield row.get_origin_display()
    yield Cell(row.payment_id or "at the processor", reverse("admin:compare_topup", args=[row.pk]))


def _act(row: TopUp, may_refund: bool) -> Cell | None:
    """How much can be refunded is told by the form: to know it here would be two queries for each."""
    if row.is_open:
        return Cell("Retry…", reverse("admin:compare_topup", args=[row.pk]), is_act=True)
    if may_refund and row.received:
        return Cell("Refund…", reverse("admin:refund_topup", args=[row.pk]), is_act=True)
    return None


def entries(account: Account) -> Panel:
    """Everything but charges, which are above."""
    found = records.entries(account.pk, Wanted()).order_by("-recorded_at")[:SOME]
    rows = (
        [
            Cell(str(row.seq), row_url(row)), row.recorded_at, row.get_kind_display(), usd_exact(row.granted),
            usd_exact(row.paid), usd_exact(row.balance_after), row.actor, row.reason,
        ]
        for row in found
    )  # fmt: skip
    headings = ("Entry", "When", "Kind", "Granted", "Paid", "Balance after", "By", "Reason")
    return panel(
        "ledger", "Ledger, without charges", headings, rows,
        more=list_url("billing_ledgerentry", q=account.public_id),
    )  # fmt: skip


def holds(account: Account) -> Panel:
    found = Hold.objects.filter(account_id=account.pk, state=Hold.State.OPEN).order_by("expires_at")[:FEW]
    rows = (
        [
            Cell(row.public_id, row_url(row)),
            row.created_at,
            row.purpose,
            usd_exact(row.amount),
            row.expires_at,
        ]
        for row in found
    )
    headings = ("Hold", "Since", "For", "Amount", "Expires")
    return panel(
        "holds", "Held now", headings, rows, more=list_url("billing_hold", q=account.public_id),
        empty="Nothing is reserved.",
    )  # fmt: skip


def refunds(account: Account) -> Panel:
    found = Refund.objects.filter(account_id=account.pk).select_related("topup").order_by("-created_at")
    rows = (
        [
            Cell(row.public_id, row_url(row)), row.created_at, usd(row.amount), row.get_status_display(),
            Cell(row.topup.public_id, row_url(row.topup)), row.get_origin_display(), row.actor, row.error or row.reason,
        ]
        for row in found[:FEW]
    )  # fmt: skip
    headings = ("Refund", "When", "Amount", "State", "Top-up", "Origin", "By", "Why")
    return panel("refunds", "Refunds", headings, rows, more=list_url("billing_refund", q=account.public_id))


def disputes(account: Account) -> Panel:
    found = (
        Dispute.objects.filter(topup__account_id=account.pk).select_related("topup").order_by("-created_at")
    )
    rows = (
        [
            Cell(row.pk, row_url(row)), row.created_at, usd(row.amount), usd(row.taken), row.status,
            Cell(row.topup.public_id, row_url(row.topup)),
        ]
        for row in found[:FEW]
    )  # fmt: skip
    return panel("disputes", "Disputes", ("Dispute", "When", "Amount", "Taken", "State", "Top-up"), rows)


def cards(account: Account) -> Panel:
    found = PaymentMethod.objects.filter(account_id=account.pk).order_by("removed_at", "-created_at")[:FEW]
    rows = (
        [
            Cell(str(row), row_url(row)), row.expiry, "default" if row.is_default else "", row.created_at,
            moment(row.removed_at), row.gateway_id,
        ]
        for row in found
    )  # fmt: skip
    return panel("cards", "Cards", ("Card", "Expires", "", "Saved", "Removed", "At the processor"), rows)
