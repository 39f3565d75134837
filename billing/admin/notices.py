"""What staff were told, and who looked after it."""

from django.contrib import admin, messages
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from billing import notices
from billing.admin.read_only import ReadOnly
from billing.models import StaffNotice


@admin.register(StaffNotice)
class StaffNoticeAdmin(ReadOnly):
    """What nobody has looked after comes first, then the newest."""

    list_display = ("created_at", "text", "about", "done_at", "done_by", "account")
    list_filter = (("done_at", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("account", "topup")
    search_fields = ("text", "key", "=topup__payment_id")
    ordering = (F("done_at").desc(nulls_first=True), "-created_at")
    actions = ("done",)

    @admin.display(description="top-up")
    def about(self, row: StaffNotice) -> str:
        if row.topup is None:
            return ""
        url = reverse("admin:compare_topup", args=[row.topup_id])
        return format_html('<a href="{}">{}</a>', url, row.topup)

    def has_done_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_staffnotice")

    @admin.action(description="Done: somebody looked after them", permissions=["done"])
    def done(self, request: HttpRequest, rows: QuerySet[StaffNotice]) -> None:
        count, own = notices.mark_done(rows, staff=request.user, now=timezone.now())
        messages.success(request, f"{count} marked as done.")
        if own:
            messages.error(request, f"{own} left open: about your own account. Ask a colleague.")
