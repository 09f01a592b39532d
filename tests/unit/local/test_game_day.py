"""`wandle game-day` breaks a running platform of the sandbox, and nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from include.local.game_day import SCENARIOS, STATE
from include.local.state import prepare
from include.settings import Settings
from tests.command_line import command_line

RUNBOOK = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("WANDLE_", "AWS_", "AIRFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDLE_PORT_BASE", "23430")
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def wandle(monkeypatch, capsys):
    return command_line(monkeypatch, capsys)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("WANDLE_ENVIRONMENT", "prod"), ("WANDLE_LIVE", "1"), ("WANDLE_PAYLOADS", "/tmp")],
)
@pytest.mark.parametrize("arguments", [(), ("lost-rows",)])
def test_real_data_are_never_broken(wandle, monkeypatch, tmp_path, variable, value, arguments):
    monkeypatch.setenv(variable, value)

    code, out, err = wandle("game-day", *arguments)

    assert (code, out) == (1, "")
    assert "only a local platform of the sandbox may be broken" in " ".join(err.split())
    assert not (tmp_path / "home").exists()


def test_a_state_folder_of_the_live_apis_is_refused_although_no_variable_says_so(
    wandle, monkeypatch, tmp_path
):
    monkeypatch.setenv("WANDLE_LIVE", "1")
    prepare(Settings.read())
    monkeypatch.delenv("WANDLE_LIVE")

    code, _, err = wandle("game-day")

    assert code == 1
    assert "only a local platform of the sandbox may be broken" in " ".join(err.split())
    assert not (tmp_path / "home" / STATE).exists()


def test_a_platform_that_does_not_run_is_not_broken_further(wandle, tmp_path):
    prepare(Settings.read())

    code, _, err = wandle("game-day")

    assert code == 1
    assert "not running: postgresql, s3, sandbox" in err
    assert "`wandle up`" in err
    assert not (tmp_path / "home" / STATE).exists()


@pytest.mark.parametrize("arguments", [("--list", "--reveal"), ("lost-rows", "--restore")])
def test_one_thing_at_a_time(wandle, arguments):
    code, _, err = wandle("game-day", *arguments)

    assert code == 1
    assert "pass one of SCENARIO, --list, --reveal and --restore" in err


def test_nothing_broken_is_reported(wandle):
    assert wandle("game-day", "--restore") == (0, "Nothing is broken.\n", "")
    code, _, err = wandle("game-day", "--reveal")
    assert code == 1
    assert "nothing is broken" in err


def test_the_list_does_not_give_the_causes_away(wandle):
    code, out, _ = wandle("game-day", "--list")

    said = " ".join(out.split())
    assert code == 0
    for scenario in SCENARIOS.values():
        assert f"{scenario.name}: {scenario.heard}" in said
        assert scenario.cause not in said


def test_what_is_broken_is_revealed_with_the_command_that_finds_it(wandle, tmp_path):
    prepare(Settings.read())
    kept = {"scenario": "lost-rows", "began": "2026-11-27T05:00:00+00:00", "notes": {}}
    (tmp_path / "home" / STATE).write_text(json.dumps(kept))

    code, out, _ = wandle("game-day", "--reveal")

    assert code == 0
    assert "Found by `wandle verify`" in out


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=lambda one: one.name)
def test_the_runbook_has_the_command_that_finds_it(scenario):
    command, *options = scenario.found_by.split(" --")

    assert command in RUNBOOK
    for option in options:
        assert f"--{option}" in RUNBOOK
