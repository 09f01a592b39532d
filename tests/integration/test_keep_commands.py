"""`wandle housekeeping` and `wandle erase` as people run them, with a real dbt."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from include import cli
from include.jobs.lake import Lake
from include.jobs.pipeline.load import load
from include.landing.write import Draft
from include.sources.model import contract
from include.sources.partition import Partition, Period
from tests.samples import REQUEST, facts

CASES = contract("service_requests")
JO = "jo@example.org"
YESTERDAY = Period.of(datetime.now(UTC).date() - timedelta(days=1), "day")


@pytest.fixture
def deployed(folder_lake, new_database, migrated, monkeypatch) -> Any:
    """The settings of a deployment on this machine; its database."""
    database = new_database(migrated.name)
    for name, value in {
        "AWS_ENDPOINT_URL_S3": folder_lake.s3.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "WANDLE_BUCKET": folder_lake.bucket,
        "WANDLE_LOADER_DSN": database.dsn(),
        "WANDLE_TRANSFORMER_DSN": database.dsn("wandle_transformer"),
        "WANDLE_PUBLISHER_DSN": database.dsn("wandle_publisher"),
        "WANDLE_PSEUDONYM_KEY": "k" * 64,
        "WANDLE_BACKUP_DAYS": "35",
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    return database


def wandle(*arguments: str, **how: Any) -> Result:
    return CliRunner().invoke(cli.app, arguments, **how)


def case(number: int, email: str) -> dict[str, Any]:
    at = f"{YESTERDAY}T12:00:00+00:00"
    return {
        "case_id": number, "kind": "pothole", "ward_code": "E05000401", "status": "open",
        "opened_at": at, "updated_at": at, "closed_at": None, "resident_name": f"Name {number}",
        "email": email, "phone": "020 7946 0000", "remarks": f"Call {email}",
    }  # fmt: skip


def land(lake: Lake, database: Any, hours_ago: float, *cases: dict[str, Any]) -> str:
    """Land and load some cases: the landing's id."""
    where = Partition(CASES.name, "sutton", YESTERDAY)
    began = datetime.now(UTC) - timedelta(hours=hours_ago)
    draft = Draft.open(
        lake.landings, where, run_id="run", contract_hash=CASES.contract_hash, now=began
    )
    body = b"".join(json.dumps(item).encode() + b"\n" for item in cases)
    draft.add(facts(body, len(cases)), REQUEST, io.BytesIO(body))
    draft.finish(run_id="run", code_version="test", started_at=began, parents={})
    load(
        CASES, where, lake=lake, dsn=database.dsn(), run_id="run",
        landing_id=draft.landing_id,
    )  # fmt: skip
    return draft.landing_id


def test_a_person_is_shown_then_erased_and_the_marts_are_built(deployed, folder_lake):
    old = land(folder_lake, deployed, 2, case(1, "p@example.org"), case(2, JO), case(3, JO))
    erase = ("erase", CASES.name, "--key")

    shown = wandle(*erase, "email", input=f"{JO}\n")
    before = deployed.query("select case_id from raw.service_requests order by 1")
    done = wandle(*erase, f"email={JO}", "--yes")
    again = wandle(*erase, f"email={JO}", "--yes")

    assert (shown.exit_code, done.exit_code, again.exit_code) == (0, 0, 0)
    assert "2 records in 1 landing to erase. Run again with `--yes`." in shown.output
    assert before == [(1,), (2,), (3,)]
    assert "2 records in 1 landing erased." in done.output
    assert "Rebuilt and tested the marts (" in done.output
    assert len(done.output.splitlines()) < 12
    assert "0 records in 0 landings erased." in again.output
    assert old in shown.output
    until = (datetime.now(UTC) + timedelta(days=35)).date()
    assert f"Backups of the database hold them until {until}" in done.output
    assert JO not in shown.output + done.output
    assert deployed.query("select case_id from raw.service_requests") == [(1,)]
    assert deployed.query(
        "select layer, status from ops.dbt_run where run_id like 'wandle erase %' order by layer"
    ) == [("marts", "success"), ("staging", "success")]


def test_housekeeping_shows_then_deletes(deployed, folder_lake):
    period = Period.of(datetime.now(UTC).date() - timedelta(days=400), "day")
    key = f"landing/{CASES.name}/sutton/{period}/20251101T000000000000Z-0123456789/0001.json.gz"
    folder_lake.s3.put_object(Bucket=folder_lake.bucket, Key=key, Body=b"x" * 1234)

    shown = wandle("housekeeping")
    listed = json.loads(wandle("housekeeping", "--json").output)
    done = wandle("housekeeping", "--yes")
    again = wandle("housekeeping")

    assert "1 landing, 1,234 bytes to delete. Run again with `--yes`." in shown.output
    assert [(item["source"], item["reason"], item["bytes"]) for item in listed] == [
        (CASES.name, "interrupted", 1234)
    ]
    assert "1 landing, 1,234 bytes deleted." in done.output
    assert "Nothing to delete." in again.output


def test_a_key_that_is_given_twice_is_refused(deployed):
    found = wandle("erase", CASES.name, "--key", "email=a", "--key", "email=b")

    assert "`--key email` is given twice" in str(found.exception)
