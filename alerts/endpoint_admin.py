"""Endpoints in Django admin. Only superusers change them, as with platform keys."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html

from accounts.admin import Recorded
from accounts.models import ApiKey
from alerts import endpoints, signing
from alerts.models import Endpoint

SECRET = "Copy the secret of {} now, it is shown only this once: <code>{}</code>"


class EndpointForm(forms.ModelForm):
    class Meta:
        model = Endpoint
        fields = ("api_key", "url")
        labels = {"api_key": "Platform key", "url": "Address"}
        help_texts = {
            "api_key": "It acts for every account, so its endpoint hears of every account.",
            "url": "https:// only. We POST to it and follow no redirects: enter the final address.",
        }
        widgets = {"url": forms.URLInput(attrs={"size": 80})}

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        if key := self.fields.get("api_key"):
            key.queryset = ApiKey.objects.filter(account=None, revoked_at=None)

    def clean_url(self) -> str:
        url = self.cleaned_data["url"].strip()
        if refusal := endpoints.refusal(url):
            raise forms.ValidationError(refusal)
        return url


@admin.register(Endpoint)
class EndpointAdmin(Recorded):
    """The secret is shown once, when it is made; afterwards to nobody. Nothing is deleted: its log would go too."""

    form = EndpointForm
    list_display = ("url", "api_key", "state", "failing_since", "disabled_at", "created_at")
    list_filter = (("disabled_at", admin.EmptyFieldListFilter), ("failing_since", admin.EmptyFieldListFilter))
    list_select_related = ("api_key",)
    search_fields = ("url", "api_key__name", "api_key__prefix")
    fields = ("api_key", "url", "state", "created_at", "failing_since", "disabled_at", "log")
    readonly_fields = ("state", "created_at", "failing_since", "disabled_at", "log")
    change_form_template = "admin/alerts/endpoint/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> tuple[str, ...]:
        return ("api_key", *self.readonly_fields) if obj else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: Endpoint | None = None) -> tuple[str, ...]:
        return self.fields if obj else ("api_key", "url")

    @admin.display(description="state")
    def state(self, row: Endpoint) -> str:
        if not row.api_key.is_usable(timezone.now()):
            return "Off: its key is revoked or expired"
        if row.disabled_at:
            return "Off"
        return "Failing" if row.failing_since else "On"

    @admin.display(description="log")
    def log(self, row: Endpoint) -> str:
        url = reverse("admin:alerts_delivery_changelist") + endpoints.log_of(row.pk)
        return format_html('<a href="{}">Deliveries</a>', url)

    def save_model(self, request: HttpRequest, obj: Endpoint, form: EndpointForm, change: bool) -> None:
        if not change:
            obj.secret, obj.created_at = signing.new_secret(), timezone.now()
            messages.warning(request, format_html(SECRET, obj.url, obj.secret))
        if change and "url" in form.changed_data:
            obj.failing_since = None  # of the address before
        obj.save(update_fields=["url", "failing_since"] if change else None)

    def facts(self, obj: Any) -> dict[str, object]:
        """The host alone: what follows it may be secret."""
        return {"key": obj.api_key.public_id, "host": urlsplit(obj.url).hostname or ""}

    def get_urls(self) -> list[URLPattern]:
        acts = [
            path(
                f"<uuid:pk>/{name}/", self.admin_site.admin_view(self.act), {"name": name}, f"endpoint_{name}"
            )
            for name in ACTS
        ]
        return [*acts, *super().get_urls()]

    def act(self, request: HttpRequest, pk: UUID, name: str) -> HttpResponse:
        """A button of its page; what was done is told, and kept in the audit log without any secret."""
        row = get_object_or_404(Endpoint.objects.select_related("api_key"), pk=pk)
        if not self.has_change_permission(request, row):
            raise PermissionDenied
        if request.method == "POST":
            told, do = ACTS[name]
            with transaction.atomic():
                self.write_down(request, row, told)
                if do is not _test:
                    do(request, row)
            if do is _test:  # it speaks to the network
                do(request, row)
        return HttpResponseRedirect(reverse("admin:alerts_endpoint_change", args=[pk]))


def _test(request: HttpRequest, row: Endpoint) -> None:
    answer = endpoints.send_test(row, now=timezone.now())
    if answer.accepted:
        messages.success(request, f"The test was accepted: the endpoint answered {answer.status}.")
    else:
        messages.error(request, f"The test was not accepted. {answer.error}")


def _rotate(request: HttpRequest, row: Endpoint) -> None:
    messages.warning(request, format_html(SECRET, row.url, endpoints.rotate(row)))


def _turn_on(request: HttpRequest, row: Endpoint) -> None:
    count = endpoints.turn_on(row, now=timezone.now())
    messages.success(request, f"The endpoint is on. Messages that were kept and go out now: {count}.")


def _turn_off(request: HttpRequest, row: Endpoint) -> None:
    endpoints.turn_off(row, now=timezone.now())
    messages.success(request, "The endpoint is off. What waited is kept until it is on again.")


ACTS: dict[str, tuple[str, Callable[[HttpRequest, Endpoint], None]]] = {
    "test": ("test endpoint", _test),
    "rotate": ("rotate endpoint's secret", _rotate),
    "turn_on": ("turn endpoint on", _turn_on),
    "turn_off": ("turn endpoint off", _turn_off),
}
