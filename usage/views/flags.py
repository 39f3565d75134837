"""Flag a charge and take a flag back: two buttons of the record's page, which shows what became of it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts import limits
from accounts.access import member
from accounts.errors import Problem
from billing.views import form_page, see_other
from usage import flags
from usage.flag_form import FlagForm
from usage.views.records import charge_page, mine, url

PER_DAY, DAY = 20, 86_400  # flags of an account: each one is a letter to staff


@form_page
@never_cache
@member()
def flag_record(request: HttpRequest, public_id: str) -> HttpResponse:
    charge = mine(request, public_id)
    if request.method != "POST":
        return see_other(url(charge))
    form = FlagForm(request.POST)
    if not form.is_valid():
        return charge_page(request, charge, form)
    if not limits.allow("flags", str(request.account.id), limit=PER_DAY, seconds=DAY):
        sentence = f"An account may flag {PER_DAY} charges a day. Nothing was flagged."
        return render(request, "429.html", {"sentence": sentence, "wait": "a day"}, status=429)
    text, now = form.cleaned_data["text"], timezone.now()
    try:
        flags.flag(request.account.id, charge, by=request.user, text=text, now=now)
    except Problem as refused:
        form.add_error(None, refused.detail)
        return charge_page(request, charge, form)
    messages.success(request, "Flagged. Our staff will look at it, and the answer appears here.")
    return see_other(url(charge))


@require_POST
@member()
def withdraw_flag(request: HttpRequest, public_id: str) -> HttpResponse:
    """Sent twice, the second finds nothing more to take back."""
    charge = mine(request, public_id)
    flag = flags.of_charge(charge).first()
    try:
        if flag is not None:
            flags.withdraw(flag, by=request.user, now=timezone.now())
            messages.success(request, "Withdrawn. Nobody will look into it any more.")
    except flags.FlagAnswered as refused:
        messages.info(request, refused.detail)
    return see_other(url(charge))
