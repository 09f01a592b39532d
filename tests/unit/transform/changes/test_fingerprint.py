"""What counts as depending on the time, and what every node depends on."""

from __future__ import annotations

import shutil

import pytest

from include.transform.changes.fingerprint import shared_hash, today
from include.transform.project import FOLDER, inputs_hash
from tests.samples import contract


@pytest.mark.parametrize(
    "text",
    ["where day > current_date - 30", "select now()", "{{ run_started_at }}", "CURRENT_TIMESTAMP"],
)
def test_what_depends_on_the_time_is_another_every_day(text):
    assert len(today(["select 1", text])) == len("2026-11-26")


@pytest.mark.parametrize("text", ["select known()", "current_dates", "now"])
def test_what_does_not_is_the_same(text):
    assert today([text]) == ""


def test_a_changed_macro_is_another_project_for_every_node(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    before = shared_hash(project)
    assert shared_hash(FOLDER) == before

    (project / "macros" / "no_outcome.sql").write_text("{% macro no_outcome() %}?{% endmacro %}")

    assert shared_hash(project) != before


def test_a_changed_contract_or_model_is_another_input_of_a_build(tmp_path):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    gauges, wider = contract(), contract(description="Another one.")
    before = inputs_hash(project, {"gauges": gauges})
    assert inputs_hash(FOLDER, {"gauges": gauges}) == before

    assert inputs_hash(project, {"gauges": wider}) != before
    (project / "models" / "marts" / "weather_daily.sql").write_text("select 1")
    assert inputs_hash(project, {"gauges": gauges}) != before
