"""Everything about one account on one screen, with the acts that this person of staff may do."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account, StaffAct, StaffNote, User
from billing import ledger, topups
from billing.models import TopUp
from tests import factories
from tests.staff.people import clerk, person, root, signed_in
from tests.usage import spending
from tests.usage.flagging import a_charge, asked
from usage.models import Charge

pytestmark = pytest.mark.django_db
NOTE = {"id": "0197a3c0-0000-7000-8000-000000000001", "text": "Calls on Fridays."}


def path_of(user: User) -> str:
    return f"/admin/account/{user.account.public_id}/"


def read(client: Client, user: User) -> str:
    answer = client.get(path_of(user))
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    return re.sub(r"\s+", " ", answer.content.decode())


def test_it_shows_everything_of_an_account_that_lived(ada: User, bo: User) -> None:
    now = timezone.now()
    charge = a_charge(ada, at=now)
    asked(ada, charge, at=now)
    topups.record_manual(ada.account_id, Decimal(30), actor="t", reason="wire 7")
    factories.key(ada.account)
    page = read(clerk("billing"), ada)
    for shown in (
        "Balance", "$31.00", "Granted", "Held", "Available", "days", "Auto-topup is off", charge.public_id,
        TopUp.objects.get().public_id, "wire 7", "bo@example.com", "Viewer", "tests", "We sent this message once",
        "Balance below", "Trial credit for a new account", "Nothing is reserved.", "Held now", "Campaigns",
    ):  # fmt: skip
        assert shown in page, shown
    for id in ("charges", "topups", "ledger", "holds", "refunds", "disputes", "cards", "members", "keys", "numbers",
               "campaigns", "rules", "told", "notices", "flags", "notes", "acts"):  # fmt: skip
        assert f'id="{id}"' in page


ACTS = {
    "support": set(),
    "billing": {"Grant credit", "Adjust balance", "Freeze spending", "Reverse…", "Refund…"},
    "pricing": set(),
}
EVERY = {*ACTS["billing"], "Enter a bank transfer", "Name and time zone"}


@pytest.mark.parametrize("group", ACTS)
def test_it_offers_each_group_what_it_may_do(ada: User, group: str) -> None:
    a_charge(ada, at=timezone.now())
    topups.record_manual(ada.account_id, Decimal(30), actor="t", reason="wire 7")
    page = read(clerk(group), ada)
    assert {act for act in EVERY if f">{act}<" in page} == ACTS[group]


def test_it_offers_superusers_everything_but_on_their_own_account(ada: User, cy: User) -> None:
    for user in (ada, cy):
        a_charge(user, at=timezone.now())
        topups.record_manual(user.account_id, Decimal(30), actor="t", reason="wire 7")
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    client = signed_in(User.objects.get(pk=ada.pk))
    page = read(client, cy)
    assert {act for act in EVERY if f">{act}<" in page} == EVERY
    own = read(client, ada)
    assert "This is your own account" in own
    assert not any(f">{act}<" in own for act in EVERY)
    assert "New note" not in own
    assert client.post(f"{path_of(ada)}note/", NOTE).status_code == 403
    charge = Charge.objects.get(account_id=ada.account_id)
    said = client.post(f"/admin/usage/charge/{charge.pk}/reverse/", {"reason": "For me"}, follow=True)
    assert "You may not act on your own account." in said.content.decode()
    assert Charge.objects.filter(account_id=ada.account_id).count() == 1
    assert not StaffAct.objects.exists()


def test_it_asks_as_few_questions_after_a_busy_month(ada: User) -> None:
    client = root()
    read(client, ada)  # content types and the rate card are known from here on
    with CaptureQueriesContext(connection) as young:
        read(client, ada)
    topups.record_manual(ada.account_id, Decimal(30), actor="t", reason="wire 7")
    spending.random_month(ada.account_id, seed=1, count=60)
    for _ in range(12):
        topups.record_manual(ada.account_id, Decimal(5), actor="t", reason="wire")
    with CaptureQueriesContext(connection) as busy:
        read(client, ada)
    assert len(busy) <= len(young) + 4
    assert len(busy) < 50


def test_it_tells_what_is_wrong_with_an_account(ada: User) -> None:
    ledger.freeze(ada.account_id, by="staff", frozen=True)
    ledger.adjust(ada.account_id, Decimal(-1), key="x", actor="t", reason="t")
    client = clerk("billing")
    for shown in ("Frozen by staff since", "Paused: depleted since", ">Lift staff&#x27;s freeze<"):
        assert shown in read(client, ada), shown


def test_an_account_that_is_not_open_yet_has_a_page(db: None) -> None:
    account = Account.objects.create(name="Waiting")
    page = clerk("billing").get(f"/admin/account/{account.public_id}/").content.decode()
    assert "the address is not confirmed" in page
    assert "Grant credit" not in page


@pytest.mark.parametrize(
    "wrong", ["acct_nonsense", "acct_00000000000000000000000000", "x", "usr_1", "acct_%00"]
)
def test_there_is_no_page_for_nothing(db: None, wrong: str) -> None:
    assert clerk("billing").get(f"/admin/account/{wrong}/").status_code == 404


def test_customers_and_staff_without_rights_see_nothing(ada: User, cy: User) -> None:
    assert signed_in(cy).get(path_of(ada))["Location"].startswith("/admin/login/")
    assert signed_in(person(email="eli@example.com")).get(path_of(ada)).status_code == 403


# --- Notes -----------------------------------------------------------------------------------------------------


def test_a_note_is_written_once_and_told_without_its_words(ada: User) -> None:
    client = clerk("support")
    for _ in range(2):
        assert client.post(f"{path_of(ada)}note/", NOTE)["Location"] == path_of(ada)
    assert "Calls on Fridays." in read(client, ada)
    assert StaffNote.objects.count() == 1
    act = StaffAct.objects.get()
    assert (act.act, act.account) == ("write note", ada.account)
    assert "Fridays" not in f"{act.details}{act.reason}"


@pytest.mark.parametrize("change", [{"text": " "}, {"text": "x" * 1001}, {"id": "x"}, {"id": ""}])
def test_a_wrong_note_is_not_written(ada: User, change: dict[str, str]) -> None:
    answer = clerk("support").post(f"{path_of(ada)}note/", NOTE | change)
    assert answer.status_code == 422
    assert "The note was not written." in answer.content.decode()
    assert not StaffNote.objects.exists()


def test_a_note_s_id_of_another_account_changes_nothing(ada: User, cy: User) -> None:
    client = clerk("support")
    client.post(f"{path_of(ada)}note/", NOTE)
    client.post(f"{path_of(cy)}note/", NOTE | {"text": "Other"})
    assert [note.account for note in StaffNote.objects.all()] == [ada.account]


def test_customers_never_see_a_note(ada: User) -> None:
    clerk("support").post(f"{path_of(ada)}note/", NOTE)
    for path in ("/settings/billing/", "/settings/account/"):
        assert "Fridays" not in signed_in(ada).get(path).content.decode()


# --- The audit log ---------------------------------------------------------------------------------------------


@pytest.fixture
def acted(ada: User, cy: User) -> Client:
    client = clerk("billing")
    for user, amount in ((ada, "5"), (cy, "6")):
        form = {"amount": amount, "reason": f"=Ticket {amount}", "key": f"staff:{amount}"}
        client.post(f"/admin/billing/balance/{user.account_id}/grant/", form)
    return client


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 2), ("q=dee@example.com", 2), ("q=nobody@example.com", 0), ("q=Ticket+5", 1), ("q=ada@example.com", 1),
     ("act=grant+credit", 2), ("act=refund", 0), ("q=req_nonsense", 0)],
)  # fmt: skip
def test_the_log_is_filtered_and_searched(acted: Client, query: str, count: int) -> None:
    page = acted.get(f"/admin/accounts/staffact/?{query}")
    assert page.context["cl"].result_count == count
    rows = (
        b"".join(acted.get(f"/admin/accounts/staffact/csv/?{query}").streaming_content).decode().splitlines()
    )
    assert len(rows) == count + 1


def test_the_log_as_csv_is_exact_and_harmless(acted: Client, ada: User) -> None:
    answer = acted.get(f"/admin/accounts/staffact/csv/?q={ada.account.public_id}")
    head, row = b"".join(answer.streaming_content).decode().splitlines()
    assert head == "time,staff,act,account,target,details,reason,request_id"
    assert f"dee@example.com,grant credit,{ada.account.public_id},entry_" in row
    assert "'=Ticket 5" in row
    assert "amount: 5" in row


def test_the_log_is_only_read(acted: Client) -> None:
    act = StaffAct.objects.first()
    client = root()
    assert client.get(f"/admin/accounts/staffact/{act.pk}/change/").status_code == 200
    assert client.post(f"/admin/accounts/staffact/{act.pk}/change/", {"reason": "x"}).status_code == 403
    assert client.post(f"/admin/accounts/staffact/{act.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/accounts/staffact/add/").status_code == 403
    assert signed_in(person(email="eli@example.com")).get("/admin/accounts/staffact/csv/").status_code == 403


def test_a_row_s_history_leads_to_the_log(acted: Client, ada: User) -> None:
    answer = acted.get(f"/admin/accounts/account/{ada.account_id}/history/")
    assert answer["Location"] == f"/admin/accounts/staffact/?q={ada.account.public_id}"
    assert "What you did last" in acted.get("/admin/").content.decode()


def test_nobody_changes_their_own_rights(db: None) -> None:
    client = root()
    own = User.objects.get(email="root@example.com")
    assert client.post(f"/admin/accounts/user/{own.pk}/change/", {"is_active": "on"}).status_code == 403
    own.refresh_from_db()
    assert own.is_superuser


def test_a_superuser_s_own_key_is_left_to_a_colleague(ada: User) -> None:
    factories.key(ada.account)
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    row = ada.account.api_keys.get()
    client = signed_in(User.objects.get(pk=ada.pk))
    client.post("/admin/accounts/apikey/", {"action": "revoke", "_selected_action": [str(row.pk)]})
    row.refresh_from_db()
    assert row.revoked_at is None
    assert not StaffAct.objects.exists()
