"""The first page of staff: what needs a look, each line leading to its list; and what each group may do."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.staff.people import clerk, person, root, signed_in
from tests.usage.flagging import a_charge, asked
from thinnest_billing import tasks
from thinnest_billing.models import Heartbeat
from usage import flags

pytestmark = pytest.mark.django_db


def lines(client: Client) -> dict[str, tuple[str, str]]:
    """By name: what it says, and where it leads."""
    page = re.sub(r"\s+", " ", client.get("/admin/").content.decode())
    found = {}
    for name, value in re.findall(r'<tr><th scope="row">(.*?)</th><td>(.*?)</td></tr>', page):
        link = re.search(r'href="([^"]+)"', name)
        told = re.sub(r"<[^>]+>", "", re.sub(r'<img[^>]*alt="([^"]*)">', r"\1", value))
        found[re.sub(r"<[^>]+>", "", name)] = (told, link[1] if link else "")
    return found


def test_open_flags_are_counted_and_lead_to_the_queue(ada: User, cy: User) -> None:
    client, now = clerk("support"), timezone.now()
    first = asked(ada, a_charge(ada, at=now), "First", at=now)
    asked(cy, a_charge(cy, at=now), "Second", at=now + timedelta(minutes=1))
    told, link = lines(client)["Flagged charges"]
    assert told == "Needs a look: 2"
    queue = client.get(link).content.decode()
    assert queue.index("First") < queue.index("Second")
    staff = User.objects.get(email="dee@example.com")
    flags.answer(first, staff=staff, outcome="explained", text="It is right.", now=timezone.now())
    assert lines(client)["Flagged charges"][0] == "Needs a look: 1"
    assert "First" not in client.get(link).content.decode()


def test_the_worker_s_heart_beats_with_its_sweep(db: None) -> None:
    client = clerk("support")
    assert lines(client)["Worker heartbeat"][0] == "Needs a look: never"
    tasks.sweep()
    assert lines(client)["Worker heartbeat"][0].startswith("Good: ")
    Heartbeat.objects.filter(name="worker").update(beat_at=timezone.now() - timedelta(minutes=6))
    assert lines(client)["Worker heartbeat"][0] == "Needs a look: 6 minutes ago"
    assert lines(client)["Last sweep"][0].startswith("Good: "), "cron may sweep without a worker"


def test_every_line_leads_to_a_page_that_is_there(ada: User) -> None:
    tasks.sweep()
    client = clerk("billing")
    found = lines(client)
    assert set(found) >= {"Today's top-ups".replace("'", "&#x27;"), "Failed today", "Stuck over 10 minutes"}
    for name, (_, link) in found.items():
        assert not link or client.get(link).status_code == 200, name


@pytest.mark.parametrize(
    ("group", "rights"),
    [("support", {"usage.change_flag", "accounts.add_staffnote"}), ("pricing", set()),
     ("billing", {"usage.change_flag", "accounts.add_staffnote"})],
)  # fmt: skip
def test_support_answers_flags_and_writes_notes(group: str, rights: set[str]) -> None:
    user = person(group)
    assert {
        right for right in ("usage.change_flag", "accounts.add_staffnote") if user.has_perm(right)
    } == rights
    for never in ("billing.add_topup", "accounts.change_user", "accounts.add_apikey", "auth.change_group"):
        assert not user.has_perm(never)


def test_the_words_of_a_group_are_kept(db: None) -> None:
    """A superuser takes a right from a group: the log has what it may do now."""
    from accounts.models import StaffAct

    client, group = root(), Group.objects.get(name="support")
    kept = group.permissions.get(codename="change_flag")
    client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "support", "permissions": [kept.pk]})
    act = StaffAct.objects.get()
    assert act.details["rights"] == ["usage.change_flag"]
    assert act.act == "change group"


def test_nobody_changes_a_group_of_their_own(db: None) -> None:
    boss = person("support", is_superuser=True)
    group = Group.objects.get(name="support")
    client = signed_in(boss)
    assert client.post(f"/admin/auth/group/{group.pk}/change/", {"name": "support"}).status_code == 403
    assert group.permissions.exists()
