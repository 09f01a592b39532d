"""What counts as depending on the time, and what every node depends on."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.transform.changes import fingerprint
from include.transform.changes.fingerprint import shared_hash, today
from include.transform.project import FOLDER, inputs_hash
from tests.samples import contract


class Tomorrow(datetime):
    """A clock that is a day ahead."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        """The time in a day."""
        return datetime.now(tz) + timedelta(days=1)


@pytest.mark.parametrize(
    "text",
    [
        *("where day > current_date - 30", "select now()", "{{ run_started_at }}"),
        *("CURRENT_TIMESTAMP", "current_time", "localtime", "now ( )", "statement_timestamp()"),
        *("transaction_timestamp()", "age(opened_on)", "'today'::date", "date 'yesterday'"),
    ],
)
def test_what_depends_on_the_time_changes_every_day(text):
    assert len(today(["select 1", text])) == len("2026-11-26")


@pytest.mark.parametrize(
    "text", ["select known()", "current_dates", "now", "age(opened_on, closed_on)", "page(x)"]
)
def test_what_does_not_depend_on_the_time_stays_the_same(text):
    assert today([text]) == ""


def test_a_changed_macro_changes_the_project_for_every_node(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    before = shared_hash(project)
    assert shared_hash(FOLDER) == before

    (project / "macros" / "no_outcome.sql").write_text("{% macro no_outcome() %}?{% endmacro %}")

    assert shared_hash(project) != before


def test_the_project_is_the_same_tomorrow(monkeypatch):
    before = shared_hash(FOLDER), inputs_hash(FOLDER, {})

    monkeypatch.setattr(fingerprint, "datetime", Tomorrow)

    assert (shared_hash(FOLDER), inputs_hash(FOLDER, {})) == before
    assert today(["current_date"]) == f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"


def test_a_macro_with_the_date_changes_the_project_every_day(tmp_path, monkeypatch):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "macros" / "no_outcome.sql").write_text("{% macro x() %}current_date{% endmacro %}")
    before = shared_hash(project), inputs_hash(project, {})

    monkeypatch.setattr(fingerprint, "datetime", Tomorrow)

    assert shared_hash(project) != before[0]
    assert inputs_hash(project, {}) != before[1]


def test_a_changed_contract_or_model_changes_the_input_of_a_build(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    gauges, wider = contract(), contract(description="Another one.")
    before = inputs_hash(project, {"gauges": gauges})
    assert inputs_hash(FOLDER, {"gauges": gauges}) == before

    assert inputs_hash(project, {"gauges": wider}) != before
    (project / "models" / "marts" / "weather_daily.sql").write_text("select 1")
    assert inputs_hash(project, {"gauges": gauges}) != before
