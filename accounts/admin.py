"""Django admin for accounts, people, keys and mail."""

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from accounts import api_keys, ids
from accounts.forms import Email
from accounts.models import Account, ApiKey, Mail, Scope, User


class SearchById(admin.ModelAdmin):
    """A public id (acct_…) pasted into the search box finds its row."""

    id_prefix = ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        found = ids.parse(self.id_prefix, search_term.strip())
        if found is not None:
            return queryset.filter(pk=found), False
        return super().get_search_results(request, queryset, search_term)


@admin.register(Account)
class AccountAdmin(SearchById):
    id_prefix = "acct"
    list_display = ("name", "public_id", "timezone", "opened_at", "closed_at")
    search_fields = ("name", "members__email")
    search_help_text = "Account id (acct_…), name, or a member's email"
    fields = ("public_id", "name", "timezone", "created_at", "opened_at", "closed_at", "people")
    readonly_fields = ("public_id", "created_at", "opened_at", "closed_at", "people")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # accounts are born of sign-up or `manage.py create_account`, with their balance

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False

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

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False


class PlatformKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.label) for scope in Scope if scope != Scope.TOPUP_WRITE],
        widget=forms.CheckboxSelectMultiple,
        help_text="A platform key acts for every account. It never adds funds.",
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(SearchById):
    """Superusers make platform keys here; the keys of accounts are made by their members."""

    id_prefix = "key"
    form = PlatformKeyForm
    list_display = ("name", "prefix", "account", "scopes", "created_at", "last_used_at", "revoked_at")
    list_filter = (("account", admin.EmptyFieldListFilter), "created_at")
    list_select_related = ("account",)
    search_fields = ("name", "prefix", "account__name")
    search_help_text = "Key id (key_…), name, visible prefix or account name"
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return request.user.is_superuser and obj is None  # the list and its action; a key never changes

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiKey, form: PlatformKeyForm, change: bool) -> None:
        row, plain = api_keys.create(
            id=obj.pk,
            account=None,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
            created_by=request.user,
            now=timezone.now(),
        )
        obj._state.adding = False
        text = "Copy the key “{}” now, it is shown only this once: <code>{}</code>"
        messages.warning(request, format_html(text, row.name, plain))

    @admin.action(description="Revoke the selected keys", permissions=["add"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys:
            api_keys.revoke(key, now=timezone.now())
        messages.success(request, f"{len(keys)} revoked. Requests with them now answer 401.")


@admin.register(Mail)
class MailAdmin(admin.ModelAdmin):
    """What was written to whom. The text of a mail with a link that signs in is shown to nobody."""

    list_display = ("subject", "to", "created_at", "sent_at", "refused_at", "tries", "error")
    list_filter = (
        "created_at",
        ("sent_at", admin.EmptyFieldListFilter),
        ("refused_at", admin.EmptyFieldListFilter),
    )
    search_fields = ("to", "subject")
    fields = (
        "to",
        "subject",
        "shown_text",
        "created_at",
        "sent_at",
        "next_try_at",
        "refused_at",
        "tries",
        "error",
    )
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Mail | None = None) -> bool:
        return False

    @admin.display(description="Text")
    def shown_text(self, mail: Mail) -> str:
        return "Hidden: it holds a link that signs in." if mail.secret else mail.text
