"""docs/runbook.md against the suite: a test produces each entry, and finds its words."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml

from tests.unit.docs.runbook import RED, RUNBOOK, red_tasks, sections
from tests.unit.test_promises import missing

# What they explain is not a way to fail.
NO_FAILURES = {
    "Where to look",
    "By hand",
    "Retention",
    "Remove a dataset, a council or a period",
    "Trace a row to its source",
}
# Sections that say what to do, not what a message says: tests do it, in words of their own.
ACTIONS = {
    RED,
    "In the Airflow UI",
    "Approvals",
    "Alerts",
    "When a source sends too much, or too slowly",
    "In dbt",
    "A database role cannot log in",
}
PRODUCED: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("runbook.yaml").read_text(encoding="utf-8")
)
CHECKOUT = Path(__file__).parents[3]
# So many words in a row of an entry are also in its test.
WORDS_IN_COMMON = 3


@pytest.fixture(scope="module")
def entries() -> dict[str, list[str]]:
    found = sections(RUNBOOK.read_text(encoding="utf-8"))
    return {name: listed for name, listed in found.items() if name not in NO_FAILURES}


def source_of(node: str) -> str:
    """A test with its decorators, and the constants of its module that it uses."""
    file, _, name = node.partition("::")
    body = ast.parse((CHECKOUT / file).read_text(encoding="utf-8")).body
    (test,) = (one for one in body if isinstance(one, ast.FunctionDef) and one.name == name)
    used = {one.id for one in ast.walk(test) if isinstance(one, ast.Name)}
    constants = [
        one
        for one in body
        if isinstance(one, ast.Assign)
        and used & {target.id for target in one.targets if isinstance(target, ast.Name)}
    ]
    return "\n".join(map(ast.unparse, [*constants, test]))


def words(text: str) -> list[str]:
    """In lower case; all numbers are alike, as those of an entry are examples."""
    return re.findall(r"[a-z0-9]+", re.sub(r"[0-9]+", "0", text.lower().replace("\\", "")))


def shares_words(entry: str, source: str) -> bool:
    """Whether some words of an entry, in their order, are in the source of a test."""
    of_entry, of_test = words(entry), " ".join(words(source))
    number = min(WORDS_IN_COMMON, len(of_entry))
    runs = (of_entry[at : at + number] for at in range(len(of_entry) - number + 1))
    return any(f" {' '.join(run)} " in f" {of_test} " for run in runs)


def test_every_entry_has_a_test_and_every_test_an_entry(entries):
    assert entries.keys() == PRODUCED.keys()
    assert {name: sorted(listed) for name, listed in entries.items()} == {
        name: sorted(tests) for name, tests in PRODUCED.items()
    }
    assert sum(map(len, entries.values())) >= 150


def test_every_test_that_produces_an_entry_is_there():
    assert missing({n: [*tests.values()] for n, tests in enumerate(PRODUCED.values())}) == []


@pytest.mark.parametrize("section", sorted(PRODUCED.keys() - ACTIONS))
def test_a_test_finds_the_words_of_its_entry(section):
    assert [
        (entry, node)
        for entry, node in PRODUCED[section].items()
        if not shares_words(entry, source_of(node))
    ] == []


def test_a_section_that_has_no_entries_is_there():
    assert sections(RUNBOOK.read_text(encoding="utf-8")).keys() >= NO_FAILURES | ACTIONS


def test_words_that_a_test_does_not_have_are_noticed():
    assert shares_words("page 2 declares 6 records in all", "match='1 declares 96 records in all'")
    assert not shares_words("page 2 declares 6 records in all", "declares some records, in page 2")


def test_tables_lists_prose_and_red_tasks_are_read():
    text = (
        "# Runbook\n\n## One\n\nWords.\n\n## Two\n\n| a | b |\n|---|---|\n| c \\| d | e |\n"
        "| `x`, `y` | |\n"
        "| f | g |\n\n- **h** i.\n\n```\n| no | row |\n```\n\n"
        "## A run is red\n\n| DAG | task |\n|---|---|\n| `p`, `q` | `r` |\n| | `s`, `t` |\n"
    )

    assert sections(text) == {
        "One": ["One"],
        "Two": ["c \\| d", "x", "y", "f", "h"],
        RED: ["p r", "q r", "p s", "p t", "q s", "q t"],
    }
    assert red_tasks(text) == {"p": {"r", "s", "t"}, "q": {"r", "s", "t"}}
