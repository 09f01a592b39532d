"""The whole way, with a real API, landing, PostgreSQL and dbt."""

from __future__ import annotations

import psycopg
import pytest
import requests

from new_project import jobs
from new_project.contract import contracts
from new_project.landing import DamagedLanding, latest, read, store_of
from new_project.load import LoadRefused
from new_project.settings import Settings

from tests.conftest import Api

CONTRACT = contracts()["bank_holidays"]


def rows(settings: Settings, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.dsn.get_secret_value()) as connection:
        return connection.execute(query).fetchall()


def test_records_arrive_in_the_mart_and_the_counts_balance(api: Api, settings: Settings):
    jobs.ingest(settings, CONTRACT, api.url)
    jobs.transform(settings)

    assert rows(settings, "select * from dbt_marts.bank_holidays_yearly order by year") == [
        (2026, 3),
        (2027, 1),
    ]
    (counts,) = rows(
        settings,
        "select landed, loaded, quarantined, duplicates from ops.load "
        "order by loaded_at desc limit 1",
    )
    assert counts == (4, 4, 0, 0)


def test_a_second_run_and_a_reload_change_nothing(api: Api, settings: Settings):
    jobs.ingest(settings, CONTRACT, api.url)
    before = rows(settings, "select * from raw.bank_holidays order by date")

    jobs.ingest(settings, CONTRACT, api.url)
    jobs.reload(settings, CONTRACT)

    assert len(before) == 4
    assert rows(settings, "select * from raw.bank_holidays order by date") == before


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [(404, b"gone", requests.HTTPError), (200, b"[]", LoadRefused)],
)
def test_a_bad_answer_leaves_the_table_as_it_was(
    api: Api, settings: Settings, status: int, body: bytes, error: type[Exception]
):
    jobs.ingest(settings, CONTRACT, api.url)
    api.status, api.body = status, body

    with pytest.raises(error):
        jobs.ingest(settings, CONTRACT, api.url)

    assert rows(settings, "select count(*) from raw.bank_holidays") == [(4,)]


def test_a_landing_that_was_changed_is_refused(api: Api, settings: Settings, tmp_path):
    jobs.ingest(settings, CONTRACT, api.url)
    store = store_of(settings.landing)
    key = latest(store, CONTRACT.name)
    (tmp_path / "landing" / key).write_bytes(b"{}")

    with pytest.raises(DamagedLanding, match="Restore its version"):
        read(store, key)
