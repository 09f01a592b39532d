"""What the containers are given: their settings against the embedded platform's, their secrets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.local.containers import ADDRESSES, prepare
from include.local.services.airflow import airflow_environment, shared_environment
from include.local.state import prepare as prepare_embedded
from include.local.state import read_secrets
from include.settings import CHECKOUT, Settings

AIRFLOW_SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker")

# Every setting of Airflow that is not the same embedded and in containers, and why.
DIFFERENCES = {
    "AIRFLOW__CORE__EXECUTOR": "embedded, the scheduler runs the tasks; here, Celery workers do",
    "AIRFLOW__CORE__PARALLELISM": "one machine's processes; here the workers' together",
    "AIRFLOW__CORE__DAGS_FOLDER": "the checkout; here the image",
    "AIRFLOW__CORE__PLUGINS_FOLDER": "the checkout; here the image",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "the port of the platform; here the service's name",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": "in the state folder; here its volume",
    "AIRFLOW__API__HOST": "the loopback address; here all of the container's, which publishes "
    "its port on the loopback address alone",
    "AIRFLOW__API__PORT": "follows WANDLE_PORT_BASE; here fixed inside the container",
    "AIRFLOW__API__BASE_URL": "as people reach it: WANDLE_PORT_BASE; here WANDLE_PORT",
    "AIRFLOW__LOGGING__BASE_LOG_FOLDER": "in the state folder; here a volume that all share",
    "AIRFLOW__CELERY__WORKER_CONCURRENCY": "no Celery embedded",
    "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "no Celery embedded",
    "AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS": "no Celery embedded",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "no Celery embedded",
    "AIRFLOW__CELERY__BROKER_URL_CMD": "no Celery embedded",
    "AIRFLOW__CELERY__FLOWER_BASIC_AUTH_CMD": "no Celery embedded",
    "AIRFLOW__SECRETS__BACKEND_KWARGS": "another folder; embedded, the rest are variables",
}
# Options that are variables embedded, and names in the secrets backend here.
SECRET_OPTIONS = {
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
}
# Connections that are variables embedded, and entries of the backend's file here.
CONNECTION = "AIRFLOW_CONN_"


@pytest.fixture
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((CHECKOUT / "docker-compose.yaml").read_text())
    return content


@pytest.fixture
def embedded(tmp_path) -> dict[str, str]:
    settings = Settings(_env_file=None, WANDLE_HOME=tmp_path / "embedded", WANDLE_PORT_BASE=19230)
    return airflow_environment(prepare_embedded(settings))


@pytest.fixture
def volumes(tmp_path) -> Path:
    for name in ("home", "s3", "redis", "postgres", "sandbox", "api"):
        (tmp_path / "volumes" / name).mkdir(parents=True)
    prepare(admin(tmp_path), tmp_path / "volumes")
    return tmp_path / "volumes"


def admin(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, WANDLE_HOME=tmp_path / "admin")


def environment(service: dict[str, Any]) -> dict[str, str]:
    """The environment of a service, as Compose puts it together."""
    assert service["env_file"] == ["include/local/airflow.env"]
    return shared_environment() | service["environment"]


def differing(embedded: dict[str, str], containers: dict[str, str]) -> set[str]:
    """The settings of Airflow that are not the same in both, except secrets."""
    names = {name for name in embedded | containers if name.startswith("AIRFLOW__")}
    secret = SECRET_OPTIONS | {f"{name}_SECRET" for name in SECRET_OPTIONS}
    return {name for name in names - secret if embedded.get(name) != containers.get(name)}


@pytest.mark.parametrize("service", AIRFLOW_SERVICES)
def test_each_difference_to_the_embedded_platform_is_explained(service, compose, embedded):
    containers = environment(compose["services"][service])

    assert differing(embedded, containers) == set(DIFFERENCES)


def test_a_setting_that_only_one_of_them_has_would_be_noticed(compose, embedded):
    containers = environment(compose["services"]["worker"]) | {"AIRFLOW__CORE__KILLED": "1"}

    assert differing(embedded, containers) - set(DIFFERENCES) == {"AIRFLOW__CORE__KILLED"}


def test_every_secret_option_is_named_in_the_backend_that_prepare_fills(compose, embedded, volumes):
    containers = environment(compose["services"]["worker"])
    kwargs = json.loads(containers["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    config = json.loads((volumes / "home" / Path(kwargs["configs_file_path"]).name).read_text())
    named = {
        value
        for name, value in containers.items()
        if name.startswith("AIRFLOW__") and name.endswith("_SECRET")
    }

    assert named == set(config)
    for option in SECRET_OPTIONS:
        assert option in embedded
        assert option not in containers
        assert config[containers[f"{option}_SECRET"]]


def test_tasks_find_the_same_connections_in_both(compose, embedded, volumes):
    containers = environment(compose["services"]["worker"])
    kwargs = json.loads(containers["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    path = volumes / "home" / Path(kwargs["connections_file_path"]).name
    connections = json.loads(path.read_text())
    of_embedded = {
        name.removeprefix(CONNECTION).lower(): json.loads(value)
        for name, value in embedded.items()
        if name.startswith(CONNECTION)
    }

    assert len(connections) >= 4
    assert set(connections) == set(of_embedded)
    for name, connection in connections.items():
        assert set(connection) == set(of_embedded[name])
        if connection["conn_type"] == "postgres":
            assert f"{connection['host']}:{connection['port']}" == ADDRESSES.postgresql
    assert connections["wandle_s3"]["extra"]["endpoint_url"] == ADDRESSES.s3


def test_no_service_but_postgres_gets_the_superusers_password(volumes, tmp_path):
    password = read_secrets(admin(tmp_path).home)["wandle_admin"]
    holding = {
        path.relative_to(volumes).parts[0]
        for path in volumes.rglob("*")
        if path.is_file() and password in path.read_text()
    }

    assert holding == {"postgres"}


def test_the_sandbox_gets_no_secret(volumes):
    assert [path.name for path in (volumes / "sandbox").iterdir()] == ["sandbox.json"]


def test_the_read_api_gets_the_keys_of_s3_and_no_other_secret(volumes, tmp_path):
    told = (volumes / "api" / "wandle.env").read_text()
    generated = read_secrets(admin(tmp_path).home)

    assert [path.name for path in (volumes / "api").iterdir()] == ["wandle.env"]
    assert {name for name, value in generated.items() if value in told} == {
        "s3_access_key",
        "s3_secret_key",
    }


def test_a_second_start_changes_nothing(volumes, tmp_path):
    def contents() -> dict[Path, str]:
        return {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}

    before = contents()
    prepare(admin(tmp_path), volumes)

    assert contents() == before


def test_two_stacks_share_no_secret(volumes, tmp_path):
    other = tmp_path / "other"
    for name in ("home", "s3", "redis", "postgres", "sandbox", "api"):
        (other / name).mkdir(parents=True)
    settings = Settings(_env_file=None, WANDLE_HOME=tmp_path / "other-admin")

    prepare(settings, other)

    ours = set(read_secrets(admin(tmp_path).home).values())
    assert ours.isdisjoint(read_secrets(settings.home).values())
