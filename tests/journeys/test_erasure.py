"""Thirty days after an account was closed nothing personal is left, and every number still ties."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection
from django.test import Client

from accounts import email_change, links, people
from accounts.models import Account, ApiKey, Invitation, Mail, StaffNote, User
from alerts.models import Notification
from alerts.telling import tell
from billing import auto_charge, ledger
from billing.auto_topup import Wish
from billing.models import BillingDetails, LedgerEntry, PaymentMethod, TopUp, TrialClaim
from tests import factories
from tests.billing import paying
from tests.journeys.leaving import pay_back, top_up
from tests.usage import events
from tests.usage.spending import agent
from thinnest_billing import sweeping
from thinnest_billing.leaving import closing, erasure
from usage import campaigns, flags, metering
from usage import erasure as of_usage
from usage.models import Agent, Campaign, Charge, ChargeNote, Flag

EMAIL = "Adelheid.Quetzal@example.com".lower()
OLD = "quetzal.before@example.com"
INVITED = "quetzal.friend@example.com"
NAME = "Quetzalworks Ltd"
WORDS = "Quetzalnote"
MONTH = timedelta(days=31)

# Every column of every table that can hold words, bytes of words included.
COLUMNS = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND (data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY', 'bytea'))"""


def holds_word(word: str) -> list[str]:
    """Every column of the database in which the word stands, whatever its case."""
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS)
        columns = cursor.fetchall()
        assert len(columns) > 150
        found = []
        for table, name in columns:
            cursor.execute(
                f"""SELECT EXISTS (SELECT FROM "{table}" WHERE position(%s in lower("{name}"::text)) > 0
                    OR position(%s in lower("{name}"::text)) > 0)""",
                [word.lower(), word.lower().encode().hex()],
            )
            if cursor.fetchone()[0]:
                found.append(f"{table}.{name}")
    return found


@pytest.fixture
def quetzal(db: None) -> User:
    """Somebody who left her name wherever she could."""
    owner = factories.owner(OLD, name=NAME)
    now = paying.clock()
    assert email_change.ask(owner, EMAIL, now=now)
    assert email_change.change(email_change.Wish(owner, EMAIL), now=now)
    owner = User.objects.get(pk=owner.pk)
    member = factories.member(owner.account, email="quetzal.second@example.com")
    people.forgot_password(member.email, now=now)
    live(owner, now=now)
    staff = User.objects.create_superuser("staff@thinnest.example")
    StaffNote.objects.create(
        account=owner.account, text=f"{WORDS} calls often", written_by=staff, written_at=now
    )
    LogEntry.objects.create(
        user=staff, content_type=ContentType.objects.get_for_model(User), object_id=str(owner.pk),
        object_repr=str(owner), action_flag=CHANGE, change_message="[]",
    )  # fmt: skip
    return owner


def live(owner: User, *, now: datetime) -> None:
    card = paying.save_card(owner)
    pay_back(top_up(owner, card=card))
    auto_charge.save(
        owner.account_id,
        Wish(True, Decimal("0.10"), Decimal(10), card, Decimal(50)),
        actor=owner.public_id,
        now=now,
    )
    BillingDetails.objects.create(account=owner.account, name=NAME, address=f"{WORDS} Street", tax_id=WORDS)
    Invitation.objects.create(account=owner.account, email=INVITED, created_at=now, expires_at=now)
    Mail.objects.create(to=INVITED, subject=f"{NAME} invites you", text=EMAIL, html=EMAIL, next_try_at=None)
    factories.key(owner.account)
    ApiKey.objects.filter(account=owner.account).update(name=f"{WORDS} key")
    assert metering.record(
        owner.account_id, events.chat("c", agent=agent(WORDS), note=f"{WORDS}.pdf")
    ).is_recorded
    charge = Charge.objects.get(account=owner.account)
    flags.flag(owner.account_id, charge, by=owner, text=f"{WORDS} asks: {EMAIL}", now=now)
    tell(owner.account_id, key="k", kind="k", level="info", title=WORDS, body=EMAIL, now=now)
    plan = campaigns.Plan(name=WORDS, agent_id=None, calls=1, seconds_per_call=60, scheduled_at=None)
    campaigns.create(owner.account_id, plan, now=now)


def leave(owner: User) -> datetime:
    closing.close(owner.account_id, by=User.objects.get(pk=owner.pk), now=paying.clock())
    sweeping.detach_cards(now=paying.clock())
    return paying.clock() + MONTH


@pytest.mark.parametrize("word", ["quetzal", EMAIL, OLD, INVITED, NAME, WORDS])
def test_it_leaves_no_word_of_a_person_in_the_database(quetzal: User, word: str) -> None:
    later = leave(quetzal)
    assert len(holds_word(word)) >= 1  # the search finds what is there
    assert erasure.erase_due(now=later) == [quetzal.account_id]
    assert holds_word(word) == []


@pytest.mark.django_db(transaction=True)
def test_it_keeps_the_books(quetzal: User) -> None:
    before = list(LedgerEntry.objects.filter(account=quetzal.account).order_by("seq").values())
    charges = list(Charge.objects.filter(account=quetzal.account).values())
    later = leave(quetzal)
    erasure.erase_due(now=later)
    assert list(LedgerEntry.objects.filter(account=quetzal.account).order_by("seq").values()) == before
    assert list(Charge.objects.filter(account=quetzal.account).values()) == charges
    top_up_row = TopUp.objects.get(account=quetzal.account)
    assert (top_up_row.status, top_up_row.received, top_up_row.last4) == ("succeeded", 25, "4242")
    account = Account.objects.get(pk=quetzal.account_id)
    assert (account.name, account.erased_at) == ("Erased account", later)
    assert not PaymentMethod.objects.filter(account=account).exists()
    call_command("verify_ledger", full=True)


