"""What the members of accounts were told, for staff to read."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import SearchById
from alerts import delivery_admin, endpoint_admin  # noqa: F401  they register themselves
from alerts.models import Notification


@admin.register(Notification)
class NotificationAdmin(SearchById):
    id_prefix = "ntf"
    list_display = ("title", "account", "level", "kind", "in_dashboard", "emailed", "created_at")
    list_filter = ("created_at", "level", "kind")
    list_select_related = ("account",)
    search_fields = ("title", "account__name", "account__members__email")
    search_help_text = "Notification id (ntf_…), words of its title, account name or a member's email"
    ordering = ("-created_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
