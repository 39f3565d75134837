"""Rows that code writes and staff only read."""

from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from accounts import ids
from accounts.admin import SearchById
from accounts.models import Account, User


class ReadOnly(SearchById):
    """Rows that code writes: staff look, and search also by account id (acct_…) and a member's email."""

    show_full_result_count = False
    search_help_text = "Account id (acct_…), a member's email, or any id of the row"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        term = search_term.strip()
        account_id = ids.parse("acct", term)
        if account_id is None and "@" in term:
            member = User.objects.filter(email=term.lower(), account__isnull=False).first()
            account_id = member.account_id if member else UUID(int=0)
        if account_id is not None and hasattr(self.model, "account"):
            return queryset.filter(account=account_id), False
        return super().get_search_results(request, queryset, term)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Ids that are text may not hold NUL, which PostgreSQL cannot look for."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def after(request: HttpRequest, account: Account) -> str:
    """Where an act leads: the page of the account, for those who may see it."""
    if request.user.has_perms(("accounts.view_account", "billing.view_balance")):
        return reverse("admin:account_page", args=[account.public_id])
    return reverse("admin:index")
