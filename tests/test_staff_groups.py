"""Staff come in groups: support reads, billing moves money, pricing sets rates."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from tests import factories

pytestmark = pytest.mark.django_db


def clerk(group: str) -> User:
    user = User.objects.create_user(f"{group}@example.com", factories.PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.mark.parametrize(
    ("group", "rights"),
    [
        ("support", set()),
        (
            "billing",
            {
                "billing.add_ledgerentry",
                "billing.change_balance",
                "billing.change_staffnotice",
                "billing.add_refund",
                "usage.change_charge",
            },
        ),
        ("pricing", {"usage.add_price"}),
    ],
)
def test_it_gives_each_group_its_rights(group: str, rights: set[str]) -> None:
    acts = {
        "billing.add_ledgerentry",
        "billing.change_balance",
        "billing.change_staffnotice",
        "billing.add_refund",
        "usage.change_charge",
        "usage.add_price",
    }
    user = clerk(group)
    assert {right for right in acts if user.has_perm(right)} == rights
    assert user.has_perms(["billing.view_topup", "accounts.view_account", "usage.view_charge"])
    assert not user.has_perm("billing.delete_topup")


@pytest.mark.parametrize("group", ["support", "billing", "pricing"])
def test_it_lets_each_group_look_at_money(group: str, ada: User, client: Client) -> None:
    client.force_login(clerk(group))
    for table in ("balance", "ledgerentry", "topup", "eventreceipt"):
        assert client.get(f"/admin/billing/{table}/").status_code == 200
    page = client.get(f"/admin/billing/balance/{ada.account_id}/change/").content.decode()
    assert ("Grant credit" in page) is (group == "billing")
