"""`wandle migrate` and its `--rebuild`, killed with SIGKILL or stopped, then run again."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg
import pytest

from include.cli import main
from include.sources.model import Contract, contracts, every_contract
from include.warehouse import rebuild
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract

CHECKOUT = Path(__file__).parents[2]
ID = column("id", "integer", required=True)
OLD = contract(ID, column("amount"), column("place"), key=["id"])
RENAMED = contract(
    ID, column("sum", path="amount", renamed_from="amount"), column("place"), key=["id"]
)
RETYPED = contract(ID, column("amount", "numeric(9,2)"), column("town", path="place"), key=["id"])
MONTHS = ("2017-05", "2017-06", "2017-07")
VIEW = """
set role wandle_transformer;
create view staging.stg as select id, amount::text as amount from raw.gauges;
"""
ROWS = "select count(*), count(amount) from staging.stg"
AMOUNTS = """
select min(pg_typeof(amount)::text), count(amount), count(town) from raw.gauges
"""
TABLES = "select table_name from information_schema.tables where table_schema = 'raw'"
SESSIONS = """
select count(*) from pg_stat_activity
where datname = current_database() and application_name like 'wandle migrate%'
"""
REBUILD = "include.warehouse.rebuild"


class Point(NamedTuple):
    """Before or after a call, of those the one of this number, counted from 1."""

    module: str
    name: str
    number: int = 1
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.name} {self.number}"


# Up to the commit, which is the end of the block `rebuilding`.
BEFORE_COMMIT = [
    Point(REBUILD, "Rebuild.begin", after=True),
    Point("include.warehouse.copy_binary", "encoded", 2, after=True),
    Point("include.warehouse.schema.evolve", "describe", 2),
    Point(REBUILD, "Rebuild.swap", after=True),
]
AFTER_COMMIT = [Point("include.cli.define", "_migrate", 2)]
MIGRATING = [
    Point("include.warehouse.rename", "_rename_in_books"),
    Point("include.warehouse.schema.migrate", "record", after=True),
]


def child(
    contract: str, point: list[Any], signalled: int, idle_seconds: float, *arguments: str
) -> None:
    """The command line with one contract, in a process that signals itself at a point."""
    rebuild.SWAP_IDLE_SECONDS = idle_seconds  # type: ignore[assignment]
    known = Contract.model_validate(json.loads(contract))
    for found in (contracts(), every_contract()):
        found.clear()
        found[known.name] = known
    where, calls = Point(*point), []
    module = importlib.import_module(where.module)
    owner, name = module, where.name
    if "." in name:
        kind, name = name.split(".")
        owner = getattr(module, kind)
    run = getattr(owner, name)

    def wrapped(*given: Any, **named: Any) -> Any:
        calls.append(1)
        mine = len(calls) == where.number
        if mine and not where.after:
            os.kill(os.getpid(), signalled)
        result = run(*given, **named)
        if mine and where.after:
            os.kill(os.getpid(), signalled)
        return result

    setattr(owner, name, wrapped)
    sys.argv = ["wandle", *arguments]
    main()


@pytest.fixture
def warehouse(new_database) -> Any:
    """A database of its own, whose raw table changes."""
    database = new_database()
    migrate(database.admin, [], {})
    return database


@pytest.fixture
def use(monkeypatch, wandle, warehouse) -> Callable[[Contract], None]:
    """Makes a contract the only one."""
    monkeypatch.setenv("WANDLE_ADMIN_DSN", warehouse.admin)
    for name in list(contracts()):
        monkeypatch.delitem(contracts(), name)
    return lambda changed: monkeypatch.setitem(contracts(), changed.name, changed)


@pytest.fixture
def loaded(use, wandle, lake, warehouse) -> None:
    """Three months with amounts as text, and a view on them."""
    use(OLD)
    assert wandle("migrate")[0] == 0
    for number, month in enumerate(MONTHS):
        records = [
            {"id": 9 * number + n, "amount": f"{n}.50", "place": "Wallington"} for n in range(2)
        ]
        land(lake, OLD, records, period=month)
    assert wandle("reload", "gauges")[0] == 0
    warehouse.query(VIEW)


@pytest.fixture
def interrupted(loaded, lake, warehouse, tmp_path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command that signals itself at a point."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "COLUMNS": "300",
        "WANDLE_HOME": str(tmp_path / "home"),
        "WANDLE_CODE_VERSION": "test",
        "WANDLE_BUCKET": lake.bucket,
        "AWS_ENDPOINT_URL_S3": lake.s3.meta.endpoint_url,
        "AWS_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "WANDLE_ADMIN_DSN": warehouse.admin,
        "WANDLE_LOADER_DSN": warehouse.dsn(),
    }

    def run(
        known: Contract,
        point: Point,
        *arguments: str,
        by: int = signal.SIGKILL,
        idle_seconds: float = 60,
    ) -> subprocess.Popen[str]:
        given = (known.as_recorded, list(point), int(by), idle_seconds, *arguments)
        program = f"from tests.integration.{Path(__file__).stem} import child; child(*{given!r})"
        return subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=CHECKOUT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    return run


def snapshot(warehouse: Any) -> list[Any]:
    """What a migration may change: tables, columns, rights, books."""
    return [
        warehouse.query(query)
        for query in (
            "select table_schema, table_name, column_name, data_type from "
            "information_schema.columns where table_schema in ('raw', 'staging', 'ops') "
            "order by 1, 2, ordinal_position",
            "select relname, pg_get_userbyid(relowner), relacl::text from pg_class "
            "where relnamespace in ('raw'::regnamespace, 'staging'::regnamespace) order by 1",
            "select load_id, status, rules_hash, content_hash, columns from ops.load order by 1",
            "select change from ops.migration order by 1",
            ROWS,
        )
    ]


def ended(warehouse: Any, process: subprocess.Popen[str]) -> None:
    """Wait until the process was killed, and the server has noticed."""
    said, _ = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    ends = time.monotonic() + 20
    while warehouse.value(SESSIONS):
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("point", BEFORE_COMMIT, ids=str)
def test_a_rebuild_that_is_killed_changes_nothing_and_runs_again(
    point, use, wandle, interrupted, warehouse
):
    tables, books = snapshot(warehouse)[0], snapshot(warehouse)[2]

    ended(warehouse, interrupted(RETYPED, point, "migrate", "--rebuild", "gauges"))

    assert warehouse.query(ROWS) == [(6, 6)]
    # The new column may be there: a migration of its own comes before the rebuild.
    assert {*snapshot(warehouse)[0]} - {*tables} <= {("raw", "gauges", "town", "text")}
    assert snapshot(warehouse)[2] == books
    rebuilt(use, wandle, warehouse)


@pytest.mark.parametrize("point", AFTER_COMMIT, ids=str)
def test_a_rebuild_that_is_killed_after_the_swap_is_complete_and_runs_again(
    point, use, wandle, interrupted, warehouse
):
    ended(warehouse, interrupted(RETYPED, point, "migrate", "--rebuild", "gauges"))

    assert warehouse.query(AMOUNTS) == [("numeric", 6, 6)]
    rebuilt(use, wandle, warehouse)


def rebuilt(use: Any, wandle: Any, warehouse: Any) -> None:
    """Rebuild, and see that the table is right and nothing is left over."""
    use(RETYPED)
    assert wandle("migrate", "--rebuild", "gauges")[0] == 0
    assert warehouse.query(AMOUNTS) == [("numeric", 6, 6)]
    assert warehouse.query(TABLES) == [("gauges",)]
    assert wandle("verify", "--deep")[0] == 0
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"


@pytest.mark.parametrize("point", MIGRATING, ids=str)
def test_a_migration_that_is_killed_changes_nothing_and_runs_again(
    point, use, wandle, interrupted, warehouse
):
    before = snapshot(warehouse)

    ended(warehouse, interrupted(RENAMED, point, "migrate"))

    assert snapshot(warehouse) == before
    use(RENAMED)
    code, out, _ = wandle("migrate")
    assert code == 0
    assert "renamed raw.gauges.amount to sum" in out
    assert "older rules" not in out
    assert warehouse.query("select count(sum) from raw.gauges") == [(6,)]
    assert wandle("verify", "--deep")[0] == 0


def test_readers_do_not_wait_for_a_rebuild_that_hangs_in_its_swap(interrupted, warehouse):
    """As if its machine were suspended: the server does not notice that it is gone."""
    tables = snapshot(warehouse)[0]
    in_swap = Point("include.warehouse.schema.evolve", "describe", 2)
    process = interrupted(
        RETYPED, in_swap, "migrate", "--rebuild", "gauges", by=signal.SIGSTOP, idle_seconds=1
    )
    try:
        ends = time.monotonic() + 120
        while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.05)
        with psycopg.connect(warehouse.dsn("wandle_transformer")) as reader:
            reader.execute("set lock_timeout = '20s'")
            assert reader.execute(ROWS).fetchone() == (6, 6)  # type: ignore[arg-type]
    finally:
        process.send_signal(signal.SIGCONT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert {*snapshot(warehouse)[0]} - {*tables} <= {("raw", "gauges", "town", "text")}
