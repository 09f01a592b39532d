"""Registers the schedule of the sources, so that the scheduler and the API server can read it."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from plugins.period_timetable import PeriodTimetable


class TimetablesPlugin(AirflowPlugin):
    """Registers the timetable under the name by which DAG files import it."""

    name = "timetables"
    timetables = [PeriodTimetable]  # noqa: RUF012
