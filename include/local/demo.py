"""The main job, through Airflow: backfill, wait for the marts, show the books."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from include.councils.model import councils as every_council
from include.errors import PermanentError
from include.jobs.books import ledger_entries, marts_are_behind
from include.local import platform
from include.local.airflow_api import FINISHED, AirflowApi, AirflowRefused
from include.local.home import read_json
from include.local.lock import hold
from include.local.state import prepare
from include.local.tables import show_summary
from include.sandbox.months import published_months
from include.sandbox.recorded import recorded_months
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.sources.partition import Period

TRANSFORM = "transform"
# Months of a run that was asked for nothing particular, on generated data or live.
MONTHS_BY_DEFAULT = 3
RUNS_AT_A_TIME = 4
POLL_SECONDS = 0.5
# Nothing moves for so long: something hangs, and the user is told.
PATIENCE_SECONDS = 600
# A run of `transform` follows an asset's event within this.
EVENT_SECONDS = 15


class DemoFailed(PermanentError):
    """A task of the main job failed; its own error is in the message."""


@dataclass(frozen=True)
class Window:
    """What the main job is asked for."""

    councils: tuple[str, ...]
    first: Period
    last: Period


@dataclass
class _Runs:
    """The runs of one DAG that are waited for."""

    dag_id: str
    query: dict[str, Any]
    expected: int
    failed: list[dict[str, Any]] = field(default_factory=list)


def demo(
    settings: Settings,
    *,
    councils: list[str] | None,
    first: str,
    last: str,
    console: Console,
) -> None:
    """Bring the platform up and run the main job on it.

    Raises `DemoFailed` with the failing task's own error, and `UnknownName`
    for a council or month that cannot be.
    """
    began = datetime.now(UTC)

    def report(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    with hold(settings.home, "demo", report=report):
        window = choose_window(settings, councils, first, last, began.date())
        platform.up(settings, report=report)
        settings = prepare(settings)
        api = AirflowApi(
            settings.need("airflow_url"), settings.airflow_user, settings.airflow_password
        )
        up_at = time.monotonic()
        report(
            f"The main job: {', '.join(window.councils)}, {window.first} to {window.last}, "
            f"through Airflow"
        )
        with _progress(console) as progress:
            for contract in _parents_first():
                _ingest(api, contract, window, progress, console)
            _wait_for_marts(api, settings, progress)
        show_summary(
            settings,
            [entry for entry in ledger_entries(settings.loader_dsn) if _shown(entry, window)],
            seconds=time.monotonic() - up_at,
            console=console,
        )


def choose_window(
    settings: Settings, councils: list[str] | None, first: str, last: str, today: date
) -> Window:
    """What is asked for, by default all that the recorded payloads hold of the known councils.

    On generated data or live, the last three published months. Raises
    `UnknownName`, or `PermanentError` if that is nothing.
    """
    known = list(every_council())
    for name in councils or ():
        if name not in known:
            raise PermanentError(f"demo: {name!r} is no council. Known: {', '.join(known)}.")
    names = councils or known
    if settings.payloads and not settings.live:
        recorded = recorded_months(settings.payloads)
        names = [name for name in names if name in recorded]
        months = sorted({month for name in names for month in recorded[name]})
        where = f"{settings.payloads} holds"
    else:
        months = sorted(published_months(_as_of(settings, today))[:MONTHS_BY_DEFAULT])
        where = "the source has"
    start, end = (first or (months[0] if months else "")), (last or (months[-1] if months else ""))
    if settings.payloads and not settings.live:
        months = [month for month in months if start <= month <= end]
    if not names or not months:
        raise PermanentError(
            f"demo: {where} nothing for {', '.join(councils or known)} in {start or 'any month'} "
            f"to {end or 'any month'}. Correct COUNCILS, FROM, TO or WANDLE_PAYLOADS."
        )
    window = Window(tuple(names), Period.parse(start, "month"), Period.parse(end, "month"))
    if window.first > window.last:
        raise PermanentError(f"demo: {start} is after {end}. Correct FROM and TO.")
    return window


def _as_of(settings: Settings, today: date) -> date:
    sandbox = read_json(settings.home / "sandbox.json")
    return date.fromisoformat(sandbox["as_of"]) if sandbox and not settings.live else today


def _parents_first() -> list[Contract]:
    return sorted(contracts().values(), key=lambda contract: len(contract.extract.parents))


def _shown(entry: dict[str, Any], window: Window) -> bool:
    contract = contracts()[entry["source"]]
    period = contract.parse_period(entry["period"])
    if entry["council"] not in window.councils:
        return False
    return contract.snapshot or window.first <= period <= window.last


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
        console=console,
    )


def _ingest(
    api: AirflowApi, contract: Contract, window: Window, progress: Progress, console: Console
) -> None:
    dag_id = f"ingest_{contract.name}"
    conf = {"councils": list(window.councils)}
    if contract.snapshot:
        run = api.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        runs = _Runs(dag_id, {"run_id": run["dag_run_id"]}, 1)
    else:
        query = {
            "logical_date_gte": f"{window.first.first_day}T00:00:00Z",
            "logical_date_lte": f"{window.last.last_day}T23:59:59Z",
        }
        _backfill(api, dag_id, query, conf)
        periods = len(window.first.until(window.last))
        runs = _Runs(dag_id, {"run_type": "backfill", **query}, periods)
    _wait(api, runs, progress, console)


def _backfill(api: AirflowApi, dag_id: str, query: dict[str, str], conf: dict[str, Any]) -> None:
    """Start a backfill that reprocesses what exists."""
    for backfill in api.listed("/backfills", "backfills", dag_id=dag_id):
        if backfill["completed_at"] is None:
            # Airflow marks a backfill complete up to 30 s after its last run.
            api.put(f"/backfills/{backfill['id']}/cancel", {})
    api.post(
        "/backfills",
        {
            "dag_id": dag_id,
            "from_date": query["logical_date_gte"],
            "to_date": query["logical_date_lte"],
            "reprocess_behavior": "completed",
            "max_active_runs": RUNS_AT_A_TIME,
            "run_backwards": False,
            "dag_run_conf": conf,
        },
    )


def _wait(api: AirflowApi, runs: _Runs, progress: Progress, console: Console) -> None:
    """Wait until every run is done, showing each. Raises `DemoFailed`."""
    bar = progress.add_task(runs.dag_id, total=runs.expected, note="")
    seen: dict[str, str] = {}
    moved = time.monotonic()
    while True:
        states = {run["dag_run_id"]: run["state"] for run in _found(api, runs)}
        if states != seen:
            seen, moved = states, time.monotonic()
        done = [name for name, state in states.items() if state in FINISHED]
        progress.update(bar, completed=len(done), note=_note(states))
        if len(done) >= runs.expected:
            break
        if time.monotonic() - moved > PATIENCE_SECONDS:
            raise DemoFailed(
                f"{runs.dag_id}: nothing has moved for {PATIENCE_SECONDS} s. Look at "
                "`wandle status` and at the scheduler's log."
            )
        time.sleep(POLL_SECONDS)
    failed = [name for name, state in states.items() if state == "failed"]
    if failed:
        raise DemoFailed(_why(api, runs.dag_id, failed))


def _found(api: AirflowApi, runs: _Runs) -> list[dict[str, Any]]:
    if "run_id" in runs.query:
        return [api.get(f"/dags/{runs.dag_id}/dagRuns/{quote(runs.query['run_id'], safe='')}")]
    return list(api.listed(f"/dags/{runs.dag_id}/dagRuns", "dag_runs", **runs.query))


def _note(states: dict[str, str]) -> str:
    running = sum(state == "running" for state in states.values())
    failed = sum(state == "failed" for state in states.values())
    return f"{running} running" + (f", [red]{failed} failed[/red]" if failed else "")


def _why(api: AirflowApi, dag_id: str, run_ids: list[str]) -> str:
    """The errors of the tasks that failed by themselves, the first one of each run."""
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


def _wait_for_marts(api: AirflowApi, settings: Settings, progress: Progress) -> None:
    """Wait for `transform` until the marts hold every load; start it if nothing else has."""
    if not marts_are_behind(settings.portal_dsn):
        return
    bar = progress.add_task(TRANSFORM, total=1, note="")
    moved = time.monotonic()
    while True:
        runs = api.get(f"/dags/{TRANSFORM}/dagRuns", order_by="-run_after", limit=5)["dag_runs"]
        active = [run for run in runs if run["state"] not in FINISHED]
        progress.update(bar, note=active[0]["state"] if active else "waiting")
        if active:
            moved = time.monotonic()
        elif not marts_are_behind(settings.portal_dsn):
            break
        elif runs and runs[0]["state"] == "failed" and not _queued_events(api):
            raise DemoFailed(_why(api, TRANSFORM, [runs[0]["dag_run_id"]]))
        elif time.monotonic() - moved > EVENT_SECONDS:
            api.post(f"/dags/{TRANSFORM}/dagRuns", {"logical_date": None, "conf": {}})
            moved = time.monotonic()
        time.sleep(POLL_SECONDS)
    progress.update(bar, completed=1, note="")


def _queued_events(api: AirflowApi) -> bool:
    try:
        return bool(api.get(f"/dags/{TRANSFORM}/assets/queuedEvents")["total_entries"])
    except AirflowRefused:
        return False
