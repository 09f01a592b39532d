"""One stack for the suite, driven by the commands that a user types.

`COMPOSE` names another `docker compose`; `EXTRACT_BASE` another base of the images without a shell.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.recorded import recorded_payloads

CHECKOUT = Path(__file__).parents[2]
FILES = ("docker-compose.yaml", "tests/containers/extract.yaml")
REPLAY = "tests/containers/replay.yaml"
PORT, FLOWER_PORT, API_PORT = "18490", "18491", "18492"
SERVICES = ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "sandbox", "flower")
HEALTHY_SECONDS = 600
MEASURED = (*(name for name in SERVICES if name != "flower"), "postgres", "s3", "redis")
# By the second version of control groups, else by the first.
PROCESSOR_TIME = (
    "cd /sys/fs/cgroup; grep usage_usec cpu.stat 2>/dev/null || cat cpuacct/cpuacct.usage"
)


@dataclass
class Stack:
    """A Compose project of its own: names, ports, volumes."""

    environment: dict[str, str]
    files: tuple[str, ...] = FILES
    folder: Path = CHECKOUT
    times: dict[str, Any] = field(default_factory=dict)

    def command(self, *arguments: str) -> list[str]:
        compose = shlex.split(self.environment.get("COMPOSE", "docker compose"))
        return [*compose, *(word for name in self.files for word in ("-f", name)), *arguments]

    def run(self, *arguments: str, timeout: int = 1800) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever its exit code."""
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def ok(self, *arguments: str, timeout: int = 1800) -> str:
        """Run it; it must succeed."""
        done = self.run(*arguments, timeout=timeout)
        end = (done.stdout + done.stderr)[-6000:]
        assert done.returncode == 0, f"compose {shlex.join(arguments)}:\n{end}"
        return done.stdout

    def inside(self, service: str, *command: str, index: int = 1) -> str:
        """What a command prints in a running container."""
        return self.ok("exec", "-T", "--index", str(index), service, *command)

    def up(self, workers: int, *options: str) -> None:
        """Start it, and wait until each process says that it is well."""
        self.ok("up", "--detach", "--scale", f"worker={workers}", *options)
        end = time.monotonic() + HEALTHY_SECONDS
        waiting = [(name, 1) for name in SERVICES]
        waiting += [("worker", index) for index in range(2, workers + 1)]
        while waiting:
            waiting = [(name, index) for name, index in waiting if self.trouble(name, index)]
            assert time.monotonic() < end, f"not healthy: {waiting}"

    def trouble(self, service: str, index: int = 1) -> str:
        """What the container's own health check says is wrong; empty if nothing."""
        check = ("python", "-m", "include.local.health", service)
        done = self.run("exec", "-T", "--index", str(index), service, *check)
        return done.stderr or done.stdout or str(done.returncode) if done.returncode else ""

    def wandle(self, *arguments: str) -> str:
        """The `wandle` command, as an operator uses it in a container."""
        return self.inside("worker", "wandle", *arguments)

    def ledger(self, *options: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.wandle("ledger", "--json", *options))
        return found

    def hashes(self) -> dict[tuple[str, str, str], str]:
        return {
            (entry["source"], entry["council"], entry["period"]): entry["content_hash"]
            for entry in self.ledger()
        }

    def sql(self, query: str, database: str = "warehouse") -> list[list[str]]:
        """The rows of a query, by the superuser, on the server's own socket."""
        options = ("-U", "wandle_admin", "-d", database, "-At", "-F", "|", "-c", query)
        return [line.split("|") for line in self.inside("postgres", "psql", *options).splitlines()]

    def processor_seconds(self, workers: int) -> dict[str, float]:
        """What each service has used since its containers started, all workers together."""
        found: dict[str, float] = dict.fromkeys(MEASURED, 0.0)
        counted = [(name, 1) for name in MEASURED]
        counted += [("worker", index) for index in range(2, workers + 1)]
        for name, index in counted:
            said = self.inside(name, "sh", "-c", PROCESSOR_TIME, index=index).split()
            found[name] += int(said[1]) / 1e6 if said[0] == "usage_usec" else int(said[0]) / 1e9
        return found

    def demo(self, *options: str) -> list[str]:
        """The command that runs the main job and ends with it."""
        run = ("run", "--rm", "--no-deps", "-T", "demo")
        return [*run, "police_street_crime", *options]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Up, with two workers, on recorded payloads where they are; gone afterwards."""
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "COMPOSE_")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    } | {
        "COMPOSE_PROJECT_NAME": "wandle-test",
        "COMPOSE_PROFILES": "sandbox,flower",
        "WANDLE_IMAGE": "wandle:test",
        "WANDLE_SANDBOX_IMAGE": "wandle-sandbox:test",
        "WANDLE_PORT": PORT,
        "WANDLE_FLOWER_PORT": FLOWER_PORT,
        "WANDLE_API_IMAGE": "wandle-api:test",
        "WANDLE_API_PORT": API_PORT,
        "WANDLE_LIVE": "",
        "WANDLE_CODE_VERSION": "first",
    }
    payloads = recorded_payloads()
    if payloads is not None:
        environment["WANDLE_PAYLOADS"] = str(payloads)
    stack = Stack(environment, (*FILES, REPLAY) if payloads else FILES)
    stack.run("down", "--volumes")
    began = time.monotonic()
    try:
        stack.ok("build", "api-server", "sandbox")
        stack.times["build"] = time.monotonic() - began
        began = time.monotonic()
        stack.up(2)
        stack.times["up"] = time.monotonic() - began
        yield stack
    finally:
        stack.run("down", "--volumes")
