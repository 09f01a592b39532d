"""Start the demo's DAG runs once their parents are done, and wait for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from rich.progress import Progress, TaskID

from include.errors import PermanentError
from include.local.demo.window import Asked
from include.local.services.airflow_api import FINISHED, AirflowApi
from include.sources.partition import Period

RUNS_AT_A_TIME = 4
POLL_SECONDS = 1.0
# Give up after this long without progress.
PATIENCE_SECONDS = 600


class DemoFailed(PermanentError):
    """A task of the main job failed; the message has its error."""


@dataclass
class _Runs:
    """The runs of one DAG to wait for: those of `run_ids`, or of a backfill of the dates."""

    dag_id: str
    expected: int
    bar: TaskID
    run_ids: tuple[str, ...] = ()
    dates: tuple[datetime, datetime] | None = None
    states: dict[str, str] = field(default_factory=dict)
    ended_tasks: int = 0
    moved: float = field(default_factory=monotonic)

    @property
    def finished(self) -> bool:
        return sum(state in FINISHED for state in self.states.values()) >= self.expected

    @property
    def failed(self) -> list[str]:
        return [name for name, state in self.states.items() if state == "failed"]

    def holds(self, run: dict[str, Any]) -> bool:
        if run["dag_id"] != self.dag_id:
            return False
        if self.dates is None:
            return run["dag_run_id"] in self.run_ids
        first, last = self.dates
        return (
            run["run_type"] == "backfill"
            and first <= datetime.fromisoformat(run["logical_date"]) <= last
        )


def ingest_all(api: AirflowApi, asked: list[Asked], progress: Progress) -> None:
    """Run each source as soon as its parents have run, and wait until all are done.

    A failed source blocks only its children. Raises `DemoFailed` with the
    errors of the failed tasks.
    """
    bars = {
        item.contract.name: progress.add_task(_dag_id(item), total=None, note="waiting")
        for item in asked
    }
    waiting = {item.contract.name: item for item in asked}
    running: dict[str, _Runs] = {}
    good: set[str] = set()
    failures: list[str] = []
    since = datetime.now(UTC).isoformat()
    while True:
        for name, item in list(waiting.items()):
            if item.parents <= good:
                running[name] = _start(api, waiting.pop(name), progress, bars[name])
        if not running:
            break
        # One request for all sources: each costs the API server some 20 ms of CPU time.
        seen = list(api.listed("/dags/~/dagRuns", "dag_runs", updated_at_gte=since))
        for name, runs in list(running.items()):
            _look(api, runs, seen, progress)
            if runs.finished:
                del running[name]
                if runs.failed:
                    failures.append(why(api, runs.dag_id, runs.failed))
                else:
                    good.add(name)
        sleep(POLL_SECONDS)
    if failures:
        held_back = f"\nNot run because of that: {', '.join(waiting)}." if waiting else ""
        raise DemoFailed("\n".join(failures) + held_back)


def why(api: AirflowApi, dag_id: str, run_ids: list[str]) -> str:
    """The errors of the failed tasks, in order of time for each run."""
    lines = []
    for run_id in run_ids:
        tasks = api.listed(
            f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances", "task_instances"
        )
        failed = [task for task in tasks if task["state"] == "failed"]
        failed.sort(key=lambda task: task["start_date"] or "")
        for task in failed:
            label = task["rendered_map_index"] or ""
            lines.append(f"{run_id} {task['task_id']} {label}: {api.error_of(task)}")
    return f"{dag_id}: {len(run_ids)} runs failed.\n" + "\n".join(lines)


def _dag_id(asked: Asked) -> str:
    return f"ingest_{asked.contract.name}"


def _start(api: AirflowApi, asked: Asked, progress: Progress, bar: TaskID) -> _Runs:
    """Start months as a backfill with a run each; days, or months with gaps, as a run a stretch."""
    dag_id = _dag_id(asked)
    stretches = asked.stretches or [(asked.councils, ())]
    councils, periods = stretches[0]
    has_backfills = asked.contract.extract.kind not in ("landing", "files")
    if asked.contract.period == "month" and periods and len(stretches) == 1 and has_backfills:
        dates = (
            datetime.combine(periods[0].first_day, time.min, UTC),
            datetime.combine(periods[-1].last_day, time.max, UTC),
        )
        _backfill(api, dag_id, dates, {"councils": list(councils)})
        runs = _Runs(dag_id, len(periods), bar, dates=dates)
    else:
        started = tuple(_trigger(api, dag_id, *stretch) for stretch in stretches)
        runs = _Runs(dag_id, len(started), bar, started)
    progress.update(bar, total=runs.expected)
    return runs


def _trigger(
    api: AirflowApi, dag_id: str, councils: tuple[str, ...], periods: tuple[Period, ...]
) -> str:
    """Start one run for all of these; its id."""
    conf: dict[str, Any] = {"councils": list(councils)}
    if periods:
        conf |= {"from": str(periods[0]), "to": str(periods[-1])}
    run = api.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
    return str(run["dag_run_id"])


def _backfill(
    api: AirflowApi, dag_id: str, dates: tuple[datetime, datetime], conf: dict[str, Any]
) -> None:
    """Start a backfill that reprocesses existing runs."""
    for backfill in api.listed("/backfills", "backfills", dag_id=dag_id):
        if backfill["completed_at"] is None:
            # Airflow marks a backfill complete up to 30 s after its last run.
            api.put(f"/backfills/{backfill['id']}/cancel", {})
    api.post(
        "/backfills",
        {
            "dag_id": dag_id,
            "from_date": dates[0].isoformat(),
            "to_date": dates[1].isoformat(),
            "reprocess_behavior": "completed",
            "max_active_runs": RUNS_AT_A_TIME,
            "run_backwards": False,
            "dag_run_conf": conf,
        },
    )


def _look(api: AirflowApi, runs: _Runs, seen: Iterable[dict[str, Any]], progress: Progress) -> None:
    """Update the runs' states. Raises `DemoFailed` after too long without progress."""
    states = {run["dag_run_id"]: run["state"] for run in seen if runs.holds(run)}
    done = sum(state in FINISHED for state in states.values())
    if states != runs.states:
        runs.states, runs.moved = states, monotonic()
    progress.update(runs.bar, completed=done, note=_note(states))
    if not runs.finished and monotonic() - runs.moved > PATIENCE_SECONDS:
        ended = _ended_tasks(api, runs.dag_id, [*states])
        if ended > runs.ended_tasks:
            runs.ended_tasks, runs.moved = ended, monotonic()
            return
        raise DemoFailed(
            f"{runs.dag_id}: no progress for {PATIENCE_SECONDS} s. See "
            "`wandle status` and the scheduler's log."
        )


def _ended_tasks(api: AirflowApi, dag_id: str, run_ids: list[str]) -> int:
    """How many tasks of a long run have ended: it may have one for each partition."""
    paths = (f"/dags/{dag_id}/dagRuns/{quote(name, safe='')}/taskInstances" for name in run_ids)
    return sum(
        task["end_date"] is not None
        for path in paths
        for task in api.listed(path, "task_instances")
    )


def _note(states: dict[str, str]) -> str:
    running = sum(state == "running" for state in states.values())
    failed = sum(state == "failed" for state in states.values())
    return f"{running} running" + (f", {failed} failed" if failed else "")
