"""The rules of Compose files, on what Compose makes of them: alone, for editing, on AWS."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.containers.conftest import CHECKOUT
from tests.unit.local.test_containers_rules import RULES, Service, runs_as_root, writes_its_root

BASE = "docker-compose.yaml"
OF_AWS = {"postgres", "s3"}
# What is rendered: its files, and how many services are left.
RENDERED = {
    "alone": ((BASE,), 14),
    "edit": ((BASE, "docker-compose.edit.yaml"), 14),
    "aws": ((BASE, "docker-compose.aws.yaml"), 14 - len(OF_AWS)),
}
# What a host on AWS has in its `.env`, as far as Compose insists on it.
SETTINGS = """\
AIRFLOW__SECRETS__BACKEND=a.backend
AIRFLOW__SECRETS__BACKEND_KWARGS={}
AIRFLOW__API__BASE_URL=http://localhost:8080
WANDLE_ADMIN_SECRET=a-name
"""
CARELESS = """\
services:
  redis: {user: root, read_only: false}
"""


def rendered(project: Path, *files: str) -> dict[str, Service]:
    """The services of all profiles, as `docker compose config` prints them."""
    for name in (*files, "include/local/airflow.env"):
        if not (project / name).exists():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, project / name)
    (project / ".env").write_text(SETTINGS)
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "COMPOSE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    done = subprocess.run(
        [
            *shlex.split(os.environ.get("COMPOSE") or "docker compose"),
            *(word for name in files for word in ("-f", name)),
            "config",
        ],
        env=environment | {"COMPOSE_PROFILES": "sandbox,demo,flower,api"},
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # Some print the folder in place of `.`.
    content = yaml.safe_load(done.stdout.replace(f"{project}/", "./"))
    services: dict[str, Service] = content["services"]
    return services


@pytest.fixture(scope="module", params=RENDERED)
def services(request, tmp_path_factory) -> dict[str, Service]:
    files, count = RENDERED[request.param]
    found = rendered(tmp_path_factory.mktemp(request.param), *files)
    assert len(found) == count
    return found


@pytest.mark.parametrize("broken", [rule for rule, _ in RULES], ids=lambda rule: rule.__name__)
def test_no_container_breaks_a_rule_with_any_override(
    services: dict[str, Service], broken: Callable[[str, Service], bool]
):
    assert [name for name, service in services.items() if broken(name, service)] == []


def test_a_file_that_makes_one_root_and_writable_is_found(tmp_path):
    (tmp_path / "careless.yaml").write_text(CARELESS)

    found = rendered(tmp_path, BASE, "careless.yaml")

    for broken in (runs_as_root, writes_its_root):
        assert [name for name, service in found.items() if broken(name, service)] == ["redis"]


def test_a_host_on_aws_runs_no_database_and_no_bucket(tmp_path):
    found = rendered(tmp_path, *RENDERED["aws"][0])

    assert OF_AWS.isdisjoint(found)
