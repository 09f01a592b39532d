"""The schedule of the sources: cron's data intervals, and backfills of whole periods."""

from __future__ import annotations

from datetime import date, timedelta

import pendulum
import pytest
from airflow.serialization.decoders import decode_timetable
from airflow.serialization.encoders import encode_timetable
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from hypothesis import given, settings
from hypothesis import strategies as st

from include.jobs.pipeline.plan import plan
from include.sources.partition import FORMS, Period
from plugins.period_timetable import PeriodTimetable
from tests.samples import contract, extracting

REQUEST = {"path": "/gauges", "query": {"when": "{period:%Y-%m-%dT%H}"}}

grains = st.sampled_from(["day", "month"])
days = st.dates(date(2015, 1, 1), date(2026, 12, 31))
clock_times = st.tuples(st.integers(0, 23), st.integers(0, 59))


def cron(grain: str, at: tuple[int, int], day: int = 3) -> str:
    hour, minute = at
    return f"{minute} {hour} {'*' if grain == 'day' else day} * *"


def midnight(day: date) -> pendulum.DateTime:
    return pendulum.datetime(day.year, day.month, day.day)


def backfilled(timetable, first, last) -> list[Period]:
    """The periods of a backfill's runs: that of each data interval's start."""
    found, info = [], None
    restriction = TimeRestriction(first, last, catchup=True)
    while info := timetable.next_dagrun_info(
        last_automated_data_interval=info and info.data_interval, restriction=restriction
    ):
        found.append(Period.of(info.data_interval.start.date(), timetable._period))
    return found


@given(grains, clock_times, st.integers(1, 28), days, st.integers(0, 70))
def test_a_backfill_runs_each_period_from_the_first_date_to_the_last(grain, at, day, first, length):
    last = first + timedelta(days=length)
    timetable = PeriodTimetable(cron(grain, at, day), period=grain)

    periods = backfilled(timetable, midnight(first), midnight(last))

    assert periods == Period.of(first, grain).until(Period.of(last, grain))


SCHEDULES = st.sampled_from(
    [
        *("7 * * * *", "*/15 * * * *", "20 3 * * *", "20 3 * * mon-fri", "0 6 * * 2"),
        *("30 4 3 * *", "0 6 3 1,4,7,10 *", "0 6 9 4 *"),
    ]
)


@settings(deadline=None, max_examples=50)
@given(SCHEDULES, st.sampled_from([g for g in FORMS if g != "all"]), days, st.integers(0, 40))
def test_a_backfill_covers_each_period_of_its_dates_once_whatever_the_schedule(
    schedule, grain, first, length
):
    last = first + timedelta(days=length)
    timetable = PeriodTimetable(schedule, period=grain)
    restriction = TimeRestriction(midnight(first), midnight(last), catchup=True)
    source = contract(period=grain, start="2000-01-01", extract=extracting(request=REQUEST))

    found, info = [], None
    while info := timetable.next_dagrun_info(
        last_automated_data_interval=info and info.data_interval, restriction=restriction
    ):
        interval = (info.data_interval.start, info.data_interval.end)
        planned = plan(
            source, today=date(2040, 1, 1), interval=interval, councils=["sutton"], most=10**6
        )
        found += [partition.period for partition in planned]

    wanted = Period.of(first, grain).until(Period.of(last, grain))
    assert set(wanted) <= set(found)
    assert len(found) == len(set(found))


def test_a_backfill_of_all_there_is_is_one_run():
    timetable = PeriodTimetable("0 6 * * *", period="all")

    found = []
    restriction = TimeRestriction(midnight(date(2026, 1, 1)), midnight(date(2026, 3, 1)), True)
    info = None
    while info := timetable.next_dagrun_info(
        last_automated_data_interval=info and info.data_interval, restriction=restriction
    ):
        found.append(info.data_interval.start)

    assert found == [pendulum.datetime(2026, 1, 1, 6)]


@given(grains, clock_times, days, st.booleans())
def test_scheduled_runs_are_those_of_the_cron_schedule(grain, at, day, is_first):
    ours = PeriodTimetable(cron(grain, at), period=grain)
    base = CronDataIntervalTimetable(cron(grain, at), "UTC")
    end = base._align_to_prev(midnight(day))
    before = None if is_first else DataInterval(base._get_prev(end), end)
    asked = {
        "last_automated_data_interval": before,
        "restriction": TimeRestriction(midnight(day), None, catchup=False),
    }

    assert ours.next_dagrun_info(**asked) == base.next_dagrun_info(**asked)
    manual = {"run_after": midnight(day)}
    assert ours.infer_manual_data_interval(**manual) == base.infer_manual_data_interval(**manual)


@pytest.mark.parametrize("grain", ["day", "month"])
def test_the_scheduler_reads_the_timetable_that_the_dag_file_wrote(grain):
    written = encode_timetable(PeriodTimetable("30 4 3 * *", period=grain))

    read = decode_timetable(written)

    assert type(read) is PeriodTimetable
    assert encode_timetable(read) == written
    assert read.summary == "30 4 3 * *"
