"""The dashboard of the recorded year, read in a browser, against an independent count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.acceptance.conftest import YEAR, Wandle
from tests.browser.conftest import browser, log_in

__all__ = ["browser"]

Months = dict[str, dict[str, Any]]

pytestmark = pytest.mark.timeout(1200)

# Text as it is shown: a cell that is not drawn has none.
ROWS = """table => [...table.rows].map(row => [...row.cells].map(
  cell => cell.checkVisibility() ? cell.innerText.trim() : ''))"""


class Reader:
    """A visitor of the dashboard who is logged in."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, path: str) -> Reader:
        """A page, all its tables open."""
        answer = self.page.goto(f"/dashboard/{path}")
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        self.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        return self

    def table(self, key: str) -> dict[str, dict[str, str]]:
        """The rows of a table by their first cell, each with its other cells by column."""
        head, *body = self.page.locator(f"table[id='{key}-table']").evaluate(ROWS)
        assert body, f"the table {key} is empty"
        assert all(cell for row in [head, *body] for cell in row), f"{key} has cells without text"
        found = {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}
        assert len(found) == len(body), f"{key} has several rows of one name"
        return found

    def by_month(self, key: str) -> dict[str, dict[str, int]]:
        """Only the rows of months, by `YYYY-MM`."""
        found: dict[str, dict[str, int]] = {}
        for label, row in self.table(key).items():
            if label.count(" ") == 1:
                month = datetime.strptime(label, "%B %Y").strftime("%Y-%m")
                found[month] = {column: number(shown) for column, shown in row.items()}
        assert found, f"the table {key} has no months"
        return found


def number(shown: str) -> int:
    return int(shown.replace(",", ""))


def slug(kind: str) -> str:
    """The police's name for a kind, from that on the page."""
    named = {
        "Anti-social behaviour": "anti-social-behaviour",
        "Criminal damage and arson": "criminal-damage-arson",
        "Violence and sexual offences": "violent-crime",
    }
    return named.get(kind, kind.lower().replace(" ", "-"))


def of_kinds(row: dict[str, int]) -> dict[str, int]:
    """The kinds of a month that there are any of, as the independent count has them."""
    return {slug(kind): count for kind, count in row.items() if count}


@pytest.fixture(scope="module")
def reader(year: str, wandle: Wandle, browser: Browser) -> Iterator[Reader]:
    exported = wandle.exported()
    context = browser.new_context(base_url=exported["AIRFLOW_URL"])
    page = context.new_page()
    log_in(page, exported)
    yield Reader(page)
    context.close()


def test_a_reader_of_pages_refuses_a_table_that_is_empty_or_not_shown(reader: Reader) -> None:
    table = "<table id='x-table'><tr><th>Month</th><th>Crimes</th></tr>{}</table>"
    row = "<tr><th>May 2017</th><td{}>5</td></tr>"

    for body, why in (
        (table.format(""), "is empty"),
        (table.format(row.format(" hidden")), "cells without text"),
        (table.format(row.format("") * 2), "several rows of one name"),
    ):
        reader.page.set_content(body)
        with pytest.raises(AssertionError, match=why):
            reader.table("x")
    reader.page.set_content(table.format(row.format("")))
    assert reader.by_month("x") == {"2017-05": {"Crimes": 5}}


@pytest.mark.parametrize("council", ["kingston", "sutton"])
@pytest.mark.parametrize("page", ["council/{}.html", "topic/crime.html"])
def test_pages_show_the_crimes_of_each_month_and_kind(
    reader: Reader, expected: dict[str, Months], page: str, council: str
) -> None:
    reader.open(page.format(council))

    totals = reader.by_month(f"{council}-crime")
    kinds = reader.by_month(f"{council}-crime-kinds")

    assert list(totals) == list(kinds) == YEAR[::-1]
    for month, facts in expected[council].items():
        assert totals[month] == {"Crimes": facts["distinct_ids"]}
        assert of_kinds(kinds[month]) == facts["distinct_ids_by_category"]


@pytest.mark.parametrize("council", ["kingston", "sutton"])
def test_the_page_of_a_council_sums_up_the_year(
    reader: Reader, expected: dict[str, Months], council: str
) -> None:
    months = expected[council].values()
    crimes = sum(facts["distinct_ids"] for facts in months)
    reader.open(f"council/{council}.html")

    assert f"had {crimes:,} crimes in 12 months" in reader.page.inner_text("main")
    wards = reader.table(f"{council}-wards")
    assert len(wards) == len(next(iter(months))["records_by_ward"])
    assert sum(number(row["Crimes"]) for row in wards.values()) == crimes

    year = reader.table(f"{council}-crime-kinds")["January to December 2017"]
    by_kind: Counter[str] = Counter()
    for facts in months:
        by_kind.update(facts["distinct_ids_by_category"])
    assert of_kinds({kind: number(count) for kind, count in year.items()}) == dict(by_kind)

    # Recorded in September 2018, when outcomes of these months were known for a year.
    mature = YEAR[:6]
    shown = reader.table(f"{council}-outcome-kinds")
    outcomes = {outcome: number(row["Crimes"]) for outcome, row in shown.items()}
    assert "January to June 2017" in reader.page.inner_text(f"[id='{council}-outcome-kinds']")
    assert sum(outcomes.values()) - outcomes.get("No outcome yet", 0) == sum(
        expected[council][month]["outcomes_not_null"] for month in mature
    )


@pytest.mark.parametrize("council", ["kingston", "sutton"])
def test_the_pages_of_wards_add_up_to_their_council(
    reader: Reader, expected: dict[str, Months], council: str
) -> None:
    codes = expected[council][YEAR[0]]["records_by_ward"]
    totals: dict[str, dict[str, int]] = {}
    kinds: dict[str, Counter[str]] = {month: Counter() for month in YEAR}
    for code in codes:
        reader.open(f"ward/{code}.html")
        totals[code] = {m: row["Crimes"] for m, row in reader.by_month(f"{council}-crime").items()}
        for month, row in reader.by_month(f"{council}-crime-kinds").items():
            kinds[month].update(of_kinds(row))

    for month, facts in expected[council].items():
        shown = {code: totals[code][month] for code in codes}
        assert sum(shown.values()) == facts["distinct_ids"]
        assert dict(kinds[month]) == facts["distinct_ids_by_category"]
        # A crime that the police list under two wards is shown in one of them.
        twice = {code: facts["records_by_ward"].get(code, 0) - shown[code] for code in codes}
        assert min(twice.values()) >= 0
        assert sum(twice.values()) == facts["ids_in_two_wards"]
