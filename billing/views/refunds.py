"""A customer takes a top-up back: within a day, whole, and untouched."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.access import member
from accounts.errors import Problem
from billing import auto_topup, refund_rules, refunds, selectors
from billing.models import Refund, TopUp
from billing.refund_forms import OwnRefundForm
from billing.refund_page import DAYS, outcome
from billing.views import form_page, see_other
from billing.views.topups import own_topup

REASON = "Asked for by the customer"


@form_page
@never_cache
@member(role="owner")
def refund_topup(request: HttpRequest, topup_id: str) -> HttpResponse:
    """What will happen, and then the refund. Where there can be none, why, and what to do instead."""
    row = own_topup(request, topup_id)
    form = OwnRefundForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _refunded(request, row, form):
        return see_other(reverse("topup", args=[row.public_id]))
    refusal = refund_rules.customer_refusal(row, row.credited, now=timezone.now())
    auto = auto_topup.of(row.account_id)
    balance = selectors.balance_of(row.account_id).balance
    context = {
        "topup": row, "form": form, "refusal": refusal, "balance": balance, "days": DAYS,
        "after": balance - row.credited, "auto_topup_is_on": bool(auto and auto.enabled),
    }  # fmt: skip
    return render(request, "billing/refund.html", context)


def _refunded(request: HttpRequest, row: TopUp, form: OwnRefundForm) -> bool:
    """Whether there is a refund now; else the form says why not."""
    try:
        made = refunds.refund(
            row, row.credited, origin=Refund.Origin.CUSTOMER, actor=request.user.public_id, reason=REASON,
            now=timezone.now(), refund_id=form.cleaned_data["refund"],
        )  # fmt: skip
    except Problem as refusal:
        form.add_error(None, refusal.detail)
        return False
    tell = messages.error if made.status == Refund.Status.FAILED else messages.success
    tell(request, outcome(made))
    return True
