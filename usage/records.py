"""Billing records as people read them: charges and all other movements of the balance in one list, newest first.

The two kinds live in tables of their own and meet here by `recorded_at`, which rises strictly within an account.
Pages begin before or after a moment: no OFFSET, no COUNT, whatever lies behind.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from heapq import merge
from itertools import islice
from uuid import UUID

from django.db.models import CharField, F, Q, QuerySet
from django.db.models.functions import Cast
from django.urls import reverse

from accounts import ids
from billing import claims
from billing.models import LedgerEntry, TopUp
from usage import charges, wording
from usage.agents import UNASSIGNED
from usage.models import Charge, ChargeNote, Flag
from usage.reports import CATEGORIES, CATEGORY_OF

Kind = LedgerEntry.Kind
KINDS_OF = {  # the types of a record that is no charge, as people choose them
    "topup": [Kind.TOPUP],
    "credit": [Kind.GRANT, Kind.ADJUSTMENT],
    "return": [Kind.REFUND, Kind.DISPUTE, Kind.DISPUTE_WON, Kind.REVERSAL],
}
PER_PAGE = 25
MARKS: dict[str, str] = {
    Flag.Outcome.OPEN: "Flagged",
    Flag.Outcome.EXPLAINED: "Explained",
    Flag.Outcome.REVERSED: "Given back",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records. `type` is a category, FLAGGED or one of KINDS_OF; an agent leaves only charges."""

    type: str = ""
    agent: tuple[UUID | None] | None = None
    since: date | None = None
    until: date | None = None
    service: str = ""  # a model or one of charges.SERVICES; leaves only charges, too


@dataclass(frozen=True, slots=True)
class Record:
    """One line: `amount` is signed (a charge is negative), `after` is the balance after it. Dollars, exact."""

    public_id: str
    at: datetime
    slug: str  # the category's key, empty for what is no charge
    type: str
    agent: str
    what: str
    quantity: str
    amount: Decimal
    after: Decimal
    source: Charge | LedgerEntry
    flag: str = ""  # what became of the last question about it (Flag.Outcome), empty if nobody asked

    @property
    def mark(self) -> str:
        """What the list says of a flag; the money that came back has a line of its own."""
        return MARKS.get(self.flag, "")

    @property
    def url(self) -> str:
        return reverse("record", args=[self.public_id])


@dataclass(frozen=True, slots=True)
class Page:
    """`newer` and `older`: the moments that the neighbouring pages begin from, where there are any."""

    records: list[Record]
    newer: datetime | None
    older: datetime | None


def page(
    account_id: UUID, wanted: Wanted, *, before: datetime | None = None, after: datetime | None = None,
    size: int = PER_PAGE,
) -> Page:  # fmt: skip
    """The newest records, or those next before (or after) a moment."""
    upwards = after is not None and before is None
    rows = rows_of(account_id, wanted, before=before, after=after, size=size + 1)
    kept, more = rows[:size], len(rows) > size
    if upwards and not more:
        return page(account_id, wanted, size=size)  # the newest page, and a full one
    if upwards:
        kept.reverse()
    newer = kept[0].recorded_at if kept and (upwards or before is not None) else None
    older = kept[-1].recorded_at if kept and (upwards or more) else None
    return Page(told(account_id, kept), newer, older)


def rows_of(
    account_id: UUID, wanted: Wanted, *, before: datetime | None = None, after: datetime | None = None, size: int
) -> list[Charge | LedgerEntry]:  # fmt: skip
    """`size` rows next to a moment: downwards from `before` (or the newest), upwards from `after`."""
    upwards = after is not None and before is None
    parts: list[Iterable[Charge | LedgerEntry]] = []
    for found in _sources(account_id, wanted):
        if before is not None:
            found = found.filter(recorded_at__lt=before)
        elif after is not None:
            found = found.filter(recorded_at__gt=after)
        parts.append(found.order_by("recorded_at" if upwards else "-recorded_at")[:size])
    return list(islice(merge(*parts, key=_recorded_at, reverse=not upwards), size))


def _recorded_at(row: Charge | LedgerEntry) -> datetime:
    return row.recorded_at


