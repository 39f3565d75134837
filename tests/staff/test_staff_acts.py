"""The audit log of staff: written with the act, never changed."""

from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from accounts import logs, staff_acts
from accounts.models import StaffAct, User
from tests.factories import BIRTHDAY


@pytest.mark.django_db
def test_it_keeps_who_did_what_to_whom_and_why(ada: User, cy: User) -> None:
    token = logs.request_id.set("req_7")
    staff_acts.record(
        cy, "grant credit", account_id=ada.account_id, target=ada.account.public_id,
        details={"amount": Decimal("0.000000001"), "times": 2}, reason="Ticket 7", now=BIRTHDAY,
    )  # fmt: skip
    logs.request_id.reset(token)
    act = StaffAct.objects.get()
    assert (act.staff, act.account, act.act, act.reason) == (cy, ada.account, "grant credit", "Ticket 7")
    assert (act.details, act.request_id) == ({"amount": "0.000000001", "times": 2}, "req_7")


@pytest.mark.django_db
def test_a_command_is_nobody_of_staff() -> None:
    assert staff_acts.record(None, "set price", now=BIRTHDAY).staff is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts_staffact SET reason = ''",
        "DELETE FROM accounts_staffact",
        "TRUNCATE accounts_staffact",
    ],
)
def test_it_is_never_changed(change: str) -> None:
    staff_acts.record(None, "set price", reason="Meant", now=BIRTHDAY)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a TRUNCATE would wait for them
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        connection.cursor().execute(change)
    assert StaffAct.objects.get().reason == "Meant"


@pytest.mark.django_db(transaction=True)
def test_it_is_written_in_the_transaction_of_the_act() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        staff_acts.record(None, "set price", now=BIRTHDAY)
    with transaction.atomic():
        staff_acts.record(None, "set price", now=BIRTHDAY)
        transaction.set_rollback(True)
    assert not StaffAct.objects.exists()
