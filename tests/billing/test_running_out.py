"""Running out: two facts on the balance, what a paid balance is, and the 402 that helps."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from billing import disputes, gateways, ledger, topups
from billing.models import LedgerEntry, Refund, TopUp
from billing.selectors import balance_of, has_paid_balance
from tests import factories
from tests.api_client import ApiClient, read
from tests.billing.paying import begin, clock, save_card
from tests.billing.returning import paid, refund
from tests.usage import events
from usage import metering
from usage.pricing import Usage

D = Decimal
pytestmark = pytest.mark.django_db


def disputed(topup: TopUp, status: str, *, dispute: str = "du_1", amount: int = 2500) -> None:
    """The processor says this of a dispute."""
    disputes.record(gateways.Dispute(dispute, topup.payment_id or "", amount, status), topup, now=clock())


# --- A paid balance -------------------------------------------------------------------------------------------


def test_a_trial_or_a_grant_is_no_paid_balance(ada: User) -> None:
    """S9: some advanced features need a top-up."""
    ledger.grant(ada.account_id, D(50), key="more", actor="staff", reason="Kindness")
    ledger.adjust(ada.account_id, D(50), key="more", actor="staff", reason="Correction")
    begin(ada)
    assert not has_paid_balance(ada.account_id), "not even while one is being made"


def test_a_top_up_is_one_and_stays_one_when_it_is_spent(ada: User, cy: User) -> None:
    paid(ada)
    ledger.adjust(ada.account_id, D("-26.00"), key="all", actor="staff", reason="As if spent")
    with CaptureQueriesContext(connection) as asked:
        assert has_paid_balance(ada.account_id)
    assert len(asked) == 1
    assert not has_paid_balance(cy.account_id)


def test_one_entered_by_staff_counts(ada: User) -> None:
    topups.record_manual(ada.account_id, D(5), actor="staff", reason="By bank transfer")
    assert has_paid_balance(ada.account_id)


def test_one_refunded_whole_is_none_and_one_refunded_in_part_is(ada: User) -> None:
    topup = paid(ada)
    refund(topup, "24.99")
    assert has_paid_balance(ada.account_id)
    refund(topup, "0.01")
    assert not has_paid_balance(ada.account_id)
    paid(ada)
    assert has_paid_balance(ada.account_id), "another one"


def test_a_refund_that_failed_gives_it_back(ada: User) -> None:
    topup = paid(ada)
    Refund.objects.filter(pk=refund(topup).pk).update(status=Refund.Status.FAILED)
    assert has_paid_balance(ada.account_id)


@pytest.mark.parametrize(
    ("status", "is_paid"),
    [
        ("warning_needs_response", True),  # an inquiry: the bank only asks
        ("warning_closed", True),
        ("needs_response", False),  # open: the money is away until it is won
        ("lost", False),
        ("won", True),
    ],
)
def test_a_dispute_takes_it_until_it_is_won(ada: User, status: str, is_paid: bool) -> None:
    topup = paid(ada)
    if status == "won":
        disputed(topup, "needs_response")
    disputed(topup, status)
    assert has_paid_balance(ada.account_id) == is_paid


def test_refunds_and_disputes_together_may_take_all_of_it(ada: User) -> None:
    topup = paid(ada)
    refund(topup, "10")
    disputed(topup, "lost", amount=1499)
    assert has_paid_balance(ada.account_id)
    disputed(topup, "lost", amount=1, dispute="du_2")
    assert not has_paid_balance(ada.account_id)


# --- Two facts, stamped under the lock ------------------------------------------------------------------------

CHAT = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 1250, "output_tokens": 340}
USAGE, HOLDS = "/billing/v3/usage", "/billing/v3/holds"


def use(api: ApiClient, key: str, event_id: str, /, **body: Any) -> Any:
    return api.post(USAGE, {"event_id": event_id, **CHAT, **body}, key=key)


def spend(user: User, dollars: str) -> None:
    """As usage would, to the nano-dollar."""
    rates = {"knowledge.page": D(dollars)}
    page = events.event(f"spend {dollars}", Usage("knowledge", pages=1))
    parameters = metering._parameters(
        user.account_id, page, rates, D(dollars), None, metering.Source(), None, "refuse", None
    )
    assert metering._run(user.account_id, parameters, D(dollars)).status == "recorded"


def test_a_balance_opens_depleted_and_its_trial_lifts_it(ada: User) -> None:
    assert balance_of(factories.account_without_trial().id).depleted_at is not None
    assert balance_of(ada.account_id).depleted_at is None


def test_it_is_depleted_below_a_cent_of_both_pools_together(ada: User) -> None:
    """Granted and paid count together; from the first charge that leaves less on, until a posting lifts it again."""
    ledger.credit_topup(ada.account_id, D("5"), key="t", actor="t")
    spend(ada, "1.5")
    assert balance_of(ada.account_id).depleted_at is None, "granted is gone, paid is not"
    spend(ada, "4.49")
    assert balance_of(ada.account_id).depleted_at is None, "exactly a cent is left"
    spend(ada, "0.000000001")
    since = balance_of(ada.account_id).depleted_at
    assert since is not None
    spend(ada, "0.000000002")
    assert balance_of(ada.account_id).depleted_at == since, "once, not again with every charge"
    ledger.grant(ada.account_id, D("0.01"), key="g", actor="t", reason="test")
    assert balance_of(ada.account_id).depleted_at is None


def test_what_is_held_does_not_deplete(api: ApiClient, ada: User, ada_key: str) -> None:
    body = {"key": "all", "type": "knowledge", "pages": 100}
    assert api.post(HOLDS, body, key=ada_key).status_code == 201
    funds = balance_of(ada.account_id)
    assert (funds.available, funds.depleted_at) == (0, None)


@pytest.mark.parametrize("how", ["usage", "batch", "hold", "extend"])
def test_the_first_402_is_remembered_with_the_newest_amount(
    api: ApiClient, ada: User, ada_key: str, how: str
) -> None:
    """S43 S44: refused by usage, hold or extend; the time of the first, the amount of the last."""
    call = {"type": "voice", "seconds": 60}
    hold = read(api.post(HOLDS, {"key": "call", **call}, key=ada_key))["id"]
    ask = {
        "usage": lambda n, s: api.post(USAGE, {"event_id": str(n), **call, "seconds": s}, key=ada_key),
        "batch": lambda n, s: api.post(
            f"{USAGE}/batch", {"events": [{"event_id": str(n), **call, "seconds": s}]}, key=ada_key
        ),
        "hold": lambda n, s: api.post(
            HOLDS, {"key": str(n), "type": "knowledge", "pages": s // 6}, key=ada_key
        ),
        "extend": lambda n, s: api.post(f"{HOLDS}/{hold}/extend", {"seconds": s}, key=ada_key),
    }[how]
    stamps = []
    for number, seconds in enumerate((1200, 1800)):
        answer = ask(number, seconds)
        told = read(answer)["results"][0] if how == "batch" else read(answer)
        assert (told["status"], told["code"]) == (402, "insufficient_balance")
        stamps.append(balance_of(ada.account_id).refused_at)
    funds = balance_of(ada.account_id)
    assert stamps[0] is not None
    assert (funds.refused_at, funds.refused_amount) == (stamps[0], D(3))
    assert (funds.balance, LedgerEntry.objects.filter(account_id=ada.account_id).count()) == (1, 1)


def test_authorize_never_writes(api: ApiClient, ada: User, ada_key: str) -> None:
    """S43 S44: the cheapest question: told no, and nothing is stamped."""
    spend(ada, "0.95")
    refused = api.get("/billing/v3/authorize?type=voice", key=ada_key)
    assert (refused.status_code, read(refused)["required"]) == (402, D("0.1"))
    assert api.get("/billing/v3/authorize?type=chat", key=ada_key).status_code == 204
    assert balance_of(ada.account_id).refused_at is None


def refuse(api: ApiClient, user: User, key: str) -> None:
    assert use(api, key, "big", input_tokens=10_000_000).status_code == 402
    assert balance_of(user.account_id).refused_at is not None


@pytest.mark.parametrize("how", ["usage", "hold", "grant", "top-up"])
def test_what_fits_and_any_credit_clears_it(api: ApiClient, ada: User, ada_key: str, how: str) -> None:
    refuse(api, ada, ada_key)
    if how == "usage":
        assert use(api, ada_key, "small").status_code == 201
    elif how == "hold":
        assert api.post(HOLDS, {"key": "h", "type": "voice", "seconds": 1}, key=ada_key).status_code == 201
    elif how == "grant":
        ledger.grant(ada.account_id, D("0.01"), key="g", actor="t", reason="test")
    else:
        topups.record_manual(ada.account_id, D(5), actor="t", reason="test")
    assert balance_of(ada.account_id).refused_at is None


def test_what_is_taken_only_in_part_has_not_fitted(
    api: ApiClient, ada: User, ada_key: str, platform_key: str
) -> None:
    """A call that cost more than there was: recorded, and the refusal before it stands."""
    hold = read(api.post(HOLDS, {"key": "call", "type": "voice", "seconds": 60}, key=ada_key))["id"]
    api.post(HOLDS, {"key": "book", "type": "knowledge", "pages": 50}, key=ada_key)
    refuse(api, ada, ada_key)
    before = balance_of(ada.account_id)
    ended = api.post(f"{HOLDS}/{hold}/capture", {"event_id": "c", "seconds": 600}, key=ada_key)
    assert read(ended)["uncollected"] == D("0.5")
    after = balance_of(ada.account_id)
    assert (after.refused_at, after.refused_amount) == (before.refused_at, before.refused_amount)


def test_a_402_is_not_remembered_the_same_event_goes_through_after_a_top_up(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    refuse(api, ada, ada_key)
    topups.record_manual(ada.account_id, D(5), actor="t", reason="test")
    assert use(api, ada_key, "big", input_tokens=10_000_000).status_code == 201


# --- Paid below zero ------------------------------------------------------------------------------------------


@pytest.fixture
def below(ada: User) -> User:
    """Granted credit is left, but a refund took more than was paid."""
    ledger.grant(ada.account_id, D(20), key="g", actor="t", reason="test")
    ledger.take_back(ada.account_id, LedgerEntry.Kind.REFUND, D("5"), key="r", actor="t")
    return ada


NOTHING = {"type": "chat", "model": "gpt-4o-mini", "input_tokens": 0, "output_tokens": 0}
NEW = [
    (USAGE, {"event_id": "e", **CHAT}),
    (USAGE, {"event_id": "e", **NOTHING}),
    (USAGE, {"event_id": "e", "type": "voice", "seconds": 60, "answered": False}),
    (HOLDS, {"key": "h", "type": "voice", "seconds": 1}),
    (HOLDS, {"key": "h", "type": "chat", "model": "gpt-4o", "input_tokens": 0, "max_output_tokens": 0}),
]


@pytest.mark.parametrize(("path", "body"), NEW)
def test_below_zero_everything_new_is_refused_also_what_costs_nothing(
    api: ApiClient, below: User, ada_key: str, path: str, body: dict[str, Any]
) -> None:
    """S43 S44: whatever was granted, until the refund or dispute is made good."""
    answer = api.post(path, body, key=ada_key)
    told = read(answer)
    assert (answer.status_code, told["available"], told["balance"]) == (402, 0, 16)
    assert (
        "left your paid funds $5.00 below zero: until that is made good, nothing new is accepted."
        in told["detail"]
    )
    topups.record_manual(below.account_id, D(5), actor="t", reason="test")
    assert api.post(path, body, key=ada_key).status_code == 201


def test_below_zero_a_batch_and_authorize_refuse_alike(api: ApiClient, below: User, ada_key: str) -> None:
    batch = {"events": [body for path, body in NEW if path == USAGE]}
    results = read(api.post(f"{USAGE}/batch", batch, key=ada_key))["results"]
    assert [result["status"] for result in results] == [402, 402, 402]
    for kind in ("chat", "voice", "knowledge"):
        assert api.get(f"/billing/v3/authorize?type={kind}", key=ada_key).status_code == 402


def test_below_zero_a_repeated_content_is_new_too(api: ApiClient, ada: User, ada_key: str) -> None:
    pages = {"type": "knowledge", "pages": 1, "content_sha256": "0" * 64}
    assert api.post(USAGE, {"event_id": "first", **pages}, key=ada_key).status_code == 201
    ledger.take_back(ada.account_id, LedgerEntry.Kind.REFUND, D("5"), key="r", actor="t")
    assert api.post(USAGE, {"event_id": "again", **pages}, key=ada_key).status_code == 402
    assert api.post(USAGE, {"event_id": "first", **pages}, key=ada_key).status_code == 201, "a replay"


def test_below_zero_work_that_was_held_or_done_is_recorded(
    api: ApiClient, ada: User, ada_key: str, platform_key: str
) -> None:
    topups.record_manual(ada.account_id, D(5), actor="t", reason="two calls at a time")
    one, two = (
        read(api.post(HOLDS, {"key": key, "type": "voice", "seconds": 60}, key=ada_key))["id"] for key in "12"
    )
    ledger.take_back(ada.account_id, LedgerEntry.Kind.DISPUTE, D("6"), key="d", actor="t")
    ended = read(api.post(f"{HOLDS}/{one}/capture", {"event_id": "c", "seconds": 60}, key=ada_key))
    assert (ended["cost"], ended["uncollected"]) == (0, D("0.1"))
    assert api.post(f"{HOLDS}/{two}/release", key=ada_key).status_code == 200
    done = {"event_id": "d", **CHAT, "on_short": "record", "account": ada.account.public_id}
    assert api.post(USAGE, done, key=platform_key).status_code == 201


# --- The 402 that helps ---------------------------------------------------------------------------------------


def detail(api: ApiClient, key: str) -> dict[str, Any]:
    answer = use(api, key, "big", model="gpt-4-turbo", input_tokens=200_000)
    assert answer.status_code == 402
    return dict(read(answer))


def test_the_402_says_what_is_left_what_was_needed_and_where_to_add_funds(
    api: ApiClient, ada: User, ada_key: str
) -> None:
    """S43: chat requests get an error that a person understands."""
    told = detail(api, ada_key)
    assert told["detail"] == (
        "This needs $2.0102, and $1.00 is available. Nothing was charged. "
        f"Add funds at {told['topup_url']}, then send this again."
    )
    assert (told["balance"], told["available"], told["required"]) == (1, 1, D("2.0102"))
    assert (told["topup_in_progress"], "topup_action_url" in told) == (False, False)
    assert told["topup_url"].startswith("http")


def test_the_402_tells_what_is_reserved(api: ApiClient, ada: User, ada_key: str) -> None:
    """S44: the same for a call that is not placed."""
    api.post(HOLDS, {"key": "h", "type": "knowledge", "pages": 75}, key=ada_key)
    call = read(api.post(HOLDS, {"key": "c", "type": "voice", "seconds": 600}, key=ada_key))
    words = "This needs $1.00, and $0.25 is available; $0.75 more is reserved for work that is running."
    assert call["detail"].startswith(words)


def test_the_402_says_that_a_top_up_is_on_its_way(api: ApiClient, ada: User, ada_key: str) -> None:
    begin(ada)
    told = detail(api, ada_key)
    assert told["topup_in_progress"] is True
    assert "A top-up is on its way; send this again when it has arrived." in told["detail"]


def test_the_402_says_where_to_confirm_one_that_waits(api: ApiClient, ada: User, ada_key: str) -> None:
    topups.pay(begin(ada, card=save_card(ada, "pm_card_authenticationRequired")))
    told = detail(api, ada_key)
    assert f"A top-up waits to be confirmed at {told['topup_action_url']};" in told["detail"]
    assert "/settings/billing/topups/top_" in told["topup_action_url"]


def test_a_batch_of_refusals_asks_for_help_once(api: ApiClient, ada: User, ada_key: str) -> None:
    big = {**CHAT, "input_tokens": 10_000_000}
    with CaptureQueriesContext(connection) as asked:
        answer = api.post(
            f"{USAGE}/batch", {"events": [{"event_id": f"e{n}", **big} for n in range(20)]}, key=ada_key
        )
    assert {result["status"] for result in read(answer)["results"]} == {402}
    assert sum("billing_topup" in query["sql"] for query in asked) == 1
