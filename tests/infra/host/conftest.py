"""`dev` with a worker host, applied to a stand-in for AWS; its hosts run on this machine.

Needs containers. Set `COMPOSE` and `DOCKER` to replace `docker compose` and `docker`.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from sandbox.app import create_app
from tests.aws.postgres import ADMIN, MISSING, TlsServer, debians, tls_server
from tests.infra.folders import ACCOUNT, REGION, TERRAFORM, Terraform
from tests.infra.host.machine import CHECKOUT, PORT, Host, address_of_machine, forwarded
from tests.integration.conftest import AS_OF, serving

REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/wandle"


@pytest.fixture(scope="session")
def image() -> str:
    """The digest of this checkout's image, as ECR would report it."""
    environ = {**os.environ, "WANDLE_IMAGE": "wandle:host"}
    compose = shlex.split(os.environ.get("COMPOSE", "docker compose"))
    docker = os.environ.get("DOCKER", "docker")
    # buildah's cache ignores changes of a file that a step mounts, such as the lock file.
    build = (*compose, "build", "--no-cache", "api-server")
    subprocess.run(build, cwd=CHECKOUT, env=environ, check=True)
    subprocess.run((docker, "tag", "wandle:host", f"{REPOSITORY}:host"), check=True)
    asked = (docker, "image", "inspect", "--format", "{{json .RepoDigests}}", f"{REPOSITORY}:host")
    digests = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    return next(item.partition("@")[2] for item in digests if item.startswith(REPOSITORY))


@pytest.fixture(scope="session")
def dev(state_bucket: str, image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The outputs of `terraform apply`."""
    more = {"image_digest": image, "workers": 1}
    root = Terraform(TERRAFORM / "environments" / "dev", tmp_path_factory.mktemp("dev"), more)
    root.init()
    root.apply()
    return root.outputs()


@pytest.fixture(scope="session")
def postgres(dev: dict[str, Any]) -> Iterator[TlsServer]:
    """PostgreSQL in place of RDS, with its host name and its admin secret."""
    assert debians(), MISSING
    with tls_server(dev["database"].partition(":")[0]) as server:
        server.empty()
        boto3.client("secretsmanager").put_secret_value(
            SecretId=dev["admin_secret_arn"],
            SecretString=json.dumps({"username": ADMIN, "password": server.password}),
        )
        yield server


@pytest.fixture(scope="session")
def stand_ins(dev: dict[str, Any], postgres: TlsServer, aws: str) -> Iterator[dict[str, str]]:
    """Addresses of AWS, the database, the load balancer and the public APIs for containers."""
    machine = address_of_machine()
    balancer = boto3.client("elbv2").describe_load_balancers(Names=["wandle-dev-internal"])
    app = create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000)
    database, _, port = dev["database"].partition(":")
    with ExitStack() as stack:
        apis = stack.enter_context(serving(app))
        stack.enter_context(forwarded(machine, int(port), postgres.port))
        stack.enter_context(forwarded(machine, 8080, PORT))
        yield {
            "MACHINE": machine,
            "STAND_IN_CA": str(postgres.ca),
            "STAND_IN_DATABASE": database,
            "STAND_IN_BALANCER": balancer["LoadBalancers"][0]["DNSName"],
            "STAND_IN_AWS": stack.enter_context(forwarded(machine, 0, urlsplit(aws).port or 80)),
            "STAND_IN_APIS": stack.enter_context(forwarded(machine, 0, urlsplit(apis).port or 80)),
        }


@pytest.fixture(scope="session")
def host(
    stand_ins: dict[str, str], postgres: TlsServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """The main host, running."""
    folder = tmp_path_factory.mktemp("hosts") / "host"
    yield from up(Host.of("host", folder, stand_ins, postgres.of("airflow")))


@pytest.fixture(scope="session")
def worker(host: Host, stand_ins: dict[str, str]) -> Iterator[Host]:
    """A worker host, running."""
    yield from up(Host.of("worker", host.folder.parent / "worker", stand_ins, host.metadata))


def up(host: Host) -> Iterator[Host]:
    """Start a host, and stop it after the tests."""
    try:
        host.start()
        yield host
    finally:
        host.stop()
