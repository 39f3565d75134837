"""The contracts of the house, which no review should have to remember."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

PROJECT = Path(__file__).resolve().parent.parent
PRODUCT = ("accounts", "billing", "usage", "alerts", "thinnest_billing")


def product_files(suffix: str = "py") -> list[Path]:
    return [path for app in PRODUCT for path in (PROJECT / app).rglob(f"*.{suffix}")]


def test_it_keeps_the_layers() -> None:
    """In a process of its own: the linter's logging would silence the loggers of later tests."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    linted = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout


@pytest.mark.django_db
def test_it_has_a_migration_for_every_model() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_it_names_every_setting_of_the_environment_in_the_example() -> None:
    code = (PROJECT / "thinnest_billing/settings.py").read_text()
    read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z_]+)"', code))
    shown = set(re.findall(r"^#?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
    assert read - {"ENV_FILE"} == shown


def test_it_waits_for_no_one_in_the_locks() -> None:
    """An index's address in a lock would tie every installation to it."""
    for lock in (PROJECT / "requirements").glob("*.txt"):
        assert not re.search(r"^--|://|@ file", lock.read_text(), re.MULTILINE), lock


@pytest.mark.parametrize("name", ["utils", "common", "core", "helpers"])
def test_it_has_no_drawer_for_odds_and_ends(name: str) -> None:
    assert not [path for path in product_files() if path.stem == name or path.parent.name == name]


def test_it_leaves_no_work_for_later_in_the_code() -> None:
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b")
    assert not [path for path in product_files() if pattern.search(path.read_text())]
