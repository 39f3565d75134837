"""Phone numbers in trouble, told: their grace (on its days 0, 3 and 6), their suspension, and that they are back.

Numbers that change together are told together, the platform hears of each.
"""

from collections import defaultdict
from datetime import datetime

from django.urls import reverse

from alerts import webhooks
from alerts.balance_facts import next_topup
from alerts.models import Notification
from alerts.telling import tell
from alerts.watched import Look
from billing.letter_facts import when
from usage import phone_numbers, phone_numbers_api
from usage.models import PhoneNumber
from usage.rents import GRACE
from usage.running import Run, RunState

ACTIVE, SUSPENDED = "active", "suspended"
TOLD_DAYS = (6, 3, 0)  # of a grace period
NAMED = 3  # numbers; more of them are counted
Changed = list[tuple[PhoneNumber, Run, datetime]]  # with the beginning of the trouble
Level, Type = Notification.Level, webhooks.Type


def tell_numbers(look: Look) -> None:
    changes: dict[str, Changed] = defaultdict(list)
    for number in phone_numbers.rented(look.account.pk).select_related("agent"):
        run = phone_numbers.state_of(number, look.funds, now=look.now)
        stage, before = _stage(run, now=look.now), look.state(number.pk) or ACTIVE
        since = _trouble_since(run) or look.since(number.pk) or look.now
        if stage == before == ACTIVE or not look.is_news(number.pk, stage, since=since):
            continue
        changes[stage].append((number, run, since))
        _tell_platform(look, number, stage, before, since)
    for stage, changed in changes.items():
        _tell_members(look, stage, changed)


def _stage(run: Run, *, now: datetime) -> str:
    """`active`, `grace 0`, `grace 3`, `grace 6` or `suspended`: a change of it is told."""
    if run.state == RunState.GRACE and run.since:
        return f"grace {next(day for day in TOLD_DAYS if (now - run.since).days >= day)}"
    return SUSPENDED if run.state == RunState.SUSPENDED else ACTIVE


def _trouble_since(run: Run) -> datetime | None:
    return run.since - GRACE if run.state == RunState.SUSPENDED and run.since else run.since


def _tell_platform(look: Look, number: PhoneNumber, stage: str, before: str, since: datetime) -> None:
    if stage == ACTIVE:
        type_ = Type.NUMBER_RESTORED
    elif stage == SUSPENDED:
        type_ = Type.NUMBER_SUSPENDED
    elif before.startswith("grace"):
        return  # it knows until when
    else:
        type_ = Type.NUMBER_GRACE_STARTED
    (data,) = phone_numbers_api.shown(look.account.pk, [number], now=look.now)
    key = f"{type_}:{number.pk}:{since.isoformat()}"
    webhooks.queue(look.account.pk, key=key, type=type_, data=data, now=look.now)


def _tell_members(look: Look, stage: str, changed: Changed) -> None:
    if stage == ACTIVE and look.funds.frozen:
        return  # a freeze ends the trouble, and nothing works the better for it
    number, _, since = min(changed, key=lambda change: change[0].pk)
    level = {ACTIVE: Level.GOOD, SUSPENDED: Level.BAD}.get(stage, Level.WARN)
    title, body = _wording(look, stage, changed)
    tell(
        look.account.pk, key=f"number:{number.pk}:{since.isoformat()}:{stage}", kind="phone_number", level=level,
        title=title, body=body, href=reverse("phone_numbers" if stage == ACTIVE else "add_funds"), now=look.now,
    )  # fmt: skip


def _wording(look: Look, stage: str, changed: Changed) -> tuple[str, str]:
    one, names = len(changed) == 1, _names([number for number, _, _ in changed])
    they, are, their = ("It", "is", "its") if one else ("They", "are", "their")
    reason = " ".join(sorted({run.reason for _, run, _ in changed if run.reason}))
    so = "calls come back by themselves" if stage == SUSPENDED else "nothing stops"
    add = f"Add funds, and {so}. {next_topup(look)}".strip()
    kept = f"{they} {'stays' if one else 'stay'} yours: only the owner of the account can give a number up."
    if stage == ACTIVE:
        return (
            f"Back in service: {names}",
            f"{they} {are} active again, and {their} rent is paid. Nothing was lost.",
        )
    if stage == SUSPENDED:
        return (
            f"Suspended: {names}",
            f"{reason} {they} {are} out of service: no calls, and no rent. {kept} {add}",
        )
    ends_at = min(run.until for _, run, _ in changed if run.until)
    until = when(ends_at, look.account)
    days = max(1, round((ends_at - look.now).total_seconds() / 86_400))
    left = f"{days} day{'' if days == 1 else 's'}"
    title = f"Out of service in {left}: {names}"
    return (
        title,
        f"{reason} {they} {'works' if one else 'work'} until {until}, then {are} suspended. {kept} {add}",
    )


def _names(numbers: list[PhoneNumber]) -> str:
    names = [number.number or "a phone number being set up" for number in numbers]
    if len(names) > NAMED:
        return f"{names[0]} and {len(names) - 1} more phone numbers"
    return ", ".join(names)
