"""docs/reliability.md: each figure is that of the test, or of the page, that it is from."""

from __future__ import annotations

import re

import pytest

from include.local.game_day import SCENARIOS
from tests.benchmarks.api import bars as api_bars
from tests.chaos import points, test_random_kills
from tests.integration import test_kills, test_mutations, test_paging_servers, test_readers
from tests.unit.docs.pages import CHECKOUT

DOCS = CHECKOUT / "docs"
PAGE = (DOCS / "reliability.md").read_text(encoding="utf-8")
PROMISES = (DOCS / "promises.md").read_text(encoding="utf-8")
PERFORMANCE = (DOCS / "performance.md").read_text(encoding="utf-8")


def flaws() -> int:
    """The cases of the test that shows that the comparison can fail."""
    (mark,) = [
        mark
        for mark in test_kills.test_a_job_that_is_not_atomic_is_detected.pytestmark
        if mark.name == "parametrize"
    ]
    return len(mark.args[1])


def bar(target: str) -> tuple[str, str]:
    """What a full run found for a target, and its bar, in docs/performance.md."""
    ((bound, found),) = re.findall(
        rf"^\| {re.escape(target)}: (at (?:least|most) [\d.]+) \| ([\d.]+) \|", PERFORMANCE, re.M
    )
    return found, bound


COUNTED = [
    f"{len(re.findall(r'^## [0-9]', PROMISES, re.M))} promises, with the tests",
    f"{len(points.EXTRACT_POINTS)} points of an extract, {len(points.LOAD_POINTS)} of a load; "
    f"{len(test_kills.EXTRACTS) + len(test_kills.LOADS)} cases",
    f"| {len(test_kills.FAILING)} cases |",
    f"| {flaws()} flaws |",
    "200 kills a run",
    f"{test_readers.RELOADS} reloads",
    f"{test_mutations.MANY:,} for each run",
    f"{len(SCENARIOS)} scenarios",
    f"at {api_bars.RATE:,} requests a second | bar: no error, p99 at most {api_bars.P99:g} ms",
    f"is switched | bar: no error, p99 at most {api_bars.SWITCH_P99:g} ms",
]
BARS = {
    "rows per second, relative to copy": "rows per second of a first load, relative to `\\copy`",
    "replacing, relative to copy": "replacing a partition, relative to `\\copy`",
    "unchanged, relative to a first load": (
        "a landing that has not changed, relative to a first load"
    ),
    "peak memory, MB": "peak memory of a load, MB",
    "peak memory of ten times the records, MB": "peak memory of ten times the records, MB",
}
# Here and there, and how it is there.
QUOTED = {
    "136 s, 24 partitions": ("On two cores the year took 136 s", "(24 partitions,"),
    "| 0.13 s |": ("| nothing changed | 0.13 |",),
    "relative to all | 0.097 |": ("| one partition of 650 changed | 1.7 | 0.097 |",),
}


@pytest.mark.parametrize("figure", COUNTED)
def test_a_figure_is_that_of_the_tests(figure):
    assert figure in PAGE


def test_the_number_of_kills_is_the_default_of_make_test_chaos():
    source = (CHECKOUT / "tests/chaos/test_random_kills.py").read_text(encoding="utf-8")

    assert 'os.environ.get("KILLS") or 200' in source
    assert test_random_kills.MARTS_EVERY < 200


def test_the_number_of_paging_servers_is_the_default():
    source = (CHECKOUT / "tests/integration/test_paging_servers.py").read_text(encoding="utf-8")

    assert 'os.environ.get("EXAMPLES", "250")' in source
    assert "250 generated servers" in PAGE
    assert test_paging_servers.EXAMPLES >= 1


@pytest.mark.parametrize("target", BARS)
def test_a_measured_figure_is_that_of_the_full_run_with_its_bar(target):
    found, bound = bar(target)

    assert f"| {BARS[target]} | {found} | {bound} |" in PAGE


@pytest.mark.parametrize("here", QUOTED)
def test_a_quoted_figure_is_in_the_page_that_it_is_from(here):
    assert here in PAGE
    for there in QUOTED[here]:
        assert there in PERFORMANCE


def test_what_is_refused_takes_no_more_memory_than_the_page_says():
    refused = re.findall(r"(\d+) MB, refused", PERFORMANCE)
    (most,) = re.findall(r"refused at (\d+) MB or less", PAGE)

    assert len(refused) >= 10
    assert max(map(int, refused)) == int(most)


def test_every_row_says_how_its_figure_is_obtained():
    rows = re.findall(r"^\| (?!what|-)(.+) \|$", PAGE, re.M)
    how = [row.rpartition(" | ")[2] for row in rows]

    assert len(rows) >= 20
    assert [text for text in how if not re.search(r"`make |the same|\]\(\.\./tests", text)] == []
