"""One box: whatever staff have in hand leads to the account or the row it belongs to."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import ids, invitations
from accounts.models import ApiKey, User
from alerts.models import Rule
from billing import holds, ledger, topups
from billing.models import Customer, Dispute, EventReceipt, Hold, LedgerEntry, PaymentMethod, TopUp
from tests import factories
from tests.billing.paying import begin, deliver, events, save_card
from tests.staff.people import clerk, person, signed_in
from tests.usage import events as usage_events
from tests.usage.spending import agent, use
from usage import campaigns, phone_numbers
from usage.agents import NOBODY
from usage.campaigns import Plan
from usage.models import Agent, Campaign, Charge, PhoneNumber

pytestmark = pytest.mark.django_db


@pytest.fixture
def dee(db: None) -> Client:
    return clerk("support")


@pytest.fixture
def lived(ada: User, cy: User) -> User:
    """Something of everything on Ada's account, and a neighbour."""
    now, own = timezone.now(), ada.account_id
    topups.pay(begin(ada, card=save_card(ada, "pm_card_createDispute")))
    for body in events():
        deliver(body)
    topups.record_manual(own, Decimal(30), actor="t", reason="wire")
    use(own, usage_events.chat("order-7", agent=agent("Support")), at=now)
    lifetime = timedelta(hours=1)
    holds.hold(
        own, key="h", request_hash=b"h", amount=Decimal(1), purpose="call", terms={}, lifetime=lifetime
    )
    number = phone_numbers.rent(own, agent=NOBODY, actor="t", now=now)
    phone_numbers.provision(number, "+12025550123")
    campaigns.create(own, Plan("Spring", None, 1, 60), now=now)
    invitations.invite("di@example.com", "viewer", by=ada, now=now)
    factories.key(ada.account)
    return ada


def find(client: Client, text: str) -> Any:
    return client.get("/admin/search/", {"q": text})


def page_of(user: User) -> str:
    return f"/admin/account/{user.account.public_id}/"


WORDS: dict[str, Callable[[User], str]] = {
    "account id": lambda ada: ada.account.public_id,
    "account name": lambda ada: "ada's AGENTS",
    "a new number": lambda ada: "+12025550123",
    "number id": lambda ada: PhoneNumber.objects.get().public_id,
    "campaign id": lambda ada: Campaign.objects.get().public_id,
    "invitation id": lambda ada: ids.public("inv", invitations.open_of(ada.account_id).get().pk),
    "email": lambda ada: "ADA@example.com ",
    "part of an email": lambda ada: "ada@exa",
    "user id": lambda ada: ada.public_id,
    "invited address": lambda ada: "di@example.com",
    "rule id": lambda ada: Rule.objects.get(account=ada.account).public_id,
}


@pytest.mark.parametrize("name", WORDS)
def test_it_leads_to_the_page_of_the_account(dee: Client, lived: User, name: str) -> None:
    answer = find(dee, WORDS[name](lived))
    assert answer.status_code == 302, answer.content.decode()
    assert answer["Location"].partition("#")[0] == page_of(lived)
    assert dee.get(answer["Location"]).status_code == 200


ROWS: dict[str, Callable[[User], tuple[str, Any]]] = {
    "charge id": lambda ada: (Charge.objects.get(event_id="order-7").public_id, Charge.objects.get(event_id="order-7")),
    "event id of usage": lambda ada: ("order-7", Charge.objects.get(event_id="order-7")),
    "agent's name": lambda ada: ("support", Agent.objects.get()),
    "key id": lambda ada: (ApiKey.objects.get().public_id, ApiKey.objects.get()),
    "beginning of a key": lambda ada: (ApiKey.objects.get().prefix, ApiKey.objects.get()),
    "top-up id": lambda ada: (paid().public_id, paid()),
    "payment": lambda ada: (paid().payment_id or "", paid()),
    "card": lambda ada: (PaymentMethod.objects.get().gateway_id, PaymentMethod.objects.get()),
    "dispute": lambda ada: (Dispute.objects.get().pk, Dispute.objects.get()),
    "event": lambda ada: (EventReceipt.objects.first().gateway_id, EventReceipt.objects.first()),
    "hold id": lambda ada: (ids.public("hold", held().pk), held()),
    "entry id": lambda ada: (ids.public("entry", entry().pk), entry()),
}  # fmt: skip


def paid() -> TopUp:
    return TopUp.objects.get(mode="sandbox")


def held() -> Hold:
    return Hold.objects.get()


def entry() -> LedgerEntry:
    return LedgerEntry.objects.filter(kind="dispute").get()


