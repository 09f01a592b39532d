"""The image builds, the stack comes up, and each container can do no more than it must."""

from __future__ import annotations

import json
import urllib.request

import pytest

from tests.containers.conftest import CHECKOUT, FLOWER_PORT, PORT, SERVICES, Stack

pytestmark = pytest.mark.timeout(1800)

EVERY = (*SERVICES, "postgres", "redis", "s3")


def test_every_process_is_healthy(stack: Stack):
    assert {name: stack.trouble(name) for name in SERVICES} == dict.fromkeys(SERVICES, "")


def test_a_process_that_is_not_running_is_unhealthy(stack: Stack):
    done = stack.run("exec", "-T", "sandbox", "python", "-m", "include.local.health", "flower")

    assert done.returncode != 0


def test_no_container_runs_as_root_or_can_write_its_own_files(stack: Stack):
    for name in EVERY:
        done = stack.run("exec", "-T", name, "sh", "-c", "id -u; touch /home/x /usr/x /x /etc/x")
        assert done.stdout.strip() in ("50000", "999"), name
        assert done.stderr.count("Read-only file system") == 4, (name, done.stderr)


def test_the_user_interface_asks_for_a_login_and_flower_for_a_password(stack: Stack):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/api/v2/monitor/health") as answer:
        assert json.load(answer)["scheduler"]["status"] == "healthy"
    for url in (f"http://127.0.0.1:{PORT}/api/v2/dags", f"http://127.0.0.1:{FLOWER_PORT}/workers"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url)


def test_tasks_reach_no_superuser(stack: Stack):
    seen = stack.inside("worker", "sh", "-c", "env; cat /wandle/*; ls /admin")

    assert "wandle_loader" in seen
    assert "wandle_admin" not in seen


def test_only_the_sandboxs_own_image_holds_the_sandbox(stack: Stack):
    held = {
        name: stack.run("exec", "-T", name, "test", "-e", "/opt/airflow/sandbox").returncode == 0
        for name in SERVICES
    }

    assert [name for name, holds in held.items() if holds] == ["sandbox"]


def test_the_image_holds_the_manifest_of_dbt_and_packages_that_fit(stack: Stack):
    manifest = "/opt/airflow/dbt_project/target/manifest.json"
    nodes = json.loads(stack.inside("worker", "cat", manifest))["nodes"]

    assert "model.wandle.ward_crime_monthly" in nodes
    assert "No broken requirements found" in stack.inside("worker", "python", "-m", "pip", "check")


def test_the_image_holds_the_packages_of_this_checkouts_lock_and_no_other(stack: Stack):
    lock = "/opt/airflow/requirements.txt"
    compared = stack.run(
        *("exec", "-T", "worker", "uv", "pip", "sync", "--dry-run", "--no-cache", "--offline", lock)
    )

    assert stack.inside("worker", "cat", lock) == (CHECKOUT / "requirements.txt").read_text()
    assert "Would make no changes" in compared.stderr


def test_the_command_line_works_in_a_container(stack: Stack):
    assert stack.ledger() == []
