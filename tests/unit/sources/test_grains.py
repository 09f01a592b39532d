"""Periods of every grain, against a calendar that is walked hour by hour and day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from include.errors import UnknownName
from include.jobs.pipeline.selection import Selection
from include.sources.partition import FORMS, Grain, Partition, Period

GRAINS = get_args(Grain)
FOLLOWED = [grain for grain in GRAINS if grain != "all"]
MOMENTS = st.datetimes(datetime(1, 4, 1), datetime(9998, 12, 31, 23))
# Around the ends of years, where weeks, financial years and leap days are decided.
EDGES = st.builds(
    lambda year, day, hour: datetime(year, 1, 1, hour) + timedelta(days=day),
    st.one_of(st.integers(2, 9998), st.sampled_from([1900, 1999, 2000, 2004, 2011, 2020, 2026])),
    st.one_of(st.integers(-8, 8), st.sampled_from([58, 59, 60, 89, 90, 91, 364, 365])),
    st.integers(0, 23),
)


def written(moment: datetime, grain: str) -> str:
    """The name of the period that a moment is in, by Python's own directives."""
    year, month = moment.year, moment.month
    begins = year if month >= 4 else year - 1
    return {
        "hour": lambda: f"{moment.date()}T{moment.hour:02}",
        "day": lambda: f"{moment.date()}",
        "week": lambda: "{:04}-W{:02}".format(*moment.isocalendar()),
        "month": lambda: f"{year:04}-{month:02}",
        "quarter": lambda: f"{year:04}-Q{[1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4][month - 1]}",
        "year": lambda: f"{year:04}",
        "financial_year": lambda: f"{begins:04}-{(begins + 1) % 100:02}",
        "all": lambda: "all",
    }[grain]()


@given(st.one_of(MOMENTS, EDGES), st.sampled_from(GRAINS))
def test_a_period_is_named_as_the_calendar_names_each_of_its_moments(moment, grain):
    period = Period.of(moment, grain)

    assert str(period) == written(moment, grain)
    assert Period.parse(str(period), grain) == period
    assert period.start <= moment.replace(tzinfo=UTC) < period.end


@given(st.one_of(MOMENTS, EDGES), st.sampled_from(FOLLOWED))
def test_a_period_ends_at_the_first_hour_that_the_calendar_names_differently(moment, grain):
    period = Period.of(moment, grain)
    hour = timedelta(hours=1)
    first, end = period.starts_at, period.end.replace(tzinfo=None)

    assert written(first, grain) == written(end - hour, grain) == str(period)
    assert written(end, grain) != str(period)
    if first > datetime(1, 4, 1):
        assert written(first - hour, grain) != str(period)
    assert period.next.previous == period
    assert period.next.start == period.end


def test_each_day_of_eight_years_is_in_the_period_that_the_calendar_says():
    day, grains = date(2019, 12, 20), [grain for grain in GRAINS if grain != "hour"]
    while day < date(2028, 1, 10):
        for grain in grains:
            found = Period.of(day, grain)
            assert str(found) == written(datetime(day.year, day.month, day.day), grain)
            assert found.first_day <= day <= found.last_day
        day += timedelta(days=1)


@pytest.mark.parametrize(
    ("day", "grain", "name"),
    [
        (date(2021, 1, 3), "week", "2020-W53"),
        (date(2018, 12, 31), "week", "2019-W01"),
        (date(2027, 3, 31), "financial_year", "2026-27"),
        (date(1999, 12, 31), "financial_year", "1999-00"),
        (date(9999, 12, 31), "week", "9999-W52"),
        (date(9999, 12, 31), "financial_year", "9999-00"),
        (date(1, 1, 1), "week", "0001-W01"),
        (date(1, 1, 1), "year", "0001"),
    ],
)
def test_periods_at_the_ends_of_years_and_of_the_calendar(day, grain, name):
    period = Period.of(day, grain)

    assert str(period) == name
    assert Period.parse(name, grain) == period
    assert period.first_day <= day <= period.last_day


@pytest.mark.parametrize("grain", FOLLOWED)
def test_the_calendar_has_a_last_period_which_ends_with_it(grain):
    last = Period.of(datetime.max, grain)

    assert last.end == datetime.max.replace(tzinfo=UTC)
    assert last.until(last) == [last]
    with pytest.raises(OverflowError):
        _ = last.next


def test_no_financial_year_begins_before_the_year_1():
    with pytest.raises(OverflowError, match="before the year 1"):
        Period.of(date(1, 3, 31), "financial_year")