@pytest.mark.parametrize("name", ROWS)
def test_it_leads_straight_to_the_one_row(dee: Client, lived: User, name: str) -> None:
    text, row = ROWS[name](lived)
    hits = find(dee, text)
    path = f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"
    if hits.status_code == 302:
        assert hits["Location"] == path
    else:
        assert path in hits.content.decode()
    assert dee.get(path).status_code == 200


def test_it_lists_hits_with_their_accounts(dee: Client, lived: User, cy: User) -> None:
    save_card(cy, "pm_card_visa")
    last4 = PaymentMethod.objects.get(account=cy.account).last4
    save_card(lived, "pm_card_visa")
    page = find(dee, last4).content.decode()
    for user in (lived, cy):
        assert page_of(user) in page
    both = find(dee, "example").content.decode()
    assert "ada@example.com" in both
    assert "cy@example.net" in both


def test_it_finds_a_request_of_the_api_and_of_staff(dee: Client, lived: User, api: Any, ada_key: str) -> None:
    sent = {
        "event_id": "e",
        "type": "chat",
        "agent": "Bot",
        "model": "gpt-4o",
        "input_tokens": 5,
        "output_tokens": 5,
    }
    request = api.post("/billing/v3/usage", sent, key=ada_key).headers["X-Request-Id"]
    charge = Charge.objects.get(request_id=request)
    assert find(dee, request)["Location"] == f"/admin/usage/charge/{charge.pk}/change/"


def test_it_finds_what_only_events_of_the_processor_name(dee: Client, lived: User) -> None:
    receipt = EventReceipt.objects.create(
        gateway_id="evt_9",
        mode="sandbox",
        type="charge.updated",
        body='{"id": "ch_3XyZ"}',
        received_at=timezone.now(),
    )
    assert find(dee, "ch_3XyZ")["Location"] == f"/admin/billing/eventreceipt/{receipt.pk}/change/"


def test_it_finds_a_customer_of_the_processor(dee: Client, lived: User) -> None:
    customer = Customer.objects.get()
    page = find(dee, customer.gateway_id or "").content.decode()
    assert f"{page_of(lived)}#cards" in page
    assert paid().public_id in page


@pytest.mark.parametrize(
    "absurd",
    ["", " ", "'", '"; DROP TABLE x', "%", "_", "__", "a" * 5000, "acct_", "acct_nonsense", "acct_" + "Z" * 26,
     "pi_", "pi", "4242", "+", "+٣", "²³¹²", "٤٢٤٢", "@", "@@@", "\ud7ff\u202e", "req_", "ch_\\", "evt_%", "0000",
     "💳" * 80, "usr_00000000000000000000000000", "bill_7ZZZZZZZZZZZZZZZZZZZZZZZZZ", "<script>alert(1)</script>"],
)  # fmt: skip
def test_it_takes_absurd_input(dee: Client, ada: User, absurd: str) -> None:
    answer = find(dee, absurd)
    assert answer.status_code in (200, 302)
    assert b"<script>alert" not in answer.content


def test_an_address_with_nul_in_it_is_refused(dee: Client) -> None:
    assert find(dee, "\0").status_code == 400


def test_it_says_how_to_go_on_when_nothing_is_found(dee: Client) -> None:
    page = find(dee, "nothing like it").content.decode()
    assert "Nothing found for “nothing like it”." in page
    assert "last four digits" in page


def test_it_leads_to_the_row_of_a_person_without_an_account(dee: Client) -> None:
    eli = person(email="eli@example.com")
    assert find(dee, "eli@example.com")["Location"] == f"/admin/accounts/user/{eli.pk}/change/"


def test_it_shows_nobody_what_they_may_not_see(lived: User, ada: User) -> None:
    nobody = signed_in(person(email="eli@example.com"))
    assert "Nothing found" in find(nobody, lived.account.public_id).content.decode()
    assert nobody.get(page_of(lived)).status_code == 403
    assert find(signed_in(ada), "ada@example.com")["Location"].startswith("/admin/login/")
    assert Client().get("/admin/search/?q=x")["Location"].startswith("/admin/login/")


def test_the_box_is_on_every_page_of_admin(dee: Client, ada: User) -> None:
    for path in ("/admin/", "/admin/billing/topup/", page_of(ada)):
        assert 'action="/admin/search/"' in dee.get(path).content.decode()
    assert 'action="/admin/search/"' not in Client().get("/admin/login/").content.decode()


def test_a_freeze_is_no_hindrance_to_reading(dee: Client, lived: User) -> None:
    ledger.freeze(lived.account_id, by="staff", frozen=True)
    assert find(dee, "ada's").status_code == 302
