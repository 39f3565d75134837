"""The arithmetic that everyone can check, told as a story. Money to the nano-dollar."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import User
from billing import ledger, selectors
from billing.models import LedgerEntry
from tests.factories import BIRTHDAY
from tests.usage.events import chat
from usage import metering, pricing, rate_card
from usage.models import Charge, DailySpend

D = Decimal
SEVEN = [
    ("gpt-4-turbo", 128_000, 4_096),
    ("claude-3.5-sonnet", 12_345, 6_789),
    ("claude-3-haiku", 999_999, 1),
    ("gemini-1.5-pro", 333_333, 77_777),
    ("gemini-1.5-flash", 123_457, 98_765),
    ("gpt-4o", 1_000, 500),
    ("gpt-4o-mini", 1_250, 340),
]


def test_it_spends_the_trial_first_and_then_what_was_paid(ada: User) -> None:
    """S1 S2 S3 S4 S12: trial $1, top-up $25, seven charges -> spent 2.644082525, paid 23.355917475."""
    ledger.credit_topup(ada.account_id, D(25), key="top", actor="ada", now=BIRTHDAY + timedelta(minutes=1))
    for minute, (model, tokens_in, tokens_out) in enumerate(SEVEN, start=2):
        event = chat(f"story-{model}", model, tokens_in, tokens_out)
        done = metering.record(ada.account_id, event, now=BIRTHDAY + timedelta(minutes=minute))
        assert done.status == "recorded"
        assert done.balance == selectors.balance_of(ada.account_id).balance, "S3: the deduction shows at once"
    funds = selectors.balance_of(ada.account_id)
    assert (funds.granted, funds.paid) == (D(0), D("23.355917475"))
    assert sum(Charge.objects.values_list("cost", flat=True)) == D("2.644082525")
    assert sum(DailySpend.objects.values_list("cost", flat=True)) == D("2.644082525")


def test_the_entry_that_spans_both_pools_takes_granted_to_exactly_zero(ada: User) -> None:
    ledger.credit_topup(ada.account_id, D(25), key="top", actor="ada")
    metering.record(ada.account_id, chat("big", "gpt-4-turbo", 128_000, 4_096))
    entry = LedgerEntry.objects.get(kind="charge")
    assert (entry.granted, entry.paid) == (D(-1), D("-0.40288"))
    assert (entry.granted_after, entry.paid_after) == (D(0), D("24.59712"))


@pytest.mark.parametrize(
    ("models", "tokens", "expected"),
    [
        (["gpt-4o-mini"], (1_250, 340), "0.000391500"),
        (rate_card.MODELS, (1_250, 340), "0.042662250"),
        (rate_card.MODELS, (1_000_000, 1_000_000), "79.375"),
    ],
)
def test_the_seven_models_cost_what_the_seed_says(
    db: None, models: list[str], tokens: tuple[int, int], expected: str
) -> None:
    """S19: the seven models at the seed's rates."""
    usages = [pricing.Usage("chat", model, *tokens) for model in models]
    card = rate_card.fresh()
    assert sum(pricing.price(u, card.rates_for(u, BIRTHDAY)) for u in usages) == D(expected)


@pytest.mark.django_db(
    transaction=True
)  # in one huge transaction the balance's row would drag 12,000 versions along
def test_five_dollars_buy_exactly_12771_messages(ada: User) -> None:
    """S43: what fits is accepted to the last nano-dollar; the next message is refused and leaves nothing behind."""
    ledger.grant(ada.account_id, D(4), key="to five", actor="staff", reason="test", now=BIRTHDAY)
    events = [chat(f"m-{n}") for n in range(12_773)]
    outcomes = metering.record_many(ada.account_id, events)
    assert [o.status for o in outcomes] == ["recorded"] * 12_771 + ["short"] * 2
    assert outcomes[12_770].balance == D("0.000153500")
    funds = selectors.balance_of(ada.account_id)
    assert (funds.balance, funds.refused_amount) == (D("0.000153500"), D("0.000391500"))
    assert Charge.objects.count() == LedgerEntry.objects.filter(kind="charge").count() == 12_771
    assert funds.refused_at is not None
    assert funds.depleted_at is not None
