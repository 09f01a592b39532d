"""What an answer to a question means: a late one, one to another question, one to less than now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from include.errors import PermanentError
from include.sources import model
from include.sources.limits import Approval as Allowed


class Task:
    """A task instance that keeps what is pushed, as Airflow does while a task waits."""

    id, dag_id, task_id = UUID(int=1), "transform", "approve"

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def xcom_pull(self, task_ids: str, key: str = "return_value") -> Any:
        return self.kept.get(key)


class Airflow:
    """Its supervisor, which keeps the first question of a task, also after it was cleared."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def send(self, msg: Any) -> Any:
        self.asked.append(msg)
        return self.asked[0]


@pytest.fixture
def airflow(monkeypatch) -> Airflow:
    from airflow.sdk.execution_time import task_runner

    found = Airflow()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", found, raising=False)
    return found


@pytest.fixture
def context() -> dict[str, Any]:
    task = Task()
    return {"ti": task, "task_instance": task}


def approval(says: list[str], **options: Any) -> Any:
    """A task that asks what is first in `says`, and after that what follows."""
    from dags._approval import Approval

    return Approval(
        ask=lambda context: says.pop(0),
        subject="Go on?",
        otherwise="Nothing was done.",
        hours=8,
        **options,
    )


def ask(task: Any, context: Any) -> None:
    from airflow.sdk.exceptions import TaskAwaitingInput

    with pytest.raises(TaskAwaitingInput):
        task.execute(context)


def answer(after: timedelta = timedelta(hours=1)) -> dict[str, Any]:
    return {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime.now(UTC) + after,
        "responded_by_user": {"id": "jo", "name": "Jo"},
    }


def test_what_was_shown_is_approved(airflow, context):
    task = approval(["version 1"])

    ask(task, context)

    assert task.execute_complete(context, answer()) == "Jo"


def test_a_task_that_was_cleared_does_not_let_a_person_approve_what_is_not_shown(airflow, context):
    task = approval(["version 1", "version 1", "version 2"])
    ask(task, context)
    # Cleared, and nothing has changed.
    ask(task, context)

    with pytest.raises(PermanentError, match="Start a new run to be asked"):
        task.execute(context)


def test_an_answer_after_the_deadline_does_not_count_even_if_the_scheduler_was_down(
    airflow, context
):
    task = approval(["version 1"])
    ask(task, context)

    with pytest.raises(PermanentError, match="Jo approved it too late"):
        task.execute_complete(context, answer(timedelta(hours=8, minutes=1)))


@pytest.mark.parametrize(
    ("now", "goes_on"), [("2,000", True), ("1,999", True), ("2,001", False), ("20,000", False)]
)
def test_rows_that_were_loaded_while_a_person_was_deciding_are_not_replaced(
    airflow, context, monkeypatch, now, goes_on
):
    from dags import _approval
    from include.jobs.dry_run import replacement

    contract = model.contracts()["bank_holidays"]
    contract = contract.model_copy(update={"approval": Allowed(rows=10)})
    texts = [f"The run would replace up to **{rows} rows** of `raw.x`." for rows in ("2,000", now)]
    monkeypatch.setattr(replacement, "question", lambda *given, **options: texts.pop(0))
    for name in ("lake", "loader_dsn"):
        monkeypatch.setattr(_approval, name, lambda: None)
    context["ti"].kept["return_value"] = []
    context |= {"dag_run": SimpleNamespace(run_type="backfill"), "params": {"mode": "fetch"}}
    task = _approval.approval_to_replace(contract, 8)
    ask(task, context)

    if goes_on:
        assert task.execute_complete(context, answer()) == "Jo"
        return
    with pytest.raises(PermanentError, match="more would change now than Jo approved"):
        task.execute_complete(context, answer())


@pytest.mark.parametrize(
    ("run_type", "asks"),
    [
        ("manual", True),
        ("backfill", True),
        # *Materialize*, on the page of an asset.
        ("asset_materialization", True),
        ("scheduled", False),
        ("asset_triggered", False),
    ],
)
def test_every_run_that_a_person_starts_asks(airflow, context, monkeypatch, run_type, asks):
    from dags import _approval
    from include.jobs.dry_run import replacement

    monkeypatch.setattr(replacement, "question", lambda *given, **options: "Replace?")
    for name in ("lake", "loader_dsn"):
        monkeypatch.setattr(_approval, name, lambda: None)
    context["ti"].kept["return_value"] = []
    context |= {"dag_run": SimpleNamespace(run_type=run_type), "params": {"mode": "fetch"}}
    task = _approval.approval_to_replace(model.contracts()["bank_holidays"], 8)

    if asks:
        ask(task, context)
    else:
        assert task.execute(context) is None
    assert bool(airflow.asked) is asks
