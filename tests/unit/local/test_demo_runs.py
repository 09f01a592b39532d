"""The demo waits for runs that make progress, and gives up on those that do not."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from rich.progress import Progress

from include.local.demo import run as main
from include.local.demo import runs as demo


class Airflow:
    """A run of two tasks that is always running; `ended` says how many have ended."""

    def __init__(self) -> None:
        self.ended = 0

    def listed(self, path: str, field: str) -> list[dict[str, Any]]:
        assert (path, field) == ("/dags/ingest_x/dagRuns/a%2Fb/taskInstances", "task_instances")
        return [{"end_date": "now" if place < self.ended else None} for place in range(2)]


def test_a_long_run_is_waited_for_as_long_as_tasks_of_it_end(monkeypatch):
    monkeypatch.setattr(demo, "PATIENCE_SECONDS", -1)
    airflow, bars = Airflow(), Progress()
    runs = demo._Runs("ingest_x", 1, bars.add_task("x"), ("a/b",))
    seen = [{"dag_id": "ingest_x", "dag_run_id": "a/b", "state": "running"}]

    for airflow.ended in (1, 2):
        demo._look(airflow, runs, seen, bars)  # type: ignore[arg-type]
    with pytest.raises(demo.DemoFailed, match="ingest_x: no progress for"):
        demo._look(airflow, runs, seen, bars)  # type: ignore[arg-type]


def test_a_backfill_is_finished_once_its_runs_are_and_other_runs_do_not_count():
    bars = Progress()
    dates = datetime(2026, 8, 1, tzinfo=UTC), datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC)
    runs = demo._Runs("ingest_x", 2, bars.add_task("x"), dates=dates)

    def run(name: str, state: str, **other: str) -> dict[str, Any]:
        usual = {"dag_id": "ingest_x", "run_type": "backfill", "logical_date": f"{name}T00:00:00Z"}
        return {"dag_run_id": name, "state": state, **usual, **other}

    others = [
        run("2026-10-01", "success"),
        run("2026-08-02", "success", run_type="scheduled"),
        run("2026-08-03", "success", dag_id="ingest_y"),
    ]
    first, last = run("2026-08-01", "success"), run("2026-09-01", "running")
    demo._look(Airflow(), runs, [first, last, *others], bars)  # type: ignore[arg-type]
    assert (runs.finished, runs.failed) == (False, [])

    demo._look(Airflow(), runs, [first, last | {"state": "failed"}, *others], bars)  # type: ignore[arg-type]
    assert (runs.finished, runs.failed) == (True, ["2026-09-01"])


@pytest.mark.parametrize("fails", [False, True])
def test_the_marts_are_built_once_after_all_sources_also_if_one_fails(monkeypatch, fails):
    monkeypatch.setattr(main, "marts_are_behind", lambda dsn: True)
    asked: list[tuple[str, dict[str, Any]]] = []
    airflow = SimpleNamespace(
        patch=lambda path, body: asked.append((path, body)),
        post=lambda path, body: asked.append((path, body)),
    )

    with (
        pytest.raises(demo.DemoFailed) if fails else nullcontext(),
        main._built_once(airflow, SimpleNamespace(portal_dsn="")),  # type: ignore[arg-type]
    ):
        assert asked == [("/dags/transform", {"is_paused": True})]
        if fails:
            raise demo.DemoFailed("one of two")

    assert asked[1:] == [
        ("/dags/transform", {"is_paused": False}),
        ("/dags/transform/dagRuns", {"logical_date": None, "conf": {}}),
    ]
