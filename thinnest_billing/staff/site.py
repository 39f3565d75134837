"""The admin site: who is let in and for how long, and the pages that mix all apps."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path

from thinnest_billing.staff import sessions

View = Callable[..., HttpResponse]


class StaffSignIn(AdminAuthenticationForm):
    """The same door as customers', slowed down for guessers in accounts/backends.py."""

    def get_invalid_login_error(self) -> forms.ValidationError:
        if getattr(self.request, "too_many_tries", False):
            return forms.ValidationError("Too many tries. You were not signed in. Wait, then try again.")
        return super().get_invalid_login_error()


class StaffSite(AdminSite):
    site_title = "thinnest billing"
    site_header = "thinnest billing, staff"
    index_title = "Staff home"
    login_form = StaffSignIn

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and sessions.is_fresh(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Filters go to PostgreSQL as they were typed, and it knows no NUL."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def storable(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if "%00" in request.META.get("QUERY_STRING", ""):
                raise SuspiciousOperation("NUL in an address")
            return guarded(request, *args, **kwargs)

        return storable

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().login(request, extra_context)
        if getattr(request, "too_many_tries", False):
            response.status_code = 429
            response["Retry-After"] = "60"
        return response

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from thinnest_billing.staff import account_page, reopening, search_page  # they need the apps' models

        pages: list[tuple[str, View, str]] = [
            ("search/", search_page.search, "staff_search"),
            ("account/<str:public_id>/", account_page.account_page, "account_page"),
            ("account/<str:public_id>/note/", account_page.add_note, "add_staff_note"),
            ("account/<str:public_id>/reopen/", reopening.reopen, "reopen_account"),
        ]
        own = [path(route, self.admin_view(view), name=name) for route, view, name in pages]
        return [*own, *super().get_urls()]
