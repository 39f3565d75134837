"""Receipts: the list, one to print, and what is printed on them."""

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts import access
from accounts.access import member
from billing import receipt_list, receipts, reconciliation
from billing.details_form import BillingDetailsForm
from billing.views import form_page, see_other
from billing.views.topups import own_topup


@require_safe
@never_cache
@member()
def receipts_page(request: HttpRequest) -> HttpResponse:
    asked = {side: request.GET.get(side, "") for side in ("before", "after")}
    page = receipt_list.page(request.account.id, **asked)
    context = {
        "lines": page.lines,
        "checked": reconciliation.for_customers(request.account.id),
        "newer": f"?after={page.newer}" if page.newer else "",
        "older": f"?before={page.older}" if page.older else "",
        "per_page": receipt_list.PER_PAGE,
    }
    return render(request, "billing/receipts.html", context)


@require_safe
@never_cache
@member()
def receipt(request: HttpRequest, topup_id: str) -> HttpResponse:
    """One to print. A top-up that brought nothing has none: its own page tells what became of it."""
    row = own_topup(request, topup_id)
    found = receipts.of_topup(row)
    if found is None:
        return see_other(reverse("topup", args=[row.public_id]))
    seller = {
        "name": settings.SELLER_NAME,
        "address": settings.SELLER_ADDRESS,
        "tax_id": settings.SELLER_TAX_ID,
    }
    return render(request, "billing/receipt.html", {"receipt": found, "topup": row, "seller": seller})


@form_page
@never_cache
@member()
def billing_details(request: HttpRequest) -> HttpResponse:
    """Every member sees what is printed; admins and owners change it."""
    may_act = request.user.may("admin")
    if request.method == "POST" and not may_act:
        raise PermissionDenied(access.NEEDED["admin"])
    details = receipts.details_of(request.account.id)
    form = BillingDetailsForm(request.POST or None, instance=details)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Your billing details are saved. They are printed on all your receipts.")
        return see_other(reverse("billing_details"))
    saved = receipts.details_of(request.account.id)
    return render(
        request, "billing/billing_details.html", {"form": form, "details": saved, "may_act": may_act}
    )
