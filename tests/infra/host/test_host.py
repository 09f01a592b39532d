"""A host's own user data brings up a stack that works, with what was applied and nothing else."""

from __future__ import annotations

import re
from typing import Any

import boto3
import psycopg
import pytest
import yaml

from include.local.airflow import shared_environment
from tests.aws.postgres import TlsServer
from tests.infra.host.machine import CHECKOUT, Host

SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")
INGEST = "ingest_bank_holidays"

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


@pytest.mark.parametrize("service", SERVICES)
def test_each_difference_to_compose_is_explained(host, service):
    assert differing(service, host) == set(DIFFERENCES)


def test_every_container_is_told_what_terraform_says(host, dev):
    for service in SERVICES:
        told = host.environment(service)
        assert {name: told[name] for name in dev["settings"]} == dev["settings"]
        assert told["WANDLE_ADMIN_SECRET"] == ""


def test_the_doctor_finds_all_well_from_inside_the_host(host):
    said = host.inside("scheduler", "wandle", "doctor", "--aws")

    assert said.count("✓") > 40
    assert "✗" not in said
    assert "All is well." in said


def test_a_dag_is_green_and_leaves_landing_rows_and_logs(host, dev, postgres: TlsServer):
    run = host.run_dag(INGEST, "first")

    assert run["state"] == "success"
    s3 = boto3.client("s3")
    for zone in ("landing/bank_holidays/", f"logs/dag_id={INGEST}/"):
        assert s3.list_objects_v2(Bucket=dev["bucket"], Prefix=zone)["KeyCount"] >= 2, zone
    with psycopg.connect(postgres.root.replace("/postgres?", "/warehouse?")) as connection:
        (rows,) = connection.execute("select count(*) from raw.bank_holidays").fetchone() or (0,)
    assert rows > 0


def test_no_password_is_on_the_hosts_disk(host):
    secrets = boto3.client("secretsmanager")
    name = "wandle/dev/broker_password"
    password = secrets.get_secret_value(SecretId=name)["SecretString"]
    written = "".join(
        path.read_text(errors="replace") for path in host.folder.rglob("*") if path.is_file()
    )

    assert "WANDLE_BUCKET" in written
    assert password not in written


def test_user_data_run_again_leaves_it_well(host, dev):
    host.start()

    for service in SERVICES:
        host.inside(service, "python", "-m", "include.local.health", service)
    assert "success" in host.inside("scheduler", "airflow", "dags", "list-runs", INGEST)


def test_the_broker_lets_nobody_in_without_its_password(worker, stand_ins):
    script = (
        "import socket; s = socket.create_connection(('{}', 6379), 10); s.sendall(b'PING\\r\\n');"
        "print(s.recv(100).decode())"
    ).format(stand_ins["STAND_IN_BALANCER"])

    assert "NOAUTH" in worker.inside("worker", "python", "-c", script)


def test_a_worker_on_another_host_does_the_work(host, worker):
    assert differing("worker", worker) == set(DIFFERENCES) | set(OF_WORKERS)
    host.compose("stop", "worker")

    run = host.run_dag(INGEST, "on-the-other-host")

    assert run["state"] == "success"
