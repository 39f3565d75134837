"""The sandbox's own books: the processor's dashboard of a rehearsal."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing import gateways
from billing.admin.read_only import ReadOnly
from billing.gateways import sandbox_bank
from billing.models import (
    SandboxDispute,
    SandboxPayment,
)


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
