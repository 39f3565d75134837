"""S49: how to run the product oneself is documented, and the documents say what is true."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands
from django.test import Client
from django.urls import resolve

PROJECT = Path(__file__).resolve().parents[1]
PAGES = ("operate.md", "upgrading.md")
NOT_FOR_A_FILE = {"ENV_FILE"}  # says which file is read
NOT_OURS = {"POSTGRES_PASSWORD"}  # compose.yaml's own


def doc(name: str = "operate.md") -> str:
    return (PROJECT / "docs" / name).read_text()


def in_settings() -> set[str]:
    source = (PROJECT / "thinnest_billing/settings.py").read_text()
    return set(re.findall(r"\benv\.\w+\(\s*\"([A-Z_]+)\"", source))


def in_table() -> list[str]:
    rows = doc().partition("## Environment variables")[2].partition("\n## ")[0]
    first = [row.split("|")[1] for row in rows.splitlines() if row.startswith("| `")]
    return [name for cell in first for name in re.findall(r"`([A-Z_]+)`", cell)]


def in_example() -> list[str]:
    return re.findall(r"^#?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE)


def test_every_variable_that_is_read_is_documented_once_and_the_other_way_round() -> None:
    """S49: the table, .env.example and the settings name the same variables."""
    assert len(in_settings()) > 30
    assert sorted(in_table()) == sorted(in_settings())
    assert sorted(in_example()) == sorted(in_settings() - NOT_FOR_A_FILE)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_exists(page: str) -> None:
    """S49: what is to be typed can be typed."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    managed = set(re.findall(r"manage\.py ([a-z_]+)", doc(page)))
    assert managed
    assert managed <= set(get_commands())
    assert set(re.findall(r"`make ([a-z-]+)", doc(page))) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_option_exists(page: str) -> None:
    from django.core.management import load_command_class

    apps = get_commands()
    for name, options in re.findall(r"manage\.py ([a-z_]+)([^`\n#]*)", doc(page)):
        app = apps[name]
        command = load_command_class(app, name) if isinstance(app, str) else app
        known = command.create_parser("manage.py", name)._option_string_actions
        assert set(re.findall(r"--[a-z-]+", options)) <= set(known), name


@pytest.mark.parametrize("page", PAGES)
def test_every_file_exists(page: str) -> None:
    """S49: no link leads nowhere, and no path is invented."""
    links = re.findall(r"\]\(([^)#]+)(?:#[a-z-]+)?\)", doc(page))
    named = re.findall(r"`?((?:deploy|tests|requirements|docs|bench)/[\w./*-]+)", doc(page))
    assert links or named
    for link in links:
        assert (PROJECT / "docs" / link).exists(), link
    for path in named:
        assert list(PROJECT.glob(path.rstrip("./"))), path


def test_every_link_into_a_page_finds_its_heading() -> None:
    for target, heading in re.findall(r"\]\(([\w.-]+\.md)#([a-z-]+)\)", doc()):
        headings = re.findall(r"^#+ (.+)$", (PROJECT / "docs" / target).read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^a-z -]", "", found.lower()).replace(" ", "-") for found in headings}
        assert heading in slugs


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/metrics"])
def test_every_address_is_served(address: str) -> None:
    assert address in doc()
    assert resolve(address)


@pytest.mark.django_db
def test_readyz_says_what_is_written() -> None:
    assert Client().get("/readyz").json()["status"] == "degraded"  # nobody has swept here
    for said in ("`ok`", "`degraded`", "`down`"):
        assert said in doc()


def test_the_defaults_in_the_table_are_the_real_ones() -> None:
    """S49: of the settings that the tests leave alone."""
    rows = dict(re.findall(r"^\| (`[A-Z_`, ]+) \| ([^|]*) \|", doc(), re.MULTILINE))
    for cell, default in rows.items():
        names = re.findall(r"`([A-Z_]+)`", cell)
        for name, said in zip(names, default.split(", "), strict=False):
            if re.fullmatch(r"[\d.]+", said):
                assert str(getattr(settings, name)) == said, name


def test_the_readme_leads_operators_there() -> None:
    assert "docs/operate.md" in (PROJECT / "README.md").read_text()


def test_no_variable_is_taken_for_one_of_ours() -> None:
    """Whatever looks like a variable in the text is in the table."""
    text = re.sub(r"```.*?```", "", doc(), flags=re.DOTALL)
    shouted = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)=?[^`]*`", text))
    assert shouted <= set(in_table()) | NOT_OURS
