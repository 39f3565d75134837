"""What alert rules watch, as it is now: spent today or this month, or the balance. From the roll-up, set-based.

One statement for one account or for all. An account's day is its ledger's: never before its newest posting
(as usage.periods.today has it), so that neither a time zone change nor a day of 23 or 25 hours opens a second window.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection

from alerts.models import Rule

# `since`: no account's day is before it. It leads all accounts to the index (day, account). OFFSET 0 keeps the planner
# from working out the day again wherever it is named.
VALUES = """
    WITH account AS MATERIALIZED (
        SELECT o.id, o.today, o.today::text AS day, to_char(o.today, 'YYYY-MM') AS month, o.balance FROM (
            SELECT a.id, b.granted + b.paid AS balance,
                greatest((%(now)s::timestamptz AT TIME ZONE a.timezone)::date, b.last_day) AS today
            FROM accounts_account a JOIN billing_balance b ON b.account_id = a.id
            WHERE a.closed_at IS NULL AND {of}
            OFFSET 0
        ) o
    ), rule AS (
        SELECT r.id, r.account_id, r.kind, r.agent_id, r.amount, r.is_armed, r.told_window, o.today, o.balance,
            CASE r.kind WHEN 'monthly_spend' THEN o.month ELSE o.day END AS opened
        FROM alerts_rule r JOIN account o ON o.id = r.account_id
    ), looked_at AS (
        SELECT * FROM rule r WHERE {which}
    ), spent AS (
        SELECT r.id, sum(s.cost) AS cost FROM looked_at r JOIN usage_dailyspend s
            ON s.account_id = r.account_id AND s.day = r.today AND s.day >= %(since)s
            AND (r.agent_id IS NULL OR s.agent_id = r.agent_id)
        WHERE r.kind IN ('daily_spend', 'agent_daily_spend') GROUP BY r.id
        UNION ALL
        SELECT r.id, sum(s.cost) FROM looked_at r JOIN usage_dailyspend s
            ON s.account_id = r.account_id AND s.day BETWEEN date_trunc('month', r.today::timestamp)::date AND r.today
            AND s.day >= date_trunc('month', %(since)s::timestamp)::date
        WHERE r.kind = 'monthly_spend' GROUP BY r.id
    ), found AS (
        SELECT r.id, r.account_id, r.kind, r.amount, r.today, r.opened,
            CASE r.kind WHEN 'balance_below' THEN r.balance ELSE coalesce(s.cost, 0) END AS value
        FROM looked_at r LEFT JOIN spent s ON s.id = r.id
    )
    SELECT f.id, f.account_id, f.today, f.opened, f.value FROM found f WHERE {reached} ORDER BY f.account_id, f.id"""
OF_ONE = "b.account_id = %(account)s"
UNTOLD = "r.told_window <> r.opened AND (r.is_armed OR r.kind <> 'balance_below')"
EXCEEDED = "CASE f.kind WHEN 'balance_below' THEN f.value < f.amount ELSE f.value > f.amount END"
REARM = """
    UPDATE alerts_rule r SET is_armed = true FROM billing_balance b
    WHERE b.account_id = r.account_id AND r.kind = 'balance_below' AND NOT r.is_armed
        AND b.granted + b.paid >= r.amount AND {of}"""
ALL = "true"


@dataclass(frozen=True, slots=True)
class Value:
    """What a rule watches: `value` dollars, on the account's day `today`, in the window `opened`."""

    rule_id: UUID
    account_id: UUID
    today: date
    opened: str  # 2026-03-18, or 2026-03 of a monthly rule
    value: Decimal


def of_account(account_id: UUID, *, now: datetime) -> dict[UUID, Value]:
    """Every rule's value now, by rule."""
    return {found.rule_id: found for found in _read(OF_ONE, ALL, ALL, account_id, now=now)}


def exceeded_untold(account_id: UUID | None, *, now: datetime) -> list[Value]:
    """The rules, of one account or of all, that are exceeded and have not told so in this window."""
    return _read(OF_ONE if account_id else ALL, UNTOLD, EXCEEDED, account_id, now=now)


def rearm(account_id: UUID | None) -> None:
    """Balance rules whose balance is back at the bound will tell of the next crossing."""
    with connection.cursor() as cursor:
        cursor.execute(REARM.format(of=OF_ONE if account_id else ALL), {"account": account_id})


def earliest_day(now: datetime) -> date:
    """It is this day or a later one everywhere on earth."""
    return (now - timedelta(days=1)).date()


def _read(of: str, which: str, reached: str, account_id: UUID | None, *, now: datetime) -> list[Value]:
    asked = {"account": account_id, "now": now, "since": earliest_day(now)}
    with connection.cursor() as cursor:
        cursor.execute(VALUES.format(of=of, which=which, reached=reached), asked)
        return [Value(*row) for row in cursor.fetchall()]


def kept(rule: Rule, value: Value) -> bool:
    """Whether the rule has nothing to tell: equal is neither more nor less."""
    if rule.kind == Rule.Kind.BALANCE_BELOW:
        return value.value >= rule.amount
    return value.value <= rule.amount
