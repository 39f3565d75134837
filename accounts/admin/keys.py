"""API keys: superusers make platform keys and revoke any; the keys of accounts are made by their members."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from accounts import api_keys
from accounts.admin.recorded import SearchById, is_own
from accounts.models import ApiKey, Scope


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

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser and obj is None  # the list and its action; a key never changes

    def facts(self, obj: Any) -> dict[str, object]:
        return {"name": obj.name, "scopes": list(obj.scopes)} if obj.account_id is None else {}

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
        wanted = list(keys.filter(revoked_at=None))
        own = [key for key in wanted if is_own(request.user, key)]
        for key in wanted:
            if key not in own:
                self._revoke(request, key)
        count = len(wanted) - len(own)
        messages.success(request, f"{count} revoked. Requests with them now answer 401.")
        if own:
            messages.error(request, f"{len(own)} left as they are: of your own account. Ask a colleague.")

    def _revoke(self, request: HttpRequest, key: ApiKey) -> None:
        with transaction.atomic():
            api_keys.revoke(key, now=timezone.now())
            self.write_down(request, key, "revoke key")
