"""docs/tutorials: each is listed, short, and run by a test."""

from __future__ import annotations

import re

import pytest

from tests.unit.docs.pages import CHECKOUT, Page, pages
from tests.unit.docs.test_handbook import minutes

TUTORIALS = CHECKOUT / "docs" / "tutorials"
FOLLOWED = CHECKOUT / "tests" / "acceptance" / "test_tutorials.py"
ASKED_FOR = [
    "Add a dataset",
    "Add a council",
    "Backfill a year",
    "Fix a contract and replay",
    "Add a mart and a chart",
    "Deploy to an account",
    "Upgrade Airflow",
    "Restore a backup",
]
# Files that may name the version of Airflow; lock files are compiled from pyproject.toml.
VERSIONED = ("*.toml", "Dockerfile", "*.yaml", "*.yml", "*.env", "Makefile", "*.tf", "*.py", "*.sh")


def tutorials() -> list[Page]:
    return [page for page in pages() if page.path.parent == TUTORIALS]


def named(name: str) -> Page:
    (page,) = [page for page in tutorials() if page.path.name == name]
    return page


def test_the_index_has_every_tutorial():
    index = named("index.md")
    titles = re.findall(r"\[([^\]]+)\]\([^)]*\.md[^)]*\)", index.text)

    assert set(ASKED_FOR) <= set(titles)
    linked = {link for link in index.links if "/" not in link}
    assert linked == {page.path.name for page in tutorials()} - {"index.md"}


@pytest.mark.parametrize("page", tutorials(), ids=lambda page: page.path.name)
def test_a_tutorial_can_be_read_in_three_minutes(page):
    assert minutes(page) <= 3


@pytest.mark.parametrize(
    "page", [p for p in tutorials() if p.path.name != "index.md"], ids=lambda page: page.path.name
)
def test_a_tutorial_has_commands_and_is_followed_by_a_test(page):
    blocks = re.findall(r"^```(\w*)(?: (\w+))?\n", page.text, re.M)

    assert [language for language, how in blocks if language == "sh" and how != "example"]
    assert page.path.name in FOLLOWED.read_text(encoding="utf-8")


def test_the_tutorial_names_every_file_with_the_version_of_airflow():
    page = named("upgrade-airflow.md")
    project = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    (version,) = re.findall(r'"apache-airflow==([\d.]+)"', project)
    tops = [path for path in CHECKOUT.iterdir() if not path.name.startswith(".")]
    files = [
        file
        for top in tops
        for file in (top.rglob("*") if top.is_dir() else [top])
        if any(file.match(pattern) for pattern in VERSIONED) and ".terraform" not in file.parts
    ]
    has_it = re.compile(rf"airflow.*[^\d.]{re.escape(version)}(?![\d.])", re.I)
    found = {
        str(path.relative_to(CHECKOUT))
        for path in files
        if path.is_file() and has_it.search(path.read_text(encoding="utf-8", errors="replace"))
    }

    listed = set(
        re.findall(r"^\| `([^`]+)` \| (?:`\"apache|`ARG|`airflowVersion)", page.text, re.M)
    )
    assert len(listed) == 4
    assert found == listed
