"""A person's hundred dollars a day, whoever asks from how many windows, and larger sums for superusers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from accounts.errors import Problem
from accounts.models import StaffAct, User
from billing import selectors, staff
from billing.models import TopUp
from tests import factories
from tests.billing.paying import in_parallel
from tests.staff.people import person
from usage import staff as usage_staff
from usage.models import Price

D = Decimal
REASON = {"reason": "Ticket 7"}


def balance(user: User) -> Decimal:
    return selectors.balance_of(user.account_id).balance


@pytest.mark.django_db(transaction=True)
def test_many_windows_are_not_many_limits() -> None:
    """Eight at once, on eight accounts, $30 each: three fit into $100."""
    dee = person("billing")
    owners = [factories.owner(f"{number}@example.com", name=f"No. {number}") for number in range(8)]

    def grant(number: int) -> bool:
        try:
            staff.grant(
                owners[number].account_id, D(30), staff=dee, key=f"k{number}", now=timezone.now(), **REASON
            )
        except staff.OverDailyLimit:
            return False
        return True

    assert sum(in_parallel(8, grant)) == 3
    assert sum(balance(owner) for owner in owners) == D(8 + 90)
    assert StaffAct.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_button_pressed_ten_times_at_once_is_one_act(ada: User) -> None:
    dee, now = person("billing", is_superuser=True), timezone.now()
    topup_id = TopUp(account=ada.account).pk

    def press(_: int) -> None:
        staff.grant(ada.account_id, D(5), staff=dee, key="one", now=now, **REASON)
        staff.receive(ada.account_id, D(20), staff=dee, topup_id=topup_id, now=now, **REASON)
        staff.freeze(ada.account_id, staff=dee, frozen=True, now=now, **REASON)

    in_parallel(10, press)
    assert balance(ada) == D(26)
    assert sorted(StaffAct.objects.values_list("act", flat=True)) == [
        "enter bank transfer", "freeze spending", "grant credit",
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_new_day_begins_at_midnight(ada: User) -> None:
    dee, now = person("billing"), timezone.now().replace(hour=23, minute=59)
    staff.grant(ada.account_id, D(100), staff=dee, key="a", now=now, **REASON)
    with pytest.raises(staff.OverDailyLimit, match=r"\$100.00 of your \$100.00 a day is used"):
        staff.adjust(ada.account_id, D("-0.01"), staff=dee, key="b", now=now, **REASON)
    staff.grant(ada.account_id, D(100), staff=dee, key="a", now=now, **REASON)  # the form sent again
    staff.grant(ada.account_id, D(100), staff=dee, key="c", now=now + timedelta(minutes=1), **REASON)
    assert balance(ada) == D(201)


@pytest.mark.django_db
def test_superusers_move_larger_sums(ada: User) -> None:
    root = User.objects.create_superuser("root@example.com")
    staff.grant(ada.account_id, D(5000), staff=root, key="a", now=timezone.now(), **REASON)
    assert balance(ada) == D(5001)


@pytest.mark.django_db
def test_a_price_that_is_refused_leaves_no_act(db: None) -> None:
    dee, now = person("pricing"), timezone.now()
    before = Price.objects.count()
    with pytest.raises(Problem):
        usage_staff.set_price(
            "knowledge.page", rate=D(1), effective_from=now - timedelta(days=1), staff=dee, reason="", now=now
        )
    assert (Price.objects.count(), StaffAct.objects.count()) == (before, 0)
