"""Every link, path and command of a page is there. None is run: `tests/acceptance` does that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.docs.pages import (
    CHECKOUT,
    MADE_BY_READERS,
    NO_COMMANDS,
    OTHER_PATHS,
    Page,
    anchors,
    pages,
    wrong_commands,
    wrong_files,
    wrong_links,
)

DOCS = CHECKOUT / "docs"


def name_of(page: Page) -> str:
    return str(page.path.relative_to(CHECKOUT))


def page(text: str, path: Path = DOCS / "made_up.md") -> Page:
    return Page(path, text)


@pytest.mark.parametrize("found", pages(), ids=name_of)
def test_every_link_leads_somewhere(found):
    assert wrong_links(found) == []


@pytest.mark.parametrize("found", pages(), ids=name_of)
def test_every_path_in_code_is_there(found):
    assert wrong_files(found) == []


@pytest.mark.parametrize("found", pages(), ids=name_of)
def test_every_command_exists_with_its_options(found):
    assert wrong_commands(found) == []


def test_there_are_pages_links_paths_and_commands_to_look_at():
    names = {name_of(found) for found in pages()}

    assert {"README.md", "docs/runbook.md", "docs/handbook/index.md"} <= names
    assert len(names) >= 40
    assert sum(len(found.links) for found in pages()) >= 400
    assert sum(len(found.files) for found in pages()) >= 200
    assert sum(len(found.commands) for found in pages()) >= 200


@pytest.mark.parametrize("known", [*MADE_BY_READERS, *OTHER_PATHS, *NO_COMMANDS])
def test_an_exception_is_needed(known):
    assert any(known in found.text for found in pages())


@pytest.mark.parametrize(
    "text",
    [
        "[gone](gone.md)",
        "![gone](images/gone.png)",
        "[gone](runbook.md#no-such-heading)",
        "[gone](#no-such-heading)",
        "[a line of code](../dags/ingest.py#L10)",
        "[out of the checkout](../../../etc/passwd)",
        "![a badge](../../actions/workflows/gone.yml/badge.svg)",
        "[`code` in its text](gone.md)",
        "| a cell | [gone](gone.md) |",
    ],
)
def test_a_link_that_leads_nowhere_is_named(text):
    (wrong,) = wrong_links(page(text))

    assert "no such" in wrong


@pytest.mark.parametrize(
    "text",
    [
        "[there](runbook.md)",
        "[there](runbook.md#where-to-look)",
        "[there](#a-heading)\n\n## A heading\n",
        "[![a](../../actions/workflows/ci.yml/badge.svg?x=y)](../../actions/workflows/ci.yml)",
        "[elsewhere](https://example.org/gone.md), [mail](mailto:a@example.org)",
        "`[no link](gone.md)`",
        "```\n[no link](gone.md)\n```\n",
    ],
)
def test_a_link_that_leads_somewhere_is_left_alone(text):
    assert wrong_links(page(text)) == []


@pytest.mark.parametrize("text", ["`include/gone.py`", "```sh\ncat docs/gone.md\n```\n"])
def test_a_path_that_is_not_there_is_named(text):
    (wrong,) = wrong_files(page(text))

    assert "no such file" in wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("`wandle fetch`", "no command fetch"),
        ("`wandle verify --deeper`", "no option --deeper"),
        ("`wandle secrets show NAME`", "no command show"),
        ("`wandle ingest crimes -z`", "no option -z"),
        ("```sh\nwandle \\\n  fetch\n```\n", "no command fetch"),
        ("```\n$ wandle fetch | jq .\n```\n", "no command fetch"),
        ("```sh\ncd x && sudo wandle fetch   # comment\n```\n", "no command fetch"),
        ("```text\nx: content differs. Next: `wandle fetch`.\n```\n", "no command fetch"),
        ("`docker compose exec worker wandle fetch`", "no command fetch"),
        ("`make everything`", "no target everything"),
        ("`make demo COUNCIL=sutton`", "no variable COUNCIL"),
        ("```sh\nWANDLE_LIVE=1 make everything\n```\n", "no target everything"),
    ],
)
def test_a_command_that_does_not_exist_is_named(text, wrong):
    assert [found.rsplit(": ", 1)[1] for found in wrong_commands(page(text))] == [wrong]


@pytest.mark.parametrize(
    "text",
    [
        "`wandle COMMAND --help`, `wandle --help`, `wandle`, `make`",
        "`wandle secrets set NAME < file`",
        "`make bench CASES=formats RECORDS=200000`",
        "`kubectl -n wandle create secret`",
        "The wandle fetch, and make everything, in prose.",
        "```yaml\nwandle fetch\n```\n",
        "```sh\n# wandle fetch\nwandle verify  # then make everything\n```\n",
    ],
)
def test_what_is_a_command_or_none_is_left_alone(text):
    assert wrong_commands(page(text)) == []


def test_the_anchors_of_headings_are_those_of_github():
    text = "# One `two`, three\n\n## [Four](x.md) & five\n\n## One\n\n## One\n\n```\n# none\n```\n"

    assert anchors(text) == {"one-two-three", "four--five", "one", "one-1"}
