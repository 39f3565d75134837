"""Alert rules in words: what they watch, where that stands, and what is told when it is exceeded."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.db.models import Q, QuerySet, Sum
from django.urls import reverse

from accounts.models import Account
from alerts.models import Rule
from alerts.rule_values import Value
from billing import auto_topup
from billing.money import CENT, ZERO, usd, usd_balance, usd_exact
from usage.models import Agent, DailySpend
from usage.periods import DAY, local_day
from usage.reports import RUNWAY_DAYS, WITHOUT_MODEL

Kind = Rule.Kind
GONE = "an agent that is gone"
NOBODY = "usage without an agent"
SUBJECTS = {
    Kind.DAILY_SPEND: "Daily spend",
    Kind.MONTHLY_SPEND: "Monthly spend",
    Kind.BALANCE_BELOW: "Balance",
}


@dataclass(frozen=True, slots=True)
class Telling:
    """What a notification and its email say; `href` is where the reader goes on."""

    title: str
    body: str
    href: str


def condition(rule: Rule, agent: str) -> str:
    """`Daily spend goes above $4.00`. `agent`: the name of the rule's agent, if it has one."""
    verb = "drops below" if rule.kind == Kind.BALANCE_BELOW else "goes above"
    return f"{_subject(rule, agent)} {verb} {usd(rule.amount)}"


def standing(rule: Rule, value: Value) -> str:
    """Where it stands: `Today so far $3.49`."""
    if rule.kind == Kind.BALANCE_BELOW:
        return f"Now {usd_balance(value.value)}"
    when = f"{value.today:%B}" if rule.kind == Kind.MONTHLY_SPEND else "Today"
    return f"{when} so far {usd(value.value)}"


def pause(rule: Rule, value: Value) -> str:
    """Until when a rule that told is silent; empty while it watches."""
    if rule.kind == Kind.BALANCE_BELOW and not rule.is_armed:
        return f"sent, waits until it is back at {usd(rule.amount)}"
    if rule.told_window != value.opened:
        return ""
    return "sent this month" if rule.kind == Kind.MONTHLY_SPEND else "sent today"


def agent_names(rules: list[Rule]) -> dict[UUID | None, str]:
    """Of the rules' agents; one that is gone is called so."""
    wanted = {rule.agent_id for rule in rules if rule.agent_id}
    names = dict(Agent.objects.filter(pk__in=wanted).values_list("pk", "name"))
    return {None: ""} | {agent_id: names.get(agent_id, GONE) for agent_id in wanted}


def telling(rule: Rule, value: Value) -> Telling:
    agent = agent_names([rule])[rule.agent_id]
    verb = "dropped below" if rule.kind == Kind.BALANCE_BELOW else "went above"
    title = f"{_subject(rule, agent)} {verb} {usd(rule.amount)}"
    if rule.kind == Kind.BALANCE_BELOW:
        body = f"It is {_beside(rule, value)} now. {_next(rule.account_id, is_out=value.value < CENT)}"
        return Telling(title, body, reverse("add_funds"))
    body = f"{_beside(rule, value)} {_compared(rule, value)}; {_mostly(rule, value)}."
    return Telling(title, body, reverse("overview"))


def _subject(rule: Rule, agent: str) -> str:
    return f"Daily spend of {agent}" if rule.kind == Kind.AGENT_DAILY_SPEND else SUBJECTS[Kind(rule.kind)]


def _beside(rule: Rule, value: Value) -> str:
    """In cents, or exactly where cents would look like the bound itself."""
    shown = usd_balance(value.value) if rule.kind == Kind.BALANCE_BELOW else usd(value.value)
    return usd_exact(value.value) if shown == usd(rule.amount) else shown


def _next(account_id: UUID, *, is_out: bool) -> str:
    auto = auto_topup.of(account_id)
    if auto is not None and auto.enabled:
        return (
            f"Auto-topup is on: it adds {usd(auto.amount)} when less than {usd(auto.threshold)} is available."
        )
    return (
        f"Add funds, or turn on auto-topup, and {'everything goes on' if is_out else 'nothing has to stop'}."
    )


def _compared(rule: Rule, value: Value) -> str:
    if rule.kind == Kind.MONTHLY_SPEND:
        return f"in {value.today:%B} so far"
    mean, counted = _daily_mean(rule, value.today)
    whose = "its" if rule.agent_id else "your"
    if not counted:
        return "today"
    if mean <= 0:
        return (
            "today, after none on the day before" if counted == 1 else f"today, after none in {counted} days"
        )
    return f"today, {_times(value.value / mean)} {whose} daily mean of {usd(mean)}"


def _times(ratio: Decimal) -> str:
    if ratio >= 10:
        return f"{ratio:,.0f} times"
    return f"{ratio:.1f} times" if ratio >= Decimal("0.05") else "far below"


def _daily_mean(rule: Rule, today: date) -> tuple[Decimal, int]:
    """Dollars a day in the last seven complete days, fewer while the account is younger; and how many these were."""
    account = Account.objects.get(pk=rule.account_id)
    born = local_day(account.opened_at or account.created_at, account.timezone)
    counted = min(RUNWAY_DAYS, (today - born).days)
    if counted <= 0:
        return ZERO, 0
    spent = _spent(rule, today - counted * DAY, today - DAY).aggregate(Sum("cost"))["cost__sum"] or ZERO
    return spent / counted, counted


def _mostly(rule: Rule, value: Value) -> str:
    """The agent and model that made the largest part of it: `mostly Customer Support on gpt-4o: $9.80`."""
    first = value.today.replace(day=1) if rule.kind == Kind.MONTHLY_SPEND else value.today
    made = (
        _spent(rule, first, value.today).values_list("agent_id", "type", "model").annotate(cost=Sum("cost"))
    )
    agent_id, type_, model, cost = max(made, key=lambda row: row[3])
    what = model or WITHOUT_MODEL[type_].lower()
    name = Agent.objects.filter(pk=agent_id).values_list("name", flat=True).first()
    who = "" if rule.agent_id else f"{name or (GONE if agent_id else NOBODY)} "
    if cost * 2 > value.value:
        return f"mostly {who}on {what}: {usd(cost)}"
    return f"the largest part {'by ' if who else ''}{who}on {what}: {usd(cost)}"


def _spent(rule: Rule, first: date, last: date) -> QuerySet[DailySpend]:
    of_agent = Q(agent_id=rule.agent_id) if rule.agent_id else Q()
    return DailySpend.objects.filter(of_agent, account_id=rule.account_id, day__range=(first, last))
