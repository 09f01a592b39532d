"""Readers never notice: no error, no empty or partial answer, no long wait, whatever is loaded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from include.jobs.pipeline import load as job
from include.jobs.pipeline.load import load
from include.sources.model import contract as shipped
from include.transform.process import Dbt
from include.warehouse import prepare as preparing
from tests.chaos.crimes import crime
from tests.integration.landings import land
from tests.integration.models import build_models_of
from tests.integration.readers import LONGEST_WAIT_SECONDS, Seen, reading

CRIME = shipped("police_street_crime")
WARD = {"ward.code": "E05000401", "ward.name": "Berrylands"}
RELOADS = 100
SIZES = {"A": 120, "B": 180}

RAW = "select count(*), count(distinct _landing_id) from raw.police_street_crime"
STAGED = "select count(*), count(distinct landing_id) from staging.stg_police__street_crime"
MART = "select sum(crimes)::int, count(*) from marts.ward_crime_monthly"


@pytest.fixture(scope="module")
def dbt_of(tmp_path_factory) -> Iterator[Any]:
    """One dbt for each database, parsed once."""
    running: dict[str, Dbt] = {}

    def of(database: Any) -> Dbt:
        if database.name not in running:
            dsn = database.dsn("wandle_transformer").replace("transformer@", "transformer:none@")
            home = tmp_path_factory.mktemp("dbt")
            running[database.name] = Dbt(dsn=dsn, home=home, progress=lambda line: None).__enter__()
        return running[database.name]

    yield of
    for dbt in running.values():
        dbt.__exit__(None, None, None)


@pytest.fixture(scope="module")
def modelled(new_database, migrated, dbt_of):
    """A warehouse whose marts dbt has made, of nothing yet."""
    database = new_database(migrated.name)
    build_models_of(dbt_of(database), CRIME.name)
    return database


@pytest.fixture
def crimes(lake, modelled, dbt_of, monkeypatch) -> dict[str, str]:
    """Two landings of one partition by name, the first of them loaded and in the marts."""
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 20)
    landings = {}
    for state, size in SIZES.items():
        records = [crime(state, number) for number in range(size)]
        pages = [records[begin : begin + 30] for begin in range(0, size, 30)]
        landings[state] = land(lake, CRIME, *pages, context=WARD).landing_id
    reload(lake, modelled, landings["A"])
    build_models_of(dbt_of(modelled), CRIME.name)
    return landings


def reload(lake: Any, database: Any, landing_id: str) -> None:
    entry = load(
        CRIME, CRIME.partition("kingston", "2017-05"),
        lake=lake, dsn=database.dsn(), run_id="reload",
        landing_id=landing_id, forced_by="readers",
    )  # fmt: skip
    assert entry["status"] == "loaded"


def unnoticed(seen: dict[str, Seen], at_least: int) -> None:
    """No reader met an error, as it does after a second's wait for a lock, or had to wait at all.

    What the machine takes for itself, a reader of what nobody touches shows.
    """
    assert {name: each.error for name, each in seen.items() if each.error} == {}
    idle = seen["nobody's table"].slowest_seconds
    for name, each in seen.items():
        assert each.reads >= at_least, name
        assert each.slowest_seconds < LONGEST_WAIT_SECONDS + 3 * idle, (name, each, idle)


def readers_of(database: Any) -> dict[str, tuple[str, str]]:
    transformer, reader = database.dsn("wandle_transformer"), database.dsn("wandle_reader")
    return {
        "raw": (transformer, RAW),
        "staging": (transformer, STAGED),
        "mart": (reader, MART),
        "nobody's table": (
            transformer,
            RAW.format("police_ward_boundaries").replace("context", "latitude"),
        ),
    }


@pytest.mark.timeout(900)
def test_readers_of_raw_staging_and_marts_never_notice_a_hundred_reloads(lake, modelled, crimes):
    with reading(**readers_of(modelled)) as seen:
        for number in range(RELOADS):
            reload(lake, modelled, crimes["AB"[number % 2]])

    unnoticed(seen, at_least=RELOADS)
    assert seen["raw"].answers == {(size, 1) for size in SIZES.values()}
    assert seen["staging"].answers == {(size, 1) for size in SIZES.values()}
    assert {row[0] for row in seen["mart"].answers} == {SIZES["A"]}


def test_readers_of_marts_never_notice_that_they_are_built_again(lake, modelled, crimes, dbt_of):
    dbt = dbt_of(modelled)

    with reading(**readers_of(modelled)) as seen:
        for state in ("B", "A", "B"):
            reload(lake, modelled, crimes[state])
            assert len(build_models_of(dbt, CRIME.name)) >= 4

    unnoticed(seen, at_least=20)
    assert {row[0] for row in seen["mart"].answers} == {*SIZES.values()}


def test_a_long_read_of_a_mart_makes_its_build_wait_and_no_other_reader(
    lake, modelled, crimes, dbt_of
):
    dbt = dbt_of(modelled)
    reload(lake, modelled, crimes["B"])

    with (
        psycopg.connect(modelled.dsn("wandle_reader")) as report,
        reading(**readers_of(modelled)) as seen,
    ):
        assert report.execute(MART).fetchone()[0] == SIZES["A"]  # type: ignore[arg-type, index]
        threading.Timer(8, report.rollback).start()
        build_models_of(dbt, CRIME.name)

    unnoticed(seen, at_least=20)
    assert {row[0] for row in seen["mart"].answers} == {*SIZES.values()}


def test_a_reader_that_would_see_half_a_load_is_detected(lake, modelled, crimes):
    with reading(**readers_of(modelled)) as seen:
        modelled.query(f"delete from raw.{CRIME.name} where _record_no > 50")
        reload(lake, modelled, crimes["A"])

    assert not seen["raw"].answers <= {(size, 1) for size in SIZES.values()}


def test_a_reader_that_waits_is_detected(modelled, crimes):
    with reading(**readers_of(modelled)) as seen, psycopg.connect(modelled.admin) as rude:
        rude.execute("lock table marts.ward_crime_monthly in access exclusive mode")
        rude.execute("select pg_sleep(1.5)")

    with pytest.raises(AssertionError, match="LockNotAvailable"):
        unnoticed(seen, at_least=1)


def test_while_a_load_is_copying_a_load_of_another_partition_finishes(
    lake, modelled, crimes, monkeypatch
):
    land(lake, CRIME, [crime("A", 1)], council="sutton", context=WARD)
    pages, half_way, go_on = job._pages, threading.Event(), threading.Event()

    def slow(lake: Any, partition: Any, manifest: Any) -> Iterator[Any]:
        for number, page in enumerate(pages(lake, partition, manifest)):
            if partition.council == "kingston" and number == 3:
                half_way.set()
                assert go_on.wait(60)
            yield page

    monkeypatch.setattr(job, "_pages", slow)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reload, lake, modelled, crimes["B"])
        assert half_way.wait(60)
        entry = load(
            CRIME,
            CRIME.partition("sutton", "2017-05"),
            lake=lake,
            dsn=modelled.dsn(),
            run_id="other",
        )
        assert not first.done()
        go_on.set()
        first.result(60)

    assert entry["status"] == "loaded"
