"""`make bench` measures contenders that do the same work, and notices one that does less."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

import psycopg
import pytest

from tests.benchmarks.bench import Bench
from tests.benchmarks.child import run, run_at_once
from tests.benchmarks.contenders import Task
from tests.benchmarks.cores import use
from tests.benchmarks.measuring import measure, rows_of
from tests.benchmarks.platform import platform, run_sql
from tests.benchmarks.reading_cases import CONTRACT, OTHERS, ReadingCases

RECORDS = 2_000
TABLE = f"raw.{CONTRACT.name}"
# What only `make bench` installs: there, each run compares what they loaded.
NEEDS = {
    "dlt_arrow": "dlt",
    "dlt_arrow_adbc": "dlt",
    "dlt_default": "dlt",
    "bulk_ingest": "pg_bulk_ingest",
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[Bench]:
    """PostgreSQL and S3 as the platform runs them."""
    with platform([CONTRACT]) as settings:
        yield Bench(settings, tmp_path_factory.mktemp("bench"), RECORDS, runs=1)


@pytest.fixture(scope="module")
def cases(bench) -> ReadingCases:
    """A landing of readings, and the same rows as CSV."""
    return ReadingCases(bench, OTHERS)


@pytest.fixture(scope="module")
def first_loads(cases) -> dict[str, Task]:
    """What each contender does, by name."""
    return {entry.contender: entry for entry in cases.entries(["first_load"])}


@pytest.mark.parametrize("contender", ["copy", "wandle", "adbc", *OTHERS])
def test_every_contender_loads_the_same_rows(first_loads, contender):
    needed = NEEDS.get(OTHERS.get(contender, ("",))[0])
    if needed and not find_spec(needed):
        pytest.skip(f"{needed} is installed by `make bench`, which compares it in each run")
    entry = replace(first_loads[contender], measured=[])

    measure([entry], progress=lambda text: None)

    assert len(entry.measured) == 1
    assert entry.measured[0].seconds > 0
    assert entry.measured[0].peak_rss_mb > 1


@pytest.mark.parametrize(
    "damage",
    [
        f"delete from {TABLE} where _record_no = 7",
        f"update {TABLE} set value = value + 0.000001 where _record_no = 7",
        f"update {TABLE} set _record_no = 8 where _record_no = 7",
    ],
    ids=["a row less", "another value", "another record number"],
)
def test_a_contender_that_loads_other_rows_is_refused(bench, first_loads, damage):
    entry = first_loads["copy"]
    check = bench.same_rows("readings", f"copy, then {damage}", CONTRACT, TABLE)
    entry.before()
    run(entry.shares[0][0])

    run_sql(bench.settings, damage)

    with pytest.raises(SystemExit, match="expected"):
        check()


def test_a_contender_that_fails_is_reported_with_its_output(first_loads):
    task = replace(first_loads["copy"].shares[0][0], csv="/nowhere.csv")

    with pytest.raises(SystemExit, match=r"nowhere\.csv"):
        run(task)


def test_peak_memory_is_only_that_of_the_contender(first_loads):
    entry = first_loads["copy"]
    ballast = bytearray(b"x") * 300_000_000

    entry.before()
    measured = run(entry.shares[0][0])

    assert len(ballast) > 1_000_000 * measured.peak_rss_mb > 1_000_000


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_on_one_core_neither_the_platform_nor_what_is_measured_uses_another(bench):
    before = os.sched_getaffinity(0)

    use(bench.settings.home, 1)
    with psycopg.connect(bench.settings.admin_dsn) as connection:
        backend = connection.info.backend_pid
        chosen = [os.sched_getaffinity(process) for process in (0, backend)]
    use(bench.settings.home)

    assert chosen == [{min(before)}, {min(before)}]
    assert os.sched_getaffinity(0) == before


def test_processes_at_once_are_measured_from_the_first_start_to_the_last_end(bench, first_loads):
    entry = first_loads["copy"]
    entry.before()

    measured = run_at_once([entry.shares[0], entry.shares[0]])

    assert run_sql(bench.settings, f"select count(*) from {TABLE}") == [(2 * RECORDS,)]
    assert measured.seconds > 0


def test_reloads_end_as_their_cases_say_and_are_compared_with_copy(cases):
    chosen = ["reload_volatile", "replace"]
    entries = cases.entries(chosen)

    measure(entries, progress=lambda text: None)

    rows = rows_of(entries)
    assert {row["case"] for row in rows} == {"first_load", *chosen}
    assert rows[0]["contender"] == "copy"
    assert rows[0]["ratio_to_copy"] == 1
    assert all(row["ratio_to_copy"] > 0 for row in rows)
    assert json.loads(json.dumps(rows)) == rows
