"""A host's own user data brings up a stack that works, with what was applied and nothing else."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import psycopg
import pytest
import yaml

from include.local.services.airflow import shared_environment
from tests.aws.postgres import TlsServer
from tests.infra.host.machine import CHECKOUT, Host

SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
INGEST = "ingest_bank_holidays"
# As docs/deploy.md has them, in this order.
FIRST_DAGS = ("freshness_watch", INGEST, "transform")

# Every setting of Airflow that is not on the host what docker-compose.yaml says, and why.
DIFFERENCES = {
    "AIRFLOW__SECRETS__BACKEND": "Secrets Manager in the place of two files",
    "AIRFLOW__SECRETS__BACKEND_KWARGS": "the environment's names there, read as the role `secrets`",
    "AIRFLOW__CORE__AUTH_MANAGER": "people log in by OIDC; the simple manager is for development",
    "AIRFLOW__FAB__CONFIG_FILE": "that login",
    "AIRFLOW__FAB__CUSTOM_ROLES": "what viewers get beside Airflow's role Viewer",
    "AIRFLOW__FAB__SESSION_MAX_LIFETIME_MINUTES": "who has left is out at the end of the day",
    "AIRFLOW__FAB__COOKIE_SECURE": "behind TLS the cookie is for TLS alone",
    "AIRFLOW__LOGGING__REMOTE_LOGGING": "a host that is replaced takes its volume along",
    "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "so logs are kept in the bucket",
    "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "by the role `logs`",
    "AIRFLOW_CONN_WANDLE_LOGS": "which this connection names; there is no key in it",
}
OF_WORKERS = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the API is on the other host, behind the balancer",
}

pytestmark = pytest.mark.timeout(2400)


def compose_environment(service: str) -> dict[str, str]:
    """What docker-compose.yaml tells a service where nobody sets anything."""
    content = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text())
    told: dict[str, Any] = shared_environment() | content["services"][service]["environment"]
    return {
        name: re.sub(r"\$\{[A-Z_]+:?-(.*?)\}", r"\1", str(value)) for name, value in told.items()
    }


def differing(service: str, host: Host) -> set[str]:
    """The settings of Airflow that are not the same in the container and in Compose's file."""
    of_compose, of_host = compose_environment(service), host.environment(service)
    names = {
        name for name in of_compose | of_host if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_"))
    }
    return {name for name in names if of_compose.get(name) != of_host.get(name)}


@pytest.mark.parametrize("service", SERVICES)
def test_user_data_brings_each_service_up_and_well(host, service):
    host.inside(service, "python", "-m", "include.local.health", service)


@pytest.mark.parametrize("service", ["migrate", *SERVICES])
def test_each_difference_to_compose_is_explained(host, service):
    assert differing(service, host) == set(DIFFERENCES)


def test_every_container_is_told_what_terraform_says(host, dev):
    # The public APIs are stand-ins (stand-ins.yaml).
    settings = dev["settings"] | {"WANDLE_LIVE": ""}

    for service in SERVICES:
        told = host.environment(service)
        assert {name: told[name] for name in settings} == settings
        assert told["WANDLE_ADMIN_SECRET"] == ""
    assert host.environment("migrate")["WANDLE_ADMIN_SECRET"] == dev["admin_secret_arn"]


def test_the_doctor_finds_all_well_from_inside_the_host(host):
    said = host.inside("scheduler", "wandle", "doctor", "--aws")

    assert said.count("✓") > 40
    assert "✗" not in said
    assert "All is well." in said


@pytest.mark.parametrize("dag", FIRST_DAGS)
def test_the_first_dags_of_a_new_environment_are_green(host, dag):
    assert host.run_dag(dag, "first") == "success"


def test_they_have_left_landing_rows_docs_logs_and_a_heartbeat(host, dev, postgres: TlsServer):
    s3 = boto3.client("s3")
    logs = [f"logs/dag_id={dag}/run_id=first/" for dag in FIRST_DAGS]
    for zone in ("landing/bank_holidays/", "docs/", *logs):
        assert s3.list_objects_v2(Bucket=dev["bucket"], Prefix=zone)["KeyCount"] > 0, zone
    with psycopg.connect(postgres.of("warehouse")) as connection:
        (rows,) = connection.execute("select count(*) from raw.bank_holidays").fetchone() or (0,)
    assert rows > 0
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Wandle")["Metrics"]
    assert "Heartbeat" in {metric["MetricName"] for metric in metrics}


def test_no_file_that_user_data_writes_holds_a_secret(host):
    secrets = boto3.client("secretsmanager")
    values = [
        secrets.get_secret_value(SecretId=f"wandle/dev/{name}")["SecretString"]
        for name in ("broker_password", "pseudonym_key", "config/fernet_key")
    ]
    loader = secrets.get_secret_value(SecretId="wandle/dev/connections/wandle_loader")
    values.append(json.loads(loader["SecretString"])["password"])
    written = "".join(
        path.read_text(errors="replace") for path in host.folder.rglob("*") if path.is_file()
    )

    assert "WANDLE_BUCKET" in written
    assert all(value and value not in written for value in values)


def well_and_with_its_past(host: Host) -> bool:
    """Every service is healthy, and Airflow knows the run of before."""
    for service in SERVICES:
        host.inside(service, "python", "-m", "include.local.health", service)
    return host.runs(INGEST)["first"] == "success"


def test_user_data_run_again_leaves_it_well(host):
    host.start()

    assert well_and_with_its_past(host)


def test_a_host_in_the_place_of_one_that_is_gone_finds_everything(host):
    host.lose()
    host.start()

    assert well_and_with_its_past(host)
    assert host.run_dag(INGEST, "on-the-new-host") == "success"


def test_the_broker_lets_nobody_in_without_its_password(worker, stand_ins):
    script = (
        "import socket; s = socket.create_connection(('{}', 6379), 10); s.sendall(b'PING\\r\\n');"
        "print(s.recv(100).decode())"
    ).format(stand_ins["STAND_IN_BALANCER"])

    assert "NOAUTH" in worker.inside("worker", "python", "-c", script)


def test_a_worker_on_another_host_does_the_work(host, worker):
    assert differing("worker", worker) == set(DIFFERENCES) | set(OF_WORKERS)
    host.compose("stop", "worker")

    assert host.run_dag(INGEST, "on-the-other-host") == "success"
