"""What the README prints works as it is printed: its commands are pasted into a shell, its program into Python."""

import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from billing import payment_methods, selectors
from tests import factories
from usage.models import Charge

pytestmark = pytest.mark.django_db(transaction=True)
README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def printed(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def world(live_server: LiveServer, ada: User) -> dict[str, str]:
    """The variables that the README tells a reader to set."""
    card = payment_methods.add_sandbox_card(ada.account_id, "pm_card_visa", now=factories.BIRTHDAY)
    return os.environ | {"HOST": live_server.url, "KEY": factories.key(ada.account), "CARD": card}


def run(command: list[str], world: dict[str, str]) -> str:
    return subprocess.run(command, env=world, capture_output=True, text=True, timeout=30, check=True).stdout


def test_it_sets_every_variable_that_it_uses() -> None:
    first, *others = printed("sh")
    used = set(re.findall(r"\$([A-Z]+)", "".join(others))) | set(re.findall(r'environ\["([A-Z]+)"', README))
    assert used == set(re.findall(r"\b([A-Z]+)=", first)) == {"HOST", "KEY", "CARD"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_its_curl_commands_add_funds_show_them_and_record_a_message(world: dict[str, str], ada: User) -> None:
    """S28, S34, S36: as the user printed them, and a message beside them."""
    _variables, seen, message = printed("sh")
    answers = run(["sh", "-ec", seen], world)
    for shown in ('"status":"succeeded"', '"total_spent"', '"records"'):
        assert shown in answers
    assert selectors.balance_of(ada.account_id).balance == Decimal("26.00")
    assert '"cost":0.0004' in run(["sh", "-ec", message], world)
    run(["sh", "-ec", message], world)
    assert Charge.objects.count() == 1


def test_its_program_reserves_works_and_captures(world: dict[str, str], ada: User) -> None:
    (program,) = printed("python")
    said = run([sys.executable, "-c", program], world)
    assert said == "reserved $0.0013875, cost $0.0004, $1.00 left\n"
    assert Charge.objects.get().cost == Decimal("0.0003915")
    assert selectors.balance_of(ada.account_id).held == 0


def test_its_program_says_what_a_refusal_says(world: dict[str, str], ada: User) -> None:
    (program,) = printed("python")
    dear = program.replace("max_output_tokens=2000", "max_output_tokens=9_000_000")
    refused = subprocess.run(
        [sys.executable, "-c", dear], env=world, capture_output=True, text=True, timeout=30, check=False
    )
    assert refused.returncode == 1
    assert "$1.00" in refused.stderr.strip().splitlines()[0]
    assert not Charge.objects.exists()


@pytest.mark.parametrize("link", re.findall(r'(?:\]\(|src(?:set)?=")(?!http|#)([^)"]+)', README))
def test_what_it_links_to_is_there(link: str) -> None:
    assert (Path(__file__).resolve().parents[2] / link.partition("#")[0]).exists()
