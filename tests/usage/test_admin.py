"""What staff may see and do about usage: find a charge, reverse it with a reason, add a price from a date on."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import StaffAct, User
from billing.models import LedgerEntry
from billing.selectors import balance_of
from tests.usage import events, spending
from tests.usage.spending import agent, use
from usage import rate_card
from usage.models import Agent, Charge, Price

pytestmark = pytest.mark.django_db
D = Decimal
CHARGES = reverse("admin:usage_charge_changelist")
NEW_PRICE = reverse("admin:usage_price_add")


@pytest.fixture
def staff(db: None, client: Client) -> Client:
    """Somebody of the house: superuser, member of no account."""
    client.force_login(User.objects.create_superuser("eve@example.com", "correct horse battery"))
    return client


@pytest.fixture
def charge(ada: User) -> Charge:
    event = events.chat("order-7", note="Ticket 7", agent=agent("Support"))
    return use(ada.account_id, event, at=timezone.now())


def found(staff: Client, query: str) -> list[Charge]:
    return list(staff.get(CHARGES, {"q": query}).context["cl"].result_list)


def test_a_charge_is_found_by_whatever_one_has(staff: Client, ada: User, cy: User, charge: Charge) -> None:
    use(cy.account_id, events.chat("other"), at=timezone.now())
    for query in (
        charge.public_id,
        "order-7",
        ada.account.public_id,
        "ADA@example.com",
        f" {charge.public_id} ",
    ):
        assert found(staff, query) == [charge], query
    for query in ("bill_nonsense", "acct_nonsense", "nobody@example.com", "order", "%", "x" * 300):
        assert found(staff, query) == [], query
    assert len(found(staff, "")) == 2


def test_a_charge_is_read_and_never_written(staff: Client, charge: Charge) -> None:
    url = reverse("admin:usage_charge_change", args=[charge.pk])
    page = staff.get(url).content.decode()
    for words in ("Ticket 7", "Support", "order-7", "0.000391500", "not reversed"):
        assert words in page, words
    assert staff.post(url, {"cost": "0"}).status_code == 403
    assert staff.post(reverse("admin:usage_charge_delete", args=[charge.pk])).status_code == 403
    assert staff.get(reverse("admin:usage_charge_add")).status_code == 403


def reverse_charges(staff: Client, *charges: Charge, **more: str) -> Any:
    chosen = {"action": "reverse", "_selected_action": [str(charge.pk) for charge in charges]}
    return staff.post(CHARGES, chosen | more, follow=True)


def test_a_charge_is_reversed_with_a_reason(staff: Client, ada: User, charge: Charge) -> None:
    """Asked for first, kept on the ledger with who did it, and done once."""
    asked = reverse_charges(staff, charge)
    assert "Together $0.0003915" in asked.content.decode().replace("</strong>", "")
    assert not Charge.objects.filter(reverses=charge.pk).exists()
    refused = reverse_charges(staff, charge, reason="  ")
    assert "This field is required" in refused.content.decode()
    for _ in range(2):
        reverse_charges(staff, charge, reason="Sent twice by the platform")
    assert balance_of(ada.account_id).balance == 1
    entry = LedgerEntry.objects.get(kind="reversal")
    assert (entry.actor, entry.reason) == (
        User.objects.get(email="eve@example.com").public_id,
        "Sent twice by the platform",
    )
    act = StaffAct.objects.get()
    assert (act.act, act.target, act.details["amount"]) == ("reverse charge", charge.public_id, "0.000391500")
    assert (
        "reversed by bill_"
        in staff.get(reverse("admin:usage_charge_change", args=[charge.pk])).content.decode()
    )


def test_a_reversal_is_not_reversed(staff: Client, ada: User, charge: Charge) -> None:
    reverse_charges(staff, charge, reason="Wrong")
    back = Charge.objects.get(reverses=charge.pk)
    answer = reverse_charges(staff, back, reason="Wrong again")
    assert "it is itself a reversal" in answer.content.decode()
    assert Charge.objects.count() == 2


def test_only_whoever_may_change_charges_reverses_them(client: Client, charge: Charge) -> None:
    reader = User.objects.create_user("support@example.com", "correct horse battery", is_staff=True)
    reader.user_permissions.set(Permission.objects.filter(codename="view_charge"))
    client.force_login(reader)
    assert charge.public_id in client.get(CHARGES).content.decode()
    reverse_charges(client, charge, reason="Because")
    assert Charge.objects.count() == 1
    reader.user_permissions.add(Permission.objects.get(codename="change_charge"))
    reverse_charges(client, charge, reason="Because")
    assert Charge.objects.count() == 2


def test_nobody_acts_on_an_account_of_their_own(client: Client, ada: User, charge: Charge) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    client.force_login(ada)
    assert reverse_charges(client, charge, reason="For me").status_code == 403
    assert Charge.objects.count() == 1


def test_agents_and_the_roll_up_are_there_to_read(staff: Client, ada: User, charge: Charge) -> None:
    one = Agent.objects.get()
    for query in (one.public_id, "support", "ada@example.com"):
        page = staff.get(reverse("admin:usage_agent_changelist"), {"q": query})
        assert list(page.context["cl"].result_list) == [one]
    page = staff.get(reverse("admin:usage_dailyspend_changelist"), {"q": ada.account.public_id})
    assert "0.000391500" in page.content.decode()
    assert staff.get(reverse("admin:usage_agent_add")).status_code == 403


# --- Prices -----------------------------------------------------------------------------------------------------


def price(**more: str) -> dict[str, str]:
    start = timezone.now() + timedelta(days=1)
    moment = {"effective_from_0": f"{start:%Y-%m-%d}", "effective_from_1": "00:00:00"}
    return {"meter": "gpt-4o.input", "rate": "2.75", "reason": "The provider's new list"} | moment | more


def add(staff: Client, **more: str) -> HttpResponse:
    """First it is tried on last week, then sent again as it is shown."""
    shown = staff.post(NEW_PRICE, price(**more)).content.decode()
    tried = re.search(r'name="tried" value="([^"]+)"', shown)
    return staff.post(NEW_PRICE, price(**more) | {"tried": tried[1] if tried else ""}, follow=True)


def test_a_price_is_tried_before_it_is_added(staff: Client) -> None:
    answer = staff.post(NEW_PRICE, price()).content.decode()
    assert "Nothing was added yet." in answer
    assert "gpt-4o.input at $2.75 instead of $2.50" in answer
    assert "Add this price" in answer
    tried = re.search(r'name="tried" value="([^"]+)"', answer)[1]
    other = staff.post(NEW_PRICE, price(rate="2.80") | {"tried": tried}).content.decode()
    assert "gpt-4o.input at $2.80 instead of $2.50" in other
    assert Price.objects.filter(meter="gpt-4o.input").count() == 1


def test_a_price_is_added_from_a_date_on(staff: Client) -> None:
    """S20: old charges keep theirs; every process notices."""
    answer = add(staff)
    assert answer.status_code == 200
    made = Price.objects.get(meter="gpt-4o.input", rate=D("2.75"))
    assert (made.actor, made.reason) == (
        User.objects.get(email="eve@example.com").public_id,
        "The provider's new list",
    )
    assert rate_card.fresh().rate("gpt-4o.input", made.effective_from) == D("2.75")
    assert rate_card.fresh().rate("gpt-4o.input", timezone.now()) == D("2.50")
    page = answer.content.decode()
    assert "coming" in page
    assert "in force" in page


def test_a_price_without_a_date_begins_at_once(staff: Client, ada: User) -> None:
    add(staff, meter="knowledge.page", rate="0.02", effective_from_0="", effective_from_1="")
    assert rate_card.fresh().rate("knowledge.page", timezone.now()) == D("0.02")
    charge = use(ada.account_id, events.pages("e", 2), at=timezone.now() + timedelta(seconds=1))
    assert charge.cost == D("0.04")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"rate": "-1"}, "from 0 on"), ({"rate": "NaN"}, "number"), ({"rate": "1e400"}, "digits"),
        ({"rate": "0.0000000001"}, "9 decimal"),
        ({"meter": "nonsense"}, "Name a meter"), ({"meter": "GPT.input"}, "Name a meter"),
        ({"effective_from_0": "2026-01-02"}, "cannot begin in the past"), ({"effective_from_0": "soon"}, "valid date"),
    ],
)  # fmt: skip
def test_a_wrong_price_is_refused_with_its_reason(staff: Client, wrong: dict[str, str], words: str) -> None:
    before = Price.objects.count()
    answer = staff.post(NEW_PRICE, price(**wrong))
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert Price.objects.count() == before


@pytest.mark.parametrize("rate", ["25", "25.01", "0.25", "0.249", "0", "250"])
def test_a_price_ten_times_off_must_be_meant(staff: Client, rate: str) -> None:
    """A slip of the decimal point is exactly ten times off."""
    answer = add(staff, rate=rate)
    assert "10 times off the price until then, $2.50" in answer.content.decode()
    assert not Price.objects.filter(meter="gpt-4o.input", rate=D(rate)).exists()
    add(staff, rate=rate, confirmed="on")
    assert Price.objects.filter(meter="gpt-4o.input", rate=D(rate)).exists()


def test_the_same_moment_has_one_price(staff: Client) -> None:
    add(staff)
    answer = add(staff, rate="3")
    assert "already has a price from that moment on" in answer.content.decode()
    assert Price.objects.filter(meter="gpt-4o.input").count() == 2


def test_a_price_is_never_changed_or_removed(staff: Client) -> None:
    one = Price.objects.first()
    assert staff.get(reverse("admin:usage_price_change", args=[one.pk])).status_code == 200
    assert staff.post(reverse("admin:usage_price_change", args=[one.pk]), price()).status_code == 403
    assert staff.post(reverse("admin:usage_price_delete", args=[one.pk])).status_code == 403


def test_a_long_list_is_not_counted_to_its_end(staff: Client, ada: User) -> None:
    spending.random_month(ada.account_id, seed=1, count=20)
    assert staff.get(CHARGES).context["cl"].result_count == 22
