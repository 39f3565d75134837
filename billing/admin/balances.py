"""Balances, what staff do to them, and the books behind them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone

from accounts.errors import Problem
from accounts.models import User
from billing import staff
from billing.admin.read_only import ReadOnly, after
from billing.models import (
    Balance,
    Hold,
    LedgerEntry,
)
from billing.money import usd, usd_balance
from billing.staff_forms import AdjustForm, FreezeForm, GrantForm, TransferForm

Act = Callable[[UUID, dict[str, Any], User], str]


@admin.register(Balance)
class BalanceAdmin(ReadOnly):
    list_display = ("account", "balance", "granted", "paid", "held", "depleted_at", "frozen")
    list_filter = (
        ("depleted_at", admin.EmptyFieldListFilter),
        ("owner_froze_at", admin.EmptyFieldListFilter),
        ("staff_froze_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("account",)
    search_fields = ("account__name",)
    change_form_template = "admin/billing/balance/change_form.html"

    @admin.display(description="balance")
    def balance(self, row: Balance) -> str:
        return usd_balance(row.granted + row.paid)

    @admin.display(boolean=True)
    def frozen(self, row: Balance) -> bool:
        return bool(row.owner_froze_at or row.staff_froze_at)

    def get_urls(self) -> list[URLPattern]:
        acts = [
            path(
                f"<uuid:account_id>/{name}/",
                self.admin_site.admin_view(self.act),
                {"name": name},
                f"{name}_balance",
            )
            for name in ACTS
        ]
        return [*acts, *super().get_urls()]

    def act(self, request: HttpRequest, account_id: UUID, name: str) -> HttpResponse:
        """A form with a reason; then the act, told in the audit log."""
        title, form_class, permission, do = ACTS[name]
        row = get_object_or_404(Balance.objects.select_related("account"), pk=account_id)
        if not request.user.has_perm(permission):
            raise PermissionDenied
        form = form_class(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                said = do(account_id, form.cleaned_data, request.user)
            except Problem as refusal:
                form.add_error(None, f"{refusal.title} {refusal.detail} Nothing was changed.")
            else:
                messages.success(request, said)
                return HttpResponseRedirect(after(request, row.account))
        shown = {"title": title, "form": form, "balance": row, "opts": self.opts}
        context = self.admin_site.each_context(request) | shown
        return render(request, "admin/billing/balance/act.html", context)


def _grant(account_id: UUID, data: dict[str, Any], user: User) -> str:
    amount = data.pop("amount")
    staff.grant(account_id, amount, staff=user, now=timezone.now(), **data)
    return f"{usd(amount)} granted."


def _adjust(account_id: UUID, data: dict[str, Any], user: User) -> str:
    amount = data.pop("amount")
    staff.adjust(account_id, amount, staff=user, now=timezone.now(), **data)
    return f"Adjusted by {usd(amount)}."


def _receive(account_id: UUID, data: dict[str, Any], user: User) -> str:
    amount = data.pop("amount")
    row = staff.receive(account_id, amount, staff=user, now=timezone.now(), **data)
    return f"{usd(amount)} added as {row.public_id}. The owner gets a receipt."


def _freeze(account_id: UUID, data: dict[str, Any], user: User) -> str:
    staff.freeze(account_id, staff=user, frozen=True, now=timezone.now(), **data)
    return "Spending is frozen."


def _unfreeze(account_id: UUID, data: dict[str, Any], user: User) -> str:
    staff.freeze(account_id, staff=user, frozen=False, now=timezone.now(), **data)
    return "Staff's freeze is lifted."


ACTS: dict[str, tuple[str, type[forms.Form], str, Act]] = {
    "grant": ("Grant credit", GrantForm, "billing.add_ledgerentry", _grant),
    "adjust": ("Adjust the balance", AdjustForm, "billing.add_ledgerentry", _adjust),
    "receive": ("Enter a bank transfer", TransferForm, "billing.add_topup", _receive),
    "freeze": ("Freeze spending", FreezeForm, "billing.change_balance", _freeze),
    "unfreeze": ("Lift staff's freeze", FreezeForm, "billing.change_balance", _unfreeze),
}


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly):
    list_display = (
        "recorded_at", "account", "seq", "kind", "granted", "paid", "granted_after", "paid_after", "actor",
    )  # fmt: skip
    list_filter = ("kind", "day")
    list_select_related = ("account",)
    search_fields = ("=key", "=actor")
    ordering = ("-id",)


@admin.register(Hold)
class HoldAdmin(ReadOnly):
    id_prefix = "hold"
    list_display = ("created_at", "account", "purpose", "amount", "state", "expires_at", "key")
    list_filter = ("state", "purpose")
    list_select_related = ("account",)
    search_fields = ("=key",)
    ordering = ("-id",)
    exclude = ("request_hash",)
