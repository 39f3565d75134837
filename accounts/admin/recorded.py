"""What every table in admin keeps to: changes go to the one audit log, nothing is deleted, nobody edits their own."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from accounts import ids, staff_acts
from accounts.models import Account, User

LONGEST_NAME = 80  # of a target


class Recorded(admin.ModelAdmin):
    """Django would keep a log of its own, of forms alone: there is one log, and it has everything."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.write_down(request, obj, f"add {obj._meta.verbose_name}")

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.write_down(request, obj, f"change {obj._meta.verbose_name}", changed=_fields(message))

    def write_down(self, request: HttpRequest, obj: Model, act: str, **details: object) -> None:
        """One row of the audit log, in the transaction of the change."""
        staff_acts.record(
            request.user, act, account_id=account_of(obj), target=target_of(obj),
            details=details | self.facts(obj), now=timezone.now(),
        )  # fmt: skip

    def facts(self, obj: Any) -> dict[str, object]:
        """What the log keeps of a row as it is now. No personal data."""
        return {}

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, object_id)
        found = urlencode({"q": target_of(obj)}) if obj else ""
        return HttpResponseRedirect(f"{reverse('admin:accounts_staffact_changelist')}?{found}")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and not is_own(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SearchById(Recorded):
    """A public id (acct_…) pasted into the search box finds its row."""

    id_prefix = ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        found = ids.parse(self.id_prefix, search_term.strip())
        if found is not None:
            return queryset.filter(pk=found), False
        return super().get_search_results(request, queryset, search_term)


def account_of(obj: Model) -> UUID | None:
    """The account that a row belongs to."""
    return obj.pk if isinstance(obj, Account) else getattr(obj, "account_id", None)


def target_of(obj: Model) -> str:
    return str(getattr(obj, "public_id", "") or f"{obj._meta.model_name} {obj.pk}")[:LONGEST_NAME]


def is_own(user: User, obj: Model | None) -> bool:
    """Whether a row is of the account that a person of staff belongs to, or is that person."""
    if obj is None:
        return False
    return obj == user or (user.account_id is not None and account_of(obj) == user.account_id)


def _fields(message: Any) -> list[str]:
    """The names of the changed fields in Django's own way of telling them."""
    parts = message if isinstance(message, list) else []
    return [name for part in parts for name in part.get("changed", {}).get("fields", [])]
