"""Files in an inbox through Airflow: what is new is loaded, what belongs to nothing is red."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from include.councils.model import council
from include.jobs.operate.explain import explain
from sandbox.spending import file_name, spending_file
from tests.dags.running import Run

SPEND = "ingest_council_spend"
MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


def put(world: Any, name: str, content: bytes) -> None:
    lake = world.lake
    lake.s3.put_object(Bucket=lake.bucket, Key=f"inbox/council_spend/{name}", Body=content)


def put_month(world: Any, name: str, month: date, seed: int = 7) -> None:
    place = council(name)
    put(world, file_name(place, month), spending_file(place, month, seed))


@pytest.fixture(scope="module")
def first(start, services) -> Run:
    """Three files of two months, and one that nobody knows."""
    for name, month in (("kingston", MAY), ("kingston", JUNE), ("sutton", MAY)):
        put_month(services, name, month)
    put(services, "Payments May FINAL.csv", b"?")
    return start(SPEND, {})


def test_a_run_without_periods_loads_the_files_that_are_new(first):
    loaded = {name: state for name, state in first.states.items() if name.startswith("load")}

    assert loaded == {
        "load kingston 2026-05": "success",
        "load sutton 2026-05": "success",
        "load kingston 2026-06": "success",
    }
    assert first.states["reconcile"] == "success"
    assert first.announced == ["raw.council_spend"]


def test_a_file_that_belongs_to_nothing_makes_the_run_red_and_is_named(first):
    assert first.state == "failed"
    assert first.states["files"] == "failed"
    assert first.tries["files"] == 1
    assert "no partition takes 1 file, not loaded: 'Payments May FINAL.csv'" in first.said


def test_a_run_with_nothing_new_does_nothing_and_a_changed_file_is_loaded_again(
    start, world, first
):
    key = "inbox/council_spend/Payments May FINAL.csv"
    world.lake.s3.delete_object(Bucket=world.lake.bucket, Key=key)

    nothing = start(SPEND, {})

    assert nothing.state == "success"
    assert {name for name in nothing.states if name.startswith("load ")} == set()
    put_month(world, "sutton", MAY, seed=8)
    changed = start(SPEND, {})
    assert changed.states["load sutton 2026-05"] == "success"
    assert "load kingston 2026-05" not in changed.states
    assert changed.announced == ["raw.council_spend"]


def test_a_period_that_was_asked_for_is_read_again_and_is_not_landed_twice(start, world, first):
    asked = start(SPEND, {"councils": ["kingston"], "from": "2026-05"})

    assert asked.state == "success"
    assert world.query(f"SELECT status FROM ops.load WHERE run_id = '{asked.run_id}'") == [
        ("unchanged",)
    ]


def test_a_row_of_the_mart_is_traced_to_its_line_in_a_file(start, world, first):
    start("transform", {})
    ((supplier,),) = world.query(
        "SELECT supplier_name FROM marts.supplier_spend_monthly "
        "WHERE council = 'kingston' AND supplier_name LIKE 'Café%' LIMIT 1"
    )
    key = {"council": "kingston", "month": "2026-05", "supplier_name": supplier}

    found = explain(
        "marts.supplier_spend_monthly", key, lake=world.lake, settings=world.settings, most=100
    )

    assert found.found == found.mart_row["payment_lines"]
    assert {origin.page.request.url for origin in found.origins} == {
        "inbox/council_spend/payments_over_500_kingston_2026-05.csv"
    }
    assert all(supplier in origin.record.decode() for origin in found.origins)
