"""The sandbox's own books: the processor's dashboard of a rehearsal. We learn what is done here by its events."""

from decimal import Decimal

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing import gateways
from billing.admin.read_only import ReadOnly
from billing.gateways import Rejected, sandbox_bank
from billing.models import SandboxDispute, SandboxPayment, SandboxRefund
from billing.money import from_cents, is_whole_cents, to_cents, usd


class SandboxOnly(ReadOnly):
    """The processor's dashboard of a rehearsal."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return gateways.is_sandbox() and super().has_module_permission(request)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return gateways.is_sandbox() and request.user.has_perm("billing.change_topup")


class AmountForm(ActionForm):
    amount = forms.DecimalField(
        label="Refund, in dollars",
        required=False,
        widget=forms.NumberInput(attrs={"placeholder": "the rest"}),
    )


@admin.register(SandboxPayment)
class SandboxPaymentAdmin(SandboxOnly):
    list_display = (
        "created_at", "id", "reference", "amount", "received", "refunded", "status", "code", "decline_code",
    )  # fmt: skip
    list_filter = ("status",)
    search_fields = ("=id", "=reference", "=customer__id")
    ordering = ("-created_at",)
    action_form = AmountForm
    actions = ("refund", "dispute", "ask", "warn")

    @admin.display(description="refunded")
    def refunded(self, row: SandboxPayment) -> int:
        return sandbox_bank.refunded(row)

    @admin.action(description="Refund: the amount typed, or the rest", permissions=["decide"])
    def refund(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        form = AmountForm(request.POST)
        form.fields["action"].choices = [("refund", "")]
        amount: Decimal | None = form.cleaned_data["amount"] if form.is_valid() else Decimal("NaN")
        if amount is not None and not is_whole_cents(amount):
            messages.error(request, "Type dollars and whole cents, such as 5.00, or nothing for the rest.")
            return
        for row in rows:
            self._refund(request, row, amount)

    def _refund(self, request: HttpRequest, row: SandboxPayment, amount: Decimal | None) -> None:
        try:
            cents = None if amount is None else to_cents(amount)
            made = sandbox_bank.refund_by_hand(row.pk, cents, now=timezone.now())
        except Rejected as refusal:
            messages.error(request, f"{row.pk}: {refusal}")
        else:
            messages.success(request, f"{row.pk}: {usd(from_cents(made.amount))} of it refunded.")

    @admin.action(description="Let the card holder dispute them", permissions=["decide"])
    def dispute(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        self._open(rows, "needs_response")

    @admin.action(description="Let the bank ask about them (an inquiry)", permissions=["decide"])
    def ask(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        self._open(rows, "warning_needs_response")

    def _open(self, rows: QuerySet[SandboxPayment], status: str) -> None:
        standing = SandboxDispute.objects.filter(status__in=("needs_response", status)).values("payment")
        for row in rows.filter(status=gateways.Status.SUCCEEDED).exclude(pk__in=standing):
            sandbox_bank.open_dispute(row, status=status, now=timezone.now())

    @admin.action(description="Let the card network warn of fraud", permissions=["decide"])
    def warn(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        for row in rows.filter(status=gateways.Status.SUCCEEDED):
            sandbox_bank.warn_of_fraud(row, now=timezone.now())


@admin.register(SandboxRefund)
class SandboxRefundAdmin(SandboxOnly):
    list_display = ("created_at", "id", "payment", "reference", "amount", "status")
    list_filter = ("status",)
    search_fields = ("=id", "=payment__id", "=reference")
    ordering = ("-created_at",)
    actions = ("fail",)

    @admin.action(description="Let the card holder's bank refuse them", permissions=["decide"])
    def fail(self, request: HttpRequest, rows: QuerySet[SandboxRefund]) -> None:
        for row in rows.exclude(status__in=("failed", "canceled")):
            sandbox_bank.end_refund(row, "failed", now=timezone.now())


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