def told(account_id: UUID, rows: Sequence[Charge | LedgerEntry]) -> list[Record]:
    """Rows with the names of their agents, their notes and their top-ups, each asked for once."""
    spent = [row for row in rows if isinstance(row, Charge)]
    names = charges.names_of(account_id, {row.agent_id for row in spent})
    notes = notes_of(row.id for row in spent)
    flags = flags_of(account_id, (row.id for row in spent))
    topups = topups_of(account_id, [row for row in rows if isinstance(row, LedgerEntry)])
    return [
        of_charge(
            row,
            agent=names.get(row.agent_id, ""),
            note=notes.get(row.reverses or row.id, ""),
            flag=flags.get(row.id, ""),
        )
        if isinstance(row, Charge)
        else of_entry(row, topup=topups.get(row.key))
        for row in rows
    ]


def of_charge(charge: Charge, *, agent: str, note: str = "", flag: str = "") -> Record:
    category = CATEGORY_OF[charge.type]
    return Record(
        charge.public_id, charge.recorded_at, category, CATEGORIES[category], agent or UNASSIGNED,
        wording.subject(charge, note), wording.quantity(charge), -charge.cost, charge.balance_after, charge, flag,
    )  # fmt: skip


def of_entry(entry: LedgerEntry, *, topup: TopUp | None = None) -> Record:
    return Record(
        ids.public("entry", entry.id), entry.recorded_at, "", entry.get_kind_display(), "",
        wording.movement(entry), topup.card_name if topup else "", entry.amount, entry.balance_after, entry,
    )  # fmt: skip


def notes_of(charge_ids: Iterable[UUID]) -> dict[UUID, str]:
    found = ChargeNote.objects.filter(charge_id__in=list(charge_ids))
    return dict(found.values_list("charge_id", "text"))


def flags_of(account_id: UUID, charge_ids: Iterable[UUID]) -> dict[UUID, str]:
    """What became of the last flag of each charge that has one."""
    found = Flag.objects.filter(account_id=account_id, charge_id__in=list(charge_ids))
    return dict(found.order_by("created_at", "id").values_list("charge_id", "outcome"))


def topups_of(account_id: UUID, entries: Iterable[LedgerEntry]) -> dict[str, TopUp]:
    """The top-ups behind entries, by the entries' keys: what added funds, and what was paid back of them."""
    rows = list(entries)
    added = [entry.key for entry in rows if entry.kind == Kind.TOPUP]
    back = [entry.key for entry in rows if entry.kind in KINDS_OF["return"]]
    known = TopUp.objects.filter(account_id=account_id, id__in=_uuids(added)) if added else ()
    found = {str(topup.id): topup for topup in known}
    return found | claims.topups_behind(account_id, back) if back else found


def _uuids(keys: Iterable[str]) -> list[UUID]:
    found = []
    for key in keys:
        try:
            found.append(UUID(key))
        except ValueError:  # an opening balance, say: no top-up of ours stands behind it
            continue
    return found


def _sources(account_id: UUID, wanted: Wanted) -> list[QuerySet[Charge] | QuerySet[LedgerEntry]]:
    sources: list[QuerySet[Charge] | QuerySet[LedgerEntry]] = []
    if wanted.type not in KINDS_OF:
        chosen = charges.Filter(
            wanted.type, wanted.agent, since=wanted.since, until=wanted.until, service=wanted.service
        )
        sources.append(charges.matching(account_id, chosen))
    if wanted.agent is None and not wanted.service and (not wanted.type or wanted.type in KINDS_OF):
        sources.append(entries(account_id, wanted))
    return sources


def entries(account_id: UUID, wanted: Wanted) -> QuerySet[LedgerEntry]:
    """Everything on the ledger but charges and their reversals, which are charges themselves."""
    found = LedgerEntry.objects.filter(account_id=account_id).exclude(kind=Kind.CHARGE)
    found = found.exclude(Q(kind=Kind.REVERSAL) & Q(key=Cast(F("id"), CharField())))
    found = charges.within(found, wanted.since, wanted.until)
    return found.filter(kind__in=KINDS_OF[wanted.type]) if wanted.type else found
