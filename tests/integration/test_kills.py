"""Jobs killed at every named point, and services that fail under them: the retry repairs it all.

A dozen and some fixed cases; `make test-chaos` kills at random. Each brings
one partition from one state of its API to another, so that old and new rows
can be distinguished, and compares rows, quarantine, ledger and landings with
those of an undisturbed run; marts are built and compared after the last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from tests.chaos.child import FLAWS, Fault
from tests.chaos.points import EXTRACT_POINTS, LOAD_POINTS
from tests.chaos.scenario import (
    Disturbance,
    crashing_s3,
    cutting_downloads,
    cutting_one_download,
    cutting_uploads,
    filling_s3,
    hanging_api,
    restarting,
    run_disturbed,
    stopping,
)
from tests.chaos.world import STATES, DiffersFromUndisturbed, World, world

PAGES = 16

EXTRACTS = [
    *(Fault("after page", page) for page in (1, PAGES)),
    Fault("half page", 5),
    Fault("before manifest"),
    Fault("half manifest"),
    Fault("after manifest"),
]
LOADS = [
    Fault("before download", 2),
    Fault("after delete"),
    *(Fault("mid copy", batch) for batch in (1, 6)),
    Fault("after copy"),
    Fault("before commit"),
    Fault("after commit"),
]
FAILING = {
    "PostgreSQL restarts, immediate": restarting("immediate", 3),
    "PostgreSQL restarts, fast": restarting("fast", 5),
    "PostgreSQL is away at the commit": stopping("immediate", "before commit"),
    "S3 cuts the head of an answer": cutting_downloads(200),
    "S3 cuts a download": cutting_downloads(900),
    "S3 cuts a download once": cutting_one_download(900),
    "S3 cuts an upload": cutting_uploads(100),
    "S3 cuts the manifest": cutting_uploads(300, "manifest.json"),
    "S3 is full": filling_s3(3_000),
    "S3 crashes": crashing_s3(6),
    "the API hangs": hanging_api(4),
}


def named(fault: Fault) -> str:
    return f"{fault.point} {fault.number}"


@pytest.fixture(scope="module")
def chaos() -> Iterator[World]:
    """One platform for all, with what undisturbed runs make of it."""
    with world() as found:
        yield found


def test_every_named_point_is_tested():
    assert {fault.point for fault in EXTRACTS} == set(EXTRACT_POINTS)
    assert {fault.point for fault in LOADS} == set(LOAD_POINTS)


@pytest.mark.parametrize("fault", EXTRACTS, ids=named)
def test_an_extract_that_is_killed_is_resumed_and_leaves_no_half_landing(chaos, fault):
    outcome = run_disturbed(chaos, Disturbance("extract", fault), f"extract, {named(fault)}")

    kept = {"after page": fault.number, "half page": fault.number - 1, "after manifest": 0}
    assert outcome.asked_again == PAGES - kept.get(fault.point, PAGES)
    assert outcome.retries == 1


@pytest.mark.parametrize("fault", LOADS, ids=named)
def test_a_load_that_is_killed_changes_all_or_nothing_and_its_retry_completes_it(chaos, fault):
    outcome = run_disturbed(chaos, Disturbance("load", fault), f"load, {named(fault)}")

    committed = fault.point == "after commit"
    assert outcome.entry["status"] == ("unchanged" if committed else "loaded")
    assert outcome.asked_again == 0


@pytest.mark.parametrize("disturbance", FAILING.values(), ids=FAILING)
def test_a_service_that_fails_under_a_job_leaves_no_trace_after_the_retry(
    chaos, disturbance, request
):
    outcome = run_disturbed(chaos, disturbance, request.node.name)

    assert outcome.disturbed.how in disturbance.ends
    assert outcome.disturbed.how == "done" or "Try again later" in outcome.disturbed.message


def test_afterwards_the_marts_are_those_of_undisturbed_runs(chaos):
    held = chaos.held()
    (state,) = [name for name in STATES if chaos.references[name].held == held]

    chaos.check_marts(state)


@pytest.mark.parametrize(
    ("flaw", "disturbance"),
    [
        ("the delete is committed alone", Disturbance("load", Fault("before commit", 2))),
        (
            "the rows are committed before the ledger",
            Disturbance("load", Fault("before commit", 2)),
        ),
        (
            "the manifest is written with the first page",
            Disturbance("extract", Fault("after page", 4)),
        ),
    ],
)
def test_a_job_that_is_not_atomic_is_detected(chaos, flaw, disturbance):
    assert flaw in FLAWS

    with pytest.raises(DiffersFromUndisturbed):
        run_disturbed(chaos, dataclasses.replace(disturbance, flaw=flaw), f"flaw: {flaw}")

    for state in STATES:
        chaos.ingest(state, f"repaired {state} after {flaw}")
        assert chaos.held() == chaos.references[state].held
