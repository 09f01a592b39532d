"""What docs/runbook.md says of red tasks, done for real by Airflow's own `dag.test()`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from dags._tasks import DEFAULTS
from include.jobs.pipeline import replay
from include.sources.model import contracts
from tests.unit.docs.runbook import RUNBOOK, red_tasks


@pytest.fixture
def restore(world) -> Iterator[Callable[[], None]]:
    """A database without the tables of the books; returns what brings them back."""
    with psycopg.connect(world.admin_dsn, autocommit=True) as admin:

        def back() -> None:
            if admin.execute("select to_regnamespace('elsewhere')").fetchone() != (None,):
                admin.execute("alter schema elsewhere rename to ops")

        admin.execute("alter schema ops rename to elsewhere")
        yield back
        back()


@pytest.mark.parametrize(
    ("dag_id", "red"),
    [
        ("ingest_bank_holidays", {"plan", "announce", "reconcile"}),
        ("transform", {"staging", "marts", "publish", "reconcile", "freshness"}),
        ("replay_quarantine", {"plan", "reconcile"}),
        ("freshness_watch", {"measure", "alert"}),
        ("housekeeping", {"clean", "clean_published", "find_unknown_retention"}),
    ],
)
def test_tasks_without_the_tables_of_the_books_are_red_at_once_and_the_next_run_is_green(
    start, restore, dag_id, red
):
    failed = start(dag_id, {})
    restore()
    after = start(dag_id, {})

    assert {task for task, state in failed.states.items() if state == "failed"} == red
    assert set(failed.tries.values()) <= {0, 1}
    assert failed.state == "failed"
    assert "`wandle migrate`" in failed.said
    assert after.state == "success"


def test_a_replay_that_cannot_announce_has_one_red_task_and_the_next_run_makes_up_for_it(
    start, world, monkeypatch
):
    shipped = contracts()["bank_holidays"]
    narrow = tuple(
        column.model_copy(update={"allowed": ("scotland",)}) if column.allowed else column
        for column in shipped.columns
    )
    checks = shipped.checks.model_copy(update={"max_quarantined_share": 1, "min_records": 0})
    with monkeypatch.context() as broken:
        misread = shipped.model_copy(update={"columns": narrow, "checks": checks})
        broken.setitem(contracts(), shipped.name, misread)
        start("ingest_bank_holidays", {"force": True})

    def without_books(*found: Any, **more: Any) -> Any:
        with psycopg.connect(world.admin_dsn, autocommit=True) as admin:
            admin.execute("alter schema ops rename to elsewhere")
            try:
                return changed_sources(*found, **more)
            finally:
                admin.execute("alter schema elsewhere rename to ops")

    changed_sources = replay.changed_sources
    with monkeypatch.context() as gone:
        gone.setattr(replay, "changed_sources", without_books)
        failed = start("replay_quarantine", {"source": shipped.name})
    after = start("ingest_bank_holidays", {})

    assert [task for task, state in failed.states.items() if state == "failed"] == ["announce"]
    assert failed.states[f"replay {shipped.name} uk {date.today():%Y-%m}"] == "success"
    assert (failed.state, failed.announced) == ("failed", [])
    assert (after.state, after.announced) == ("success", ["raw.bank_holidays"])


def test_a_task_that_takes_too_long_is_red_and_the_ledger_says_so(start, world, monkeypatch):
    monkeypatch.setitem(DEFAULTS, "execution_timeout", timedelta(seconds=5))
    monkeypatch.setitem(DEFAULTS, "retries", 0)
    world.fail(match={"path": "bank-holidays"}, fault="slow", seconds=60)

    failed = start("ingest_bank_holidays", {})

    red = {task.split(" ")[0] for task, state in failed.states.items() if state == "failed"}
    assert red == {"extract", "reconcile"}
    query = f"select step, error from ops.load where run_id = '{failed.run_id}'"
    assert world.query(query) == [("extract", "AirflowTaskTimeout")]


def test_every_task_that_may_be_red_is_in_the_runbook_and_no_other(dag_bag):
    listed = red_tasks(RUNBOOK.read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for dag_id, dag in dag_bag.dags.items():
        name = "ingest_*" if dag_id.startswith("ingest_") else dag_id
        tasks = {task.removeprefix("partition.") for task in dag.task_ids}
        found.setdefault(name, set()).update(tasks)

    # Those of alerts, and of sources that others follow, are there where a contract has them.
    assert listed.keys() == found.keys()
    assert [(name, task) for name in found for task in found[name] - listed[name]] == []
    assert listed["ingest_*"] - found["ingest_*"] <= {"alert", "announce_landings"}
    assert listed["transform"] - found["transform"] <= {"alert"}
    assert sum(map(len, found.values())) >= 20
