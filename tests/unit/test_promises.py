"""docs/promises.md against the suite: every promise has tests, and every test named is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PROMISES = CHECKOUT / "docs" / "promises.md"
HEADING = re.compile(r"^## (\d+)\. \S.*$", re.M)
NODE = re.compile(r"^- `([^`]+)`$", re.M)
# What `make test` and its siblings run.
SUITES = ("unit", "dags", "integration", "security", "aws", "acceptance", "browser", "chaos")


def promises(text: str) -> dict[int, list[str]]:
    """The tests of each promise, by its number."""
    parts = HEADING.split(text)[1:]
    return {int(parts[n]): NODE.findall(parts[n + 1]) for n in range(0, len(parts), 2)}


@cache
def named_in(path: Path) -> frozenset[str]:
    """The names of the tests of a file, as pytest collects them: its functions called test_..."""
    if not path.is_file():
        return frozenset()
    return frozenset(
        item.name
        for item in ast.parse(path.read_text()).body
        if isinstance(item, ast.FunctionDef) and item.name.startswith("test_") and _runs(item)
    )


def _runs(function: ast.FunctionDef) -> bool:
    return not any("skip" in ast.unparse(mark) for mark in function.decorator_list)


def missing(listed: dict[int, list[str]]) -> list[str]:
    """Those that no suite runs."""
    wrong = []
    for node in [node for nodes in listed.values() for node in nodes]:
        file, _, name = node.partition("::")
        path = Path(file)
        suite = path.parts[1] if len(path.parts) > 2 and path.parts[0] == "tests" else ""
        collected = suite in SUITES and path.name.startswith("test_")
        if not collected or name not in named_in(CHECKOUT / path):
            wrong.append(node)
    return wrong


@pytest.fixture(scope="module")
def listed() -> dict[int, list[str]]:
    return promises(PROMISES.read_text(encoding="utf-8"))


def test_there_are_fourteen_promises_in_their_order(listed):
    assert list(listed) == list(range(1, 15))


def test_every_promise_has_tests(listed):
    assert [number for number, nodes in listed.items() if not nodes] == []


def test_every_test_that_a_promise_names_is_there(listed):
    assert missing(listed) == []


def test_every_line_of_the_lists_is_read(listed):
    lines = [line for line in PROMISES.read_text().splitlines() if line.startswith("- ")]

    assert len(lines) == sum(len(nodes) for nodes in listed.values()) >= 12


@pytest.mark.parametrize(
    "made_up",
    [
        "tests/unit/test_promises.py::test_nobody_has_written",
        "tests/unit/test_nowhere.py::test_every_promise_has_tests",
        "tests/unit/test_promises.py",
        "tests/unit/test_promises.py::promises",
        "tests/integration/landings.py::land",
        "tests/test_promises.py::test_every_promise_has_tests",
    ],
)
def test_a_test_that_is_not_there_is_detected(made_up):
    assert missing({1: [made_up]}) == [made_up]


def test_a_promise_without_tests_is_detected():
    text = "## 1. One\n\n- `tests/unit/test_promises.py::test_of_one`\n\n## 2. Two\n\nWords.\n"

    assert promises(text) == {1: ["tests/unit/test_promises.py::test_of_one"], 2: []}
