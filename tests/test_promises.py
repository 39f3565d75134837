"""Every sentence of what was promised is kept by a test that names it.

The promises are numbered S1 to S51; a test names one in its docstring, or in that of its module.
"""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
NUMBER = re.compile(r"\bS(\d+)\b")
Named = dict[int, list[str]]


def proofs_in(file: Path) -> list[tuple[str, str]]:
    """Each test function of a file by name, with the words that say what it proves."""
    module = ast.parse(file.read_text())
    about = ast.get_docstring(module) or ""
    functions = [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]
    proving = [node for node in functions if node.name.startswith("test_")]
    return [(node.name, f"{about}\n{ast.get_docstring(node) or ''}") for node in proving]


@pytest.fixture(scope="module")
def named() -> Named:
    found: Named = {}
    for file in TESTS.rglob("test_*.py"):
        if file.name == Path(__file__).name:
            continue
        for name, words in proofs_in(file):
            for number in NUMBER.findall(words):
                found.setdefault(int(number), []).append(name)
    return found


@pytest.mark.parametrize("number", range(1, 52))
def test_it_is_proved_by_a_test_that_names_it(number: int, named: Named) -> None:
    assert named.get(number), f"no test names S{number} in its docstring"


def test_no_test_names_a_promise_that_nobody_made(named: Named) -> None:
    assert [number for number in named if not 1 <= number <= 51] == []
