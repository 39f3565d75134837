"""The groups of staff: what each may do. Only superusers change them, and each change is in the audit log."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

from accounts.admin.recorded import Recorded

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(Recorded, DjangoGroupAdmin):
    """Nobody changes a group of their own."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        own = obj is not None and request.user.groups.filter(pk=obj.pk).exists()
        return super().has_change_permission(request, obj) and not own

    def facts(self, obj: Any) -> dict[str, object]:
        rights = obj.permissions.values_list("content_type__app_label", "codename")
        return {"name": obj.name, "rights": sorted(f"{app}.{name}" for app, name in rights)}
