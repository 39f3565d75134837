"""`make run` as a newcomer meets it: an account full of life, a command to paste, a balance that moves."""

import json
import re
import shlex
import urllib.request
from decimal import Decimal

from tests.test_running import Trial, trial, wait

__all__ = ["trial"]

# The owner raises the threshold to a cent below what there is: the simulator soon spends that cent.
ALMOST_LOW = """
from decimal import Decimal
from accounts.models import User
from billing import auto_charge, auto_topup, selectors
from billing.auto_topup import Wish
from billing.money import CENT, whole_cents_of
from django.utils import timezone
owner = User.objects.get(email="demo@example.com")
card = auto_topup.of(owner.account_id).card
threshold = whole_cents_of(selectors.balance_of(owner.account_id).available) - CENT
wish = Wish(enabled=True, threshold=threshold, amount=Decimal(50), card=card, monthly_limit=Decimal(1000))
auto_charge.save(owner.account_id, wish, actor=owner.public_id, now=timezone.now())"""
LETTERS = """
from accounts.models import Mail
print(Mail.objects.filter(subject="$50.00 added to your balance", to="demo@example.com").count())"""


def balance(curl: str) -> Decimal:
    """What the printed command asks for, exactly; without curl, which a bare machine does not have."""
    words = shlex.split(curl.replace("period=month", "expand=exact"))
    name, _, value = words[words.index("-H") + 1].partition(": ")
    with urllib.request.urlopen(
        urllib.request.Request(words[1], headers={name: value}), timeout=10
    ) as answer:
        return Decimal(json.load(answer)["balance_exact"])


def test_it_greets_with_a_demo_account_whose_balance_moves(trial: Trial) -> None:
    """S3 S4: usage that arrives over HTTP is deducted at once. S27 S45: a crossing tops up by itself, and a letter
    tells it."""
    trial.run()
    wait(lambda: "Try it" in trial.output(), seconds=150)
    assert "demo@example.com  demo-password" in trial.output()
    found = re.search(r"Try it +(curl .*)", trial.output())
    assert found
    before = balance(found[1])
    assert before > 14
    wait(lambda: balance(found[1]) < before)
    trial.shell(ALMOST_LOW)
    wait(lambda: balance(found[1]) > before + 40, seconds=90)
    assert trial.shell(LETTERS).strip() == "1"
    assert json.loads(
        trial.shell("from django.core.management import call_command as c; c('verify_ledger', json=True)")
    )["clean"]
