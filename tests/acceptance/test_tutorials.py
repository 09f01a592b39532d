"""The pages of docs/tutorials are followed to the letter on a platform of the sandbox."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from dotenv import dotenv_values

from include.local.services.airflow_api import FINISHED
from tests.acceptance.newcomer import (
    BLOCK,
    CHECKOUT,
    Newcomer,
    finished,
    newcomer,
    triggered,
)

PORT_BASE = 18_580
TUTORIALS = CHECKOUT / "docs" / "tutorials"
BACKFILL_SECONDS = 1_500
OLDER_AIRFLOW = "3.2.0"

pytestmark = [pytest.mark.timeout(2_400), pytest.mark.platform]


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    with newcomer(tmp_path_factory, PORT_BASE) as found:
        yield found


def last_output(person: Newcomer, line: str) -> str:
    """What the block with a line printed, on one line."""
    (block,) = [said for text, said in person.said.items() if line in text]
    return " ".join(block.split())


def test_a_contract_is_fixed_and_quarantine_replayed(person):
    contract = person.folder / "include" / "sources" / "bank_holidays.yaml"
    before = yaml.safe_load(contract.read_text())

    person.follow(TUTORIALS / "fix-a-contract.md")

    quarantined = " ".join(person.said["wandle quarantine bank_holidays"].split())
    assert 'division: "northern-ireland"' in quarantined
    assert "allowed" in quarantined
    assert "No matching records in quarantine." in last_output(
        person, "wandle verify bank_holidays"
    )
    assert person.rows(
        "select count(*) > 0 from raw.bank_holidays where division = 'northern-ireland'"
    ) == [(True,)]
    # The page ends with the contract as it is in the repository.
    assert yaml.safe_load(contract.read_text()) == before


def test_a_mart_and_a_chart_are_seen_on_the_dashboard(person):
    person.follow(TUTORIALS / "add-a-mart-and-a-chart.md")

    assert "0 differences" in last_output(person, "wandle validate")
    rows = person.rows(
        "select council, wet_days, days_known from marts.wet_days_monthly order by council",
        "WANDLE_WAREHOUSE_DSN",
    )
    assert [council for council, _, days in rows if days >= 5] == ["kingston", "sutton"]
    newest = max((person.home / "s3").glob("*/published/*/site/topic"), key=os.path.getmtime)
    page = (newest / "wet-days.html").read_text(encoding="utf-8")
    for name, wet, known in rows:
        days = "day" if wet == 1 else "days"
        assert re.search(rf"{name.capitalize()}[\w ]* had {wet} wet {days} of {known} in", page), (
            name
        )
    assert page.count("<svg") >= 2 or page.count("<img") >= 2
    assert "Wet days" in (newest.parent / "index.html").read_text(encoding="utf-8")
    ruff = Path(shutil.which("ruff") or CHECKOUT / ".venv/bin/ruff")
    made = person.folder / "include" / "publish" / "site" / "wet_days.py"
    for command in (["check", "--ignore=I001"], ["format", "--check"]):
        options = ["--isolated", "--line-length=100"]
        subprocess.run([ruff, *command, *options, made], check=True)


@contextmanager
def no_scheduled_runs(person: Newcomer) -> Iterator[None]:
    """A load between what a page says would be one that its reader has not seen either."""
    api = person.airflow()
    open_ = [dag["dag_id"] for dag in api.listed("/dags", "dags", paused=False)]
    for dag in open_:
        api.patch(f"/dags/{dag}", {"is_paused": True})
    try:
        yield
    finally:
        for dag in open_:
            api.patch(f"/dags/{dag}", {"is_paused": False})


def books(person: Newcomer) -> dict[str, str]:
    """The content hash of each partition of the weather."""
    kept = json.loads(person.wandle("ledger", "weather_hourly", "--json"))
    return {f"{row['council']} {row['period']}": row["content_hash"] for row in kept}


def test_what_was_lost_is_restored_from_landings_and_backups(person):
    page = (TUTORIALS / "restore-a-backup.md").read_text(encoding="utf-8")
    backup, rest = page.split("## 2. Lose a table")
    table, rest = rest.split("## 3. Lose the warehouse")

    with no_scheduled_runs(person):
        person.follow_text(backup)
        before = books(person)
        person.follow_text(table)
        assert "0 differences" in last_output(person, "wandle reload weather_hourly\n")
        assert books(person) == before
        person.follow_text(rest)

    missing = last_output(person, "# weather_hourly kingston 2026-11-11: never loaded")
    assert "weather_hourly kingston 2026-11-11: never loaded" in missing
    assert "0 differences" in last_output(person, "wandle reload --all\n")
    untraceable = " ".join(person.said["wandle verify weather_hourly"].split())
    assert "weather_hourly sutton 2026-11-10: vanished landing" in untraceable
    assert "0 differences" in last_output(person, "--deep")
    assert books(person) == before
    held = person.rows(
        "select _council, count(*) > 0 from raw.weather_hourly "
        "where (_council, _period) in (('sutton', '2026-11-10'), ('kingston', '2026-11-11')) "
        "group by 1 order by 1"
    )
    assert held == [("kingston", True), ("sutton", True)]


def dag_runs(person: Newcomer) -> dict[str, str]:
    """The state of each run of a DAG."""
    found = person.airflow().listed("/dags/ingest_bank_holidays/dagRuns", "dag_runs")
    return {run["dag_run_id"]: run["state"] for run in found}


def ran(person: Newcomer) -> str:
    """The id of a run that has succeeded."""
    api = person.airflow()
    run = triggered(api, "ingest_bank_holidays", {})
    assert finished(api, "ingest_bank_holidays", run) == "success"
    return run


def as_if_a_newer_airflow_had_run(person: Newcomer) -> None:
    admin = str(dotenv_values(person.home / "wandle.env")["WANDLE_ADMIN_DSN"])
    with psycopg.connect(admin, dbname="airflow") as connection:
        connection.execute("update alembic_version set version_num = 'ffffffffffff'")
        connection.execute("comment on database airflow is '9.0.0'")


def test_airflow_is_upgraded_with_its_runs_and_goes_back(person):
    page = (TUTORIALS / "upgrade-airflow.md").read_text(encoding="utf-8")
    copy, rest = page.split("## 4. Try it")
    upgrade, back = rest.split("## 6. Go back")
    earlier = ran(person)

    person.follow_text(copy)
    subprocess.run(
        [sys.executable, CHECKOUT / "tests/acceptance/older_airflow.py", OLDER_AIRFLOW],
        env=person.environment,
        check=True,
    )
    person.follow_text(upgrade)

    said = last_output(person, "wandle status")
    assert re.search(rf"metadata database migrated from {OLDER_AIRFLOW} to [\d.]+ ", said)
    assert dag_runs(person)[earlier] == "success"
    assert list(person.airflow().listed("/importErrors", "import_errors")) == []
    later = ran(person)

    as_if_a_newer_airflow_had_run(person)
    refused = person.run("up")

    assert refused.returncode == 1
    assert "from 9.0.0 to" in refused.stderr
    assert "docs/tutorials/upgrade-airflow.md" in refused.stderr

    person.follow_text(back)

    assert earlier in dag_runs(person)
    assert later not in dag_runs(person)
    assert "0 differences" in last_output(person, "mv ")


def test_a_year_is_backfilled(person):
    page = (TUTORIALS / "backfill-a-year.md").read_text(encoding="utf-8")
    before, check = page.split("```sh last\n")

    person.follow_text(before)
    api = person.airflow()
    ends = time.monotonic() + BACKFILL_SECONDS
    dag = "ingest_police_street_crime"
    while True:
        runs = [
            run
            for run in api.listed(f"/dags/{dag}/dagRuns", "dag_runs")
            if run["run_type"] == "backfill"
        ]
        if len(runs) == 12 and all(run["state"] in FINISHED for run in runs):
            break
        assert time.monotonic() < ends, [(run["run_id"], run["state"]) for run in runs]
        time.sleep(3)
    assert {run["state"] for run in runs} == {"success"}
    said = person.shell(check.partition("```")[0])

    assert "Compared 12 partitions: 0 differences" in " ".join(said.split())
    assert person.rows(
        "select count(distinct _period), min(_council), max(_council) from raw.police_street_crime"
    ) == [(12, "sutton", "sutton")]
    assert urlsplit(person.airflow()._url).hostname == "127.0.0.1"


def test_the_infrastructure_is_checked_without_an_account():
    offline = os.environ.get("TF_OFFLINE")
    if not (offline or shutil.which("terraform")):
        pytest.skip("Terraform is missing")
    page = (TUTORIALS / "deploy-to-an-account.md").read_text(encoding="utf-8")
    blocks = [b["text"] for b in BLOCK.finditer(page) if b["language"] == "sh" and not b["example"]]
    lines = [line for block in blocks for line in block.splitlines()]

    assert len(lines) == 3
    for line in lines:
        program, *arguments = line.split()
        done = subprocess.run(
            [program, *arguments], cwd=CHECKOUT, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{line}:\n{done.stdout}{done.stderr}"
        assert "Success!" in done.stdout


def test_the_demonstration_is_run_and_recorded(person, tmp_path):
    """A command that ends differently than the page says stops the recording."""
    person.shell("wandle --version")
    target = tmp_path / "demo.svg"
    path = f"{person.folder / '.programs'}{os.pathsep}{person.environment['PATH']}"

    done = subprocess.run(
        [sys.executable, CHECKOUT / "docs/recording/record.py", CHECKOUT / "docs/demo.md", target],
        cwd=person.folder,
        env=person.environment | {"PATH": path},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    svg = target.read_text(encoding="utf-8")
    assert "Restored: lost-rows." in svg
    assert "row count" in svg
    assert "0 differences" in svg
