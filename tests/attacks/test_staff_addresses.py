"""What staff or somebody with their session type into addresses of admin: refused, never a 500."""

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.urls import URLPattern, URLResolver, reverse

from accounts import api_keys
from accounts.models import Account, ApiKey, StaffAct, User
from billing import topups
from billing.models import Balance, LedgerEntry, Refund, TopUp
from tests.billing.paying import begin, clock, save_card
from tests.staff import people
from tests.usage import flagging
from usage.models import Charge, Flag, Price

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "bad", ["%00", "a@b%00", "%ED%A0%80", "9" * 400, "NaN", "' OR 1=1 --", "%5C", "%25_("]
)
def test_admin_answers_whatever_is_asked(ada: User, bad: str) -> None:
    boss = people.root()
    boss.raise_request_exception = False
    flagging.asked(ada, flagging.a_charge(ada))
    asked = [
        f"{reverse('admin:staff_search')}?q={bad}",
        f"{reverse('admin:usage_flag_changelist')}?outcome={bad}",
        *(f"{reverse('admin:accounts_staffact_changelist')}?{name}={bad}" for name in ("q", "at__gte", "p")),
        *(f"{reverse('admin:audit_csv')}?{name}={bad}" for name in ("q", "at__gte", "staff__id__exact")),
    ]
    for address in asked:
        assert boss.get(address).status_code < 500, address


FORM = {
    "amount": "5.00", "reason": "because", "key": "k", "confirmed": "on", "tried": "x", "outcome": "reversed",
    "text": "no", "meter": "voice.minute", "rate": "0.0001", "frozen": "1", "granted": "9", "paid": "9",
    "role": "owner", "is_superuser": "on", "is_staff": "on", "email": "x@example.com", "name": "x", "post": "yes",
    "amount_0": "5.00", "amount_1": "5.00", "url": "https://example.com/", "id": "", "received_at": "2026-03-02",
}  # fmt: skip


def addresses(urls: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for one in urls:
        route = before + str(one.pattern).removesuffix("\\Z").removesuffix("$").removeprefix("^")
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, route)
        elif "logout" not in route and "(?P" not in route:
            yield route


def everything(ada: User) -> list[object]:
    """What only who may may change."""
    tables = (Balance, LedgerEntry, Charge, Price, Refund, TopUp, Flag, ApiKey, StaffAct)
    rows: list[object] = [list(table.objects.order_by("pk").values()) for table in tables]
    people_ = User.objects.order_by("pk").values_list(
        "pk", "email", "role", "is_staff", "is_superuser", "account"
    )
    return [*rows, list(people_), Account.objects.filter(pk=ada.account_id, closed_at=None).exists()]


@pytest.mark.parametrize("who", ["support", "pricing", "own superuser", "superuser"])
def test_no_address_of_admin_does_what_its_button_would_not(ada: User, who: str) -> None:
    """Every address of admin with every id of Ada's, POSTed with whatever its form may want. A superuser who is a
    stranger to Ada shows that it would work."""
    flag = flagging.asked(ada, flagging.a_charge(ada))
    topup = topups.pay(begin(ada, card=save_card(ada)))
    key, _ = api_keys.create(account=ada.account, name="k", scopes=["balance:read"], now=clock())
    if who == "own superuser":
        User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
        browser = people.signed_in(User.objects.get(pk=ada.pk))
    else:
        browser = people.root() if who == "superuser" else people.clerk(who)
    browser.raise_request_exception = False
    ids = [str(row.pk) for row in (ada.account, ada, topup, key, flag)] + [str(flag.charge_id)]
    form = FORM | {"meter": "x"} if who == "pricing" else FORM  # pricing may set prices: not this one
    found = set(addresses(admin.site.get_urls()))
    before, index = everything(ada), reverse("admin:index")
    tried = 0
    for route in sorted(found):
        if "superuser" in who and not re.search(r"balance|topup|charge|flag|refund|account/", route):
            continue
        for id in [ada.account.public_id] if "<str" in route else ids if "<" in route else ids[:1]:
            answer = browser.post(index + re.sub(r"<[^>]*>", id, route), form)
            assert answer.status_code < 500, (route, id)
            tried += answer.status_code != 404
    assert tried > 20
    assert (everything(ada) == before) == (who != "superuser")
