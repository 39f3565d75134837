"""One top-up, as we have it and as the processor has it now, and everything else that is known of it. Read-only."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone

from accounts.errors import Problem
from accounts.models import Mail
from billing import books, gateways, settling, staff
from billing.gateways import GatewayError, Payment, dashboard
from billing.models import EventReceipt, LedgerEntry, TopUp
from billing.money import from_cents, usd
from billing.payment_methods import CURRENCY


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    ours: str
    theirs: str
    url: str = ""  # of theirs, on the processor's dashboard
    differs: bool = False


def compare(request: HttpRequest, topup_id: UUID, *, site: Any) -> HttpResponse:
    """Ask the processor what it has, and change nothing."""
    if not request.user.has_perm("billing.view_topup"):
        raise PermissionDenied
    topup = get_object_or_404(TopUp.objects.select_related("account"), pk=topup_id)
    payment, refunds, silence = ask(topup)
    ours = books.read([topup.pk])[topup.pk]
    asked = not silence and bool(topup.payment_id)
    shown = {
        "title": "Our books and the processor", "opts": TopUp._meta, "topup": topup,
        "rows": rows(topup, payment), "refunds": refund_rows(topup, refunds), "silence": silence,
        "differences": list(books.differences(ours, payment)) if asked else [],
        "agrees": asked and payment is not None, "entries": entries(topup), "events": events(topup),
        "letters": letters(topup), "disputes": topup.disputes.order_by("created_at"),
        "may_retry": may_ask(request),
    }  # fmt: skip
    return render(request, "admin/billing/topup/compare.html", site.each_context(request) | shown)


def retry(request: HttpRequest, topup_id: UUID) -> HttpResponse:
    """Ask again, or look, and take in what the processor says."""
    if not may_ask(request):
        raise PermissionDenied
    topup = get_object_or_404(TopUp, pk=topup_id)
    if request.method == "POST":
        pursue(request, topup)
    return HttpResponseRedirect(reverse("admin:compare_topup", args=[topup.pk]))


def may_ask(request: HttpRequest) -> bool:
    return request.user.has_perm("billing.change_topup")


def pursue(request: HttpRequest, topup: TopUp) -> None:
    try:
        topup = staff.pursue(topup, staff=request.user, now=timezone.now())
    except Problem as refusal:
        messages.error(request, f"{refusal.title} {refusal.detail} ({topup.public_id})")
    except (GatewayError, settling.NotOurs) as error:
        messages.error(request, f"Nothing new about {topup.public_id}: {error}")
    else:
        messages.info(request, f"The top-up {topup.public_id} is {topup.get_status_display().lower()}.")


def ask(topup: TopUp) -> tuple[Payment | None, list[gateways.Refund], str]:
    """The payment, its refunds, and why there is no answer."""
    if topup.mode != gateways.mode():
        return None, [], f"No processor is asked: this top-up's mode is {topup.get_mode_display()}."
    gateway = gateways.gateway()
    try:
        if topup.payment_id:
            payment: Payment | None = gateway.payment(topup.payment_id)
        else:
            payment = gateway.find_payment(customer=topup.customer, reference=topup.public_id)
        return payment, gateway.refunds(payment.id) if payment else [], ""
    except gateways.Rejected as refusal:
        return None, [], "" if refusal.code == "resource_missing" else f"The processor refused: {refusal}"
    except GatewayError as error:
        return None, [], f"The processor did not answer: {error}"


def rows(topup: TopUp, payment: Payment | None) -> list[Row]:
    """Field by field. States differ only where one side says that the money came and the other does not."""
    received = sum((row.amount for row in topup.refunds.all() if row.status != "failed"), from_cents(0))
    there = payment and payment.status is gateways.Status.SUCCEEDED
    came = topup.status == TopUp.Status.SUCCEEDED
    facts = [
        ("Payment", topup.payment_id or "", payment and payment.id, False),
        ("State", topup.status, payment and payment.status.value, bool(there) != came),
        ("Asked for", usd(topup.amount), payment and usd(from_cents(payment.amount)), None),
        ("Received", usd(topup.credited), payment and usd(from_cents(payment.received)), None),
        ("Refunded", usd(received), payment and usd(from_cents(payment.refunded)), None),
        ("Currency", CURRENCY, payment and payment.currency, None),
        ("Customer", topup.customer, payment and (payment.customer or ""), None),
        ("Card", topup.card_name, payment and f"{payment.brand} {payment.last4}", False),
        (
            "Decline",
            f"{topup.failure_code} {topup.decline_code}",
            payment and f"{payment.code} {payment.decline_code}",
            False,
        ),
    ]
    return [
        Row(
            name, ours, theirs or "", dashboard.url(topup.mode, theirs or ""),
            bool(payment) and (ours != theirs if differs is None else differs),
        )
        for name, ours, theirs, differs in facts
    ]  # fmt: skip


def refund_rows(topup: TopUp, theirs: list[gateways.Refund]) -> list[Row]:
    left = {refund.id: refund for refund in theirs}
    paired = []
    for row in topup.refunds.order_by("created_at"):
        named = next(
            (r.id for r in left.values() if r.id == row.gateway_id or r.reference == row.public_id), ""
        )
        refund = left.pop(named, None)
        paired.append(Row(row.public_id, f"{usd(row.amount)} {row.status}", _told(refund)))
    return paired + [Row("Not ours", "", _told(refund), differs=True) for refund in left.values()]


def _told(refund: gateways.Refund | None) -> str:
    return f"{usd(from_cents(refund.amount))} {refund.status} ({refund.id})" if refund else ""


def entries(topup: TopUp) -> list[LedgerEntry]:
    """What the top-up, its refunds and its disputes moved: keys begin with the id of what caused them."""
    causes = [
        topup.pk,
        *topup.refunds.values_list("pk", flat=True),
        *topup.disputes.values_list("pk", flat=True),
    ]
    caused = reduce(or_, (Q(key__startswith=str(cause)) for cause in causes))
    kinds = set(LedgerEntry.Kind) - {LedgerEntry.Kind.CHARGE, LedgerEntry.Kind.GRANT}
    found = LedgerEntry.objects.filter(caused, account_id=topup.account_id, kind__in=kinds)
    return list(found.order_by("seq"))


def events(topup: TopUp) -> list[EventReceipt]:
    if not topup.payment_id:
        return []
    since = EventReceipt.objects.filter(received_at__gte=topup.created_at, body__contains=topup.payment_id)
    return list(since.defer("body").order_by("received_at")[:100])


def letters(topup: TopUp) -> list[Mail]:
    """Emails to the account's members that name the top-up."""
    to_members = Mail.objects.filter(user__account=topup.account_id, secret=False)
    named = to_members.filter(created_at__gte=topup.created_at, html__contains=topup.public_id)
    return list(named.defer("text", "html").order_by("created_at")[:100])
