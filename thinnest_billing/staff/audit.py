"""The audit log: everything staff did, newest first. To read, to filter, and as CSV."""

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join

from accounts import ids, staff_acts
from accounts.json import timestamp
from accounts.models import StaffAct, User
from billing.admin import ReadOnly
from usage.exports import defused

COLUMNS = ("time", "staff", "act", "account", "target", "details", "reason", "request_id")


@admin.register(StaffAct)
class StaffActAdmin(ReadOnly):
    list_display = ("at", "who", "act", "of", "target", "told", "reason", "request_id")
    list_filter = ("at", "act", ("staff", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("account", "staff")
    date_hierarchy = "at"
    search_fields = ("=target", "=request_id", "reason", "act")
    search_help_text = (
        "Account id (acct_…), an email of staff or a member, a target, a request id, words of a reason"
    )
    ordering = ("-id",)
    fields = ("at", "who", "act", "of", "target", "told", "reason", "request_id")
    readonly_fields = ("who", "of", "told")
    change_list_template = "admin/accounts/staffact/change_list.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """An address is that of staff, if it is; else that of a member."""
        person = User.objects.filter(email=search_term.strip().lower(), is_staff=True).first()
        if person:
            return queryset.filter(staff=person), False
        return super().get_search_results(request, queryset, search_term)

    @admin.display(description="staff", ordering="staff__email")
    def who(self, row: StaffAct) -> str:
        return staff_acts.by(row)

    @admin.display(description="account")
    def of(self, row: StaffAct) -> str:
        if row.account_id is None:
            return ""
        public_id = ids.public("acct", row.account_id)
        return format_html('<a href="{}">{}</a>', reverse("admin:account_page", args=[public_id]), public_id)

    @admin.display(description="details")
    def told(self, row: StaffAct) -> str:
        return format_html_join("", "<div>{}: {}</div>", detail_lines(row))

    def get_urls(self) -> list[URLPattern]:
        return [path("csv/", self.admin_site.admin_view(self.csv), name="audit_csv"), *super().get_urls()]

    def csv(self, request: HttpRequest) -> HttpResponseRedirect | StreamingHttpResponse:
        """Exactly the rows of the list with the same filters."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(
                reverse("admin:accounts_staffact_changelist") + "?e=1"
            )  # as the list does
        answer = StreamingHttpResponse(lines(rows), content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="audit-log.csv"'
        return answer


def detail_lines(row: StaffAct) -> list[tuple[str, Any]]:
    """What is worth reading: not the keys that make a double click one act."""
    plain = {
        name: ", ".join(value) if isinstance(value, list) else value for name, value in row.details.items()
    }
    return [
        (name.replace("_", " "), value) for name, value in plain.items() if name not in ("key", "command")
    ]


def lines(rows: QuerySet[StaffAct]) -> Iterator[bytes]:
    yield _written(COLUMNS)
    for row in rows.iterator(chunk_size=500):
        account = ids.public("acct", row.account_id) if row.account_id else ""
        details = "; ".join(f"{name}: {value}" for name, value in detail_lines(row))
        told = (staff_acts.by(row), row.act, account, row.target, details, row.reason, row.request_id)
        yield _written((timestamp(row.at), *map(defused, told)))


def _written(cells: tuple[str, ...]) -> bytes:
    page = StringIO()
    csv.writer(page).writerow(cells)
    return page.getvalue().encode()
