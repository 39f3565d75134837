"""Django admin for money: everything is read-only, and what staff may do is an act with a reason.

Rights: `billing.add_ledgerentry` grants and adjusts, `billing.change_balance` freezes, `billing.change_topup` asks
the processor, `billing.change_eventreceipt` processes an event again.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Model, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from accounts import ids
from accounts.admin import SearchById
from accounts.errors import Problem
from accounts.models import User
from billing import gateways, staff, topup_sweep, topups, webhooks
from billing.forms import AdjustForm, FreezeForm, GrantForm
from billing.gateways import sandbox_bank
from billing.models import (
    Balance,
    Dispute,
    EventReceipt,
    Hold,
    LedgerEntry,
    PaymentMethod,
    SandboxDispute,
    SandboxPayment,
    TopUp,
)
from billing.money import usd, usd_balance

Act = Callable[[UUID, dict[str, Any], User], str]


class ReadOnly(SearchById):
    """Rows that code writes: staff look, and search also by account id (acct_…) and a member's email."""

    show_full_result_count = False
    search_help_text = "Account id (acct_…), a member's email, or any id of the row"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        account_id = ids.parse("acct", term)
        if account_id is None and "@" in term:
            member = User.objects.filter(email=term.lower(), account__isnull=False).first()
            account_id = member.account_id if member else UUID(int=0)
        if account_id is not None and hasattr(self.model, "account"):
            return queryset.filter(account=account_id), False
        return super().get_search_results(request, queryset, term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


# --- The balance and what staff do to it ----------------------------------------------------------------------


@admin.register(Balance)
class BalanceAdmin(ReadOnly):
    list_display = ("account", "balance", "granted", "paid", "held", "depleted_at", "frozen")
    list_filter = (
        ("depleted_at", admin.EmptyFieldListFilter),
        ("owner_froze_at", admin.EmptyFieldListFilter),
        ("staff_froze_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("account",)
    search_fields = ("account__name",)
    change_form_template = "admin/billing/balance/change_form.html"

    @admin.display(description="balance")
    def balance(self, row: Balance) -> str:
        return usd_balance(row.granted + row.paid)

    @admin.display(boolean=True)
    def frozen(self, row: Balance) -> bool:
        return bool(row.owner_froze_at or row.staff_froze_at)

    def get_urls(self) -> list[URLPattern]:
        acts = [
            path(
                f"<uuid:account_id>/{name}/",
                self.admin_site.admin_view(self.act),
                {"name": name},
                f"{name}_balance",
            )
            for name in ACTS
        ]
        return [*acts, *super().get_urls()]

    def act(self, request: HttpRequest, account_id: UUID, name: str) -> HttpResponse:
        """A form with a reason; then the act, told in the row's history."""
        title, form_class, permission, do = ACTS[name]
        row = get_object_or_404(Balance, pk=account_id)
        if not request.user.has_perm(permission):
            raise PermissionDenied
        form = form_class(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                said = do(account_id, form.cleaned_data, request.user)
            except Problem as refusal:
                form.add_error(None, f"{refusal.title} {refusal.detail} Nothing was changed.")
            else:
                self.log_change(request, row, f"{said} {form.cleaned_data['reason']}")
                messages.success(request, said)
                return HttpResponseRedirect(reverse("admin:billing_balance_change", args=[account_id]))
        shown = {"title": title, "form": form, "balance": row, "opts": self.opts}
        context = self.admin_site.each_context(request) | shown
        return render(request, "admin/billing/balance/act.html", context)


def _grant(account_id: UUID, data: dict[str, Any], user: User) -> str:
    staff.grant(account_id, data["amount"], staff=user, reason=data["reason"], key=data["key"])
    return f"{usd(data['amount'])} granted."


def _adjust(account_id: UUID, data: dict[str, Any], user: User) -> str:
    staff.adjust(account_id, data["amount"], staff=user, reason=data["reason"], key=data["key"])
    return f"Adjusted by {usd(data['amount'])}."


def _freeze(account_id: UUID, data: dict[str, Any], user: User) -> str:
    staff.freeze(account_id, staff=user, frozen=True)
    return "Spending is frozen."


def _unfreeze(account_id: UUID, data: dict[str, Any], user: User) -> str:
    staff.freeze(account_id, staff=user, frozen=False)
    return "Staff's freeze is lifted."


ACTS: dict[str, tuple[str, type[forms.Form], str, Act]] = {
    "grant": ("Grant credit", GrantForm, "billing.add_ledgerentry", _grant),
    "adjust": ("Adjust the balance", AdjustForm, "billing.add_ledgerentry", _adjust),
    "freeze": ("Freeze spending", FreezeForm, "billing.change_balance", _freeze),
    "unfreeze": ("Lift staff's freeze", FreezeForm, "billing.change_balance", _unfreeze),
}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly):
    list_display = (
        "recorded_at", "account", "seq", "kind", "granted", "paid", "granted_after", "paid_after", "actor",
    )  # fmt: skip
    list_filter = ("kind", "day")
    list_select_related = ("account",)
    search_fields = ("=key", "=actor")
    ordering = ("-id",)


@admin.register(Hold)
class HoldAdmin(ReadOnly):
    id_prefix = "hold"
    list_display = ("created_at", "account", "purpose", "amount", "state", "expires_at", "key")
    list_filter = ("state", "purpose")
    list_select_related = ("account",)
    search_fields = ("=key",)
    ordering = ("-id",)
    exclude = ("request_hash",)


# --- Payments -------------------------------------------------------------------------------------------------


@admin.register(TopUp)
class TopUpAdmin(ReadOnly):
    """What is stuck comes first, then what waits for its card holder, then the newest."""

    id_prefix = "top"
    list_display = (
        "created_at",
        "account",
        "amount",
        "status",
        "why",
        "card_name",
        "origin",
        "mode",
        "next_look_at",
    )
    list_filter = ("status", "mode", "origin", "created_at")
    list_select_related = ("account",)
    search_fields = ("=payment_id", "=page_id", "=customer", "=card", "=last4", "=idempotency_key")
    search_help_text = (
        "Top-up (top_…) or account id, a member's email, last four digits, any id of the processor"
    )
    actions = ("look_again",)
    ordering = (
        Case(
            When(status__in=["created", "unknown", "processing"], then=Value(0)),
            When(status="requires_action", then=Value(1)),
            default=Value(2),
        ),
        "-created_at",
    )

    @admin.display(description="why")
    def why(self, row: TopUp) -> str:
        return row.reason or row.decline_code or row.failure_code

    def has_look_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_topup")

    @admin.action(description="Ask the processor what became of them", permissions=["look"])
    def look_again(self, request: HttpRequest, rows: QuerySet[TopUp]) -> None:
        for row in rows.filter(next_look_at__isnull=False):
            try:
                topup_sweep.pursue(row, now=timezone.now())
            except (gateways.GatewayError, topups.NotOurs) as error:
                messages.error(request, f"{row.public_id}: {error}")
            else:
                messages.info(request, _told(TopUp.objects.get(pk=row.pk)))


def _told(row: TopUp) -> str:
    return f"The top-up {row.public_id} is {row.get_status_display().lower()}."


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnly):
    list_display = ("created_at", "account", "brand", "last4", "expiry", "is_default", "removed_at", "mode")
    list_filter = ("mode", ("removed_at", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("=last4", "=gateway_id", "=customer")
    ordering = ("-created_at",)


@admin.register(Dispute)
class DisputeAdmin(ReadOnly):
    list_display = ("created_at", "id", "topup", "amount", "taken", "status", "mode")
    list_filter = ("status", "mode")
    list_select_related = ("topup",)
    search_fields = ("=id", "=topup__payment_id")
    ordering = ("-created_at",)


@admin.register(EventReceipt)
class EventReceiptAdmin(ReadOnly):
    """What came from the processor. Failed and quarantined events say why."""

    list_display = ("received_at", "type", "state", "tries", "reason", "mode")
    list_filter = ("state", "type", "mode", "received_at")
    search_fields = ("=gateway_id", "body")
    search_help_text = "Event id, or any id or text in its body"
    ordering = ("-received_at",)
    actions = ("process_again",)

    @admin.display(description="reason")
    def reason(self, row: EventReceipt) -> str:
        lines = row.error.strip().splitlines()
        return lines[-1] if lines else ""

    def has_process_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_eventreceipt")

    @admin.action(description="Process again", permissions=["process"])
    def process_again(self, request: HttpRequest, rows: QuerySet[EventReceipt]) -> None:
        for row in rows:
            state = webhooks.process(row, now=timezone.now())
            messages.info(request, f"{row.gateway_id} is {state.label.lower()}.")


# --- The sandbox's own books ----------------------------------------------------------------------------------


class SandboxOnly(ReadOnly):
    """The processor's dashboard of a rehearsal."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return gateways.is_sandbox() and super().has_module_permission(request)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return gateways.is_sandbox() and request.user.has_perm("billing.change_topup")


@admin.register(SandboxPayment)
class SandboxPaymentAdmin(SandboxOnly):
    list_display = ("created_at", "id", "reference", "amount", "received", "status", "code", "decline_code")
    list_filter = ("status",)
    search_fields = ("=id", "=reference", "=customer__id")
    ordering = ("-created_at",)
    actions = ("dispute",)

    @admin.action(description="Let the card holder dispute them", permissions=["decide"])
    def dispute(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        for row in rows.filter(status=gateways.Status.SUCCEEDED, disputes=None):
            sandbox_bank.open_dispute(row, now=timezone.now())


@admin.register(SandboxDispute)
class SandboxDisputeAdmin(SandboxOnly):
    list_display = ("id", "payment", "amount", "status")
    list_filter = ("status",)
    search_fields = ("=id", "=payment__id")
    actions = ("win", "lose")

    @admin.action(description="Decide: won", permissions=["decide"])
    def win(self, request: HttpRequest, rows: QuerySet[SandboxDispute]) -> None:
        for row in rows:
            sandbox_bank.close_dispute(row, won=True, now=timezone.now())

    @admin.action(description="Decide: lost", permissions=["decide"])
    def lose(self, request: HttpRequest, rows: QuerySet[SandboxDispute]) -> None:
        for row in rows:
            sandbox_bank.close_dispute(row, won=False, now=timezone.now())
