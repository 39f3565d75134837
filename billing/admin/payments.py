"""Top-ups, cards and disputes, as staff see them."""

from django.contrib import admin, messages
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils import timezone

from billing import gateways, settling, topup_sweep
from billing.admin.read_only import ReadOnly
from billing.models import (
    Dispute,
    PaymentMethod,
    TopUp,
)


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
            except (gateways.GatewayError, settling.NotOurs) as error:
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
