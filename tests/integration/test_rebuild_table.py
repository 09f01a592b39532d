"""`wandle migrate --rebuild`: a raw table made again from S3, while readers use the old one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from include.jobs.operate import remove
from include.jobs.pipeline import rebuild as job
from include.sources.model import Contract, contracts
from include.warehouse import lock as locks
from include.warehouse import rebuild as rebuilding
from include.warehouse.lock import PartitionLocked
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import killed_after, land
from tests.integration.readers import reading
from tests.samples import column, contract

ID = column("id", "integer", required=True)
OLD = contract(ID, column("amount"), key=["id"])
NEW = contract(ID, column("amount", "numeric(9,2)"), key=["id"])
MONTHS = ("2017-05", "2017-06", "2017-07")
TYPE = (
    "select data_type from information_schema.columns "
    "where table_schema = 'raw' and table_name = 'gauges' and column_name = 'amount'"
)
TABLES = "select table_name from information_schema.tables where table_schema = 'raw'"
VIEW = """
set role wandle_transformer;
create view staging.stg as select id, amount from raw.gauges;
create view staging.on_it as select id, amount from staging.stg;
reset role;
"""


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
    """Three months with amounts as text, views on them, and a contract that wants numbers."""
    use(OLD)
    made = wandle("migrate")
    assert made[0] == 0, made
    for number, month in enumerate(MONTHS):
        records = [{"id": number, "amount": f"{number}.50"}, {"id": 9 + number, "amount": "many"}]
        land(lake, OLD, records, period=month)
    assert wandle("reload", "gauges")[0] == 0
    warehouse.query(VIEW)
    use(NEW)


def test_migrate_refuses_and_points_to_the_rebuild(wandle, loaded):
    code, _, err = wandle("migrate")

    said = " ".join(err.split())
    assert code == 1
    assert "column amount is text, expected numeric(9,2)" in said
    assert "`wandle migrate --rebuild gauges`" in said


def test_a_rebuilt_table_has_the_new_type_and_books_that_are_right(wandle, loaded, warehouse):
    code, out, err = wandle("migrate", "--rebuild", "gauges")

    assert (code, err) == (0, "")
    assert "rebuilt raw.gauges" in out
    assert "recreated staging.stg" in out
    assert warehouse.value(TYPE) == "numeric"
    assert warehouse.query("select id, amount::text from raw.gauges order by id") == [
        (0, "0.50"), (1, "1.50"), (2, "2.50"),
    ]  # fmt: skip
    assert warehouse.query(TABLES) == [("gauges",)]
    assert warehouse.value("select count(*) from ops.quarantine") == 3
    assert wandle("verify", "--deep")[:2] == (0, "Compared 3 partitions: 0 differences.\n")
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"
    assert wandle("reload", "gauges")[0] == 0


def test_roles_and_views_are_as_before(wandle, loaded, warehouse):
    rights = (
        "select c.relname, pg_get_userbyid(c.relowner), "
        "(select array_agg(x::text order by x::text) from unnest(c.relacl) as x) "
        "from pg_class c where relnamespace in ('raw'::regnamespace, 'staging'::regnamespace) "
        "and relkind in ('r', 'v', 'i') order by 1"
    )
    before = warehouse.query(rights)

    wandle("migrate", "--rebuild", "gauges")

    after = warehouse.query(rights)
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert after[[row[0] for row in after].index("gauges")] in before
    assert len(warehouse.query("select id from staging.on_it", "wandle_transformer")) == 3


def test_readers_see_the_old_rows_until_the_new_ones_are_complete(wandle, loaded, warehouse):
    asked = "select count(*), count(amount) from staging.on_it"
    dsn = warehouse.dsn("wandle_transformer")

    with reading(views=(dsn, asked)) as seen:
        assert wandle("migrate", "--rebuild", "gauges")[0] == 0

    assert seen["views"].error is None
    assert seen["views"].answers == {(6, 6), (3, 3)}


class Killed(BaseException):
    """As if the process had been killed."""


@pytest.mark.parametrize("after", [0, 1, 2])
def test_killed_in_the_middle_it_changes_nothing_and_can_be_run_again(
    wandle, loaded, warehouse, monkeypatch, after
):
    calls: list[int] = []
    run = rebuilding.load_into_new_table

    def die(*arguments: Any, **named: Any) -> Any:
        if len(calls) == after:
            raise Killed
        calls.append(1)
        return run(*arguments, **named)

    monkeypatch.setattr(rebuilding, "load_into_new_table", die)
    books = warehouse.query("select * from ops.load order by load_id")
    with pytest.raises(Killed):
        wandle("migrate", "--rebuild", "gauges")

    assert warehouse.value(TYPE) == "text"
    assert warehouse.value("select count(*) from staging.on_it") == 6
    assert warehouse.query(TABLES) == [("gauges",)]
    assert warehouse.query("select * from ops.load order by load_id") == books
    monkeypatch.setattr(rebuilding, "load_into_new_table", run)
    assert wandle("migrate", "--rebuild", "gauges")[0] == 0
    assert wandle("verify")[0] == 0


def test_a_view_that_the_new_type_breaks_is_named_before_anything_is_loaded(
    wandle, loaded, warehouse, monkeypatch
):
    warehouse.query("create view staging.lengths as select length(amount) from raw.gauges")
    monkeypatch.setattr(rebuilding, "load_into_new_table", lambda *_, **__: pytest.fail("loaded"))

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert code == 1
    assert "the view staging.lengths does not work with the new table" in " ".join(err.split())
    assert warehouse.value(TYPE) == "text"
    assert warehouse.query("select * from staging.lengths") != []


def test_a_materialized_view_is_named_before_anything_is_loaded(wandle, loaded, warehouse):
    warehouse.query("create materialized view staging.held as select id from raw.gauges")

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert code == 1
    assert "staging.held depends on it, a materialized view" in " ".join(err.split())


def test_rows_without_a_landing_in_s3_are_not_lost(wandle, loaded, warehouse, bucket):
    for key in bucket.listed():
        if "/2017-06/" in key:
            bucket.lake.s3.delete_object(Bucket=bucket.lake.bucket, Key=key)

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert code == 1
    said = "1 partitions without a landing in S3 would be lost: gauges kingston 2017-06"
    assert said in " ".join(err.split())
    assert warehouse.value("select count(*) from raw.gauges") == 6


def test_a_partition_that_is_refused_leaves_everything_as_it_was(use, wandle, loaded, warehouse):
    use(
        NEW.model_copy(
            update={"checks": OLD.checks.model_copy(update={"max_quarantined_share": 0})}
        )
    )

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert code == 1
    said = " ".join(err.split())
    assert "records break the contract" in said
    assert "Restore the old type, or change `checks`" in said
    assert "--force" not in said
    assert warehouse.value(TYPE) == "text"
    assert warehouse.value("select count(*) from ops.quarantine") == 0


def test_a_column_that_left_the_contract_stays_for_the_views_on_it(use, wandle, loaded, warehouse):
    use(contract(column("id", "numeric(9,0)", required=True), key=["id"]))

    assert wandle("migrate", "--rebuild", "gauges")[0] == 0

    assert warehouse.query("select amount from staging.on_it limit 1") == [(None,)]


def test_a_load_of_the_source_waits_for_the_rebuild(wandle, loaded, warehouse, lake, monkeypatch):
    """One that began before is waited for, too."""
    land(lake, NEW, [{"id": 5, "amount": "7"}], period=MONTHS[0])
    swapped, order = rebuilding.Rebuild.swap, []

    def swap(self: Any) -> Any:
        other.start()
        other.join(1)
        order.append("swap")
        return swapped(self)

    def reload() -> None:
        job.load(
            NEW, NEW.partition("kingston", MONTHS[0]), lake=lake, dsn=warehouse.dsn(), run_id="r"
        )
        order.append("load")

    other = threading.Thread(target=reload)
    monkeypatch.setattr(rebuilding.Rebuild, "swap", swap)

    assert wandle("migrate", "--rebuild", "gauges")[0] == 0
    other.join(30)

    assert order == ["swap", "load"]
    assert warehouse.query("select amount::int from raw.gauges where id = 5") == [(7,)]
    assert wandle("verify")[0] == 0


def test_a_load_of_a_new_partition_waits_without_delaying_the_swap(
    wandle, loaded, warehouse, lake, monkeypatch
):
    """Its landing is written while the table is rebuilt, as by a nightly run."""
    swapped, order = rebuilding.Rebuild.swap, []
    monkeypatch.setattr(locks, "LOAD_WAIT_SECONDS", 0.3)

    def swap(self: Any) -> Any:
        land(lake, NEW, [{"id": 5, "amount": "7"}], period="2017-09")
        with pytest.raises(
            PartitionLocked, match=r"locked for 0\.3 s by `wandle migrate --rebuild"
        ):
            first_load()
        monkeypatch.setattr(locks, "LOAD_WAIT_SECONDS", 30)
        other.start()
        other.join(2)
        order.append("swap")
        return swapped(self)

    def first_load() -> None:
        job.load(
            NEW, NEW.partition("kingston", "2017-09"), lake=lake, dsn=warehouse.dsn(), run_id="r"
        )
        order.append("load")

    other = threading.Thread(target=first_load)
    monkeypatch.setattr(rebuilding.Rebuild, "swap", swap)
    monkeypatch.setattr(rebuilding, "SWAP_WAIT_SECONDS", 5)

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert (code, err) == (0, "")
    other.join(30)
    assert order == ["swap", "load"]
    assert warehouse.value("select count(*) from raw.gauges") == 4
    assert wandle("verify")[0] == 0


def test_a_reader_that_stays_connected_for_long_is_named(wandle, loaded, warehouse, monkeypatch):
    monkeypatch.setattr(rebuilding, "SWAP_WAIT_SECONDS", 0.5)

    with psycopg.connect(warehouse.dsn("wandle_transformer"), application_name="a report") as held:
        held.execute("select * from staging.stg")
        code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert code == 1
    assert "`a report`" in err
    assert warehouse.value(TYPE) == "text"


def test_a_landing_that_was_refused_before_does_not_block_the_rebuild(
    wandle, loaded, warehouse, lake
):
    """It is not in the old table either; `wandle ledger` has it as refused, before and after."""
    land(lake, NEW, [{"id": 1, "amount": "1"}, {"id": "x"}], period="2017-08", counts=[3])
    assert wandle("reload", "gauges", "--period", "2017-08")[0] == 1

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert (code, err) == (0, "")
    assert warehouse.value("select count(*) from raw.gauges") == 3


def test_a_landing_whose_removal_was_interrupted_does_not_block_the_rebuild(
    wandle, loaded, warehouse, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(remove, "remove_landing", killed_after(0, remove.remove_landing))
        code, *_ = wandle("remove", "gauges", "--period", MONTHS[0], "--yes")
    assert code == 130

    code, _, err = wandle("migrate", "--rebuild", "gauges")

    assert (code, err) == (0, "")
    assert warehouse.value("select count(*) from raw.gauges") == 2
    assert "removal unfinished" in wandle("verify")[1]
