"""Parts of the pages that need no database."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from include.portal import words
from include.portal.data import _tested
from include.portal.overview import detailed, summary
from include.portal.pages import asset, render
from include.portal.runs import form
from include.portal.sparkline import sparkline
from include.portal.states import window
from tests.portal_books import SCRIPT
from tests.samples import contract

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
COUNCILS = {"kingston": "Kingston", "sutton": "Sutton"}
GAUGES = contract()
AUGUST = datetime(2026, 8, 1)


def page_of(rows: list[dict[str, object]], title: str = "Gauges"):
    gauges = contract(title=title)
    first = {
        ("gauges", name): {"first": datetime(2026, 7, 1), "checked": NOW - timedelta(hours=3)}
        for name in COUNCILS
    }
    windows = {"gauges": window(gauges, NOW)}
    return detailed({"gauges": gauges}, windows, COUNCILS, first, rows, rows, set(), NOW)


def row(**changes: object) -> dict[str, object]:
    return {
        "source": "gauges", "council": "sutton", "period": AUGUST, "status": "loaded",
        "loaded": 1234, "quarantined": 0,
    } | changes  # fmt: skip


def test_each_cell_says_what_it_is_and_leads_to_its_partition() -> None:
    strip = page_of([row()]).groups[0].strips[1]
    cells = {cell.period: cell for cell in strip.cells}

    assert cells["2026-08"].label == "2026-08: loaded, 1,234 records"
    assert cells["2026-08"].href == "partition?source=gauges&council=sutton&period=2026-08"
    assert cells["2026-09"].state == "missing"
    assert cells["2026-06"].state == "before"


def test_a_gap_is_counted_named_and_linked() -> None:
    made = page_of([row(), row(council="kingston", status="failed", quarantined=2)])

    assert made.states["failed"] == 1
    assert made.quarantined == 2
    assert "need attention" in made.heading
    assert any(p.state == "failed" and "2026-08" in p.href for p in made.problems)


def test_a_source_of_many_councils_is_one_strip_that_shows_the_worst() -> None:
    councils = {f"c{n}": f"Council {n}" for n in range(50)}
    checks = {
        ("gauges", name): {"first": datetime(2026, 7, 1), "checked": NOW} for name in councils
    }
    rows = [
        {"source": "gauges", "period": AUGUST, "status": "loaded", "partitions": 49, "loaded": 490}
    ]
    made = summary({"gauges": GAUGES}, {"gauges": window(GAUGES, NOW)}, councils, checks, rows, NOW)
    cell = next(c for c in made.groups[0].strips[0].cells if c.period == "2026-08")

    assert (cell.state, cell.detail) == ("missing", "49 loaded, 1 missing")
    assert made.states["loaded"] == 49


def test_script_in_a_value_is_shown_as_text() -> None:
    view = page_of([row()], title=SCRIPT)
    text = render("overview.html", "", title=view.heading, view=view, now=NOW).body.decode()

    assert SCRIPT not in text
    assert "&lt;script&gt;" in text


def test_a_page_has_no_style_and_no_script_of_its_own() -> None:
    view = page_of([row()])
    text = render("overview.html", "", title=view.heading, view=view, now=NOW).body.decode()

    assert "style=" not in text
    assert "<style" not in text
    assert text.count("<script") == text.count('<script src="assets/portal.js"') == 1


def test_a_line_has_a_gap_where_a_value_is_missing() -> None:
    drawn = sparkline([1, 2, None, 3, 4, None, 5], "Records")

    assert drawn.count("<polyline") == 2
    assert drawn.count('class="alone"') == 1
    assert sparkline([None, None], "Records") == ""
    assert "&lt;" in sparkline([1, 2], SCRIPT)


@pytest.mark.parametrize(
    ("doing", "dag", "parameters"),
    [
        ("fetch", "ingest_gauges", {"from": "2026-08", "to": "2026-08", "mode": "fetch"}),
        ("reload", "ingest_gauges", {"from": "2026-08", "mode": "reload", "force": False}),
        ("replay", "replay_quarantine", {"source": "gauges"}),
    ],
)
def test_a_form_is_filled_with_its_partition(
    doing: str, dag: str, parameters: dict[str, object]
) -> None:
    made = form(doing, GAUGES, GAUGES.partition("sutton", "2026-08"))

    assert made is not None
    assert made.dag_id == dag
    assert parameters.items() <= made.parameters.items()
    assert json.loads(made.as_json) == made.parameters


def test_a_snapshot_is_fetched_as_it_is_now() -> None:
    snapshot = contract(snapshot=True)
    made = form("fetch", snapshot, snapshot.partition("sutton", "2026-08"))

    assert made is not None
    assert made.parameters["from"] is None


def test_an_unknown_form_does_not_exist() -> None:
    assert form("drop", GAUGES, GAUGES.partition("sutton", "2026-08")) is None


@pytest.mark.parametrize(
    "name", ["../pages.py", "..", "portal.css/", "templates/base.html", "%2e%2e/site.py"]
)
def test_only_the_listed_files_are_sent(name: str) -> None:
    assert asset(name) is None
    assert asset("portal.css") is not None


def test_a_test_belongs_to_the_model_with_the_longest_name_in_its_own() -> None:
    models = ["stg_crime", "stg_crime_outcomes"]

    assert _tested("test.wandle.not_null_stg_crime_outcomes_id.0f", models) == models[1]
    assert _tested("test.wandle.balances.0f", models) == ""


def test_numbers_are_written_as_people_do() -> None:
    assert words.size(0) == "0 bytes"
    assert words.size(1_234_567) == "1.2 MB"
    assert words.duration(7_500) == "2 h"
    assert words.run_link("wandle ingest x") == ""
    assert words.run_link("manual__a+b") == "/dag_runs?run_id_pattern=manual__a%2Bb"
