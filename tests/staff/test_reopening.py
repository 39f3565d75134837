"""A customer regrets: staff open the closed account again, while that can be."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import closing
from accounts.models import Account, StaffAct, User
from tests.billing.paying import clock
from tests.staff.people import clerk, person, signed_in
from thinnest_billing.leaving import closing as leaving

pytestmark = pytest.mark.django_db
BUTTON = ">Open it again<"


def page_of(user: User) -> str:
    return f"/admin/account/{user.account.public_id}/"


def close(user: User, *, days_ago: int = 0) -> None:
    leaving.close(user.account_id, by=user, now=clock())
    if days_ago:
        then = timezone.now() - timedelta(days=days_ago)
        Account.objects.filter(pk=user.account_id).update(closed_at=then)


def is_closed(user: User) -> bool:
    return Account.objects.get(pk=user.account_id).closed_at is not None


def reopen(client: Client, user: User, reason: str = "Closed by mistake") -> int:
    return client.post(f"{page_of(user)}reopen/", {"reason": reason}).status_code


def test_it_opens_a_closed_account_again(ada: User) -> None:
    close(ada)
    client = clerk("billing")
    page = client.get(page_of(ada)).content.decode()
    assert BUTTON in page
    assert "Freeze spending<" not in page
    assert "freeze<" not in page, "reopening lifts the freeze that closing made"
    assert "keys, cards and alerts stay gone" in client.get(f"{page_of(ada)}reopen/").content.decode()
    assert reopen(client, ada) == 302
    assert not is_closed(ada)
    assert BUTTON not in client.get(page_of(ada)).content.decode()
    assert (StaffAct.objects.get().act, StaffAct.objects.get().reason) == (
        "reopen account",
        "Closed by mistake",
    )
    ada.account.refresh_from_db()
    assert not closing.is_over(ada)


def test_it_asks_for_a_reason(ada: User) -> None:
    close(ada)
    assert reopen(clerk("billing"), ada, reason="") == 200
    assert is_closed(ada)


@pytest.mark.parametrize("group", ["support", "pricing"])
def test_others_of_staff_may_not(ada: User, group: str) -> None:
    close(ada)
    client = clerk(group)
    assert BUTTON not in client.get(page_of(ada)).content.decode()
    assert reopen(client, ada) == 403
    assert is_closed(ada)


def test_nobody_opens_an_account_of_their_own(ada: User) -> None:
    close(ada)
    dee = person("billing", account=ada.account)
    assert reopen(signed_in(dee), ada) == 403
    assert is_closed(ada)


def test_it_is_too_late_after_thirty_days(ada: User) -> None:
    close(ada, days_ago=30)
    client = clerk("billing")
    assert BUTTON not in client.get(page_of(ada)).content.decode()
    assert reopen(client, ada) == 302
    assert is_closed(ada)
    assert not StaffAct.objects.exists()
    assert "Nothing was changed" in client.get(page_of(ada)).content.decode()


def test_sent_twice_it_is_one_act(ada: User) -> None:
    close(ada)
    client = clerk("billing")
    assert [reopen(client, ada), reopen(client, ada)] == [302, 302]
    assert StaffAct.objects.count() == 1
