"""Reconciliation: the processor's payments and refunds beside our top-ups and refunds, both ways.

Nightly, and by `manage.py reconcile_payments`. The work is in comparison.py; here is what it looks at, who is told, and
what customers may know.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import ids
from accounts.models import Account
from billing import gateways, installation, notices, topup_sweep
from billing.books import Difference
from billing.comparison import Comparison
from billing.models import Mode, Reconciliation, Refund, StaffNotice, TopUp

WINDOW = timedelta(days=3)
SLACK = timedelta(days=1)  # their list begins earlier, so that few payments are asked for one by one
BEGINNING = datetime(2011, 1, 1, tzinfo=UTC)  # no processor of ours is older
NOTICES = 20  # of one run; the rest is told in one sentence
log = logging.getLogger(__name__)


def reconcile(*, since: datetime | None = None, full: bool = False, now: datetime) -> Reconciliation:
    """Compare what happened since then (three days, or since the last run) and all that is open or in question.

    Raises gateways.GatewayError and installation.WrongMode; then nothing is recorded.
    """
    if wrong := installation.mismatch():
        raise installation.WrongMode(wrong)
    since = BEGINNING if full else since or min(now - WINDOW, _last_until(default=now))
    comparison = Comparison(now=now)
    comparison.look_at_theirs(since - SLACK)
    comparison.look_at_ours(_ours(since, now=now))
    comparison.look_again_at(_in_question("payment"))
    return _record(comparison, since)


def reconcile_by_night(*, days: int | None = None, now: datetime) -> None:
    """When nothing could be compared, staff are told, and the next night looks further back."""
    try:
        reconcile(since=now - timedelta(days=days) if days else None, now=now)
    except Exception as error:  # also a mistake of ours: a night without a comparison must not be silent
        log.exception("Nothing was reconciled")
        text = f"The nightly comparison with the payment processor did not happen. {type(error).__name__}: {error}"
        notices.tell_staff(f"reconcile:not_done:{now:%Y-%m-%d}", text, now=now)


def _last() -> Reconciliation | None:
    return Reconciliation.objects.filter(mode=gateways.mode()).first()


def _last_until(*, default: datetime) -> datetime:
    last = _last()
    return last.until if last else default


@transaction.atomic
def _record(found: Comparison, since: datetime) -> Reconciliation:
    """Keep the result, and tell staff each difference once."""
    _tell_staff(found.found, now=found.now)
    return Reconciliation.objects.create(
        ran_at=found.now, mode=found.gateway.mode, since=since, until=found.now,
        topups=len(found.topups), payments=len(found.payments),
        differences=[asdict(difference) | {"key": difference.key} for difference in found.found],
    )  # fmt: skip


def _tell_staff(found: list[Difference], *, now: datetime) -> None:
    for difference in found[:NOTICES]:
        topup_id = ids.parse("top", difference.topup)
        topup = TopUp.objects.get(pk=topup_id) if topup_id else None
        account_id = ids.parse("acct", difference.account)
        notices.tell_staff(difference.key, difference.text, account_id=account_id, topup=topup, now=now)
    if more := len(found[NOTICES:]):
        text = f"Reconciliation found {more} more differences than were told one by one."
        notices.tell_staff(f"reconcile:more:{now:%Y-%m-%d}", text, now=now)


def _ours(since: datetime, *, now: datetime) -> set[UUID]:
    """Top-ups that ended since then, were refunded since then, are open for a while, or were in question before."""
    mode = gateways.mode()
    rows = TopUp.objects.filter(
        Q(mode__in=(mode, Mode.MANUAL), ended_at__gte=since, ended_at__lt=now, status=TopUp.Status.SUCCEEDED)
        | Q(mode=mode, next_look_at__isnull=False, created_at__lt=now - topup_sweep.STUCK)
    )
    refunded = Refund.objects.filter(mode=mode, created_at__gte=since).values_list("topup_id", flat=True)
    left = {topup_id for known in _in_question("topup") if (topup_id := ids.parse("top", known))}
    return {*rows.values_list("pk", flat=True), *refunded, *left}


def _in_question(side: str) -> list[str]:
    """What the last run left open: it stays in question, however old, until staff are done with its notice."""
    last = _last()
    rows = [row for row in last.differences if not row["repaired"]] if last else []
    done = _looked_after([row["key"] for row in rows])
    return [row[side] for row in rows if row[side] and row["key"] not in done]


def _looked_after(keys: list[str]) -> set[str]:
    done = StaffNotice.objects.filter(key__in=keys, done_at__isnull=False)
    return set(done.values_list("key", flat=True))


# --- For customers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """When everything of an account was last found to agree (None: not yet), and whether something is looked at."""

    agreed_at: datetime | None
    in_question: bool


def for_customers(account_id: UUID) -> Standing:
    """What members may know: only what concerns their own account."""
    own = ids.public("acct", account_id)
    runs = Reconciliation.objects.filter(mode=gateways.mode(), ran_at__gte=_opened_at(account_id))
    last = runs.first()
    mine = [row for row in last.differences if row["account"] == own and not row["repaired"]] if last else []
    keys = {row["key"] for row in mine}
    clean = runs.exclude(differences__contains=[{"account": own, "repaired": False}]).first()
    return Standing(clean.ran_at if clean else None, bool(keys - _looked_after(list(keys))))


def _opened_at(account_id: UUID) -> datetime:
    return Account.objects.values_list("created_at", flat=True).get(pk=account_id)
