"""The story of an account that never runs dry: agents spend it down over the API, and the card fills it again."""

from decimal import Decimal
from typing import Any

import pytest

from accounts import afterwards
from accounts.models import User
from billing import auto_charge, crossings, selectors, tasks, topups
from tests.api_client import ApiClient, read
from tests.billing.paying import clock, credits, save_card
from tests.billing.topping_up import MUST_CONFIRM, attempt, auto_topups, letters, run_low, watching

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGE = {"type": "chat", "model": "gpt-4-turbo", "input_tokens": 100_000, "output_tokens": 10_000}  # $1.30


def say(api: ApiClient, key: str, number: int) -> dict[str, Any]:
    body: dict[str, Any] = read(
        api.post("/billing/v3/usage", {"event_id": f"m-{number}", **MESSAGE}, key=key)
    )
    afterwards.flush()  # within a second
    return body


def test_it_is_replenished_by_the_message_that_crosses(
    ada: User, ada_key: str, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S45, S27: $12.00, below $10.00 add $25.00. The second message leaves $9.40; a worker hears of it and charges."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(crossings, "nudge", lambda task, *args, **when: asked.append((task, *args, when)))
    watching(ada, balance=Decimal("12.00"))
    say(api, ada_key, 1)
    assert asked == []
    say(api, ada_key, 2)
    assert [ask[:2] for ask in asked] == [(tasks.attempt_auto_topup, str(ada.account_id))]
    for _ in range(2):  # a task may come twice
        tasks.attempt_auto_topup(str(ada.account_id))
    assert credits(ada) == [Decimal(25)]
    assert selectors.balance_of(ada.account_id).balance == Decimal("34.40")
    assert letters(ada) == ["added", "on"]


def test_a_402_says_where_the_waiting_auto_topup_is_confirmed(
    ada: User, ada_key: str, api: ApiClient
) -> None:
    watching(ada, card=save_card(ada, MUST_CONFIRM))
    run_low(ada, Decimal(1))
    attempt(ada)
    refused = say(api, ada_key, 1)
    assert (refused["code"], refused["topup_in_progress"]) == ("insufficient_balance", True)
    assert refused["topup_action_url"] == topups.page_url(auto_topups(ada)[0])


def test_it_is_replenished_without_redis_or_a_worker(
    ada: User, ada_key: str, api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S45: nobody heard of the crossing; the next sweep finds it."""
    monkeypatch.setattr(crossings, "nudge", lambda *_, **__: None)
    watching(ada, balance=Decimal("11.00"))
    say(api, ada_key, 1)
    assert credits(ada) == []
    auto_charge.attempt_due(now=clock())
    assert credits(ada) == [Decimal(25)]