@pytest.mark.parametrize(
    ("grain", "texts"),
    {
        "hour": ["2026-10-05", "2026-10-05T24", "2026-10-05T9", "2026-10-05T09:00"],
        "week": ["2026-W54", "2025-W53", "2026-W00", "2026-W1", "2026-10", "2026W10"],
        "quarter": ["2026-Q5", "2026-Q0", "2026-4", "Q4", "2026-10"],
        "year": ["26", "2026-27", "02026", "0000"],
        "financial_year": ["2026-28", "2026-26", "2026", "2026/27", "0000-01"],
        "all": ["", "ALL", "2026"],
    }.items(),
)
def test_what_is_not_of_the_grain_is_refused_with_its_form(grain, texts):
    for text in texts:
        with pytest.raises(UnknownName) as error:
            Period.parse(text, grain)
        assert FORMS[grain].shown in str(error.value)


@given(st.one_of(MOMENTS, EDGES), st.sampled_from(GRAINS), st.sampled_from(GRAINS))
def test_a_longer_period_spans_those_that_the_slow_way_finds_in_it(moment, longer, shorter):
    text = str(Period.of(moment, longer))
    assume(longer != "financial_year" or Period.read(text).grain == longer)
    try:
        first, last = Period.span(text, shorter)
    except UnknownName:
        return
    if str(Period.of(moment, shorter)) == text:
        return
    outer = Period.read(text, longer)
    of_week = timedelta(days=3) if shorter == "week" else timedelta()

    assert outer.start <= first.start + of_week
    assert last.starts_at + of_week < outer.end.replace(tzinfo=None)
    for outside in (first.previous, last.next):
        middle = (outside.start + of_week, outside.end - timedelta(hours=1) - of_week)
        assert not all(outer.start <= point < outer.end for point in middle)


@pytest.mark.parametrize(
    ("text", "grain", "first", "last"),
    [
        ("2026-10", "hour", "2026-10-01T00", "2026-10-31T23"),
        ("2026-10-25", "hour", "2026-10-25T00", "2026-10-25T23"),
        ("2026", "week", "2026-W01", "2026-W53"),
        ("2026-10", "week", "2026-W40", "2026-W44"),
        ("2026-27", "month", "2026-04", "2027-03"),
        ("2026-Q4", "day", "2026-10-01", "2026-12-31"),
        ("2010-11", "financial_year", "2010-11", "2010-11"),
        ("2010-11", "day", "2010-11-01", "2010-11-30"),
    ],
)
def test_a_longer_text_stands_for_the_shorter_periods_in_it(text, grain, first, last):
    assert tuple(map(str, Period.span(text, grain))) == (first, last)


@pytest.mark.parametrize(
    ("text", "grain"),
    [("2026-10-05", "month"), ("2026", "financial_year"), ("2026-27", "year"), ("all", "day"),
     ("2026", "all"), ("2010-11", "quarter"), ("2026-W40", "month")],
)  # fmt: skip
def test_a_text_that_holds_no_whole_period_is_refused(text, grain):
    with pytest.raises(UnknownName):
        Period.span(text, grain)


@given(st.one_of(MOMENTS, EDGES), st.sampled_from(GRAINS))
def test_the_database_gives_back_the_period(moment, grain):
    period = Period.of(moment, grain)

    assert Period.starting(period.starts_at, grain) == period
    assert Period.starting(period.in_table, grain) == period


def test_what_cannot_be_of_the_contract_is_the_shortest_period_that_begins_then():
    assert str(Period.starting(date(2026, 10, 5), "month")) == "2026-10-05"
    assert str(Period.starting(datetime(2026, 10, 1, 5), "month")) == "2026-10-01T05"
    assert str(Period.starting(datetime(2026, 10, 1), "month")) == "2026-10"
    assert str(Period.starting(date(1, 1, 1), "financial_year")) == "0001-01-01"


def selected(grain: str, *names: str, **chosen) -> list[str]:
    found = [Partition("any", "sutton", Period.parse(name, grain)) for name in names]
    return [str(item.period) for item in found if Selection(**chosen).has(item)]


def test_options_select_whole_periods_of_every_grain():
    assert selected("hour", "2026-10-05T00", "2026-10-06T00", periods=("2026-10-05",)) == [
        "2026-10-05T00"
    ]
    assert selected("week", "2026-W40", "2026-W45", periods=("2026-10",)) == ["2026-W40"]
    assert selected("financial_year", "2010-11", "2011-12", periods=("2010-11",)) == ["2010-11"]
    assert selected("year", "2025", "2026", periods=("2026-10",)) == []
    assert selected("year", "2025", "2026", first="2025-06", last="2026") == ["2026"]
    assert selected("month", "2026-10", "2026-11", last="2026-11-29") == ["2026-10"]
    assert selected("quarter", "2026-Q3", "2026-Q4", first="2026-09-01") == ["2026-Q4"]


def test_all_is_selected_by_name_or_without_periods_and_selects_nothing_else():
    assert selected("all", "all") == selected("all", "all", periods=("all",)) == ["all"]
    assert selected("all", "all", periods=("2026",)) == []
    assert selected("all", "all", first="2026") == []
    assert selected("day", "2026-10-05", periods=("all",)) == []
    assert selected("day", "2026-10-05", first="all") == []
