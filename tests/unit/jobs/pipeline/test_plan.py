"""Which partitions a run is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import PermanentError, UnknownName
from include.jobs.pipeline.plan import plan
from tests.samples import contract

TODAY = date(2026, 11, 21)
MONTHLY = contract(lookback=2)
DAILY = contract(period="day")
SNAPSHOT = contract(snapshot=True)
OF_NO_COUNCIL = contract(councils="uk")


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def periods(source, **asked) -> list[str]:
    planned = plan(source, today=TODAY, councils=["sutton"], **asked)
    return [str(item.period) for item in planned]


def test_councils_are_planned_within_periods(monkeypatch):
    titles = {"kingston": "Kingston", "sutton": "Sutton"}
    monkeypatch.setattr("include.councils.model.council_titles", lambda: titles)

    planned = plan(MONTHLY, today=TODAY, first="2017-01", last="2017-02")

    assert [(str(item.period), item.council) for item in planned] == [
        ("2017-01", "kingston"),
        ("2017-01", "sutton"),
        ("2017-02", "kingston"),
        ("2017-02", "sutton"),
    ]


def test_a_council_that_is_requested_twice_is_planned_once():
    planned = plan(MONTHLY, today=TODAY, councils=["sutton", "sutton"], first="2017-01")

    assert planned == [MONTHLY.partition("sutton", "2017-01")]


@pytest.mark.parametrize("asked", [{"first": "2017-03"}, {"last": "2017-03"}])
def test_a_single_end_is_one_period(asked):
    assert periods(MONTHLY, **asked) == ["2017-03"]


def test_the_starts_date_decides_an_intervals_period():
    of_a_schedule = (at(2026, 9, 3, 4, 30), at(2026, 10, 3, 4, 30))

    assert periods(MONTHLY, interval=of_a_schedule) == ["2026-09"]


def test_an_interval_within_a_day_is_that_day():
    assert periods(DAILY, interval=(at(2026, 9, 3, 4), at(2026, 9, 3, 5))) == ["2026-09-03"]


def test_an_interval_is_taken_in_utc():
    summer = timezone(timedelta(hours=1))
    start = datetime(2026, 9, 1, 0, 30, tzinfo=summer)

    assert periods(DAILY, interval=(start, start + timedelta(days=1))) == ["2026-08-31"]


INSTANTS = st.datetimes(datetime(2011, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC))


@given(
    INSTANTS,
    st.timedeltas(timedelta(hours=1), timedelta(days=70)),
    st.timedeltas(timedelta(hours=1), timedelta(days=70)),
    st.sampled_from([MONTHLY, DAILY]),
)
def test_an_interval_always_holds_its_starts_period(start, first, second, source):
    middle, end = start + first, start + first + second

    earlier = periods(source, interval=(start, middle))
    later = periods(source, interval=(middle, end))

    grain = 7 if source.period == "month" else 10
    assert earlier[0] == start.date().isoformat()[:grain]
    assert later[0] == middle.date().isoformat()[:grain]


@given(st.lists(st.dates(date(2011, 1, 1), date(2012, 6, 1)), min_size=3, max_size=6, unique=True))
def test_daily_intervals_that_follow_each_other_share_no_period_and_leave_none_out(days):
    times = [at(day.year, day.month, day.day, 4, 30) for day in sorted(days)]

    planned = [
        period for pair in pairwise(times) for period in periods(DAILY, interval=pair, most=10_000)
    ]

    assert planned == periods(DAILY, interval=(times[0], times[-1]), most=10_000)
    assert len(planned) == len(set(planned)) == (times[-1] - times[0]).days


def test_lookback_adds_the_periods_before():
    interval = (at(2026, 9, 3), at(2026, 10, 3))

    assert periods(MONTHLY, interval=interval, lookback=True) == ["2026-07", "2026-08", "2026-09"]


def test_lookback_ends_where_the_data_begin():
    young = contract(lookback=5, start="2026-08-15")
    interval = (at(2026, 9, 3), at(2026, 10, 3))

    assert periods(young, interval=interval, lookback=True) == ["2026-08", "2026-09"]


def test_a_window_that_is_requested_wins_over_the_interval_and_has_no_lookback():
    asked = {"first": "2017-01", "interval": (at(2026, 9, 3), at(2026, 10, 3)), "lookback": True}

    assert periods(MONTHLY, **asked) == ["2017-01"]


def test_the_current_period_can_be_requested():
    assert periods(MONTHLY, first="2026-11") == ["2026-11"]


REFUSED = {
    "no window": ({}, "has no period"),
    "an empty interval": ({"interval": (at(2026, 1, 1), at(2026, 1, 1))}, "has no period"),
    "a backward window": (
        {"first": "2017-03", "last": "2017-01"},
        "2017-03 is after 2017-01. Swap them",
    ),
    "before the data": ({"first": "2009-01", "last": "2009-12"}, "the data start at 2010-01"),
    "a begin before the data": ({"first": "2009-12", "last": "2017-01"}, "and 2009-12 is earlier"),
    "the future": ({"first": "2026-12"}, "2026-12 has not started"),
    "an end in the future": ({"first": "2026-10", "last": "9999-12"}, "9999-12 has not started"),
    "too much": ({"first": "2017-01", "last": "2017-04", "most": 3}, "4 partitions; the limit"),
}


@pytest.mark.parametrize(("asked", "said"), REFUSED.values(), ids=REFUSED)
def test_an_impossible_window_is_refused(asked, said):
    with pytest.raises(PermanentError, match=said):
        periods(MONTHLY, **asked)


def test_as_many_partitions_as_allowed_are_planned():
    assert len(periods(MONTHLY, first="2017-01", last="2017-03", most=3)) == 3


@pytest.mark.parametrize("asked", [{"first": "2017-1"}, {"last": "2017-01-01"}])
def test_a_period_in_another_form_is_refused(asked):
    with pytest.raises(UnknownName, match="is not a valid month"):
        periods(MONTHLY, **asked)


def test_an_unknown_council_is_refused():
    with pytest.raises(UnknownName, match="unknown council 'croydon'"):
        plan(MONTHLY, today=TODAY, councils=["sutton", "croydon"], first="2017-01")


@pytest.mark.parametrize("asked", [{}, {"first": "2026-11"}, {"last": "2026-11"}])
def test_a_snapshot_is_of_the_current_period(asked):
    assert periods(SNAPSHOT, **asked) == ["2026-11"]


@pytest.mark.parametrize(
    "asked",
    [{"first": "2026-10"}, {"first": "2026-10", "last": "2026-11"},
     {"interval": (at(2026, 9, 1), at(2026, 10, 1))}],
)  # fmt: skip
def test_a_snapshot_of_another_period_is_refused(asked):
    with pytest.raises(PermanentError, match="is a snapshot: its API returns 2026-11 only"):
        periods(SNAPSHOT, **asked)


def test_an_earlier_snapshot_can_be_reloaded():
    assert periods(SNAPSHOT, first="2026-10", reload=True) == ["2026-10"]


def test_a_source_without_councils_is_planned_for_the_country():
    planned = plan(OF_NO_COUNCIL, today=TODAY, first="2017-01")

    assert planned == [OF_NO_COUNCIL.partition("uk", "2017-01")]


def test_a_source_without_councils_refuses_one():
    with pytest.raises(PermanentError, match="belongs to no council, but the run names 'sutton'"):
        plan(OF_NO_COUNCIL, today=TODAY, councils=["sutton"], first="2017-01")


@pytest.mark.parametrize(
    ("day", "earlier"), [(1, 95), (2, 10)], ids=["the first of a month", "any other day"]
)
def test_the_run_of_a_months_first_day_looks_back_further(day, earlier):
    source = contract(period="day", lookback=10, lookback_monthly=95)
    interval = (at(2026, 11, day), at(2026, 11, day + 1))

    found = periods(source, interval=interval, lookback=True)

    assert len(found) == 1 + earlier
    assert found[-1] == f"2026-11-{day:02}"
    assert periods(source, interval=interval) == [f"2026-11-{day:02}"]
