"""docs/walkthrough.md names the tests that walk its steps: they must exist, and no step may go without."""

import re

from tests.test_payments_doc import PROJECT, existing

PAGE = (PROJECT / "docs/walkthrough.md").read_text()
STEPS = [line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)]


def test_every_test_that_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 40
    assert named - existing() == set()


def test_every_step_is_walked() -> None:
    assert len(STEPS) > 25
    assert [step for step in STEPS if not re.search(r"`test_\w+`[^|]*\|$", step)] == []
