"""The schedule of a source: data intervals by cron, and backfills of whole periods."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from include.sources.partition import Grain, Period

# Where midnight is when the UI is set to local time.
LOCAL = ZoneInfo("Europe/London")


class PeriodTimetable(CronDataIntervalTimetable):
    """`CronDataIntervalTimetable` in UTC whose backfills include every period that they touch.

    A source's daily run begins some hours after midnight, and a month's some
    days into the next: a backfill to the 20th, which means midnight, would end
    with the 19th. A year that is fetched each month would be fetched twelve
    times. Scheduled runs and all data intervals are those of the base class.
    """

    def __init__(self, cron: str, *, period: Grain) -> None:
        super().__init__(cron, "UTC")
        self._period = period

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> PeriodTimetable:
        """The timetable that `serialize` wrote."""
        return cls(data["expression"], period=data["period"])

    def serialize(self) -> dict[str, Any]:
        """What makes the same timetable again, as JSON."""
        return {"expression": self._expression, "period": self._period}

    def next_dagrun_info(
        self,
        *,
        last_automated_data_interval: DataInterval | None,
        restriction: TimeRestriction,
    ) -> DagRunInfo | None:
        """The run after an interval, inside a restriction; a backfill's is widened to periods."""
        # Only a backfill catches up inside a window: DAGs of sources have `catchup=False`.
        if restriction.catchup:
            return self._next_of_backfill(last_automated_data_interval, restriction)
        return super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )

    def _next_of_backfill(
        self, last: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """The run of the next period, however many runs the schedule has for it."""
        earliest = restriction.earliest
        if last:
            covered = Period.of(last.start, self._period)
            if covered.grain == "all":
                return None
            earliest = max(last.end, _moment(covered.end))
        elif earliest:
            earliest = self._first_moment(earliest)
        latest = restriction.latest and self._last_moment(restriction.latest)
        return super().next_dagrun_info(
            last_automated_data_interval=None,
            restriction=restriction._replace(earliest=earliest, latest=latest),
        )

    def _first_moment(self, moment: datetime) -> pendulum.DateTime:
        """Of the period that a window begins in. The UI sends its time zone's midnight."""
        if self._period == "all":
            return _moment(moment)
        of_hours = self._period == "hour"
        period = Period.of(moment if of_hours else moment.astimezone(LOCAL).date(), self._period)
        begins = _moment(period.start)
        # A run that began before has it, too, if the schedule has fewer runs than periods.
        late = Period.of(self._align_to_next(begins), self._period) > period
        return self._align_to_prev(begins) if late else begins

    def _last_moment(self, moment: datetime) -> pendulum.DateTime:
        """Of the period that a window ends in. The UI sends the last moment of a day."""
        if self._period == "all":
            return _moment(moment)
        return _moment(Period.of(moment, self._period).end) - timedelta(microseconds=1)


def _moment(moment: datetime) -> pendulum.DateTime:
    return pendulum.instance(moment).in_timezone("UTC")
