"""Settings > Billing > Alerts: what somebody wants to be told, where it stands, and what was told."""

from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from accounts.access import NEEDED, member
from alerts import rule_forms, rule_list, rule_wording, rules, subscriptions
from alerts.models import Rule
from alerts.rule_forms import EditRuleForm, RuleForm
from alerts.rule_wishes import RuleRefused
from billing.views import form_page, see_other
from usage.models import Agent

FIRST_AMOUNT = "10.00"  # the seed's example
AT_ONCE = "It was exceeded already, so we told you at once."


@form_page
@never_cache
@member()
def alerts(request: HttpRequest) -> HttpResponse:
    """Everybody sees them; admins and the owner add."""
    if request.method == "POST" and not request.user.may("admin"):
        raise PermissionDenied(NEEDED["admin"])
    now = timezone.now()
    form = RuleForm(
        request.POST if request.method == "POST" else None,
        initial={"amount": FIRST_AMOUNT, "ways": rule_forms.ways(subscriptions.channel_of(request.user))},
        account_id=request.account.id,
        agents=Agent.objects.filter(account_id=request.account.id).order_by("name_key"),
    )
    if form.is_bound and form.is_valid() and _add(request, form, now=now):
        return see_other(reverse("alerts"))
    context = {
        "form": form,
        "lines": rule_list.lines(request.account.id, now=now),
        "sent": rule_list.sent(request.account.id),
        "readers": rule_list.readers(request.account.id),
        "may_act": request.user.may("admin"),
    }
    return render(request, "alerts/alerts.html", context)


@form_page
@never_cache
@member(role="admin")
def alert(request: HttpRequest, rule: str) -> HttpResponse:
    """Another amount, another channel."""
    found = _find(request, rule)
    shown = {"amount": f"{found.amount:.2f}", "ways": rule_forms.ways(found.channel)}
    form = EditRuleForm(request.POST if request.method == "POST" else None, initial=shown)
    if form.is_bound and form.is_valid() and _change(request, found, form, now=timezone.now()):
        return see_other(reverse("alerts"))
    context = {
        "rule": found,
        "name": _name(found),
        "form": form,
        "readers": rule_list.readers(request.account.id),
    }
    return render(request, "alerts/alert.html", context)


@form_page
@never_cache
@member(role="admin")
def remove_alert(request: HttpRequest, rule: str) -> HttpResponse:
    found = _find(request, rule)
    if request.method != "POST":
        return render(request, "alerts/remove_alert.html", {"rule": found, "name": _name(found)})
    rules.remove(found)
    messages.success(request, f"Removed: {_name(found)}. What it sent stays listed below.")
    return see_other(reverse("alerts"))


def _find(request: HttpRequest, public_id: str) -> Rule:
    found = rules.find(request.account.id, public_id)
    if found is None:
        raise Http404
    return found


def _add(request: HttpRequest, form: RuleForm, *, now: datetime) -> bool:
    """Whether it was added; else the form says why not."""
    try:
        rule = rules.add(request.account.id, form.wish(), rule_id=form.rule_id, now=now)
    except RuleRefused as refusal:
        form.refuse(refusal.fields)
        return False
    _say(request, "Alert added.", rule, now=now)
    return True


def _change(request: HttpRequest, rule: Rule, form: EditRuleForm, *, now: datetime) -> bool:
    try:
        rules.change(rule, amount=form.cleaned_data["amount"], channel=form.channel, now=now)
    except RuleRefused as refusal:
        form.refuse(refusal.fields)
        return False
    _say(request, "Alert changed.", rule, now=now)
    return True


def _say(request: HttpRequest, done: str, rule: Rule, *, now: datetime) -> None:
    told = Rule.objects.filter(pk=rule.pk, told_at=now).exists()
    messages.success(request, f"{done} {AT_ONCE}" if told else done)


def _agent(rule: Rule) -> str:
    return rule_wording.agent_names([rule])[rule.agent_id]


def _name(rule: Rule) -> str:
    return rule_wording.condition(rule, _agent(rule))