def test_it_waits_thirty_days(quetzal: User) -> None:
    later = leave(quetzal)
    assert erasure.erase_due(now=later - timedelta(days=2)) == []
    assert User.objects.filter(email=EMAIL).exists()
    assert ChargeNote.objects.filter(account=quetzal.account).exists()


def test_it_leaves_open_accounts_and_those_opened_again_alone(quetzal: User, cy: User) -> None:
    at = paying.clock()
    closing.close(quetzal.account_id, by=quetzal, now=at)
    assert closing.reopen(quetzal.account_id, staff=None, reason="Regret", now=at)
    assert erasure.erase_due(now=at + MONTH) == []
    assert User.objects.filter(email__in=[EMAIL, cy.email]).count() == 2


def test_it_gives_no_second_trial_to_the_same_address(client: Client, quetzal: User) -> None:
    """The hash of an address outlives its account; the address itself is free again."""
    erasure.erase_due(now=leave(quetzal))
    assert TrialClaim.objects.count() >= 1
    again = factories.owner(OLD, name="Once more", now=paying.clock())
    assert not LedgerEntry.objects.filter(account=again.account).exists()


def test_it_lets_nobody_in_afterwards(client: Client, quetzal: User) -> None:
    reset = links.reset_url(quetzal).removeprefix("http://127.0.0.1:8000")
    erasure.erase_due(now=leave(quetzal))
    answer = client.post("/sign-in/", {"email": EMAIL, "password": factories.PASSWORD}).content.decode()
    assert "do not match" in answer
    assert "closed" not in answer
    assert client.get(reset).status_code == 404
    assert not closing.reopen(quetzal.account_id, staff=None, reason="Too late", now=paying.clock() + MONTH)


def test_it_may_be_repeated(quetzal: User) -> None:
    later = leave(quetzal)
    assert erasure.erase_due(now=later) == [quetzal.account_id]
    assert erasure.erase_due(now=later) == []
    Account.objects.filter(pk=quetzal.account_id).update(erased_at=None)
    assert erasure.erase_due(now=later) == [quetzal.account_id]
    assert holds_word("quetzal") == []


PARTS = ("usage.erase", "tellings.erase", "money.erase", "people.erase")


@pytest.mark.parametrize("part", PARTS)
def test_it_goes_on_after_it_was_killed(quetzal: User, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    later = leave(quetzal)

    def killed(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        module, name = part.split(".")
        patch.setattr(getattr(erasure, module), name, killed)
        assert erasure.erase_due(now=later) == []
    assert Account.objects.get(pk=quetzal.account_id).erased_at is None
    assert erasure.erase_due(now=later) == [quetzal.account_id]
    assert holds_word("quetzal") == []


def test_one_that_fails_does_not_hold_up_the_others(
    quetzal: User, cy: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = leave(quetzal)
    leave(cy)
    real = erasure.money.erase

    def poisoned(account_id: object, addresses: list[str]) -> None:
        if account_id == quetzal.account_id:
            raise RuntimeError("poison")
        real(account_id, addresses)

    monkeypatch.setattr(erasure.money, "erase", poisoned)
    assert erasure.erase_due(now=later) == [cy.account_id]


def test_it_pays_back_first_what_came_too_late(quetzal: User) -> None:
    later = leave(quetzal)
    ledger.credit_topup(quetzal.account_id, Decimal(5), key="late", actor="gateway")
    assert erasure.erase_due(now=later) == []
    ledger.take_back(quetzal.account_id, LedgerEntry.Kind.REFUND, Decimal(5), key="back", actor="staff")
    assert erasure.erase_due(now=later) == [quetzal.account_id]


def test_it_keeps_staff_and_what_they_did(quetzal: User) -> None:
    """Whoever works for us keeps their sign-in; the log of acts keeps its ids."""
    User.objects.filter(email="quetzal.second@example.com").update(
        is_staff=True, email="colleague@thinnest.example"
    )
    colleague = User.objects.get(email="colleague@thinnest.example")
    later = leave(quetzal)
    erasure.erase_due(now=later)
    colleague.refresh_from_db()
    assert (colleague.account_id, colleague.is_active) == (None, True)
    assert holds_word("quetzal") == []


def test_it_is_a_step_of_the_sweep(quetzal: User) -> None:
    later = leave(quetzal)
    sweeping.sweep(now=later)
    assert Account.objects.get(pk=quetzal.account_id).erased_at == later


def test_it_erases_many_notes_in_pieces(quetzal: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        assert metering.record(
            quetzal.account_id, events.chat(f"n{number}", note=f"{WORDS} {number}")
        ).is_recorded
    monkeypatch.setattr(of_usage, "AT_ONCE", 2)
    erasure.erase_due(now=leave(quetzal))
    assert not ChargeNote.objects.filter(account=quetzal.account).exists()
    assert not Notification.objects.filter(account=quetzal.account).exists()
    assert Flag.objects.get(account=quetzal.account).text == ""
    assert Agent.objects.get(account=quetzal.account).name.startswith("Erased ")
    assert Campaign.objects.get(account=quetzal.account).name == "Erased"
