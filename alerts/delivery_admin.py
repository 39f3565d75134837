"""The log of webhook deliveries in Django admin: staff read it, superusers send again."""

import json
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from alerts import endpoints, signing
from alerts.models import Delivery
from billing.admin import ReadOnly


@admin.register(Delivery)
class DeliveryAdmin(ReadOnly):
    """The log: newest first. A message is sent again with the same id and body."""

    list_display = (
        "created_at", "type", "outcome", "status", "tries", "next_try_at", "error", "account", "endpoint",
    )  # fmt: skip
    list_filter = (
        "type",
        ("delivered_at", admin.EmptyFieldListFilter),
        ("next_try_at", admin.EmptyFieldListFilter),
        "endpoint",
    )
    list_select_related = ("account", "endpoint")
    search_fields = ("=key", "body")
    search_help_text = "Account id (acct_…), a member's email, or any id in the message"
    ordering = ("-created_at", "-id")
    actions = ("send_again",)
    fields = (
        "message_id", "type", "account", "endpoint", "content", "created_at", "outcome", "tries", "status", "error",
        "delivered_at", "next_try_at", "key",
    )  # fmt: skip
    readonly_fields = ("message_id", "content", "outcome")
    change_form_template = "admin/alerts/delivery/change_form.html"

    @admin.display(description="outcome")
    def outcome(self, row: Delivery) -> str:
        if row.delivered_at:
            return "Delivered"
        if row.next_try_at is None:
            return "Not delivered" if row.type == endpoints.TEST else "Given up"
        return "Kept: its endpoint is off" if row.endpoint.disabled_at else "Waiting"

    @admin.display(description="webhook-id")
    def message_id(self, row: Delivery) -> str:
        return signing.message_id(row.pk)

    @admin.display(description="body")
    def content(self, row: Delivery) -> str:
        return format_html("<pre>{}</pre>", json.dumps(json.loads(row.body), indent=2, ensure_ascii=False))

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(self.again)
        return [path("<uuid:pk>/again/", again, name="send_delivery_again"), *super().get_urls()]

    def again(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        """The action for one, from its own page."""
        if not self.has_send_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self.send_again(request, Delivery.objects.filter(pk=pk))
        return HttpResponseRedirect(reverse("admin:alerts_delivery_change", args=[pk]))

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    @admin.action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, rows: QuerySet[Delivery]) -> None:
        with transaction.atomic():
            for row in rows:
                self.write_down(request, row, "send delivery again", message=signing.message_id(row.pk))
            count = endpoints.send_again(rows, now=timezone.now())
        messages.success(
            request, f"To be sent again: {count}. An endpoint that is off gets them once it is on."
        )
