"""The user data of a host starts a working stack with only the applied resources."""

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
# In the order of docs/deploy.md.
FIRST_DAGS = ("freshness_watch", INGEST, "transform")

# Every Airflow setting that differs between the host and docker-compose.yaml, and the reason.
DIFFERENCES = {
    "AIRFLOW__SECRETS__BACKEND": "Secrets Manager instead of two files",
    "AIRFLOW__SECRETS__BACKEND_KWARGS": "names of the secrets, read with the role `secrets`",
    "AIRFLOW__CORE__AUTH_MANAGER": "OIDC login; the simple auth manager is for development",
    "AIRFLOW__FAB__CONFIG_FILE": "configures the OIDC login",
    "AIRFLOW__FAB__CUSTOM_ROLES": "permissions of viewers in addition to Airflow's role Viewer",
    "AIRFLOW__FAB__SESSION_MAX_LIFETIME_MINUTES": "users who leave lose access within a day",
    "AIRFLOW__FAB__COOKIE_SECURE": "behind TLS, cookies are sent only over TLS",
    "AIRFLOW__LOGGING__REMOTE_LOGGING": "logs must survive the replacement of a host",
    "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": "so they are stored in the bucket",
    "AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID": "with the role `logs`",
    "AIRFLOW_CONN_WANDLE_LOGS": "defined by this connection; it contains no access key",
}
OF_WORKERS = {
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the API is on the main host, behind the balancer",
}

pytestmark = pytest.mark.timeout(2400)


def compose_environment(service: str) -> dict[str, str]:
    """The environment of a service in docker-compose.yaml, with every default."""
    content = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text())
    found: dict[str, Any] = shared_environment() | content["services"][service]["environment"]
    return {
        name: re.sub(r"\$\{[A-Z_]+:?-(.*?)\}", r"\1", str(value)) for name, value in found.items()
    }


def differing(service: str, host: Host) -> set[str]:
    """The Airflow settings that differ between the container and docker-compose.yaml."""
    of_compose, of_host = compose_environment(service), host.environment(service)
    names = {
        name for name in of_compose | of_host if name.startswith(("AIRFLOW__", "AIRFLOW_CONN_"))
    }
    return {name for name in names if of_compose.get(name) != of_host.get(name)}


@pytest.mark.parametrize("service", SERVICES)
def test_user_data_starts_every_service_healthy(host, service):
    host.inside(service, "python", "-m", "include.local.health", service)


@pytest.mark.parametrize("service", ["migrate", *SERVICES])
def test_every_difference_from_compose_has_a_reason(host, service):
    assert differing(service, host) == set(DIFFERENCES)


def test_every_container_gets_the_settings_from_terraform(host, dev):
    # The public APIs are stand-ins (stand-ins.yaml).
    settings = dev["settings"] | {"WANDLE_LIVE": ""}

    for service in SERVICES:
        found = host.environment(service)
        assert {name: found[name] for name in settings} == settings
        assert found["WANDLE_ADMIN_SECRET"] == ""
    assert host.environment("migrate")["WANDLE_ADMIN_SECRET"] == dev["admin_secret_arn"]


def test_the_doctor_passes_inside_the_host(host):
    said = host.inside("scheduler", "wandle", "doctor", "--aws")

    assert said.count("✓") > 40
    assert "✗" not in said
    assert "All checks passed." in said


@pytest.mark.parametrize("dag", FIRST_DAGS)
def test_the_first_dags_of_a_new_environment_are_green(host, dag):
    assert host.run_dag(dag, "first") == "success"


def test_the_first_dags_produce_landings_rows_docs_logs_and_a_heartbeat(
    host, dev, postgres: TlsServer
):
    s3 = boto3.client("s3")
    logs = [f"logs/dag_id={dag}/run_id=first/" for dag in FIRST_DAGS]
    for zone in ("landing/bank_holidays/", "docs/", *logs):
        assert s3.list_objects_v2(Bucket=dev["bucket"], Prefix=zone)["KeyCount"] > 0, zone
    with psycopg.connect(postgres.of("warehouse")) as connection:
        (rows,) = connection.execute("select count(*) from raw.bank_holidays").fetchone() or (0,)
    assert rows > 0
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Wandle")["Metrics"]
    assert "Heartbeat" in {metric["MetricName"] for metric in metrics}


def test_no_file_written_by_user_data_contains_a_secret(host):
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


def healthy_with_history(host: Host) -> bool:
    """Whether every service is healthy and Airflow still has the first run."""
    for service in SERVICES:
        host.inside(service, "python", "-m", "include.local.health", service)
    return host.runs(INGEST)["first"] == "success"


def test_user_data_can_be_run_again(host):
    host.start()

    assert healthy_with_history(host)


def test_a_replacement_host_finds_all_data(host):
    host.delete_disk()
    host.start()

    assert healthy_with_history(host)
    assert host.run_dag(INGEST, "on-the-new-host") == "success"


def test_the_broker_rejects_clients_without_a_password(worker, stand_ins):
    script = (
        "import socket; s = socket.create_connection(('{}', 6379), 10); s.sendall(b'PING\\r\\n');"
        "print(s.recv(100).decode())"
    ).format(stand_ins["STAND_IN_BALANCER"])

    assert "NOAUTH" in worker.inside("worker", "python", "-c", script)


def test_a_worker_on_another_host_executes_tasks(host, worker):
    assert differing("worker", worker) == set(DIFFERENCES) | set(OF_WORKERS)
    host.compose("stop", "worker")

    assert host.run_dag(INGEST, "on-the-other-host") == "success"
