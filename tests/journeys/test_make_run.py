"""`make run` as a newcomer meets it: an account full of life, a command to paste, a balance that moves."""

import json
import re
import shlex
import urllib.request
from decimal import Decimal

from tests.test_running import Trial, trial, wait

__all__ = ["trial"]


def balance(curl: str) -> Decimal:
    """What the printed command asks for, exactly; without curl, which a bare machine does not have."""
    words = shlex.split(curl.replace("period=month", "expand=exact"))
    name, _, value = words[words.index("-H") + 1].partition(": ")
    with urllib.request.urlopen(
        urllib.request.Request(words[1], headers={name: value}), timeout=10
    ) as answer:
        return Decimal(json.load(answer)["balance_exact"])


def test_it_greets_with_a_demo_account_whose_balance_moves(trial: Trial) -> None:
    """S3 S4: usage that arrives over HTTP is deducted at once."""
    trial.run()
    wait(lambda: "Try it" in trial.output(), seconds=150)
    assert "demo@example.com  demo-password" in trial.output()
    found = re.search(r"Try it +(curl .*)", trial.output())
    assert found
    before = balance(found[1])
    assert before > 20
    wait(lambda: balance(found[1]) < before)
    assert json.loads(
        trial.shell("from django.core.management import call_command as c; c('verify_ledger', json=True)")
    )["clean"]
