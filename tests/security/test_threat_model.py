"""docs/security.md against the suite: every attacker has tests, and every test named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_promises import NODE, named_in

CHECKOUT = Path(__file__).parents[2]
TEXT = (CHECKOUT / "docs" / "security.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^## (.+)$", re.M)
ATTACKERS = ["Publisher", "Network", "Colleague", "Database reader", "Local user", "Dependency"]


def sections(text: str) -> dict[str, str]:
    parts = HEADING.split(text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def missing(nodes: list[str]) -> list[str]:
    """Those that are not a test of a file."""
    found = [node.partition("::") for node in nodes]
    return [
        "::".join((file, name)) for file, _, name in found if name not in named_in(CHECKOUT / file)
    ]


def test_every_attacker_is_listed():
    assert list(sections(TEXT)) == ATTACKERS


@pytest.mark.parametrize("attacker", ATTACKERS)
def test_every_attacker_has_tests_that_exist_and_something_left(attacker):
    section = sections(TEXT)[attacker]
    nodes = NODE.findall(section)

    assert len(nodes) >= 4
    assert missing(nodes) == []
    assert section.count("`tests/") == len(nodes)
    assert "\nLeft:" in section


def test_every_file_of_this_suite_is_named():
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}

    assert {name for name in files if f"tests/security/{name}::" not in TEXT} == set()


def test_a_test_that_does_not_exist_is_found():
    made_up = "tests/security/test_terminal.py::test_nobody_has_written"

    assert missing([made_up]) == [made_up]
