"""Refunds as staff see them, and as those who may (`billing.add_refund`) give them: from a top-up's page."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils import timezone

from accounts.errors import Problem
from accounts.models import User
from billing import auto_topup, staff
from billing.admin.read_only import ReadOnly, after
from billing.models import Mode, Refund, TopUp
from billing.money import usd
from billing.refund_rules import refundable
from billing.staff_forms import StaffRefundForm


@admin.register(Refund)
class RefundAdmin(ReadOnly):
    id_prefix = "ref"
    list_display = (
        "created_at", "account", "amount", "taken", "status", "origin", "actor", "why", "topup", "mode",
    )  # fmt: skip
    list_filter = ("status", "origin", "mode", "created_at")
    list_select_related = ("account", "topup")
    search_fields = ("=gateway_id", "=topup__payment_id", "=actor")
    search_help_text = "Refund (ref_…) or account id, a member's email, any id of the processor"
    ordering = ("-created_at",)

    @admin.display(description="why")
    def why(self, row: Refund) -> str:
        return row.error or row.reason

    def get_urls(self) -> list[URLPattern]:
        act = path("of/<uuid:topup_id>/", self.admin_site.admin_view(self.act), name="refund_topup")
        return [act, *super().get_urls()]

    def act(self, request: HttpRequest, topup_id: UUID) -> HttpResponse:
        """A form with an amount and a reason; then the refund, told in the audit log."""
        topup = get_object_or_404(TopUp.objects.select_related("account"), pk=topup_id)
        if not request.user.has_perm("billing.add_refund"):
            raise PermissionDenied
        most = refundable(topup)
        form = StaffRefundForm(request.POST or None, most=most)
        if request.method == "POST" and form.is_valid():
            try:
                row = _refund(topup, form.cleaned_data, request.user)
            except Problem as refusal:
                form.add_error(None, f"{refusal.title} {refusal.detail}")
            else:
                return self._told(request, topup, row)
        auto = auto_topup.of(topup.account_id)
        shown = {
            "title": "Refund a top-up", "form": form, "topup": topup, "most": most, "opts": self.opts,
            "auto_topup_is_on": bool(auto and auto.enabled), "is_manual": topup.mode == Mode.MANUAL,
        }  # fmt: skip
        return render(request, "admin/billing/refund/act.html", self.admin_site.each_context(request) | shown)

    def _told(self, request: HttpRequest, topup: TopUp, row: Refund) -> HttpResponse:
        failed = row.status == Refund.Status.FAILED
        outcome = f"failed: {row.error}" if failed else f"is {row.get_status_display().lower()}."
        said = f"The refund {row.public_id} of {usd(row.amount)} {outcome}"
        (messages.error if failed else messages.success)(request, said)
        return HttpResponseRedirect(after(request, topup.account))


def _refund(topup: TopUp, data: dict[str, Any], user: User) -> Refund:
    amount, reason, refund_id = data["amount"], data["reason"], data["refund"]
    now = timezone.now()
    return staff.refund(topup, amount, staff=user, reason=reason, refund_id=refund_id, now=now)
