"""Runs that ask a person before they replace or publish, by Airflow's own `dag.test()`.

The answers are requests to Airflow's API, the deadline is its scheduler's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from include.jobs.publish.versions import listed
from include.publish.versions import ROOT
from include.sources import model
from include.sources.limits import Approval
from tests.dags.running import Run

HOLIDAYS = "ingest_bank_holidays"
FAR, SOON = 100.0, 0.001
# The first build of all models on a busy machine.
QUESTION_SECONDS = 1500

pytestmark = pytest.mark.timeout(1800)


class Person:
    """Somebody with a role of Airflow, who asks its API server."""

    def __init__(self, client: Any, role: str) -> None:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        user = SimpleAuthManagerUser(username=f"a-{role}", role=role)
        token = get_auth_manager().generate_jwt(user)
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}

    def question(self, dag_id: str) -> dict[str, Any]:
        """The open question of a DAG, as soon as there is one."""
        until = time.monotonic() + QUESTION_SECONDS
        while time.monotonic() < until:
            found = self._client.get(
                f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails",
                params={"state": "awaiting_input", "response_received": False},
                headers=self._headers,
            )
            assert found.status_code == 200, found.text
            if questions := found.json()["hitl_details"]:
                return dict(questions[0])
            time.sleep(0.5)
        raise AssertionError(f"{dag_id} asked nobody")

    def answer(self, question: dict[str, Any], option: str) -> int:
        """Answer; returns the status of the response."""
        of = question["task_instance"]
        path = (
            f"/api/v2/dags/{of['dag_id']}/dagRuns/{of['dag_run_id']}"
            f"/taskInstances/{of['task_id']}/-1/hitlDetails"
        )
        found = self._client.patch(
            path, json={"chosen_options": [option], "params_input": {}}, headers=self._headers
        )
        return int(found.status_code)


@pytest.fixture(scope="module")
def person(metadata) -> Iterator[Callable[[str], Person]]:
    """Somebody, by role."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    with TestClient(create_app("core")) as client:
        yield lambda role: Person(client, role)


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[Any]]]:
    """Does something while a run continues in this thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


@pytest.fixture
def asking(world, monkeypatch) -> Callable[[float], None]:
    """A contract that asks before a person's run replaces a row, with so many hours to answer."""

    def ask(hours: float) -> None:
        known = model.contracts()
        source = known["bank_holidays"]
        changed = {"approval": Approval(rows=0, hours=hours)}
        monkeypatch.setitem(known, source.name, source.model_copy(update=changed))

    return ask


def overdue(dag_id: str, create_session: Any, person: Person) -> str:
    """Let Airflow's scheduler deal with questions whose time is over, until it has."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    question = person.question(dag_id)
    time.sleep(SOON * 3600 + 1)
    SchedulerJobRunner(job=Job()).check_awaiting_input_timeouts()
    return str(question["body"])


def loads(world) -> int:
    return int(world.query("select count(*) from ops.load where source = 'bank_holidays'")[0][0])


def test_without_an_option_in_contract_or_settings_nobody_is_asked(dag_bag):
    asking = [dag.dag_id for dag in dag_bag.dags.values() if "approve" in dag.task_dict]

    assert "transform" in dag_bag.dags
    assert HOLIDAYS in dag_bag.dags
    assert asking == []


def test_a_replacement_waits_for_a_person_who_may_start_runs(
    start, world, asking, person, in_background
):
    first = start(HOLIDAYS, {})
    asking(FAR)

    def answered() -> tuple[dict[str, Any], list[int]]:
        question = person("VIEWER").question(HOLIDAYS)
        said = [person(role).answer(question, "Approve") for role in ("VIEWER", "OP", "OP")]
        return question, said

    before = loads(world)
    answer = in_background(answered)
    run = start(HOLIDAYS, {})
    question, statuses = answer.result()

    rows = world.query("select count(*) from raw.bank_holidays")[0][0]
    assert (first.state, run.state, run.states["approve"]) == ("success", "success", "success")
    assert rows > 0
    assert f"up to **{rows:,} rows** of `raw.bank_holidays`" in question["body"]
    assert question["subject"] == "Replace rows of raw.bank_holidays?"
    # A viewer may not, and a question is answered once.
    assert statuses == [403, 200, 409]
    assert "Approved by a-OP" in run.said
    assert loads(world) == before + 1


def test_what_a_person_refuses_is_not_fetched_and_the_run_says_so(
    start, world, asking, person, in_background
):
    start(HOLIDAYS, {})
    asking(FAR)
    before = loads(world)
    answer = in_background(lambda: person("OP").answer(person("OP").question(HOLIDAYS), "Reject"))

    run = start(HOLIDAYS, {})

    assert answer.result() == 200
    assert (run.state, run.states["approve"], run.states["reconcile"]) == ("failed",) * 3
    assert run.tries["approve"] == 1
    assert f"{HOLIDAYS}: a-OP rejected it. Nothing was fetched or replaced." in run.said
    assert loads(world) == before


def test_nobody_answering_in_time_means_no(start, world, asking, person, in_background, metadata):
    start(HOLIDAYS, {})
    asking(SOON)
    before = loads(world)
    waiting = in_background(overdue, HOLIDAYS, metadata, person("VIEWER"))

    run = start(HOLIDAYS, {})

    waiting.result()
    assert (run.state, run.states["approve"]) == ("failed", "failed")
    assert "nobody answered within 0.001 hours, which means no" in run.said
    assert loads(world) == before


def test_a_run_that_replaces_nothing_asks_nobody(start, world, asking):
    asking(FAR)

    run = start(HOLIDAYS, {"dry_run": True})

    assert (run.state, run.states["approve"]) == ("success", "success")
    assert "Nothing to approve" in run.said


def test_a_publication_goes_out_when_a_person_approves_it_and_not_before(
    start, world, person, in_background, monkeypatch
):
    monkeypatch.setenv("WANDLE_PUBLISH_APPROVAL_HOURS", str(FAR))
    start(HOLIDAYS, {})
    # Other tests may have published the same.
    landings = world.lake.landings
    for key in [*landings.keys(ROOT)]:
        landings.s3.delete_object(Bucket=landings.bucket, Key=key)

    def run(option: str) -> tuple[Run, dict[str, Any]]:
        def answered() -> dict[str, Any]:
            question = person("OP").question("transform")
            assert person("OP").answer(question, option) == 200
            return question

        answer = in_background(answered)
        return start("transform", {}), answer.result()

    before = listed(world.lake)
    refused, question = run("Reject")
    assert (refused.state, refused.states["publish"]) == ("failed", "upstream_failed")
    assert refused.states["reconcile"] == "success"
    assert "transform: a-OP rejected it. Nothing was published" in refused.said
    assert "What the publication would change" in question["body"]
    assert listed(world.lake) == before

    approved, again = run("Approve")
    newest = listed(world.lake)[0]
    assert (approved.state, approved.states["publish"]) == ("success", "success")
    assert again["body"] == question["body"]
    assert f"Version {newest['version']}" in question["body"]

    # There is nothing new, so nobody is asked.
    same = start("transform", {})
    assert (same.state, same.states["approve"]) == ("success", "success")
    assert listed(world.lake)[0] == newest
