"""A source database that is MariaDB through Airflow: only its connection's type decides that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.dags.running import Run
from tests.mariadb import PASSWORD, READER, MariaDb, mariadb

REQUESTS = "ingest_service_requests"
DAY = "2026-10-05"
NIGHT = datetime(2026, 10, 5, 23, 59, 59, 999999, UTC)


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDb]:
    """A case system, with the table that the shipped contract reads."""
    with mariadb() as found:
        found.query(
            "create database crm character set utf8mb4",
            f"grant select on crm.* to {READER}@'%'",
            "set time_zone = '+00:00'",
            "create table crm.cases (case_id bigint primary key, council varchar(20), "
            "kind varchar(40), ward_code char(9), status varchar(20), opened_at timestamp(6), "
            "updated_at timestamp(6), closed_at timestamp(6) null, resident_name varchar(80), "
            "email varchar(80), phone varchar(20), remarks text)",
            "insert into crm.cases values "
            "(1, 'kingston', 'pothole', 'E05013929', 'open', '2026-10-05 00:00:00', "
            "'2026-10-05 01:00:00', null, 'Zoë 😀', 'zoe@example.org', '020 7946 0001', 'x'), "
            "(2, 'kingston', 'graffiti', null, 'closed', '2026-10-05 23:59:59.999999', "
            "'2026-10-06 01:00:00', '2026-10-06 01:00:00', null, null, null, null), "
            "(3, 'kingston', 'noise', null, 'open', '2026-10-06 00:00:00', "
            "'2026-10-06 00:00:00', null, null, null, null, null), "
            "(4, 'sutton', 'noise', null, 'open', '2026-10-05 12:00:00', "
            "'2026-10-05 12:00:00', null, null, null, null, null)",
        )
        yield found


@pytest.fixture
def connected(server, monkeypatch) -> MariaDb:
    """The server, as the connection that the contract names."""
    connection = {
        "conn_type": "mysql", "host": "localhost", "port": server.port, "login": READER,
        "password": PASSWORD, "schema": "crm", "extra": {"ssl_ca": str(server.ca)},
    }  # fmt: skip
    monkeypatch.setenv("AIRFLOW_CONN_SERVICE_REQUESTS", json.dumps(connection))
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    return server


@pytest.fixture
def run(start, world, connected) -> Any:
    """Runs the DAG for the day of one council."""
    return lambda: start(REQUESTS, {"councils": ["kingston"], "from": DAY})


def rows(world: Any) -> Any:
    return world.query(
        "select case_id, ward_code, opened_at, closed_at is null, email like '%zoe%' "
        f"from raw.service_requests where _period = '{DAY}' order by case_id"
    )


def test_the_shipped_contract_reads_mariadb_without_a_changed_word(run, world):
    done: Run = run()

    assert done.state == "success", done.said
    assert rows(world) == [
        (1, "E05013929", datetime(2026, 10, 5, tzinfo=UTC), True, False),
        (2, None, NIGHT, False, None),
    ]
    assert done.announced == ["raw.service_requests"]
    for secret in (PASSWORD, "Zoë", "zoe@example.org", "020 7946 0001"):
        assert secret not in done.said


def test_a_row_that_changed_is_loaded_again_and_nothing_else_is(run, world, connected):
    run()
    unchanged = run()
    connected.query(
        "update crm.cases set status = 'closed', closed_at = now(6) where case_id = 1",
    )
    changed = run()

    statuses = [
        world.query(f"select status, loaded from ops.load where run_id = '{done.run_id}'")
        for done in (unchanged, changed)
    ]
    assert statuses == [[("unchanged", 2)], [("loaded", 2)]]
    assert unchanged.announced == []
    assert [row[3] for row in rows(world)] == [False, False]


def test_a_database_that_refuses_the_login_is_named_and_its_rows_stay(run, world, connected):
    run()
    before = rows(world)
    connected.query(f"alter user {READER}@'%' identified by 'another'")
    try:
        failed: Run = run()
    finally:
        connected.query(f"alter user {READER}@'%' identified by '{PASSWORD}'")

    extract = "extract kingston 2026-10-05"
    assert (failed.state, failed.states[extract], failed.tries[extract]) == ("failed", "failed", 1)
    assert "refuses the login" in failed.said
    assert PASSWORD not in failed.said
    assert rows(world) == before
