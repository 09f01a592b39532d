"""Periods: how they are written, and what comes before and after."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import UnknownName
from include.sources.partition import Partition, Period

DAYS = st.dates(date(1900, 1, 1), date(2199, 12, 31))
GRAINS = st.sampled_from(["day", "month"])


@given(DAYS, GRAINS)
def test_a_period_holds_its_day_and_is_read_back_as_written(day, grain):
    period = Period.of(day, grain)

    assert period.first_day <= day <= period.last_day
    assert Period.parse(str(period), grain) == period


@given(DAYS, GRAINS)
def test_periods_follow_each_other_without_gap_or_overlap(day, grain):
    period = Period.of(day, grain)

    assert period.next.first_day == period.last_day + timedelta(days=1)
    assert period.next.previous == period


@given(DAYS, st.integers(-3, 40), GRAINS)
def test_a_window_holds_each_period_once_in_order(day, count, grain):
    first = Period.of(day, grain)
    last = first
    for _ in range(abs(count)):
        last = last.next if count > 0 else last.previous

    window = first.until(last)

    assert len(window) == max(0, count + 1)
    assert window == sorted(set(window))


@pytest.mark.parametrize(
    "text",
    ["2017-5", "2017", "2017-13", "2017-00", "201705", "2017-05-01", "", " 2017-05", "2017-05\n",
     "0000-01", "\uff12017-05", "May 2017"],
)  # fmt: skip
def test_what_is_not_a_month_is_refused_with_the_form(text):
    with pytest.raises(UnknownName, match=r"is not a valid month\. Use YYYY-MM"):
        Period.parse(text, "month")


@pytest.mark.parametrize("text", ["2017-05", "2017-02-29", "2017-5-1", "20170501"])
def test_what_is_not_a_day_is_refused_with_the_form(text):
    with pytest.raises(UnknownName, match=r"is not a valid day\. Use YYYY-MM-DD"):
        Period.parse(text, "day")


def test_a_partition_reads_as_source_council_period():
    partition = Partition("crime", "sutton", Period.parse("2017-05", "month"))

    assert str(partition) == "crime sutton 2017-05"
