"""The command line: what is wrong is said in one message, with the culprit and what is known."""

from __future__ import annotations

import json
import os
import re

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from include import cli
from include.cli.terminal import ask
from include.errors import PermanentError
from include.jobs.author.questions import Question
from include.local.state import prepare
from include.settings import Settings
from tests.command_line import command_line


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
    return command_line(monkeypatch, capsys)


INGEST = ("ingest", "police_street_crime")
WRONG_NAMES = [
    (("ingest", "crimes", "-p", "2017-05"), "unknown source 'crimes'. Known: "),
    (
        (*INGEST, "-c", "croydon", "-p", "2017-05"),
        "unknown council 'croydon'. Known: ",
    ),
    ((*INGEST, "-p", "2017-5"), "'2017-5' is not a valid month. Use YYYY-MM"),
    ((*INGEST, "-p", "2031-01"), "2031-01 has not started"),
    ((*INGEST, "-p", "2031-01"), "Correct `--period`."),
    ((*INGEST, "--to", "2031-01"), "Correct `--to`."),
    ((*INGEST, "-p", "2009-01"), "the data start at 2010-12"),
    ((*INGEST, "--from", "2008-01", "--to", "2009-01"), "Correct `--from` and `--to`."),
    ((*INGEST, "--from", "2018-01", "--to", "2017-01"), "is after `--to 2017-01`. Swap them"),
    ((*INGEST, "-p", "2017-01", "--to", "2017-02"), "`--period` excludes `--from` and `--to`"),
    (INGEST, "is partitioned by month. Add `--period"),
    (("ingest", "police_ward_boundaries", "-p", "2017-05"), "is a snapshot"),
    (
        ("ingest", "police_ward_boundaries", "-p", "2017-05"),
        "Omit `--period`, or reload that period from S3 (`wandle reload police_ward_boundaries`)",
    ),
    (("ingest", "bank_holidays", "-c", "sutton"), "Omit `--council`, or use 'uk'"),
    (("ingest", "police_steet_crime"), "Did you mean police_street_crime?"),
    ((*INGEST, "-c", "suton", "-p", "2017-05"), "Did you mean sutton?"),
    (("reload", "crimes"), "unknown source 'crimes'"),
    (("reload", "police_street_crime", "-c", "croydon"), "unknown council 'croydon'"),
    (("reload", "police_street_crime", "-p", "May"), "'May' is not a valid month"),
    (("reload", "[/red]"), "unknown source '[/red]'"),
    (("replay", "crimes"), "unknown source 'crimes'"),
    (("verify", "police_street_crime", "-p", "May"), "'May' is not a valid month"),
    (("verify", "weather_hourly", "-p", "May"), "'May' is not a valid day"),
    (("verify", "-p", "May"), "'May' is not a valid period. Use 2017-05-31T09"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG_NAMES, ids=lambda item: str(item)[:40])
def test_a_wrong_name_is_one_message_and_exit_code_1(wandle, arguments, said):
    code, out, err = wandle(*arguments)

    assert code == 1
    assert err.startswith("wandle: ")
    assert said in err
    assert "Traceback" not in err + out


# Arguments for each command that reads or writes the warehouse, the bucket or the sandbox.
NEEDS_A_PLATFORM = {
    "alerts": (),
    "diff": (),
    "drift": (),
    "erase": ("service_requests", "-k", "case_id=1"),
    "files": ("council_spend",),
    "explain": ("raw.police_street_crime", "-k", "id=1"),
    "housekeeping": (),
    "ingest": (*INGEST[1:], "-p", "2017-05"),
    "ledger": (),
    "migrate": (),
    "new-council": ("merton", "--title", "M", "--gss", "E09000024", "--box", "1,2,3,4"),
    "profile": ("raw.police_street_crime",),
    "publish": (),
    "put": ("council_spend", __file__),
    "quarantine": (),
    "reload": ("--all",),
    "remove": ("police_street_crime",),
    "replay": (),
    "serve": (),
    "sheets": ("marts.weather_daily", "1" * 44),
    "transform": (),
    "verify": (),
}
# They start a platform, are about this machine, or only read files.
NEEDS_NONE = {
    "councils", "demo", "doctor", "down", "env", "export-odcs", "game-day", "import-odcs",
    "lineage", "new-project", "new-source", "sandbox", "secrets", "sources", "status", "sync",
    "up", "validate",
}  # fmt: skip


def test_every_command_either_needs_a_platform_or_none():
    assert NEEDS_A_PLATFORM.keys() | NEEDS_NONE == set(get_command(cli.app).commands)


@pytest.mark.parametrize("command", sorted(NEEDS_A_PLATFORM.keys() - {"new-council"}))
def test_without_a_platform_the_command_that_makes_one_is_named(wandle, command):
    code, out, err = wandle(command, *NEEDS_A_PLATFORM[command])

    assert (code, out) == (1, "")
    assert "`wandle up`" in err


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """The state folder of a platform that is stopped."""
    monkeypatch.setenv("WANDLE_PORT_BASE", "23410")
    prepare(Settings.read())


@pytest.mark.parametrize("command", sorted(NEEDS_A_PLATFORM))
def test_on_a_stopped_platform_the_command_that_starts_it_is_named(wandle, stopped, command):
    code, out, err = wandle(command, *NEEDS_A_PLATFORM[command])

    assert (code, out) == (1, "")
    assert re.fullmatch(
        r"wandle: platform: not running: [a-z0-9, ]+\. Start it: `wandle up`\.\n", err
    )


def test_validate_says_that_it_skips_the_database_of_a_stopped_platform(wandle, stopped):
    _, out, _ = wandle("validate")

    assert "Skipped the database: platform: not running: postgresql. Start it: `wandle up`." in out


@pytest.mark.parametrize("arguments", [("reload",), ("reload", "police_street_crime", "--all")])
def test_reload_wants_one_source_or_all(wandle, arguments):
    code, _, err = wandle(*arguments)

    assert code == 2
    assert "name a source, or use --all" in err


def test_an_unknown_command_is_a_usage_error(wandle):
    assert wandle("indigest")[0] == 2


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


def test_what_a_draft_cannot_know_is_prompted_for_on_a_terminal(monkeypatch, capsys):
    question = Question("new-source: the workbook has several sheets: which one", "--sheet", "ab")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text, **how: f" {text[-9:]} ")

    assert ask(question) == "which one"
    assert capsys.readouterr().out.split() == ["a", "b"]


def test_without_a_terminal_the_option_is_named(monkeypatch):
    question = Question("new-source: the workbook has several sheets: which one", "--sheet", "ab")
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    with pytest.raises(PermanentError, match=r"Pass --sheet: one of a, b\."):
        ask(question)


def test_contracts_are_exported_and_imported_by_commands(wandle, tmp_path, monkeypatch):
    code, out, _ = wandle("export-odcs", "weather_hourly", "--into", str(tmp_path / "odcs"))
    file = tmp_path / "odcs" / "weather_hourly.odcs.yaml"

    assert (code, out) == (0, f"Wrote {file}\n")

    code, _, err = wandle("import-odcs", str(file))

    assert code == 1
    assert "weather_hourly.yaml exists" in err


@pytest.mark.parametrize("arguments", [(), ("weather_hourly", "--all")])
def test_what_to_export_is_said_once(wandle, arguments):
    code, _, err = wandle("export-odcs", *arguments)

    assert code == 1
    assert "pass either sources or --all" in err
