"""Everything that `wandle game-day` breaks is found by the runbook's command, and undone."""

from __future__ import annotations

import json

import pytest

from include.local.game_day import SCENARIOS
from tests.acceptance.airflow_runs import waited
from tests.acceptance.conftest import Wandle

# What the command that finds it says.
CLUES = {
    "lost-rows": "row count",
    "damaged-landing": "damaged landing",
    "changed-field": "latitude breaks rule `type`",
    "publisher-gone": "HTTP 404",
    "locked-out": "wandle_reader cannot log in",
    "stopped-scheduler": "scheduler dead",
    "paused-transform": "transform. A run that is triggered",
}

pytestmark = [pytest.mark.timeout(900), pytest.mark.platform]


def said(platform: Wandle, command: str) -> str:
    """What a command prints, on one line."""
    done = platform.run(*command.split()[1:])
    return " ".join((done.stdout + done.stderr).split())


def verified(platform: Wandle) -> bool:
    """Whether S3 and the tables agree; a scheduled run may be between the two."""
    return platform.run("verify", "--deep").returncode == 0


def test_every_scenario_has_a_clue():
    assert CLUES.keys() == SCENARIOS.keys()
    assert len(SCENARIOS) >= 5


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_breaks_is_found_and_restored(sandbox: Wandle, name: str):
    scenario = SCENARIOS[name]
    assert CLUES[name] not in said(sandbox, scenario.found_by)

    begun = said(sandbox, f"wandle game-day {name}")

    assert scenario.heard in begun
    assert scenario.cause not in begun
    assert CLUES[name] in said(sandbox, scenario.found_by)
    assert scenario.cause in said(sandbox, "wandle game-day --reveal")
    again = sandbox.run("game-day")
    assert again.returncode == 1
    assert "something is broken already" in again.stderr

    assert sandbox.ok("game-day", "--restore").strip() == f"Restored: {name}."

    assert CLUES[name] not in said(sandbox, scenario.found_by)
    waited(f"verify after {name}", lambda: verified(sandbox), 120)
    sandbox.ok("status")
    assert not (sandbox.home / "game-day.json").exists()
    assert not (sandbox.home / "faults.json").exists()
    assert sandbox.ok("game-day", "--restore").strip() == "Nothing is broken."


@pytest.mark.parametrize("name", SCENARIOS)
def test_one_that_was_interrupted_before_it_broke_anything_is_restored(sandbox, name):
    sandbox.ok("game-day", name)
    kept = (sandbox.home / "game-day.json").read_text()
    sandbox.ok("game-day", "--restore")
    (sandbox.home / "game-day.json").write_text(kept)

    assert "Restored" in sandbox.ok("game-day", "--restore")

    waited(f"verify after {name}", lambda: verified(sandbox), 120)


def test_faults_that_were_there_before_are_there_again(sandbox):
    rules = json.dumps([{"match": {"path": "nothing-of-this-name"}, "fault": "500"}])
    faults = sandbox.home / "faults.json"
    faults.write_text(rules)
    try:
        sandbox.ok("game-day", "publisher-gone")
        assert len(json.loads(faults.read_text())) == 2

        sandbox.ok("game-day", "--restore")

        assert faults.read_text() == rules
    finally:
        faults.unlink()
