"""Staff open a closed account again, with a reason, until its erasure begins."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import User
from billing.models import Balance
from billing.staff_forms import Reason
from thinnest_billing.leaving import closing
from thinnest_billing.staff.account_page import account_for


class ReopenForm(forms.Form):
    reason = Reason(
        help_text="For the audit log. Its members can sign in again; keys, cards and alerts stay gone."
    )


@require_http_methods(["GET", "HEAD", "POST"])
def reopen(request: HttpRequest, public_id: str) -> HttpResponse:
    account, form = account_for(request, public_id), ReopenForm(request.POST or None)
    staff = request.user
    assert isinstance(staff, User), "admin lets in nobody else"
    if not staff.has_perm("billing.change_balance") or staff.account_id == account.pk:
        raise PermissionDenied
    if request.method == "POST" and form.is_valid():
        reason = form.cleaned_data["reason"]
        if closing.reopen(account.pk, staff=staff, reason=reason, now=timezone.now()):
            messages.success(request, "The account is open again. Its members can sign in.")
        else:
            messages.error(request, "Nothing was changed: it is not closed, or it was closed 30 days ago.")
        return HttpResponseRedirect(reverse("admin:account_page", args=[account.public_id]))
    balance = Balance.objects.select_related("account").get(pk=account.pk)
    shown = {"title": "Open the account again", "form": form, "balance": balance}
    context = admin.site.each_context(request) | shown
    return render(request, "admin/billing/balance/act.html", context)
