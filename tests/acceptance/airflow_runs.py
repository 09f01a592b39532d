"""A running Airflow as its users reach it: the REST API, the command line, and signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from include.local.services.airflow_api import FINISHED, AirflowApi

# A busy machine takes its time.
PATIENCE_SECONDS = 500.0
# What Airflow's command line needs of the scheduler's environment, and what any command needs.
_HANDED_ON = ("AIRFLOW", "WANDLE_", "PATH", "PYTHONPATH", "HOME", "TMPDIR", "LANG")


def waited(for_what: str, look: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """What `look` returns as soon as it is true."""
    ends = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, f"{for_what}: not after {seconds:.0f} s"
        time.sleep(0.5)
    return found


@dataclass
class Airflow:
    """The Airflow of a platform, and the simulated APIs that its tasks request."""

    api: AirflowApi
    home: Path

    def fail(self, *rules: dict[str, Any]) -> None:
        """Let requests to the simulated APIs fail, as `sandbox/middleware/faults.py` describes."""
        new = self.home / "faults.new"
        new.write_text(json.dumps(rules))
        new.replace(self.home / "faults.json")

    def publish_until(self, year: int) -> None:
        """Let the simulated police API hold the 36 months up to that year's October."""
        path = self.home / "sandbox.json"
        kept = json.loads(path.read_text())
        new = path.with_suffix(".new")
        new.write_text(json.dumps(kept | {"as_of": f"{year}-12-20"}))
        new.chmod(0o600)
        new.replace(path)

    def restore(self) -> None:
        """Let the simulated APIs answer as they should."""
        (self.home / "faults.json").unlink(missing_ok=True)

    def trigger(self, dag_id: str, conf: dict[str, Any], **body: Any) -> str:
        """Start a run; its ID. Raises `AirflowRefused`."""
        run = self.api.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf, **body})
        return str(run["dag_run_id"])

    def backfill(
        self, dag_id: str, first: str, last: str, conf: dict[str, Any], **body: Any
    ) -> int:
        """Start a backfill; its ID. Raises `AirflowRefused`."""
        asked = {"from_date": first, "to_date": last, "run_backwards": False, "dag_run_conf": conf}
        return int(self.api.post("/backfills", {"dag_id": dag_id, **asked, **body})["id"])

    def count(self, dag_id: str) -> int:
        """How many runs a DAG has had."""
        return int(self.api.get(f"/dags/{dag_id}/dagRuns", limit=1)["total_entries"])

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Airflow's own command line, in the environment of the scheduler."""
        environment = {
            name: value
            for name, value in self.process("scheduler").environ().items()
            if name.startswith(_HANDED_ON)
        }
        return subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=environment,
            cwd="/",
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    def process(self, service: str) -> psutil.Process:
        """The main process of a service of the platform."""
        recorded = json.loads((self.home / "run" / f"{service}.json").read_text())
        return psutil.Process(recorded["pid"])

    def kill(self, service: str) -> None:
        """Kill a service and all its children at once, as a lost machine would."""
        main = self.process(service)
        for process in (main, *main.children(recursive=True)):
            try:
                os.kill(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def runs(self, dag_id: str, **query: Any) -> list[dict[str, Any]]:
        """The runs of a DAG, in the order of their dates."""
        found = self.api.listed(f"/dags/{dag_id}/dagRuns", "dag_runs", **query)
        return sorted(found, key=lambda run: (run["logical_date"] or "", run["run_after"]))

    def backfilled(self, dag_id: str, *months: str) -> list[dict[str, Any]]:
        """The runs of backfills for these months, in their order."""
        found = self.runs(dag_id, run_type="backfill")
        return [run for run in found if run["data_interval_start"][:7] in months]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run."""
        found: dict[str, Any] = self.api.get(f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}")
        return found

    def ended(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run, when it has ended."""

        def look() -> dict[str, Any] | None:
            run = self.run(dag_id, run_id)
            return run if run["state"] in FINISHED else None

        return dict(waited(f"the end of {run_id}", look))

    def all_ended(self, dag_id: str, run_ids: Sequence[str]) -> list[str]:
        """The states of these runs, when all have ended."""
        return [self.ended(dag_id, run_id)["state"] for run_id in run_ids]

    def quiet(self, dag_id: str) -> None:
        """Wait until no run of a DAG is queued or running, and no backfill of it."""
        waited(
            f"the end of all runs of {dag_id}",
            lambda: all(run["state"] in FINISHED for run in self.runs(dag_id)),
        )
        # The scheduler closes a backfill some seconds after its last run.
        waited(
            f"the end of all backfills of {dag_id}",
            lambda: all(
                backfill["completed_at"]
                for backfill in self.api.listed("/backfills", "backfills", dag_id=dag_id)
            ),
        )

    def tasks(self, dag_id: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run, by name and partition."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        found = self.api.listed(path, "task_instances")
        return {
            " ".join(filter(None, (task["task_id"], task["rendered_map_index"]))): task
            for task in found
        }

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """Their states."""
        return {name: task["state"] for name, task in self.tasks(dag_id, run_id).items()}

    def error(self, dag_id: str, run_id: str, task: str) -> str:
        """Why a task failed, by its log."""
        return self.api.error_of(self.tasks(dag_id, run_id)[task])

    def log(self, dag_id: str, run_id: str, task: str) -> list[str]:
        """What the last try of a task logged."""
        found = self.tasks(dag_id, run_id)[task]
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        content = self.api.get(
            f"{path}/{found['task_id']}/logs/{found['try_number']}", map_index=found["map_index"]
        )["content"]
        return [item["event"] if isinstance(item, dict) else item for item in content]

    def clear(self, dag_id: str, run_id: str, *tasks: str | list[Any], **body: Any) -> None:
        """Clear tasks of a run, by default all, as the UI does."""
        chosen = {"task_ids": list(tasks)} if tasks else {}
        self.api.post(
            f"/dags/{dag_id}/clearTaskInstances",
            {"dry_run": False, "dag_run_id": run_id, "only_failed": False, **chosen, **body},
        )
