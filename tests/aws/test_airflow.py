"""Airflow in an environment: connections from Secrets Manager, jobs as their roles, metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from include.jobs.aws.environment import migrate_environment
from include.settings import Settings
from include.sources.model import contracts
from sandbox.app import create_app
from tests.aws.conftest import BUCKET, REGION, ROLE, Aws, applied, empty_account
from tests.aws.postgres import TlsServer
from tests.integration.conftest import AS_OF, serving

CHECKOUT = Path(__file__).parents[2]
INGEST, WATCH = "ingest_bank_holidays", "freshness_watch"
BACKEND = "airflow.providers.amazon.aws.secrets.secrets_manager.SecretsManagerBackend"
KWARGS = {
    "connections_prefix": "wandle/dev/connections",
    "variables_prefix": None,
    "config_prefix": "wandle/dev/config",
    "region_name": REGION,
    "role_arn": ROLE.format(job="secrets"),
}


@dataclass(frozen=True)
class Ran:
    """An environment in which an ingest has run, and the watch of its freshness."""

    aws: Aws
    settings: Settings
    postgres: TlsServer
    states: dict[str, str]
    said: str


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    with serving(create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000)) as url:
        yield url


@pytest.fixture(scope="module")
def ran(
    moto_url: str, postgres: TlsServer, sandbox: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ran]:
    """Airflow is given no connection, and no address of a database: only where secrets are."""
    folder = tmp_path_factory.mktemp("environment")
    with pytest.MonkeyPatch.context() as patch:
        aws = empty_account(moto_url, patch, folder)
        settings = applied(aws, postgres, patch)
        migrate_environment(settings)
        aws.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        variables = os.environ | {
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
            "AIRFLOW__CORE__FERNET_KEY_SECRET": "fernet_key",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_SECRET": "sql_alchemy_conn",
            "AIRFLOW__SECRETS__BACKEND": BACKEND,
            "AIRFLOW__SECRETS__BACKEND_KWARGS": json.dumps(KWARGS),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": settings.database_ca,
            "WANDLE_SANDBOX_URL": sandbox,
        }
        done = subprocess.run(
            (sys.executable, "-m", "tests.aws.run_dag", INGEST, WATCH),
            env=variables,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=250,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        yield Ran(aws, settings, postgres, json.loads(done.stdout.splitlines()[-1]), said)


def test_dags_run_green_with_nothing_but_what_secrets_manager_holds(ran: Ran) -> None:
    assert ran.states == {INGEST: "success", WATCH: "success"}, ran.said
    with psycopg.connect(ran.settings.need("loader_dsn")) as connection:
        (rows,) = connection.execute("select count(*) from raw.bank_holidays").fetchone() or (0,)
    assert rows > 0
    landed = ran.aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="landing/bank_holidays/")
    assert landed["KeyCount"] >= 2


def test_no_password_reaches_the_log(ran: Ran) -> None:
    for role in ("wandle_loader", "wandle_transformer", "airflow"):
        secret = json.loads(ran.aws.secret(f"connections/{role}") or "")
        assert secret["password"] not in ran.said


def test_airflow_s_own_tables_are_in_its_own_database(ran: Ran) -> None:
    root = ran.postgres.root.replace("/postgres?", "/airflow?")

    with psycopg.connect(root) as connection:
        runs = connection.execute("select dag_id from dag_run order by 1").fetchall()

    assert runs == [(WATCH,), (INGEST,)]


def test_freshness_is_put_as_metrics_with_the_names_that_alarms_watch(ran: Ran) -> None:
    hours = _metric(ran.aws, "FreshnessHours", {"Source": "bank_holidays"})
    late = {name: _metric(ran.aws, "Late", {"Source": name}) for name in contracts()}

    assert _metric(ran.aws, "Heartbeat", {}) == 1
    assert hours is not None
    assert 0 <= hours < 1
    assert late.pop("bank_holidays") == 0
    assert len(late) >= 5
    assert all(value is not None and value >= 1 for value in late.values()), late
    assert _metric(ran.aws, "FreshnessHours", {"Source": "weather_hourly"}) is None


def _metric(aws: Aws, name: str, dimensions: dict[str, str]) -> float | None:
    """The largest value of the last hour; None if there is none with exactly these dimensions."""
    now = datetime.now(UTC)
    found = aws.client("cloudwatch").get_metric_statistics(
        Namespace="Wandle",
        MetricName=name,
        Dimensions=[
            {"Name": key, "Value": value}
            for key, value in {**dimensions, "Environment": "dev"}.items()
        ],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(minutes=5),
        Period=3600,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(point["Maximum"] for point in found) if found else None
