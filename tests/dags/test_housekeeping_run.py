"""Real runs of `housekeeping`: shown first, then deleted, and announced to the marts."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import pytest

from include.sources.model import contracts
from tests.dags.conftest import BUCKET

PERSONAL = next(name for name, contract in contracts().items() if contract.personal)
INTERRUPTED = f"landing/{PERSONAL}/sutton/2026-11-01/20261101T000000000000Z-0123456789/0001.json.gz"
ROWS = f"SELECT count(*) FROM raw.{PERSONAL} WHERE _period = '2020-01-02'"


@pytest.fixture(scope="module")
def s3(services) -> Any:
    endpoint = json.loads(os.environ["AIRFLOW_CONN_WANDLE_S3"])["extra"]["endpoint_url"]
    return boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )


@pytest.fixture(scope="module")
def leftovers(s3, services) -> None:
    """A landing that was broken off, and a row of a person of years ago."""
    import psycopg

    s3.put_object(Bucket=BUCKET, Key=INTERRUPTED, Body=b"x" * 100)
    with psycopg.connect(services.admin_dsn) as connection:
        connection.execute(
            f"INSERT INTO raw.{PERSONAL} (_council, _period, _landing_id, _record_no) "  # type: ignore[arg-type]
            "VALUES ('sutton', '2020-01-02', 'L', 1)"
        )


def there(s3: Any) -> bool:
    return bool(s3.list_objects_v2(Bucket=BUCKET, Prefix=INTERRUPTED).get("Contents"))


def test_a_dry_run_is_green_and_deletes_nothing(start, world, s3, leftovers):
    run = start("housekeeping", {"dry_run": True})

    assert run.state == "success"
    assert there(s3)
    assert world.query(ROWS) == [(1,)]
    assert run.announced == []


def test_a_run_deletes_and_announces_the_table_that_lost_rows(start, world, s3, leftovers):
    run = start("housekeeping", {})

    assert run.state == "success"
    assert not there(s3)
    assert world.query(ROWS) == [(0,)]
    assert world.query(
        "SELECT reason, bytes FROM ops.removal WHERE landing_id LIKE '20261101%'"
    ) == [("interrupted", 100)]
    assert run.announced == [f"raw.{PERSONAL}"]


def test_a_misspelt_parameter_is_refused(start, world):
    run = start("housekeeping", {"dryrun": True})

    assert run.state == "failed"
    assert run.tries["clean"] == 1
