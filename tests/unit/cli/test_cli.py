"""The command line: what is wrong is said in one message, with the culprit and what is known."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from include import cli

COMMANDS = {
    "up", "down", "status", "demo", "migrate", "ingest", "reload", "transform", "ledger",
    "quarantine", "sources", "councils", "sandbox", "env", "doctor", "replay",
    "housekeeping", "erase", "verify", "explain",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("WANDLE_", "AWS_", "AIRFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def wandle(monkeypatch, capsys):
    """Runs the command line; exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wandle", *arguments])
        try:
            cli.main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


INGEST = ("ingest", "police_street_crime")
WRONG_NAMES = [
    (("ingest", "crimes", "-p", "2017-05"), "unknown source 'crimes'. Known: "),
    (
        (*INGEST, "-c", "croydon", "-p", "2017-05"),
        "unknown council 'croydon'. Known: ",
    ),
    ((*INGEST, "-p", "2017-5"), "'2017-5' is not a valid month. Use YYYY-MM"),
    ((*INGEST, "-p", "2031-01"), "2031-01 has not started"),
    ((*INGEST, "-p", "2009-01"), "the data start at 2010-12"),
    (INGEST, "is partitioned by month. Add `--period"),
    (("ingest", "police_ward_boundaries", "-p", "2017-05"), "is a snapshot"),
    (("reload", "crimes"), "unknown source 'crimes'"),
    (("reload", "police_street_crime", "-c", "croydon"), "unknown council 'croydon'"),
    (("reload", "police_street_crime", "-p", "May"), "'May' is not a valid month"),
    (("reload", "[/red]"), "unknown source '[/red]'"),
    (("replay", "-s", "crimes"), "unknown source 'crimes'"),
    (("verify", "-s", "police_street_crime", "-p", "May"), "'May' is not a valid month"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG_NAMES, ids=lambda item: str(item)[:40])
def test_a_wrong_name_is_one_message_and_exit_code_1(wandle, arguments, said):
    code, out, err = wandle(*arguments)

    assert code == 1
    assert err.startswith("wandle: ")
    assert said in err
    assert "Traceback" not in err + out


@pytest.mark.parametrize(
    "arguments",
    [
        ("ledger",),
        ("quarantine",),
        ("migrate",),
        ("replay",),
        ("verify",),
        ("explain", "raw.police_street_crime", "-k", "id=1"),
    ],
)
def test_without_a_platform_the_command_that_makes_one_is_named(wandle, arguments):
    code, _, err = wandle(*arguments)

    assert code == 1
    assert "`wandle up`" in err


@pytest.mark.parametrize("arguments", [("reload",), ("reload", "police_street_crime", "--all")])
def test_reload_wants_one_source_or_all(wandle, arguments):
    code, _, err = wandle(*arguments)

    assert code == 2
    assert "name a source, or use --all" in err


def test_an_unknown_command_is_a_usage_error(wandle):
    assert wandle("indigest")[0] == 2


def test_every_promised_command_is_there():
    assert set(get_command(cli.app).commands) >= COMMANDS


def test_every_command_stands_in_a_group_of_the_help():
    without = [
        name for name, command in get_command(cli.app).commands.items()
        if not command.rich_help_panel
    ]  # fmt: skip

    assert without == []


@pytest.mark.parametrize("command", sorted(COMMANDS - {"status", "doctor", "sources", "councils"}))
def test_the_help_of_a_command_has_an_example(command):
    result = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert re.search(rf"Examples?:?.*{command}", result.output, re.DOTALL)


def test_help_says_where_to_begin():
    result = CliRunner().invoke(cli.app, ["--help"])

    assert "make demo" in result.output


def test_the_sources_as_json_hold_their_columns(wandle):
    found = json.loads(wandle("sources", "--json")[1])

    crime = next(item for item in found if item["source"] == "police_street_crime")
    assert "outcome_category" in [column["name"] for column in crime["columns"]]


def test_the_councils_as_json_hold_their_wards(wandle):
    found = {item["council"]: item for item in json.loads(wandle("councils", "--json")[1])}

    assert len(found["sutton"]["wards"]) == 18
    assert found["kingston"]["gss_code"] == "E09000021"


@pytest.mark.parametrize("command", ["sources", "councils"])
def test_a_table_is_for_people(wandle, command):
    code, out, _ = wandle(command)

    assert code == 0
    assert "sutton" in out or "police_street_crime" in out
