"""The demo waits for runs that make progress, and gives up on those that do not."""

from __future__ import annotations

from typing import Any

import pytest
from rich.progress import Progress

from include.local.demo import runs as demo


class Airflow:
    """A run of two tasks that is always running; `ended` says how many have ended."""

    def __init__(self) -> None:
        self.ended = 0

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/dags/ingest_x/dagRuns/a%2Fb"
        return {"dag_run_id": "a/b", "state": "running"}

    def listed(self, path: str, field: str) -> list[dict[str, Any]]:
        assert (path, field) == ("/dags/ingest_x/dagRuns/a%2Fb/taskInstances", "task_instances")
        return [{"end_date": "now" if place < self.ended else None} for place in range(2)]


def test_a_long_run_is_waited_for_as_long_as_tasks_of_it_end(monkeypatch):
    monkeypatch.setattr(demo, "PATIENCE_SECONDS", -1)
    airflow, bars = Airflow(), Progress()
    runs = demo._Runs("ingest_x", {"run_ids": ["a/b"]}, 1, bars.add_task("x"))

    for airflow.ended in (1, 2):
        demo._look(airflow, runs, bars)  # type: ignore[arg-type]
    with pytest.raises(demo.DemoFailed, match="ingest_x: no progress for"):
        demo._look(airflow, runs, bars)  # type: ignore[arg-type]
