"""The image of the read API: it serves what was published, and holds and may do nothing else."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.containers.conftest import API_PORT, Stack

pytestmark = pytest.mark.timeout(1800)

PYTHON = "/usr/local/bin/python3"
LOOK = """
import importlib.util, json, os
programs = ("/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/apt-get", "/usr/bin/dpkg")
there = [name for name in programs if os.path.exists(name)]
packages = ("pip", "psycopg", "asyncpg", "airflow")
there += [name for name in packages if importlib.util.find_spec(name)]
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
print(json.dumps({
    "there": there,
    "user": os.getuid(),
    "refused": [refused(folder + "/x") for folder in ("/api", "/usr", "/etc", "/wandle", "/tmp")],
    "secrets": sorted(name for name in os.environ if "ADMIN" in name or "DSN" in name),
}))
"""


def asked(path: str) -> Any:
    """What the API answers: its body, from JSON if it is that."""
    with urllib.request.urlopen(f"http://127.0.0.1:{API_PORT}{path}", timeout=30) as answer:
        body = answer.read().decode()
        return json.loads(body) if "json" in answer.headers["content-type"] else body


def ready() -> bool:
    try:
        return bool(asked("/readyz"))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@pytest.fixture(scope="module")
def api(stack: Stack) -> Stack:
    """The read API over what a transform has published."""
    stack.wandle("ingest", "bank_holidays")
    stack.wandle("transform")
    stack.ok("--profile", "api", "build", "api")
    stack.ok("--profile", "api", "up", "--detach", "--no-deps", "api")
    end = time.monotonic() + 120
    while not ready():
        assert time.monotonic() < end, stack.run("--profile", "api", "logs", "api").stdout[-3000:]
        time.sleep(1)
    return stack


def test_it_serves_what_was_published_and_reports_that_it_is_healthy(api: Stack):
    datasets = asked("/v1/datasets")["datasets"]
    name = next(one["name"] for one in datasets if one["rows"])

    assert len(asked(f"/v1/datasets/{name}/rows?limit=1")["rows"]) == 1
    health = (PYTHON, "-m", "include.local.health", "api")
    done = api.run("--profile", "api", "exec", "-T", "api", *health)
    assert done.returncode == 0, done.stderr
    # Some Compose programs colour what they show.
    lines = re.findall(r"\{.*\}", api.ok("--profile", "api", "logs", "--no-log-prefix", "api"))
    logged = [json.loads(line) for line in lines]
    assert any(one["route"] == "/v1/datasets" and one["status"] == 200 for one in logged), lines


def test_it_has_no_shell_runs_as_nobody_and_writes_only_temporary_files(api: Stack):
    said = api.ok("--profile", "api", "exec", "-T", "api", PYTHON, "-c", LOOK)
    found = json.loads(said.strip().splitlines()[-1])

    assert found["there"] == []
    assert found["user"] == 50000
    assert found["refused"] == [*["Read-only file system"] * 4, None]
    assert found["secrets"] == []
