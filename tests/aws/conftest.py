"""An environment as Terraform makes it: moto's AWS over HTTP, and PostgreSQL with TLS."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
import requests
from moto.server import ThreadedMotoServer

from include.aws.roles import session_as
from include.jobs.aws.environment import GENERATED, METADATA, S3_CONNECTION
from include.settings import Settings
from tests.aws.postgres import ADMIN, TlsServer, tls_server

ENVIRONMENT = "dev"
REGION = "eu-west-2"
BUCKET = "wandle-dev-lake"
ROLE = "arn:aws:iam::123456789012:role/wandle-dev-{job}"
CONNECTED = (
    "wandle_loader",
    "wandle_transformer",
    "wandle_portal",
    "wandle_reader",
    "wandle_publisher",
    "airflow",
)
SECRETS = (
    *(f"connections/{role}" for role in CONNECTED),
    *(S3_CONNECTION, *GENERATED, METADATA, "oidc_client_secret"),
)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto's server: every service of AWS that is asked here."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[TlsServer]:
    """A server of its own, with TLS, and an admin with no more rights than RDS gives."""
    with tls_server() as server:
        yield server


@dataclass
class Aws:
    """The environment's AWS, as an administrator sees it."""

    url: str
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A client with every right."""
        if service not in self.clients:
            self.clients[service] = boto3.client(service, region_name=REGION)
        return self.clients[service]

    def secret(self, name: str) -> str | None:
        """What a secret of the environment holds."""
        client = self.client("secretsmanager")
        try:
            return str(
                client.get_secret_value(SecretId=f"wandle/{ENVIRONMENT}/{name}")["SecretString"]
            )
        except client.exceptions.ResourceNotFoundException:
            return None

    def make_secrets(self) -> None:
        """The secrets, empty, as Terraform makes them."""
        for name in SECRETS:
            self.client("secretsmanager").create_secret(Name=f"wandle/{ENVIRONMENT}/{name}")

    def make_admin_secret(self, password: str) -> str:
        """The secret that RDS manages."""
        value = json.dumps({"username": ADMIN, "password": password})
        made = self.client("secretsmanager").create_secret(Name="rds!db-1", SecretString=value)
        return str(made["ARN"])


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Aws:
    """An empty account, and settings that point at it."""
    return empty_account(moto_url, monkeypatch, tmp_path)


@pytest.fixture
def environment(aws: Aws, postgres: TlsServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What `terraform apply` leaves: empty secrets, an empty database."""
    return applied(aws, postgres, monkeypatch)


def empty_account(url: str, patch: pytest.MonkeyPatch, home: Path) -> Aws:
    """Forget the state of moto, and point settings and clients at it."""
    for name in list(os.environ):
        if name.startswith(("WANDLE_", "AWS_", "AIRFLOW_CONN", "PG")):
            patch.delenv(name)
    variables = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "host",
        "AWS_SECRET_ACCESS_KEY": "host",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "WANDLE_HOME": str(home / "home"),
        "WANDLE_CODE_VERSION": "test",
        "WANDLE_ENVIRONMENT": ENVIRONMENT,
        "WANDLE_BUCKET": BUCKET,
        "WANDLE_JOB_ROLE": ROLE,
    }
    for name, value in variables.items():
        patch.setenv(name, value)
    boto3.DEFAULT_SESSION = None
    session_as.cache_clear()
    requests.post(f"{url}/moto-api/reset", timeout=10).raise_for_status()
    return Aws(url)


def applied(aws: Aws, postgres: TlsServer, patch: pytest.MonkeyPatch) -> Settings:
    """Make what `wandle migrate` finds, and the settings that name it."""
    postgres.empty()
    aws.make_secrets()
    patch.setenv("WANDLE_DATABASE", postgres.address)
    patch.setenv("WANDLE_DATABASE_CA", str(postgres.ca))
    patch.setenv("WANDLE_ADMIN_SECRET", aws.make_admin_secret(postgres.password))
    return Settings.read()


def connect(dsn: str) -> psycopg.Connection[Any]:
    """A connection, for looking."""
    return psycopg.connect(dsn, connect_timeout=10)
