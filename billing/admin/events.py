"""What the processor told us."""

import json

from django.contrib import admin, messages
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from billing import staff
from billing.admin.read_only import ReadOnly
from billing.gateways import dashboard
from billing.models import EventReceipt


@admin.register(EventReceipt)
class EventReceiptAdmin(ReadOnly):
    """What came from the processor. What is in quarantine comes first, then what failed; both say why."""

    list_display = ("received_at", "type", "state", "reason", "tries", "next_try_at", "mode")
    list_filter = ("state", "type", "mode", "received_at")
    search_fields = ("=gateway_id", "body")
    search_help_text = "Event id, or any id or text in its body"
    ordering = (
        Case(When(state="quarantined", then=Value(0)), When(state="failed", then=Value(1)), default=Value(2)),
        "-received_at",
    )
    actions = ("process_again",)
    change_form_template = "admin/billing/eventreceipt/change_form.html"
    fields = (
        "event", "type", "state", "mode", "received_at", "processed_at", "tries", "next_try_at", "what_failed",
        "content",
    )  # fmt: skip
    readonly_fields = ("event", "what_failed", "content")

    @admin.display(description="reason")
    def reason(self, row: EventReceipt) -> str:
        lines = row.error.strip().splitlines()
        return lines[-1] if lines else ""

    @admin.display(description="event")
    def event(self, row: EventReceipt) -> str:
        url = dashboard.url(row.mode, row.gateway_id)
        return format_html('<a href="{}">{}</a>', url, row.gateway_id) if url else row.gateway_id

    @admin.display(description="error")
    def what_failed(self, row: EventReceipt) -> str:
        return format_html("<pre>{}</pre>", row.error)

    @admin.display(description="body")
    def content(self, row: EventReceipt) -> str:
        """Indented; as it came where it is not JSON."""
        try:
            text = json.dumps(json.loads(row.body), indent=2)
        except ValueError:
            text = row.body
        return format_html("<pre>{}</pre>", text)

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(self.again)
        return [path("<uuid:pk>/again/", again, name="process_event_again"), *super().get_urls()]

    def again(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The action for one, from its own page."""
        if request.method == "POST" and self.has_process_permission(request):
            self.process_again(request, EventReceipt.objects.filter(pk=pk))
        return HttpResponseRedirect(reverse("admin:billing_eventreceipt_change", args=[pk]))

    def has_process_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_eventreceipt")

    @admin.action(description="Process again", permissions=["process"])
    def process_again(self, request: HttpRequest, rows: QuerySet[EventReceipt]) -> None:
        for row in rows:
            state = staff.process_again(row, staff=request.user, now=timezone.now())
            messages.info(request, f"The event {row.gateway_id} is {state.label.lower()}.")
