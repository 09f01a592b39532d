"""Titles state what the figures show: ties, a single month, zeros and gaps included."""

from __future__ import annotations

from datetime import date

import pytest

from include.publish.site import findings, words
from include.publish.site.findings import Year

JUNE, JULY, AUGUST = date(2026, 6, 1), date(2026, 7, 1), date(2026, 8, 1)


def series(now: int, before: int | None = None, *, without: int | None = None) -> dict[date, int]:
    """Twelve months of `now`, after twelve of `before`, without the month so many back."""
    months = [words.months_before(AUGUST, n) for n in range(24 if before is not None else 12)]
    found = {m: now if n < 12 else before or 0 for n, m in enumerate(months)}
    if without is not None:
        del found[words.months_before(AUGUST, without)]
    return found


@pytest.mark.parametrize(
    ("by_month", "title"),
    [
        (series(90, 100), "Sutton had 10% fewer crimes than in the year before"),
        (series(103, 100), "Sutton had 3% more crimes than in the year before"),
        (series(100, 100), "Sutton had as many crimes as in the year before"),
        (series(10_009, 10_000), "Sutton had almost as many crimes as in the year before"),
        (series(1, 0), "Sutton had 12 crimes, after none in the year before"),
        (series(0, 7), "Sutton had 100% fewer crimes than in the year before"),
        (series(0, 0), "No crimes in Sutton in two years"),
        (series(5), "Sutton had 60 crimes in 12 months"),
        (series(5, 6, without=20), "Sutton had 60 crimes in 12 months"),
        (series(5, 6, without=3), "Sutton had 55 crimes in 11 of 12 months"),
        ({JULY: 1}, "Sutton had 1 crime in July 2026"),
        ({JULY: 0}, "Sutton had 0 crimes in July 2026"),
    ],
)
def test_crime_is_compared_with_the_year_before_only_if_both_are_complete(by_month, title):
    assert findings.crime_total("Sutton", by_month) == title


def test_a_year_ends_with_the_newest_month_and_names_its_gaps():
    year = Year.of(series(5, 6, without=3))

    assert (year.months[0], year.months[-1]) == (date(2025, 9, 1), AUGUST)
    assert year.missing == [date(2026, 5, 1)]
    assert year.span == "September 2025 to April 2026 and June to August 2026"
    assert year.before is None


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({"A": 3, "B": 1}, "A had the most: 3 crimes, 75% of all"),
        ({"A": 3, "B": 3, "C": 1}, "A and B had the most: 3 crimes each"),
        ({"A": 1, "B": 1, "C": 0}, "A and B had the most: 1 crime each"),
        (dict.fromkeys("ABCD", 2), "4 wards share the most crimes: 2 each"),
        ({"A": 0, "B": 0}, "No crimes in any of 2 wards"),
        ({"A": 4}, "A, the only ward with figures, had 4 crimes"),
    ],
)
def test_the_ward_with_most_crimes_is_named_with_those_that_share_its_place(values, title):
    assert findings.ward_with_most(values) == title


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({"A": 3, "B": 1}, "A is the most common kind: 75% of crimes"),
        ({"A": 2, "B": 2}, "A and B are equally common: 50% of crimes each"),
        (dict.fromkeys("ABCDE", 2), "5 kinds are equally common: 20% of crimes each"),
        ({"A": 2, "B": 0}, "A is all there was of crimes in May 2026"),
        ({"A": 0}, "No crimes in May 2026"),
        ({}, "No crimes in May 2026"),
    ],
)
def test_the_most_common_kind_is_named_with_its_share(values, title):
    assert findings.most_common(values, "crimes", "May 2026") == title


def reach(name: str, above: int = 0, below: int = 0, has_low: bool = True) -> findings.Reach:
    days = [date(2026, 11, 5), JULY, AUGUST]
    return findings.Reach(name, days[:above], days[:below], has_low)


@pytest.mark.parametrize(
    ("gauges", "title"),
    [
        ([reach("X")], "The only gauge near Sutton stayed within the typical range"),
        ([reach("X"), reach("Y")], "All 2 gauges near Sutton stayed within the typical range"),
        (
            [reach("X"), reach("Y", has_low=False)],
            "All 2 gauges near Sutton did not rise above the typical range",
        ),
        ([reach("X", 1), reach("Y", 0, 2)], "X rose above its typical range"),
        ([reach("X"), reach("Y", 0, 2)], "Y fell below its typical range"),
        (
            [reach("X", 0, 1), reach("Y", 0, 1)],
            "All 2 gauges near Sutton fell below their typical range",
        ),
        ([reach("X", 1), reach("Y", 2), reach("Z")], "X and Y rose above their typical range"),
        ([reach("X", 1), reach("Y", 2)], "All 2 gauges near Sutton rose above their typical range"),
        (
            [*(reach(name, 1) for name in "ABCD"), reach("E")],
            "4 of 5 gauges near Sutton rose above their typical range",
        ),
        ([], "No gauge near Sutton has a typical range to compare with"),
    ],
)
def test_gauges_are_counted_against_their_typical_range(gauges, title):
    assert findings.rivers(gauges, "Sutton") == title


