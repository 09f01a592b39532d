"""docs/handbook: the chapters in their order, each short enough, each shown in our own code."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.unit.docs.pages import CHECKOUT, Page, pages

HANDBOOK = CHECKOUT / "docs" / "handbook"
GITHUB = CHECKOUT / ".github"
WORDS_A_MINUTE = 220
LONGEST_MINUTES = 3
FEWEST_FILES = 6
CHAPTERS = [
    "Start here",
    "Security",
    "The data engineering life cycle",
    "Project structure",
    "Infrastructure",
    "Writing code",
    "Testing",
    "Version control, pull requests and reviews",
    "CI/CD",
    "Patterns and principles",
    "Ingestion",
    "Storage",
    "Transformation and modelling",
    "Serving",
    "Monitoring, lineage, quality and incidents",
    "Orchestration and scheduling",
    "Documentation",
]
MARK = "Not in this repository"


def handbook() -> list[Page]:
    return [page for page in pages() if page.path.is_relative_to(HANDBOOK)]


def chapters() -> list[Page]:
    return [page for page in handbook() if page.path.name[:2].isdigit()]


def name_of(page: Page) -> str:
    return page.path.name


def minutes(page: Page) -> float:
    """How long the text takes to read, tables included; code blocks are looked at, not read."""
    text = re.sub(r"\]\([^)]*\)", "]", page.prose)
    return sum(1 for word in text.split() if re.search(r"\w", word)) / WORDS_A_MINUTE


def files_of_code(page: Page) -> set[Path]:
    """The files that a page links to outside of `docs`."""
    targets = {(page.path.parent / link.partition("#")[0]).resolve() for link in page.links}
    return {file for file in targets if not file.is_relative_to(CHECKOUT / "docs")}


def without_a_condition(page: Page) -> list[str]:
    """What is marked as not ours without saying when to take it."""
    paragraphs = re.split(r"\n\s*\n|\n(?=[-*|] |\|)", page.prose)
    when = re.compile(r"\b(when|as soon as|with the first)\b")
    return [part for part in paragraphs if MARK in part and not when.search(part)]


def owned() -> dict[str, list[str]]:
    """The patterns of CODEOWNERS and who owns them."""
    lines = (GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return {pattern: owners for pattern, *owners in words}


def matches(pattern: str, path: str) -> bool:
    """As GitHub reads a pattern, in the forms that are used here."""
    anchored = pattern.removeprefix("/")
    if pattern == "*":
        return True
    return path.startswith(anchored) if anchored.endswith("/") else fnmatch(path, anchored)


def test_the_chapters_are_there_in_their_order():
    titles = [page.text.partition("\n")[0] for page in chapters()]
    numbers = [page.path.name[:2] for page in chapters()]

    assert titles == [f"# {number}. {title}" for number, title in enumerate(CHAPTERS, 1)]
    assert numbers == [f"{number:02}" for number in range(1, len(CHAPTERS) + 1)]


def test_the_index_lists_every_chapter_in_its_order():
    (index,) = [page for page in handbook() if page.path.name == "index.md"]
    listed = [link for link in index.links if link[:2].isdigit()]

    assert list(dict.fromkeys(listed)) == [page.path.name for page in chapters()]


@pytest.mark.parametrize("page", handbook(), ids=name_of)
def test_a_page_can_be_read_in_three_minutes(page):
    assert minutes(page) <= LONGEST_MINUTES


def test_a_page_that_takes_longer_is_noticed():
    text = "# A title\n\n| a | b |\n|---|---|\n" + "| one [two](three.md) | `four` |\n" * 230

    assert minutes(Page(HANDBOOK / "made_up.md", text)) > LONGEST_MINUTES


@pytest.mark.parametrize("page", chapters(), ids=name_of)
def test_a_chapter_shows_its_rules_in_our_own_code(page):
    assert len(files_of_code(page)) >= FEWEST_FILES


def test_links_to_other_pages_are_not_examples():
    page = Page(HANDBOOK / "made_up.md", "[a](../runbook.md) [b](index.md) [c](../../Makefile)")

    assert files_of_code(page) == {CHECKOUT / "Makefile"}


@pytest.mark.parametrize("page", chapters(), ids=name_of)
def test_what_is_not_ours_says_when_to_take_it(page):
    assert without_a_condition(page) == []


def test_what_is_not_ours_is_marked():
    assert sum(page.text.count(MARK) for page in chapters()) >= 15


def test_a_mark_without_a_condition_is_noticed():
    text = f"**{MARK}:** Redshift. Take it.\n\n**{MARK}:** Spark. Take it when one machine is full."

    assert without_a_condition(Page(HANDBOOK / "made_up.md", text)) == [
        f"**{MARK}:** Redshift. Take it."
    ]


def test_every_pattern_of_codeowners_matches_a_file_and_has_an_owner():
    files = [
        str(path.relative_to(CHECKOUT))
        for folder in ("include", "dbt_project/models", ".github", "terraform", "config", "tests")
        for path in (CHECKOUT / folder).rglob("*")
    ] + [path.name for path in CHECKOUT.iterdir()] + ["docs/security.md"]  # fmt: skip
    found = owned()

    assert len(found) >= 10
    assert [pattern for pattern, owners in found.items() if not owners] == []
    assert [pattern for pattern in found if not any(matches(pattern, file) for file in files)] == []


@pytest.mark.parametrize(
    "pattern", ["/include/gone/", "/include/sources/*.toml", "/include/gone.py"]
)
def test_a_pattern_that_matches_nothing_is_noticed(pattern):
    assert not matches(pattern, "include/sources/weather_hourly.yaml")


def test_there_is_a_template_for_each_kind_of_issue_and_for_pull_requests():
    templates = sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.md"))

    assert [path.stem for path in templates] == ["access", "bug", "dataset"]
    for path in templates:
        assert path.read_text(encoding="utf-8").startswith("---\nname: ")
    assert (GITHUB / "pull_request_template.md").is_file()
