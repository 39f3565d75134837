"""Flag this charge: on the record's page, by any member, with the answer beside it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import User
from billing.models import StaffNotice
from tests.usage.flagging import a_charge, asked, staff
from tests.usage.spending import NOW
from usage import flags, reversals
from usage.models import Charge, Flag

pytestmark = pytest.mark.django_db
RECORDS = "/settings/billing/records/"


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def charge(ada: User) -> Charge:
    return a_charge(ada, at=NOW - timedelta(hours=1))


def browser(person: User) -> Client:
    made = Client()
    made.force_login(person)
    return made


def page(person: User, path: str) -> str:
    answer = browser(person).get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())))


def send(person: User, charge: Charge, text: str) -> object:
    return browser(person).post(f"{RECORDS}{charge.public_id}/flag/", {"text": text})


def give(answer: str, flag: Flag, outcome: str = "explained") -> None:
    eve = staff()
    eve.user_permissions.add(Permission.objects.get(codename="change_flag"))
    eve = User.objects.get(pk=eve.pk)
    flags.answer(flag, staff=eve, outcome=outcome, text=answer, now=NOW + timedelta(hours=1))


def test_any_member_flags_a_charge_and_reads_when_it_is_answered(ada: User, bo: User, charge: Charge) -> None:
    path = f"{RECORDS}{charge.public_id}/"
    assert "Flag this charge" in page(bo, path)
    answer = send(bo, charge, "Twice?\n<b>really</b>")
    assert (answer.status_code, answer["Location"]) == (303, path)
    found = page(ada, path)
    assert "“Twice? <b>really</b>”" in found
    assert "Flagged on 18 Mar, 15:42. We answer within 2 working days" in found
    assert "Flag this charge" not in found
    assert StaffNotice.objects.count() == 1


def test_the_records_list_marks_it(ada: User, charge: Charge) -> None:
    a_charge(ada, "another", at=NOW - timedelta(minutes=30))
    assert marks(ada) == ["", ""]
    flag = asked(ada, charge)
    assert marks(ada) == ["", "Flagged"]
    give("It is right.", flag)
    assert "Explained" in page(ada, RECORDS)


def marks(person: User, query: str = "") -> list[str]:
    rows = browser(person).get(RECORDS + query).context["rows"]
    return [row.mark for row in rows if row.slug]


def test_the_records_are_filtered_by_what_was_flagged(ada: User, cy: User, charge: Charge) -> None:
    """Open or answered, charges only; nobody else's; with the other filters, and in the CSV."""
    a_charge(ada, "another", at=NOW - timedelta(minutes=30))
    asked(cy, a_charge(cy, "hers", at=NOW - timedelta(minutes=20)))
    assert "No records match" in page(ada, f"{RECORDS}?type=flagged")
    flag = asked(ada, charge)
    assert marks(ada, "?type=flagged") == ["Flagged"]
    give("It is right.", flag)
    shown = browser(ada).get(f"{RECORDS}?type=flagged").context["rows"]
    assert [row.public_id for row in shown] == [charge.public_id]
    assert marks(ada, "?type=flagged&model=gpt-4-turbo") == []
    exported = b"".join(browser(ada).get("/settings/billing/records.csv?type=flagged"))
    assert exported.count(b"bill_") == 1


def test_an_explanation_is_read_on_the_record_and_can_be_questioned(ada: User, charge: Charge) -> None:
    give("It had 1,250 tokens.", asked(ada, charge, at=NOW - timedelta(minutes=9)))
    found = page(ada, f"{RECORDS}{charge.public_id}/")
    assert "Explained on 18 Mar, 16:42 It had 1,250 tokens." in found
    assert "Not settled?" in found
    send(ada, charge, "No, it had 12.")
    assert [flag.outcome for flag in flags.of_charge(charge)] == ["open", "explained"]


def test_a_charge_that_was_given_back_says_so_and_is_flagged_no_more(ada: User, charge: Charge) -> None:
    """The two records link to each other."""
    give("Sorry.", asked(ada, charge), "reversed")
    back = Charge.objects.get(reverses=charge.pk)
    path = f"{RECORDS}{charge.public_id}/"
    found = page(ada, path)
    assert "Given back on 18 Mar, 16:42 Sorry." in found
    assert f"{RECORDS}{back.public_id}/" in browser(ada).get(path).content.decode()
    assert path in browser(ada).get(f"{RECORDS}{back.public_id}/").content.decode()
    for row in (charge, back):
        assert "Flag this charge" not in page(ada, f"{RECORDS}{row.public_id}/")
        assert send(ada, row, "More!").status_code == 200
    assert Flag.objects.count() == 1


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b", "x" * 501, "a\0b"])
def test_a_flag_without_words_is_refused_beside_its_field(ada: User, charge: Charge, text: str) -> None:
    answer = send(ada, charge, text)
    assert answer.status_code == 200
    assert "Nothing was flagged" in answer.content.decode()
    assert not Flag.objects.exists()


def test_sent_twice_it_is_one_flag(ada: User, charge: Charge) -> None:
    for _ in range(2):
        assert send(ada, charge, "Twice?").status_code == 303
    assert Flag.objects.count() == 1


def test_it_is_taken_back_while_nobody_answered(ada: User, charge: Charge) -> None:
    flag = asked(ada, charge)
    path = f"{RECORDS}{charge.public_id}/flag/withdraw/"
    assert "Withdraw the question" in page(ada, f"{RECORDS}{charge.public_id}/")
    for _ in range(2):
        assert browser(ada).post(path).status_code == 303
    assert not Flag.objects.exists()
    assert browser(ada).get(path).status_code == 405
    flag = asked(ada, charge)
    give("It is right.", flag)
    browser(ada).post(path)
    assert Flag.objects.get() == flag


def test_somebody_elses_record_is_not_there(ada: User, cy: User, charge: Charge) -> None:
    asked(ada, charge)
    for path in ("flag/", "flag/withdraw/"):
        assert browser(cy).post(f"{RECORDS}{charge.public_id}/{path}", {"text": "Mine?"}).status_code == 404
    assert Flag.objects.get().outcome == "open"
    for nonsense in ("bill_x", "entry_x", "a" * 300):
        assert browser(ada).post(f"{RECORDS}{nonsense}/flag/", {"text": "x"}).status_code == 404


def test_a_question_of_somebody_else_shows_nowhere(ada: User, cy: User, charge: Charge) -> None:
    asked(ada, charge, "Secret words")
    assert marks(cy) == []
    assert browser(cy).get(f"{RECORDS}{charge.public_id}/").status_code == 404


def test_a_reversal_by_staff_without_a_flag_leaves_nothing_to_flag(ada: User, charge: Charge) -> None:
    reversals.reverse(ada.account_id, charge.pk, actor="t", reason="Wrong", now=NOW)
    assert send(ada, charge, "Wrong").status_code == 200
    assert not Flag.objects.exists()


def test_twenty_flags_a_day_are_enough(ada: User) -> None:
    charges = [a_charge(ada, f"e{number}", at=NOW - timedelta(minutes=30 - number)) for number in range(21)]
    answers = [send(ada, charge, "Wrong").status_code for charge in charges]
    assert answers == [303] * 20 + [429]
    assert Flag.objects.count() == 20
