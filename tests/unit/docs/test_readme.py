"""README.md: what a reader looks for is there, in this order, and its badge is true."""

from __future__ import annotations

import re

import yaml

from tests.unit.docs.pages import CHECKOUT

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
ORDER = [
    "Two commands",
    "What to try next",
    "Where things live",
    "Add a dataset",
    "What was found in the data",
    "Where next",
    "Licences",
]


def test_it_begins_with_badge_sentence_flow_and_two_screenshots():
    top = README.partition("## ")[0]
    parts = [
        top.index("badge.svg"),
        top.index("Wandle loads public data"),
        top.index("API -> S3 landing -> PostgreSQL raw"),
        *(found.start() for found in re.finditer(r"!\[[^\]]+\]\(docs/images/[\w-]+\.png\)", top)),
    ]

    assert len(parts) == 5
    assert parts == sorted(parts)


def test_its_parts_are_in_their_order():
    assert re.findall(r"^## (.+)$", README, re.M) == ORDER


def test_the_badge_is_that_of_a_workflow_that_does_what_it_says():
    ((says, workflow, query),) = re.findall(
        r"!\[([^\]]+)\]\(\.\./\.\./actions/workflows/([\w.]+)/badge\.svg\?([^)]*)\)", README
    )
    content = yaml.safe_load((CHECKOUT / ".github" / "workflows" / workflow).read_text())
    matrix = content["jobs"]["python"]["strategy"]["matrix"]
    ran = {*matrix["what"], *(one["what"] for one in matrix["include"])}
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    rules = dict(re.findall(r"^(lint|test): (.*?)\n\n", makefile, re.M | re.S))

    assert says.split(", ") == ["install", "format", "lint", "test"]
    # Of what is on main, where the workflow runs at each push.
    assert query == "branch=main"
    assert content[True]["push"]["branches"] == ["main"]
    assert {"lint", "test"} <= ran
    assert content["jobs"]["python"]["steps"][-1]["run"] == 'make "$WHAT"'
    assert "ruff format --check" in rules["lint"]
    assert all(rule.startswith("$(INSTALLED)") for rule in rules.values())
    assert len(rules) == 2


def test_what_was_found_is_counted_again_by_a_test_and_has_a_recommendation():
    found = README.partition("## What was found in the data")[2].partition("\n## ")[0]

    assert found.count("Recommendation:") >= 2
    assert "tests/acceptance/test_findings.py" in found


def test_where_things_live_names_every_folder_of_include_and_of_its_jobs():
    table = README.partition("## Where things live")[2].partition("\n## ")[0]
    named = set(re.findall(r"`([\w/]+/)`", table))
    folders = {path.parent for path in (CHECKOUT / "include").glob("*/__init__.py")}
    jobs = {path.parent for path in (CHECKOUT / "include" / "jobs").glob("*/__init__.py")}

    assert len(jobs) > 8
    assert {f"include/{folder.name}/" for folder in folders} <= named
    assert {f"{folder.name}/" for folder in jobs} <= named
