"""docs/payments.md names the tests that prove each row: they must exist."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PAGE = (PROJECT / "docs/payments.md").read_text()
TABLE = PAGE.partition("## What goes wrong and what proves it")[2].partition("\n#")[0]


def existing() -> set[str]:
    """Every test function of the project, by its name; every test file, by its."""
    files = list((PROJECT / "tests").rglob("test_*.py"))
    trees = [
        ast.walk(ast.parse(file.read_text()))
        for file in [*files, PROJECT / "tests/billing/gateways/conformance.py"]
    ]
    functions = {node.name for tree in trees for node in tree if isinstance(node, ast.FunctionDef)}
    return functions | {file.name for file in files}


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+(?:\.py)?)`", PAGE))
    assert len(named) > 40
    assert named - existing() == set()


def test_every_row_of_the_table_is_proved() -> None:
    rows = [line for line in TABLE.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    assert [row for row in rows if not re.search(r"`test_\w+`[^|]*\|$", row)] == []


def test_every_command_that_the_page_names_exists() -> None:
    for command in re.findall(r"`(bench/\w+)", PAGE):
        assert (PROJECT / command).exists(), command
