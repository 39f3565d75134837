"""Closing an account: what must be settled, what ends, and that nothing slips through beside it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts.models import Account, ApiKey, Invitation, User
from alerts.models import Rule
from billing import auto_charge, disputes, gateways, holds, ledger, payment_methods, selectors, topups
from billing import closing as money_closing
from billing.auto_topup import Wish
from billing.errors import AccountClosed, NoBalance
from billing.gateways import Dispute, Unavailable
from billing.gateways.sandbox import SandboxGateway
from billing.models import AutoTopup, Hold, SandboxCard, StaffNotice, TopUp
from tests import factories
from tests.accounts.mailbox import subjects
from tests.api_client import ApiClient
from tests.billing import paying
from tests.journeys import leaving
from tests.journeys.leaving import CLOSE, close, pay_back, top_up
from tests.usage import events
from thinnest_billing.leaving import closing
from usage import agents, campaigns, metering, phone_numbers
from usage.models import Campaign

pytestmark = pytest.mark.django_db


def hold(user: User, key: str = "call", amount: str = "0.50") -> holds.HoldOutcome:
    return holds.hold(
        user.account_id, key=key, request_hash=b"r", amount=Decimal(amount), purpose="voice", terms={},
        lifetime=timedelta(minutes=5),
    )  # fmt: skip


def is_closed(user: User) -> bool:
    return Account.objects.get(pk=user.account_id).closed_at is not None


# --- what must be settled first ---------------------------------------------------------------------------------


def owing(ada: User) -> None:
    pay_back(top_up(ada))
    paid = top_up(ada)
    assert metering.record(ada.account_id, events.voice("c", 1200)).is_recorded
    disputes.record(Dispute("du_1", paid.payment_id or "", 2500, "lost"), paid, now=paying.clock())


def renting(ada: User) -> None:
    top_up(ada)
    phone_numbers.rent(ada.account_id, agent=agents.NOBODY, actor=ada.public_id, now=paying.clock())


def disputing(ada: User) -> None:
    paid = top_up(ada)
    disputes.record(Dispute("du_2", paid.payment_id or "", 2500, "needs_response"), paid, now=paying.clock())


HINDRANCES: list[tuple[Callable[[User], object], str, str]] = [
    (lambda ada: top_up(ada), "$25.00 of paid funds are left", "/settings/billing/receipts/"),
    (hold, "$0.50 is reserved for work that has begun", "/settings/billing/"),
    (lambda ada: paying.begin(ada), "A top-up of $25.00 is not finished", "/settings/billing/topups/"),
    (renting, "A phone number that is being set up is rented", "/release/"),
    (disputing, "A payment of $25.00 is disputed", "/settings/billing/receipts/"),
    (owing, "below zero", "/settings/billing/add-funds/"),
    (lambda ada: ledger.freeze(ada.account_id, by="staff", frozen=True), "We froze spending", ""),
]


@pytest.mark.parametrize(("hinder", "says", "leads_to"), HINDRANCES)
def test_it_names_what_must_be_settled_and_closes_nothing(
    client: Client, ada: User, hinder: Callable[[User], object], says: str, leads_to: str
) -> None:
    hinder(ada)
    client.force_login(ada)
    page = client.get(CLOSE).content.decode()
    assert says in page
    assert leads_to in page
    assert 'name="password"' not in page
    answer = close(client, ada)
    assert "The account was not closed" in answer.content.decode()
    assert not is_closed(ada)
    assert client.get("/settings/account/").status_code == 200


def test_it_waits_for_no_fraction_of_a_cent_that_nobody_could_refund(client: Client, ada: User) -> None:
    top_up(ada, "5.00")
    for number in range(2):
        assert metering.record(ada.account_id, events.voice(f"c{number}", 1798)).is_recorded
    assert 0 < selectors.balance_of(ada.account_id).paid < Decimal("0.01")
    close(client, ada)
    assert is_closed(ada)


# --- what happens -----------------------------------------------------------------------------------------------


def everything_on(ada: User) -> str:
    card = paying.save_card(ada)
    topup = top_up(ada, card=card)
    plan = campaigns.Plan(name="Spring", agent_id=None, calls=3, seconds_per_call=60, scheduled_at=None)
    campaigns.launch(
        campaigns.create(ada.account_id, plan, now=paying.clock()), actor=ada.public_id, now=paying.clock()
    )
    pay_back(topup)
    wish = Wish(True, Decimal("0.10"), Decimal(10), card, Decimal(100))
    auto_charge.save(ada.account_id, wish, actor=ada.public_id, now=paying.clock())
    Invitation.objects.create(
        account=ada.account, email="new@example.com", created_at=paying.clock(), expires_at=paying.clock()
    )
    return card


@pytest.mark.django_db(transaction=True)
def test_it_ends_everything_and_tells_every_member(
    client: Client, ada: User, bo: User, ada_key: str, api: ApiClient,
) -> None:  # fmt: skip
    everything_on(ada)
    bos = Client()
    bos.force_login(bo)
    answer = close(client, ada)
    assert (answer.status_code, answer["Location"]) == (303, "/sign-in/")
    account = Account.objects.get(pk=ada.account_id)
    assert account.closed_at is not None
    assert not ApiKey.objects.filter(account=account, revoked_at=None).exists()
    assert api.get("/billing/v3/balance", key=ada_key).status_code == 401
    assert not Rule.objects.filter(account=account).exists()
    assert not AutoTopup.objects.filter(pk=account.pk, enabled=True).exists()
    assert not Campaign.objects.filter(account=account, finished_at=None).exists()
    assert not Invitation.objects.filter(account=account, withdrawn_at=None).exists()
    for member in (ada, bo):
        assert subjects(member.email)[-1] == "The account Ada's agents is closed"
    for browser in (client, bos):
        assert browser.get("/settings/billing/")["Location"].startswith("/sign-in/")
    assert auto_charge.attempt(account.pk, now=paying.clock()) is None
    call_command("verify_ledger", full=True)


def test_it_says_at_sign_in_that_the_account_was_closed_to_who_knows_the_password(
    client: Client, ada: User
) -> None:
    close(client, ada)
    known = client.post("/sign-in/", {"email": ada.email, "password": factories.PASSWORD}).content.decode()
    assert "was closed on" in known
    assert "write to us" in known
    guessed = client.post("/sign-in/", {"email": ada.email, "password": "wrong"}).content.decode()
    assert "closed" not in guessed
    client.post("/password-reset/", {"email": ada.email})
    assert "Choose a new password" not in subjects(ada.email)


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_it_is_the_owners_alone(client: Client, ada: User, role: str) -> None:
    member = factories.member(ada.account, email="eve@example.com", role=role)
    client.force_login(member)
    assert client.get(CLOSE).status_code == 403
    assert client.post(CLOSE, {"password": factories.PASSWORD}).status_code == 403
    assert CLOSE not in client.get("/settings/account/").content.decode()
    with pytest.raises(PermissionDenied):
        closing.close(ada.account_id, by=member, now=paying.clock())
    assert not is_closed(ada)


def test_it_asks_for_the_password(client: Client, ada: User) -> None:
    answer = close(client, ada, password="not it")
    assert "That is not your password" in answer.content.decode()
    assert not is_closed(ada)


def test_it_slows_down_who_guesses_the_password(client: Client, ada: User) -> None:
    client.force_login(ada)
    pages = [client.post(CLOSE, {"password": f"guess {n}"}).content.decode() for n in range(6)]
    assert "Too many tries" in pages[-1]
    assert "Too many tries" in client.post(CLOSE, {"password": factories.PASSWORD}).content.decode()
    assert not is_closed(ada)


def test_it_closes_once_however_often_it_is_asked(client: Client, ada: User) -> None:
    closing.close(ada.account_id, by=ada, now=paying.clock())
    first = Account.objects.get(pk=ada.account_id).closed_at
    closing.close(ada.account_id, by=ada, now=paying.clock())
    assert Account.objects.get(pk=ada.account_id).closed_at == first
    assert subjects(ada.email).count("The account Ada's agents is closed") == 1


# --- what is refused afterwards -----------------------------------------------------------------------------------

CALLS: list[tuple[str, str, dict[str, object]]] = [
    (
        "post",
        "usage",
        {"event_id": "late", "type": "chat", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1},
    ),
    ("post", "holds", {"key": "late", "type": "voice", "seconds": 60}),
    ("get", "authorize?type=chat", {}),
    ("get", "balance", {}),
    ("get", "agents", {}),
    ("get", "campaigns", {}),
    ("get", "phone-numbers", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_it_does_not_exist_any_more_for_the_platform(
    ada: User, platform_key: str, api: ApiClient, method: str, path: str, body: dict[str, object]
) -> None:
    closing.close(ada.account_id, by=ada, now=paying.clock())
    if method == "get":
        sign = "&" if "?" in path else "?"
        answer = api.get(f"/billing/v3/{path}{sign}account={ada.account.public_id}", key=platform_key)
    else:
        answer = api.post(f"/billing/v3/{path}", body | {"account": ada.account.public_id}, key=platform_key)
    assert (answer.status_code, answer.json()["code"]) == (404, "account_not_found")


def test_it_refuses_each_event_of_a_batch(ada: User, cy: User, platform_key: str, api: ApiClient) -> None:
    closing.close(ada.account_id, by=ada, now=paying.clock())
    event = {"event_id": "b1", "type": "chat", "model": "gpt-4o", "input_tokens": 1, "output_tokens": 1}
    both = [event | {"account": user.account.public_id} for user in (ada, cy)]
    results = api.post("/billing/v3/usage/batch", {"events": both}, key=platform_key).json()["results"]
    assert [result["status"] for result in results] == [404, 201]


@pytest.mark.parametrize("act", ["capture", "extend", "release"])
def test_it_ends_no_expired_hold_any_more(ada: User, platform_key: str, api: ApiClient, act: str) -> None:
    """The work of an expired hold may be captured for ever, but not once its account is closed."""
    made = holds.hold(
        ada.account_id, key="old", request_hash=b"r", amount=Decimal("0.5"), purpose="voice",
        terms={"model": "", "seconds": 60, "agent": None, "rates": {"voice.minute": "0.1"}},
        lifetime=timedelta(microseconds=1),
    )  # fmt: skip
    closing.close(ada.account_id, by=ada, now=paying.clock())
    bodies = {
        "capture": {"event_id": "e", "seconds": 60, "answered": True},
        "extend": {"seconds": 120},
        "release": {},
    }
    body = bodies[act] | {"account": ada.account.public_id}
    path = f"/billing/v3/holds/{Hold.objects.get(pk=made.hold_id).public_id}/{act}"
    assert api.post(path, body, key=platform_key).status_code == 404
    assert Hold.objects.get(pk=made.hold_id).state == Hold.State.RELEASED


def test_it_begins_no_top_up_and_lifts_no_freeze_any_more(ada: User) -> None:
    card = paying.save_card(ada)
    closing.close(ada.account_id, by=ada, now=paying.clock())
    with pytest.raises(NoBalance):
        paying.begin(ada, card=card)
    with pytest.raises(NoBalance):
        topups.record_manual(ada.account_id, Decimal(5), actor="staff", reason="wire")
    for by in ("owner", "staff"):
        with pytest.raises(AccountClosed):
            ledger.freeze(ada.account_id, by=by, frozen=False)


@pytest.mark.django_db(transaction=True)
def test_it_keeps_money_that_comes_too_late_and_tells_staff(ada: User) -> None:
    """A success after we gave the payment up still credits; somebody must pay it back."""
    topup = paying.begin(ada, card=paying.save_card(ada))
    TopUp.objects.filter(pk=topup.pk).update(status="canceled", next_look_at=None, ended_at=paying.clock())
    closing.close(ada.account_id, by=ada, now=paying.clock())
    answer = topups._ask(topup)
    topups._take(topup, answer, now=None)
    assert paying.credits(ada) == [Decimal("25")]
    assert StaffNotice.objects.filter(key=f"closed-topup:{topup.pk}").count() == 1
    call_command("verify_ledger", full=True)


# --- cards at the processor -----------------------------------------------------------------------------------------


def test_it_removes_the_cards_at_the_processor_after_the_commit(ada: User) -> None:
    paying.save_card(ada)
    paying.save_card(ada, "pm_card_mastercard")
    closing.close(ada.account_id, by=ada, now=paying.clock())
    assert leaving.live_cards(ada) == 2  # nothing was asked inside the transaction
    money_closing.detach_cards(now=paying.clock())
    assert leaving.live_cards(ada) == 0
    assert not SandboxCard.objects.exclude(customer=None).exists()
    assert subjects(ada.email)[-1] == "The account Ada's agents is closed"
    money_closing.detach_cards(now=paying.clock())


def test_it_tries_again_while_the_processor_is_away(
    ada: User, cy: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    paying.save_card(ada)
    kept = paying.save_card(cy)
    closing.close(ada.account_id, by=ada, now=paying.clock())

    class Away(SandboxGateway):
        def remove_card(self, card: str) -> None:
            raise Unavailable("timed out")

    with monkeypatch.context() as patch:
        patch.setattr(gateways, "gateway", Away)
        money_closing.detach_cards(now=paying.clock())
    assert leaving.live_cards(ada) == 1
    money_closing.detach_cards(now=paying.clock())
    assert leaving.live_cards(ada) == 0
    assert payment_methods.find(cy.account_id, kept)


# --- opening it again ----------------------------------------------------------------------------------------------


def test_it_can_be_opened_again_for_thirty_days(client: Client, ada: User) -> None:
    at = paying.clock()
    closing.close(ada.account_id, by=ada, now=at)
    assert not closing.reopen(ada.account_id, staff=None, reason="By mistake", now=at + timedelta(days=30))
    assert closing.reopen(ada.account_id, staff=None, reason="By mistake", now=at + timedelta(days=29))
    assert not closing.reopen(ada.account_id, staff=None, reason="By mistake", now=at + timedelta(days=29))
    answer = client.post("/sign-in/", {"email": ada.email, "password": factories.PASSWORD})
    assert answer["Location"] == "/settings/billing/"
    assert metering.record(ada.account_id, events.chat("again")).is_recorded


def test_it_reopens_by_command(ada: User) -> None:
    closing.close(ada.account_id, by=ada, now=paying.clock())
    call_command("reopen_account", f"--account={ada.account.public_id}", "--reason=Ticket 9", verbosity=0)
    assert not is_closed(ada)


# --- at the same moment ---------------------------------------------------------------------------------------------

RIVALS: dict[str, Callable[[User, int], object]] = {
    "hold": lambda ada, n: hold(ada, f"h{n}", "0.01"),
    "top-up": lambda ada, n: paying.begin(ada, card=payment_methods.of_account(ada.account_id)[0].gateway_id),
    "usage": lambda ada, n: metering.record(ada.account_id, events.chat(f"u{n}")),
}


def race(ada: User, rival: Callable[[User, int], object]) -> bool:
    """Closing among seven that begin something; whether the account closed with something begun in it."""

    def act(number: int) -> None:
        try:
            if number == 3:
                closing.close(ada.account_id, by=ada, now=paying.clock())
            else:
                rival(ada, number)
        except (closing.StillNeeded, NoBalance):
            pass

    paying.in_parallel(8, act)
    return is_closed(ada) and bool(begun(ada))


def begun(ada: User) -> list[str]:
    """What a closed account should not have; that it is frozen belongs to its closing."""
    found = closing.hindrances(ada.account_id, now=paying.clock())
    return [hindrance.title for hindrance in found if "We froze" not in hindrance.title]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", sorted(RIVALS))
def test_nothing_begins_beside_the_closing(name: str) -> None:
    for number in range(6):
        ada = factories.owner(f"ada{number}@example.com")
        paying.save_card(ada)
        assert not race(ada, RIVALS[name]), f"{name} slipped into a closed account"
        if is_closed(ada):
            assert_frozen_since_closing(ada)
    call_command("verify_ledger", full=True)


def assert_frozen_since_closing(ada: User) -> None:
    account = Account.objects.get(pk=ada.account_id)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM usage_charge c JOIN billing_balance b USING (account_id) "
            "WHERE c.account_id = %s AND c.recorded_at > b.staff_froze_at",
            [account.pk],
        )
        assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_a_hold_does_slip_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: closing that looks before it locks lets a hold in between."""
    ada = factories.owner()
    real = closing.hindrances
    monkeypatch.setattr(ledger, "look", lambda account_id: None)

    def looked_then_raced(account_id: object, **more: object) -> list[money_closing.Hindrance]:
        found = real(account_id, **more)
        paying.in_parallel(1, lambda _: hold(ada))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(closing, "hindrances", looked_then_raced)
        closing.close(ada.account_id, by=ada, now=paying.clock())
    assert is_closed(ada)
    assert begun(ada) == ["$0.50 is reserved for work that has begun"]