@pytest.mark.parametrize(
    ("gauge", "days", "title"),
    [
        (reach("X"), 5, "X stayed within its typical range"),
        (reach("X", has_low=False), 5, "X did not rise above its typical range"),
        (reach("X", 1), 5, "X was above its typical range on 5 November 2026"),
        (reach("X", 2), 5, "X was above its typical range on 2 of 5 days"),
        (reach("X", 1), 1, "X was above its typical range on the only day"),
        (reach("X", 2), 2, "X was above its typical range on all 2 days"),
        (reach("X", 0, 3), 5, "X was below its typical range on 3 of 5 days"),
        (
            reach("X", 1, 2),
            5,
            "X left its typical range: above it on 1 day, below it on 2 days",
        ),
        (reach("X"), 0, "X: no readings"),
    ],
)
def test_a_gauge_is_compared_with_its_own_range(gauge, days, title):
    assert findings.river(gauge, days, has_range=True) == title


def test_a_gauge_without_a_typical_range_is_not_called_within_it():
    assert "no typical range" in findings.river(reach("X"), 5, has_range=False)


@pytest.mark.parametrize(
    ("above", "compared", "rain", "title"),
    [
        (
            [JULY],
            5,
            {JUNE: 1.0, JULY: 12.34},
            "A river near Sutton was above its typical range on 1 July 2026; 1 July 2026 was the "
            "wettest: 12.3 mm",
        ),
        (
            [JUNE, JULY],
            5,
            {JUNE: 2.0, JULY: 2.0},
            "A river near Sutton was above its typical range on 2 of 5 days; 2 days were the "
            "wettest: 2.0 mm each",
        ),
        (
            [],
            5,
            {JUNE: 0.0},
            "No river near Sutton rose above its typical range in 5 days; it did not rain",
        ),
        ([], 1, {}, "No river near Sutton rose above its typical range in 1 day"),
        (
            [],
            0,
            {JUNE: 1.0},
            "No river near Sutton can be compared with a typical range; 1 June 2026 was the "
            "wettest: 1.0 mm",
        ),
        ([], 0, {}, "No day of rain or rivers near Sutton"),
    ],
)
def test_rain_and_rivers_are_described_together(above, compared, rain, title):
    assert findings.conditions("Sutton", above, compared, rain) == title


@pytest.mark.parametrize(
    ("by_day", "title"),
    [
        ({JUNE: 1.0, JULY: 2.25}, "1 July 2026 was the wettest day in Sutton: 2.2 mm"),
        ({JUNE: 2.0, JULY: 2.0}, "2 days were the wettest in Sutton: 2.0 mm each"),
        ({JUNE: 0.0, JULY: 0.0}, "No rain in Sutton on 2 days"),
        ({JUNE: 0.0}, "No rain in Sutton on 1 day"),
        ({}, "No complete day of rain in Sutton"),
    ],
)
def test_the_wettest_day_is_named_unless_there_was_no_rain(by_day, title):
    assert findings.rain("Sutton", by_day) == title


@pytest.mark.parametrize(
    ("paid", "total", "title"),
    [
        ({"A": 300.0, "B": 100.0}, 400.0, "A received the most: £300, 75% of all"),
        ({"A": 300.0, "B": 300.0}, 600.0, "A and B received the most: £300 each"),
        (dict.fromkeys("ABCD", 9.0), 36.0, "4 suppliers received the most: £9 each"),
        ({"A": 2_340_000.0}, 2_340_000.0, "A is the only supplier: £2.3 million"),
        # Credits of others make the total smaller than what one received.
        ({"A": 300.0, "B": -100.0}, 200.0, "A received the most: £300"),
        ({"A": -5.0}, -5.0, "No supplier received more than it paid back: -£5 in all"),
    ],
)
def test_the_supplier_that_received_most_is_named_with_its_share(paid, total, title):
    assert findings.spending(paid, total) == title


@pytest.mark.parametrize(
    ("days", "undecided", "title"),
    [
        (
            [30, 60, 200],
            1,
            "Half of Sutton's planning decisions took 60 days or less; 1 is undecided",
        ),
        ([1], 0, "Half of Sutton's planning decisions took 1 day or less; 0 are undecided"),
        ([], 4, "No decision on planning in Sutton can be timed; 4 are undecided"),
    ],
)
def test_the_median_duration_of_decisions_is_one_that_half_of_them_kept(days, undecided, title):
    assert findings.planning("Sutton", days, undecided) == title


def test_outcomes_are_stated_only_for_months_old_enough():
    assert (
        findings.outcomes("Sutton", 0, 0) == "No month of Sutton is old enough to compare outcomes"
    )
    assert (
        findings.outcomes("Sutton", 1, 3) == "33% of crimes in Sutton have an outcome within a year"
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"), (0.0004, "under 0.1%"), (0.034, "3.4%"), (0.0996, "10%"), (0.5, "50%"),
        (0.9996, "over 99.9%"), (1, "100%"), (2, "200%"),
    ],
)  # fmt: skip
def test_a_percentage_never_rounds_something_to_nothing_or_to_all(share, text):
    assert words.percent(share) == text
