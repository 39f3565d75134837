"""What the processor told us."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing import webhooks
from billing.admin.read_only import ReadOnly
from billing.models import (
    EventReceipt,
)


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
