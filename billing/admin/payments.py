"""Top-ups, cards and disputes, as staff see them."""

from uuid import UUID

from django.contrib import admin
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html

from billing.admin import topup_comparison
from billing.admin.read_only import ReadOnly
from billing.gateways import dashboard
from billing.models import AutoTopup, Dispute, PaymentMethod, TopUp


@admin.register(TopUp)
class TopUpAdmin(ReadOnly):
    """What is stuck comes first, then what waits for its card holder, then the newest."""

    id_prefix = "top"
    list_display = (
        "created_at", "status", "why", "amount", "account", "card_name", "origin", "next_look_at", "mode",
    )  # fmt: skip
    list_filter = ("status", "mode", "origin", "created_at")
    list_select_related = ("account",)
    search_fields = ("=payment_id", "=page_id", "=customer", "=card", "=last4", "=idempotency_key")
    search_help_text = (
        "Top-up (top_…) or account id, a member's email, last four digits, any id of the processor"
    )
    actions = ("look_again",)
    change_form_template = "admin/billing/topup/change_form.html"
    readonly_fields = ("payment",)
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

    @admin.display(description="on the processor's dashboard")
    def payment(self, row: TopUp) -> str:
        url = dashboard.url(row.mode, row.payment_id or "")
        return format_html('<a href="{}">{}</a>', url, row.payment_id) if url else ""

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<uuid:topup_id>/{name}/", self.admin_site.admin_view(view), name=f"{name}_topup")
            for name, view in (("compare", self.compare), ("retry", topup_comparison.retry))
        ]
        return [*own, *super().get_urls()]

    def compare(self, request: HttpRequest, topup_id: UUID) -> HttpResponse:
        return topup_comparison.compare(request, topup_id, site=self.admin_site)

    def has_look_permission(self, request: HttpRequest) -> bool:
        return topup_comparison.may_ask(request)

    @admin.action(description="Retry: ask with the same key, or look it up", permissions=["look"])
    def look_again(self, request: HttpRequest, rows: QuerySet[TopUp]) -> None:
        for row in rows:
            topup_comparison.pursue(request, row)


@admin.register(AutoTopup)
class AutoTopupAdmin(ReadOnly):
    """Standing orders: what each will do next, or why it does not."""

    list_display = (
        "account", "enabled", "threshold", "amount", "monthly_limit", "failures", "next_attempt_at",
        "stopped_reason", "stopped_at", "mode",
    )  # fmt: skip
    list_filter = ("enabled", "stopped_reason", "mode")
    list_select_related = ("account",)
    search_fields = ("=card", "account__name")
    ordering = ("-enabled", "-stopped_at")


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
