"""No proxy between us and a customer keeps what was made for them, an error or a redirect neither."""

import pytest
from django.test import Client

from accounts.models import User

pytestmark = pytest.mark.django_db
PAGES = (
    "/settings/billing/", "/settings/billing/usage.csv", "/settings/billing/statement/", "/settings/live/",
    "/settings/account/", "/settings/account/members/", "/settings/api-keys/", "/settings/account/export/",
    "/settings/billing/records/bill_x/", "/settings/agents/?model=x", "/sign-in/", "/billing/docs", "/nowhere/",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_it_is_never_stored(client: Client, ada: User, path: str) -> None:
    for _ in range(2):  # signed out, then in
        told = client.get(path)["Cache-Control"]
        assert {"no-store", "private"} <= set(told.split(", "))
        client.force_login(ada)


def test_a_stamp_of_one_account_tells_another_nothing(client: Client, ada: User, cy: User) -> None:
    """Signed in as somebody else in the same browser: the page of before is not taken for right."""
    client.force_login(ada)
    stamp = client.get("/settings/live/")["ETag"]
    client.force_login(cy)
    told = client.get("/settings/live/", headers={"If-None-Match": f"{stamp}, W/{stamp}"})
    assert told.status_code == 200
    client.logout()
    assert client.get("/settings/live/", headers={"If-None-Match": "*"}).status_code == 204
