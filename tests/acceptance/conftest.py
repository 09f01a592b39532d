"""A platform of its own, brought up by the command that a user types."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values

from include.local.services.airflow_api import AirflowApi
from tests.acceptance.airflow_runs import Airflow
from tests.recorded import recorded_payloads

CHECKOUT = Path(__file__).parents[2]
PORT_BASE = 18_180
# Of the platform that `sandbox` brings up.
SANDBOX_PORT_BASE = 18_880
YEAR = [f"2017-{month:02}" for month in range(1, 13)]
# The DAGs that tests run on `sandbox`. The schedules of all others would run between them.
RUN_BY_TESTS = ("ingest_police_street_crime", "ingest_bank_holidays", "transform")


def environment_of_its_own(home: Path, port_base: int, **more: str) -> dict[str, str]:
    """The variables of this process, with a state folder and ports of their own."""
    foreign = ("WANDLE_", "AIRFLOW", "AWS_")
    own = {"WANDLE_HOME": str(home), "WANDLE_PORT_BASE": str(port_base), **more}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | own


@dataclass(frozen=True)
class Wandle:
    """The `wandle` command, with its own state folder and ports."""

    environment: dict[str, str]
    home: Path

    def run(self, *arguments: str, timeout: int = 900) -> subprocess.CompletedProcess[str]:
        """Run it to its end, whatever its exit code."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("wandle")), *arguments],
            env=self.environment,
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def ok(self, *arguments: str) -> str:
        """Run it; it must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"wandle {shlex.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def ledger(self, *options: str) -> list[dict[str, Any]]:
        """`wandle ledger --json`."""
        found: list[dict[str, Any]] = json.loads(self.ok("ledger", "--json", *options))
        return found

    def exported(self) -> dict[str, str]:
        """What `wandle env` prints."""
        pairs = (shlex.split(line)[1].split("=", 1) for line in self.ok("env").splitlines())
        return dict(pairs)

    def setting(self, name: str) -> str:
        """A setting that `wandle up` has written for all processes of the platform."""
        return str(dotenv_values(self.home / "wandle.env")[name])

    def airflow(self) -> AirflowApi:
        """Its Airflow, logged in."""
        names = ("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD")
        exported = self.exported()
        return AirflowApi(*(exported[name] for name in names))


@pytest.fixture(scope="session")
def payloads() -> Path:
    folder = recorded_payloads()
    if folder is None:
        pytest.skip("no recorded payloads: set RECORDED_PAYLOADS to their folder")
    return folder


@pytest.fixture(scope="session")
def wandle(tmp_path_factory: pytest.TempPathFactory, payloads: Path) -> Iterator[Wandle]:
    home = tmp_path_factory.mktemp("wandle")
    environment = environment_of_its_own(home, PORT_BASE, WANDLE_PAYLOADS=str(payloads))
    platform = Wandle(environment, home)
    yield platform
    platform.run("down")


@pytest.fixture(scope="session")
def expected(payloads: Path) -> dict[str, dict[str, Any]]:
    content = json.loads((payloads / "police" / "EXPECTED.json").read_text())
    found: dict[str, dict[str, Any]] = {
        council: {month: content[council][month] for month in YEAR}
        for council in ("kingston", "sutton")
    }
    return found


@pytest.fixture(scope="session")
def year(wandle: Wandle) -> str:
    """The whole year, from nothing, as `make demo` runs it; what it printed."""
    return wandle.ok("demo", "--from", "2017-01", "--to", "2017-12")


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wandle]:
    """A platform on the simulated APIs, with the wards' boundaries of this month loaded."""
    home = tmp_path_factory.mktemp("wandle")
    platform = Wandle(environment_of_its_own(home, SANDBOX_PORT_BASE), home)
    try:
        platform.ok("up")
        platform.ok("ingest", "police_ward_boundaries")
        airflow = platform.airflow()
        for dag in [*airflow.listed("/dags", "dags", paused=False)]:
            if dag["dag_id"] not in RUN_BY_TESTS:
                airflow.patch(f"/dags/{dag['dag_id']}", {"is_paused": True})
        yield platform
    finally:
        platform.run("down")


@pytest.fixture
def airflow(sandbox: Wandle) -> Iterator[Airflow]:
    """Its Airflow, while the APIs answer as they should."""
    found = Airflow(sandbox.airflow(), sandbox.home)
    yield found
    found.restore()
