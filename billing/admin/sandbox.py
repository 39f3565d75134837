"""The sandbox's own books: the processor's dashboard of a rehearsal. We learn what is done here by its events."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing import gateways
from billing.admin.read_only import ReadOnly
from billing.amounts import Amount
from billing.gateways import Rejected, sandbox_bank
from billing.models import SandboxDispute, SandboxPayment, SandboxRefund
from billing.money import from_cents, is_whole_cents, to_cents, usd


class SandboxOnly(ReadOnly):
    """The processor's dashboard of a rehearsal."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return gateways.is_sandbox() and super().has_module_permission(request)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return gateways.is_sandbox() and request.user.has_perm("billing.change_topup")

    def play(self, request: HttpRequest, row: Model, act: str, do: Callable[[], object]) -> None:
        """Do what the processor or a bank would, with a row in the audit log."""
        with transaction.atomic():
            self.write_down(request, row, f"sandbox: {act}")
            do()


class AmountForm(ActionForm):
    amount = Amount(
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
        cents = None if amount is None else to_cents(amount)

        def refund() -> None:
            made = sandbox_bank.refund_by_hand(row.pk, cents, now=timezone.now())
            messages.success(request, f"{row.pk}: {usd(from_cents(made.amount))} of it refunded.")

        try:
            self.play(request, row, "refund", refund)
        except Rejected as refusal:
            messages.error(request, f"{row.pk}: {refusal}")

    @admin.action(description="Let the card holder dispute them", permissions=["decide"])
    def dispute(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        self._open(request, rows, "needs_response")

    @admin.action(description="Let the bank ask about them (an inquiry)", permissions=["decide"])
    def ask(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        self._open(request, rows, "warning_needs_response")

    def _open(self, request: HttpRequest, rows: QuerySet[SandboxPayment], status: str) -> None:
        standing = SandboxDispute.objects.filter(status__in=("needs_response", status)).values("payment")
        for row in rows.filter(status=gateways.Status.SUCCEEDED).exclude(pk__in=standing):
            open_ = partial(sandbox_bank.open_dispute, row, status=status, now=timezone.now())
            self.play(request, row, "dispute", open_)

    @admin.action(description="Let the card network warn of fraud", permissions=["decide"])
    def warn(self, request: HttpRequest, rows: QuerySet[SandboxPayment]) -> None:
        for row in rows.filter(status=gateways.Status.SUCCEEDED):
            self.play(
                request, row, "warn of fraud", partial(sandbox_bank.warn_of_fraud, row, now=timezone.now())
            )


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
            fail = partial(sandbox_bank.end_refund, row, "failed", now=timezone.now())
            self.play(request, row, "fail refund", fail)


@admin.register(SandboxDispute)
class SandboxDisputeAdmin(SandboxOnly):
    list_display = ("id", "payment", "amount", "status")
    list_filter = ("status",)
    search_fields = ("=id", "=payment__id")
    actions = ("win", "lose")

    @admin.action(description="Decide: won", permissions=["decide"])
    def win(self, request: HttpRequest, rows: QuerySet[SandboxDispute]) -> None:
        self._close(request, rows, won=True)

    @admin.action(description="Decide: lost", permissions=["decide"])
    def lose(self, request: HttpRequest, rows: QuerySet[SandboxDispute]) -> None:
        self._close(request, rows, won=False)

    def _close(self, request: HttpRequest, rows: QuerySet[SandboxDispute], *, won: bool) -> None:
        for row in rows:
            close = partial(sandbox_bank.close_dispute, row, won=won, now=timezone.now())
            self.play(request, row, "win dispute" if won else "lose dispute", close)
