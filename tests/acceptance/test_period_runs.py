"""Hours and financial years through Airflow's own scheduler: scheduled runs, and backfills."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from include.local.services.airflow_api import FINISHED, AirflowApi
from include.sources.partition import Period

CHECKOUT = Path(__file__).parents[2]
PORT_BASE = 18_680
SOURCES = {
    "by_hour": ("hour", "{period:%Y-%m-%dT%H}"),
    "by_year": ("financial_year", "{period:%Y}-{period.last:%y}"),
}

pytestmark = [pytest.mark.timeout(900), pytest.mark.platform]


@dataclass
class Project:
    """A copy of the project with both sources, and its platform."""

    folder: Path
    environment: dict[str, str]

    def wandle(self, *arguments: str) -> str:
        """Run a command, which must succeed."""
        done = subprocess.run(
            [sys.executable, "-c", "from include.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        assert done.returncode == 0, f"wandle {arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def loaded(self, source: str) -> list[str]:
        """The loaded periods of Sutton."""
        entries = json.loads(self.wandle("ledger", source, "--council", "sutton", "--json"))
        return [entry["period"] for entry in entries if entry["status"] == "loaded"]

    def add(self, source: str, period: str, written: str) -> None:
        """Generate a source of that size whose runs are two minutes apart.

        `wandle migrate` opens its schedule, from the next run on.
        """
        sample = self.folder / "response.json"
        sample.write_text(json.dumps([{"id": 1, "note": "a"}]))
        url = f"https://{source.replace('_', '-')}.example.org/{{council.gss_code}}/{written}"
        self.wandle(
            *("new-source", source, "--file", str(sample), "--url", url, "--partition-by", period)
        )
        path = self.folder / "include" / "sources" / f"{source}.yaml"
        content = yaml.safe_load(path.read_text())
        content |= {"schedule": "*/2 * * * *", "start": "2020-04-01", "lookback": 1}
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    @property
    def airflow(self) -> AirflowApi:
        """The platform's Airflow."""
        kept = dotenv_values(Path(self.environment["WANDLE_HOME"]) / "wandle.env")
        return AirflowApi(
            *(str(kept[name]) for name in ("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD"))
        )

    def resume(self, source: str) -> None:
        """Let its runs start."""
        self.airflow.patch(f"/dags/ingest_{source}", {"is_paused": False})

    def pause(self, source: str) -> None:
        """Start no further runs."""
        self.airflow.patch(f"/dags/ingest_{source}", {"is_paused": True})

    def settle(self, source: str) -> None:
        """Pause between two runs: one that has begun gets no further task while it is paused."""
        ends = time.monotonic() + 400
        while self._running(source):
            self.resume(source)
            while begun := self._running(source):
                assert time.monotonic() < ends, f"still running: {begun}"
                time.sleep(1)
            self.pause(source)

    def _running(self, source: str) -> list[str]:
        runs = self.airflow.listed(f"/dags/ingest_{source}/dagRuns", "dag_runs", state="running")
        return [run["dag_run_id"] for run in runs]

    def finished(self, source: str, run_type: str, expected: int) -> list[dict[str, Any]]:
        """The runs of a type, once as many as expected have ended."""
        ends = time.monotonic() + 400
        while True:
            path = f"/dags/ingest_{source}/dagRuns"
            runs = self.airflow.listed(path, "dag_runs", run_type=run_type)
            done = [run for run in runs if run["state"] in FINISHED]
            if len(done) >= expected:
                return done
            assert time.monotonic() < ends, f"of {expected} runs ended: {done}"
            time.sleep(1)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("project")
    leave = shutil.ignore_patterns("__pycache__", "target", "logs", "dbt_packages")
    for name in ("include", "config", "dags", "plugins", "sandbox", "dbt_project"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=leave)
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "PYTHONPATH")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    } | {
        "PYTHONPATH": str(folder),
        "WANDLE_HOME": str(tmp_path_factory.mktemp("home")),
        "WANDLE_PORT_BASE": str(PORT_BASE),
        "WANDLE_CODE_VERSION": "test",
        # Nothing outside of this machine is reached.
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    found = Project(folder, environment)
    try:
        found.wandle("up")
        for source, how in SOURCES.items():
            found.add(source, *how)
        found.wandle("migrate")
        found.airflow.wait_for_dags([f"ingest_{source}" for source in SOURCES], 120)
        yield found
    finally:
        found.wandle("down")


@pytest.mark.parametrize("source", SOURCES)
def test_a_scheduled_run_loads_the_current_period_and_looks_back(project, source):
    grain = SOURCES[source][0]
    before = Period.of(datetime.now(UTC), grain)
    project.resume(source)

    (run, *_) = project.finished(source, "scheduled", 1)
    project.pause(source)

    assert run["state"] == "success"
    # The hour may have changed since then.
    assert {str(before), str(before.previous)} <= {*project.loaded(source), str(before)}
    assert project.loaded(source)[-1] in (str(before), str(before.next), str(before.previous))


@pytest.mark.parametrize(
    ("source", "first", "last", "periods"),
    [
        ("by_year", "2021-05-01", "2023-04-01", ["2021-22", "2022-23", "2023-24"]),
        # An hour that London had twice.
        ("by_hour", "2026-10-25T00:10:00Z", "2026-10-25T02:00:00Z",
         ["2026-10-25T00", "2026-10-25T01", "2026-10-25T02"]),
    ],
)  # fmt: skip
def test_a_backfill_loads_each_period_of_its_dates_once(project, source, first, last, periods):
    project.airflow.post(
        "/backfills",
        {
            "dag_id": f"ingest_{source}",
            "from_date": first,
            "to_date": last,
            "run_backwards": False,
            "dag_run_conf": {"councils": ["sutton"]},
            "reprocess_behavior": "completed",
            "max_active_runs": 2,
        },
    )
    project.resume(source)
    runs = project.finished(source, "backfill", len(periods))
    project.pause(source)

    assert [run["state"] for run in runs] == ["success"] * len(periods)
    assert set(periods) <= set(project.loaded(source))


def test_landings_and_tables_agree(project):
    for source in SOURCES:
        project.settle(source)

    assert "Compared" in project.wandle("verify", *SOURCES)
