"""What staff must know is told once, whoever finds it and however often."""

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client

from accounts.models import Mail, User
from billing import notices
from billing.models import StaffNotice
from tests import factories
from tests.billing.paying import begin, clock, in_parallel, save_card
from tests.billing.test_add_funds import signed_in

pytestmark = pytest.mark.django_db


def staff(email: str, *groups: str, **fields: bool) -> User:
    user = User.objects.create_user(email, factories.PASSWORD, is_staff=True, **fields)
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


@pytest.fixture
def dee(db: None) -> User:
    """She looks after payments."""
    return staff("dee@example.com", "billing")


def test_it_tells_once_per_key(dee: User) -> None:
    for text in ("A dispute of $25.00.", "The same dispute."):
        notices.tell_staff("dispute:dp_1", text, now=clock())
    assert StaffNotice.objects.get().text == "A dispute of $25.00."
    assert Mail.objects.get(to=dee.email).subject == "For billing staff: A dispute of $25.00."


def test_it_writes_to_those_who_look_after_payments(ada: User, dee: User) -> None:
    staff("root@example.com", is_superuser=True)
    staff("both@example.com", "billing", is_superuser=True)
    staff("support@example.com", "support")
    staff("gone@example.com", "billing", is_active=False)
    Mail.objects.all().delete()
    notices.tell_staff("key", "Look at this.", now=clock())
    told = Mail.objects.order_by("to").values_list("to", flat=True)
    assert list(told) == ["both@example.com", dee.email, "root@example.com"]


def test_it_names_account_and_topup(dee: User, ada: User) -> None:
    topup = begin(ada, card=save_card(ada))
    notices.tell_staff("key", "It isn't <credited>.", topup=topup, now=clock())
    notice, letter = StaffNotice.objects.get(), Mail.objects.get(to=dee.email)
    assert (notice.account_id, notice.topup_id) == (ada.account_id, topup.id)
    assert all(
        words in letter.text for words in ("It isn't <credited>.", ada.account.public_id, topup.public_id)
    )
    assert "&lt;credited&gt;" in letter.html
    assert "/admin/billing/staffnotice/" in letter.text


def test_it_cuts_what_is_too_long(dee: User) -> None:
    notices.tell_staff("key", "x" * 1000, now=clock())
    assert len(StaffNotice.objects.get().text) == 500


def test_it_leaves_the_caller_s_transaction_usable(dee: User) -> None:
    notices.tell_staff("key", "First.", now=clock())
    with transaction.atomic():
        notices.tell_staff("key", "Again.", now=clock())
        notices.tell_staff("other", "Another.", now=clock())
    assert StaffNotice.objects.count() == Mail.objects.filter(to=dee.email).count() == 2


def test_it_forgets_what_the_caller_took_back(dee: User) -> None:
    with transaction.atomic():
        notices.tell_staff("key", "Never mind.", now=clock())
        transaction.set_rollback(True)
    assert not StaffNotice.objects.exists()
    assert not Mail.objects.filter(to=dee.email).exists()


@pytest.mark.django_db(transaction=True)
def test_it_tells_once_when_many_find_out_at_the_same_moment(dee: User) -> None:
    in_parallel(8, lambda number: notices.tell_staff("key", f"Finder {number}.", now=clock()))
    assert StaffNotice.objects.count() == Mail.objects.filter(to=dee.email).count() == 1


def test_it_notes_who_looked_after_it_first(dee: User) -> None:
    notices.tell_staff("key", "Look.", now=clock())
    client = signed_in(dee)
    chosen = {"action": "done", "_selected_action": [StaffNotice.objects.get().pk]}
    page = client.post("/admin/billing/staffnotice/", chosen, follow=True).content.decode()
    assert "1 marked as done." in page
    notice = StaffNotice.objects.get()
    assert notice.done_by == dee.public_id
    assert notice.done_at is not None
    other = signed_in(staff("eve@example.com", "billing"))
    other.post("/admin/billing/staffnotice/", chosen, follow=True)
    assert StaffNotice.objects.get().done_by == dee.public_id


def test_it_shows_support_the_notices_and_not_the_act(dee: User) -> None:
    notices.tell_staff("key", "Look.", now=clock())
    support: Client = signed_in(staff("support@example.com", "support"))
    page = support.get("/admin/billing/staffnotice/").content.decode()
    assert "Look." in page
    assert 'value="done"' not in page
