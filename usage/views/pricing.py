"""Prices under Settings > Billing, with advice on choosing a model and a calculator."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import member
from usage import calculator, price_list, rate_card
from usage.forms import CalculatorForm

FIXED = ("retrieval.query", "voice.minute", "number.period", "knowledge.page", "knowledge.chunk")


@require_safe
@never_cache
@member()
def pricing(request: HttpRequest) -> HttpResponse:
    """Current prices, coming changes, advice on choosing a model, and what a month would cost."""
    card, now = rate_card.fresh(), timezone.now()
    names = price_list.priced_models(card, now)
    choices = [(name, price_list.NAMES.get(name, name)) for name in names]
    form = CalculatorForm(request.GET or None, models=choices)
    expected = form.expected
    context = {
        "advice": price_list.ADVICE,
        "groups": price_list.groups(card, now),
        "changes": price_list.changes(card, now),
        "rates": {meter.replace(".", "_"): price_list.rate_of(card, meter, now) for meter in FIXED},
        "form": form,
        "expected": expected,
        "estimate": calculator.estimate(expected, card, now) if expected else None,
        "timezone": request.account.timezone,
    }
    return render(request, "usage/pricing.html", context)
