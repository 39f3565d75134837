"""Alert rules: somebody wants to know when spending goes above an amount, or the balance falls below one.

A rule tells once per window: the account's local day, its month, or the crossing of the balance, which arms it again
once the balance is back at the bound. Equal is not more. Evaluated after every charge (alerts.facts), and by the sweep.
"""

import logging
from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from accounts import ids
from accounts.models import Account
from accounts.sweeps import while_there_is_time
from alerts import rule_values, rule_wishes, rule_wording, webhooks
from alerts.models import Channel, Notification, Rule
from alerts.rule_values import Value
from alerts.rule_wishes import Wish
from alerts.telling import tell

Kind = Rule.Kind
log = logging.getLogger(__name__)


def of_account(account_id: UUID) -> QuerySet[Rule]:
    return Rule.objects.filter(account_id=account_id).order_by("created_at", "id")


def find(account_id: UUID, public_id: str) -> Rule | None:
    """A rule of this account, or None."""
    rule_id = ids.parse("rule", public_id)
    return of_account(account_id).filter(pk=rule_id).first() if rule_id else None


def add(account_id: UUID, wish: Wish, *, rule_id: UUID | None = None, now: datetime) -> Rule:
    """A new rule; it tells at once when it is exceeded already. Repeating a `rule_id` adds nothing.

    Raises rule_wishes.RuleRefused.
    """
    rule_id = rule_id or ids.uuid7()
    with transaction.atomic():
        _one_at_a_time(account_id)
        known = of_account(account_id).filter(pk=rule_id).first()
        if known is not None:
            return known
        rule_wishes.check(account_id, wish)
        rule = Rule.objects.create(
            id=rule_id, account_id=account_id, kind=wish.kind, amount=wish.amount, channel=wish.channel,
            agent_id=wish.agent_id, created_at=now,
        )  # fmt: skip
    evaluate_rules(account_id, now=now)
    return rule


def change(rule: Rule, *, amount: Decimal, channel: str, now: datetime) -> None:
    """Another amount opens a new window: what is exceeded already is told again. Raises rule_wishes.RuleRefused."""
    opened = {"told_window": "", "is_armed": True} if amount != rule.amount else {}
    with transaction.atomic():
        _one_at_a_time(rule.account_id)
        rule_wishes.check(rule.account_id, Wish(rule.kind, amount, channel, rule.agent_id), changed=rule)
        Rule.objects.filter(pk=rule.pk).update(amount=amount, channel=channel, **opened)
    evaluate_rules(rule.account_id, now=now)


def _one_at_a_time(account_id: UUID) -> None:
    """Until the transaction ends: else two at once pass the limit, or save one rule twice."""
    Account.objects.select_for_update(no_key=True).get(pk=account_id)


def remove(rule: Rule) -> None:
    """What it told stays in the history."""
    Rule.objects.filter(pk=rule.pk).delete()


def give_first(account_id: UUID, *, now: datetime) -> None:
    """What every new account begins with: a warning before the trial is used up."""
    Rule.objects.create(
        account_id=account_id, kind=Kind.BALANCE_BELOW, amount=settings.FIRST_ALERT_BELOW,
        channel=Channel.BOTH, created_at=now,
    )  # fmt: skip


def evaluate_rules(account_id: UUID, *, now: datetime) -> int:
    """Tell what the account's rules have found; how many told. Any number of times: each tells once per window."""
    return _evaluate(account_id, now=now)


def evaluate_all(*, now: datetime) -> int:
    """The same for all accounts. A step of the sweep."""
    return _evaluate(None, now=now)


def _evaluate(account_id: UUID | None, *, now: datetime) -> int:
    rule_values.rearm(account_id)
    found = rule_values.exceeded_untold(account_id, now=now)
    return sum(_tells(value, now=now) for value in while_there_is_time(found))


def _tells(value: Value, *, now: datetime) -> bool:
    """One rule that cannot be told must not silence those after it; the next evaluation comes back to it."""
    try:
        return _tell(value, now=now)
    except Exception:
        log.exception("Alert rule %s was exceeded and could not tell", value.rule_id)
        return False


@transaction.atomic
def _tell(value: Value, *, now: datetime) -> bool:
    """Claim the window and tell, both or neither. Two at once: the second waits for the first, then claims nothing."""
    rule = Rule.objects.filter(pk=value.rule_id).first()
    if rule is None or rule_values.kept(rule, value) or not _claim(rule, value, now=now):
        return False
    told = rule_wording.telling(rule, value)
    key = f"{rule.public_id}:{value.opened}:{uuid4().hex}"  # a changed amount tells again in the same window
    tell(
        rule.account_id, key=key, kind=rule.kind, level=Notification.Level.WARN, title=told.title, body=told.body,
        href=told.href, channel=rule.channel, optional=True, now=now,
    )  # fmt: skip
    if rule.kind == Kind.BALANCE_BELOW:
        _queue(rule, value, key=key, now=now)
    return True


def _claim(rule: Rule, value: Value, *, now: datetime) -> bool:
    """Whether this window is ours to tell: of this amount, and not told before."""
    untold = Rule.objects.filter(pk=rule.pk, amount=rule.amount).exclude(told_window=value.opened)
    if rule.kind == Kind.BALANCE_BELOW:
        untold = untold.filter(is_armed=True)
    is_armed = rule.kind != Kind.BALANCE_BELOW
    return untold.update(told_window=value.opened, told_at=now, is_armed=is_armed) == 1


def _queue(rule: Rule, value: Value, *, key: str, now: datetime) -> None:
    data = {"alert": rule.public_id, "below": f"{rule.amount:.2f}", "balance": webhooks.exact(value.value)}
    webhooks.queue(rule.account_id, key=key, type=webhooks.Type.BALANCE_LOW, data=data, now=now)
