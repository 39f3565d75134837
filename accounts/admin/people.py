"""Accounts and people in admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from accounts.admin.recorded import SearchById
from accounts.forms import Email
from accounts.models import Account, User


@admin.register(Account)
class AccountAdmin(SearchById):
    id_prefix = "acct"
    list_display = ("name", "page", "timezone", "opened_at", "closed_at")
    search_fields = ("name", "members__email")
    search_help_text = "Account id (acct_…), name, or a member's email"
    fields = ("page", "name", "timezone", "created_at", "opened_at", "closed_at", "people")
    readonly_fields = ("page", "created_at", "opened_at", "closed_at", "people")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # accounts are born of sign-up or `manage.py create_account`, with their balance

    @admin.display(description="Everything about it")
    def page(self, account: Account) -> str:
        url = reverse("admin:account_page", args=[account.public_id])
        return format_html('<a href="{}">{}</a>', url, account.public_id)

    @admin.display(description="Members")
    def people(self, account: Account) -> str:
        return ", ".join(f"{user.email} ({user.role})" for user in account.members.order_by("created_at"))


class NewUserForm(AdminUserCreationForm):
    email = Email()

    class Meta:
        model = User
        fields = ("email",)

    def save(self, commit: bool = True) -> User:
        """Made by staff: the address is taken as confirmed."""
        self.instance.email_confirmed_at = timezone.now()
        return super().save(commit)


@admin.register(User)
class UserAdmin(SearchById, DjangoUserAdmin):
    id_prefix = "usr"
    add_form = NewUserForm
    ordering = ("-created_at",)
    list_display = ("email", "account", "role", "is_staff", "email_confirmed_at", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    list_select_related = ("account",)
    search_fields = ("email", "account__name")
    search_help_text = "Email, user id (usr_…) or account name"
    readonly_fields = (
        "public_id", "email", "account", "role", "email_confirmed_at", "created_at", "last_login",
    )  # fmt: skip
    filter_horizontal = ("groups",)
    fieldsets = (
        (None, {"fields": ("public_id", "email", "password", "account", "role")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("created_at", "email_confirmed_at", "last_login")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "usable_password", "password1", "password2")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def facts(self, obj: Any) -> dict[str, object]:
        """Whose rights they are is the target; the address stays out of the log."""
        flags = {name: getattr(obj, name) for name in ("is_active", "is_staff", "is_superuser")}
        return flags | {"groups": sorted(obj.groups.values_list("name", flat=True))}

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        with transaction.atomic():  # the new password and its row in the audit log
            return super().user_change_password(request, id, form_url)
