"""`wandle remove`: what it lists, what it removes, and what happens if it is broken off."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.errors import PermanentError, ServiceUnavailable, UnknownName
from include.jobs.lake import Lake
from include.jobs.operate import remove as job
from include.jobs.operate import remove_files
from include.jobs.operate.remove import remove
from include.jobs.operate.remove_scope import Scope, find_scope
from include.jobs.operate.verify import verify
from include.jobs.pipeline.ingest import landed_partitions
from include.jobs.pipeline.load import load
from include.jobs.pipeline.removed import without_removed
from include.jobs.pipeline.selection import Selection
from include.landing import inventory
from include.sources.model import contracts, every_contract
from include.warehouse import lock
from include.warehouse.books import removals, stored
from include.warehouse.connection import connect
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import killed_after, land, on_both
from tests.samples import contract

GAUGES = contract()
GOOD = [{"id": number, "note": f"n{number}"} for number in range(1, 4)]
BAD = {"id": "x"}
MAY, JUNE = "2017-05", "2017-06"


@pytest.fixture
def known(monkeypatch):
    """The contract that these tests load is among the shipped ones."""
    monkeypatch.setitem(contracts(), GAUGES.name, GAUGES)
    monkeypatch.setitem(every_contract(), GAUGES.name, GAUGES)
    monkeypatch.setattr(remove_files, "forget_definitions", lambda: None)


@pytest.fixture
def lake(kept_lake) -> Lake:
    return kept_lake


@pytest.fixture
def loading(lake, warehouse):
    """Lands and loads a partition of three rows and one record in quarantine: the landing's id."""

    def run(council: str = "kingston", period: str = MAY) -> str:
        manifest = land(lake, GAUGES, [*GOOD, BAD], council=council, period=period)
        load(
            GAUGES,
            GAUGES.partition(council, period),
            lake=lake,
            dsn=warehouse.dsn(),
            run_id="run",
        )
        return manifest.landing_id

    return run


@pytest.fixture
def removing(lake, warehouse):
    def run(*sources: str, **selected: Any) -> Scope:
        return remove(
            selection(*sources, **selected),
            lake=lake,
            dsn=warehouse.dsn(),
            by="somebody",
            dags=None,
            drop_tables=None,
        )

    return run


@pytest.fixture
def listing(lake, warehouse):
    def run(*sources: str, **selected: Any) -> Scope:
        return find_scope(
            selection(*sources, **selected), lake=lake, dsn=warehouse.dsn(), dags=None
        )

    return run


def selection(*sources: str, councils: str = "", periods: str = "", **dates: str) -> Selection:
    return Selection(sources, tuple(councils.split()), tuple(periods.split()), **dates)


def places(warehouse: Any) -> list[tuple[str, str]]:
    return warehouse.query("select distinct _council, _period::text from raw.gauges order by 1, 2")


def test_a_dry_run_lists_what_there_is_and_changes_nothing(listing, loading, warehouse, known):
    loading()
    loading("sutton", JUNE)

    (found,) = listing(GAUGES.name, councils="kingston").parts

    assert found.listed == {
        "source": "gauges", "council": "kingston", "period": MAY,
        "rows": 3, "landings": 1, "objects": 2, "bytes": found.listed["bytes"],
        "entries": 2, "quarantined": 1,
    }  # fmt: skip
    assert found.listed["bytes"] > 0
    assert len(places(warehouse)) == 2
    assert warehouse.value("select count(*) from ops.removal") == 0


@on_both
def test_a_partition_is_removed_with_all_that_belongs_to_it_and_others_stay(
    removing, loading, warehouse, lake, known
):
    gone, stays = loading(), loading(period=JUNE)
    loading("sutton")

    removing(GAUGES.name, councils="kingston", periods=MAY)

    assert places(warehouse) == [("kingston", "2017-06-01"), ("sutton", "2017-05-01")]
    left = {item.landing_id for item in inventory.stored_landings(lake.landings)}
    assert gone not in left
    assert stays in left
    for table in ("load", "landing", "quarantine"):
        assert warehouse.value(f"select count(*) from ops.{table}") == 2
    assert warehouse.query(
        "select landing_id, reason, removed_by, rows, quarantined, entries, objects, bytes > 0 "
        "from ops.removal"
    ) == [(gone, "removed", "somebody", 3, 1, 2, 2, True)]
    assert (
        verify(lake=lake, dsn=warehouse.dsn(), selection=Selection((GAUGES.name,))).differences
        == []
    )


def test_a_range_of_periods_is_removed(removing, loading, warehouse, known):
    for month in ("2017-04", MAY, JUNE, "2017-07"):
        loading(period=month)

    removing(GAUGES.name, first=MAY, last=JUNE)

    assert places(warehouse) == [("kingston", "2017-04-01"), ("kingston", "2017-07-01")]


def test_a_scheduled_run_skips_what_was_removed_and_a_person_can_fetch_it_again(
    removing, loading, warehouse, known, caplog
):
    loading()
    removing(GAUGES.name, periods=MAY)
    planned = [GAUGES.partition("kingston", month) for month in (MAY, JUNE)]

    def kept(asked_for: bool) -> list[Any]:
        return without_removed(GAUGES, planned, dsn=warehouse.dsn(), asked_for=asked_for)

    assert kept(asked_for=False) == planned[1:]
    assert "kingston 2017-05 was removed by somebody on" in caplog.text
    assert kept(asked_for=True) == planned
    loading()
    assert kept(asked_for=False) == planned


def test_a_landing_that_was_removed_while_it_was_written_is_not_loaded(
    removing, lake, warehouse, loading, known
):
    manifest = land(lake, GAUGES, GOOD)
    pages = {
        key: lake.s3.get_object(Bucket=lake.bucket, Key=key)["Body"].read()
        for key in lake.landings.keys("landing/")
    }
    removing(GAUGES.name, periods=MAY)
    for key, body in pages.items():
        lake.s3.put_object(Bucket=lake.bucket, Key=key, Body=body)

    with pytest.raises(PermanentError, match=r"was removed by somebody on .* fetch them again"):
        load(
            GAUGES, GAUGES.partition("kingston", MAY), lake=lake, dsn=warehouse.dsn(),
            run_id="run", landing_id=manifest.landing_id,
        )  # fmt: skip

    assert warehouse.value("select count(*) from ops.load") == 0
    (difference,) = verify(
        lake=lake, dsn=warehouse.dsn(), selection=Selection((GAUGES.name,))
    ).differences
    assert difference.kind == "removal unfinished"
    assert difference.next == "`wandle remove gauges --council kingston --period 2017-05 --yes`."
    removing(GAUGES.name, councils="kingston", periods=MAY)
    assert list(lake.landings.keys("landing/")) == []


# Every step that changes something; at each, the process is killed once.
KILLS = [
    (removals, "record", 1),
    (stored, "delete", 0),
    (stored, "delete", 1),
    (job, "remove_landing", 0),
    (job, "remove_landing", 1),
    (inventory, "_delete", 0),
    (inventory, "_delete", 1),
    (job, "_refuse_new_data", 0),
    (job, "remove_others", 0),
    (stored, "forget_drift", 0),
    (job, "_delete_files", 0),
]


@pytest.mark.parametrize("step", KILLS, ids=[f"{step[1]} {step[2]}" for step in KILLS])
def test_interrupted_anywhere_it_is_finished_by_running_it_again(
    removing, loading, lake, warehouse, monkeypatch, known, step
):
    where, name, count = step
    landings = {loading(), loading("sutton")}
    with monkeypatch.context() as patched:
        patched.setattr(where, name, killed_after(count, getattr(where, name)))
        with pytest.raises(KeyboardInterrupt):
            removing(GAUGES.name)
    found = (
        verify(lake=lake, dsn=warehouse.dsn(), selection=Selection((GAUGES.name,)))
        if places(warehouse)
        else None
    )

    removing(GAUGES.name)

    assert found is None or "reload" not in json.dumps([item.next for item in found.differences])
    assert places(warehouse) == []
    assert list(lake.landings.keys("landing/")) == []
    for table in ("load", "landing", "quarantine"):
        assert warehouse.value(f"select count(*) from ops.{table}") == 0
    recorded = warehouse.query(
        "select landing_id, rows from ops.removal where period is not null order by 1"
    )
    assert recorded == [(name, 3) for name in sorted(landings)]


def test_a_dataset_whose_contract_is_gone_is_removed_and_migrate_drops_its_table(
    removing, loading, lake, warehouse, new_database, migrated
):
    loading()

    scope = removing(GAUGES.name)

    assert scope.table
    assert scope.definitions == ["the table raw.gauges"]
    assert warehouse.query(
        "select source, council, removed_by, definitions from ops.removal where period is null"
    ) == [("gauges", "", "somebody", ["the table raw.gauges"])]
    database = new_database(migrated.name)
    database.query("create view staging.stg_gauges as select * from raw.gauges", "postgres")
    changed = migrate(database.admin, contracts().values(), {}, files=[*contracts()])
    assert "dropped raw.gauges, which was empty and has no contract" in changed
    assert migrate(database.admin, contracts().values(), {}, files=[*contracts()]) == []
    assert database.value("select to_regclass('raw.gauges') is null")


def test_migrate_drops_no_table_that_has_a_row_or_that_something_else_reads(new_database, migrated):
    database = new_database(migrated.name)
    database.query("create table raw.mine (a int)")
    database.query("alter table raw.mine owner to wandle_owner")
    database.query("insert into raw.mine values (1)")
    database.query("create view public.reader as select * from raw.gauges")

    assert migrate(database.admin, contracts().values(), {}, files=[*contracts()]) == []


def test_a_new_dataset_of_the_same_name_is_not_affected_by_the_removal_of_the_old_one(
    removing, loading, warehouse, known
):
    loading()
    removing(GAUGES.name)
    planned = [GAUGES.partition("kingston", MAY)]

    assert without_removed(GAUGES, planned, dsn=warehouse.dsn(), asked_for=False) == planned


def test_a_council_whose_file_is_gone_is_removed_from_every_source(
    removing, loading, listing, warehouse, lake, known
):
    loading()
    loading("merton")

    (difference,) = verify(
        lake=lake, dsn=warehouse.dsn(), selection=Selection((GAUGES.name,))
    ).differences
    assert difference.kind == "no council"
    assert difference.next == (
        "restore include/councils/merton.yaml, or `wandle remove gauges --council merton`."
    )
    removing(councils="merton")

    assert places(warehouse) == [("kingston", "2017-05-01")]
    assert (
        verify(lake=lake, dsn=warehouse.dsn(), selection=Selection((GAUGES.name,))).differences
        == []
    )
    assert listing(councils="merton").removed["removed_by"] == "somebody"
    assert removing("gauges", councils="merton").empty


def test_a_partition_of_no_council_is_not_reloaded_and_can_be_removed(
    removing, loading, lake, warehouse, known
):
    loading("uk")
    kept = loading()

    assert [where.council for _, where in landed_partitions(lake, Selection((GAUGES.name,)))] == [
        "kingston"
    ]
    (difference,) = verify(
        lake=lake, dsn=warehouse.dsn(), selection=Selection((GAUGES.name,))
    ).differences
    assert (difference.kind, difference.next) == (
        "no council", "`wandle remove gauges --council uk`.",
    )  # fmt: skip
    removing(GAUGES.name, councils="uk")

    assert [item.landing_id for item in inventory.stored_landings(lake.landings)] == [kept]


def test_data_that_arrive_during_the_run_are_named(removing, loading, lake, known, monkeypatch):
    loading()
    original = job._remove_part

    def with_another(*arguments: Any, **named: Any) -> None:
        original(*arguments, **named)
        land(lake, GAUGES, GOOD, period=JUNE)

    monkeypatch.setattr(job, "_remove_part", with_another)

    with pytest.raises(ServiceUnavailable, match=r"gauges kingston 2017-06.*again"):
        removing(GAUGES.name)


def test_a_partition_that_is_being_loaded_stays_whole_and_is_removed_by_the_next_run(
    removing, loading, lake, warehouse, known, monkeypatch
):
    loading()
    loading("sutton")
    monkeypatch.setattr(lock, "REMOVAL_WAIT_SECONDS", 0.2)

    with connect(warehouse.dsn()) as other:
        lock.lock_for_load(other, GAUGES.partition("sutton", MAY))
        with pytest.raises(lock.PartitionLocked, match=r"locked by `wandle load gauges sutton"):
            removing(GAUGES.name)
        assert places(warehouse) == [("sutton", "2017-05-01")]
        assert warehouse.value("select count(*) from ops.load") == 1
        assert len(list(inventory.stored_landings(lake.landings))) == 1

    removing(GAUGES.name)
    assert places(warehouse) == []
    assert list(lake.landings.keys("landing/")) == []


def test_names_that_do_not_exist_are_refused(listing, warehouse, known):
    with pytest.raises(UnknownName, match="unknown source 'guages'"):
        listing("guages")
    with pytest.raises(UnknownName, match="unknown source 'guages'"):
        listing("guages", periods=MAY)
    with pytest.raises(UnknownName, match="unknown council 'mertn'"):
        listing(councils="mertn")
    with pytest.raises(UnknownName, match="unknown council 'mertn'"):
        listing("gauges", councils="mertn")
    with pytest.raises(UnknownName, match="not a valid period"):
        listing("gauges", periods="May")
    with pytest.raises(PermanentError, match="nothing selected"):
        listing()
    with pytest.raises(PermanentError, match="'uk' is not a council"):
        listing(councils="uk")


def test_what_other_contracts_and_models_read_is_refused_naming_them(removing, warehouse):
    with pytest.raises(PermanentError, match=r"flood_readings takes its requests") as parent:
        removing("flood_stations")
    with pytest.raises(PermanentError, match=r"weather_daily\.sql reads stg_weather__hourly"):
        removing("weather_hourly")

    assert "nothing was changed" in str(parent.value)
    assert warehouse.value("select count(*) from ops.removal") == 0


def test_an_earlier_version_s_table_can_record_removals_after_a_migration(
    new_database, migrated, lake
):
    database = new_database(migrated.name)
    database.query(
        "alter table ops.removal drop removed_by, drop rows, drop quarantined, drop entries, "
        "drop definitions, add primary key (source, council, period, landing_id), "
        "drop constraint removal_reason_check, add constraint removal_reason_check "
        "check (reason in ('superseded', 'interrupted', 'expired', 'erased'))"
    )
    database.query("drop table ops.contract cascade")

    changed = migrate(database.admin, [GAUGES], {})
    land(lake, GAUGES, GOOD)
    where = GAUGES.partition("kingston", MAY)
    load(GAUGES, where, lake=lake, dsn=database.dsn(), run_id="run")
    remove(
        selection("gauges"),
        lake=lake, dsn=database.dsn(), by="somebody", dags=None, drop_tables=None,
    )  # fmt: skip

    assert "let ops.removal say `removed`" in changed
    assert database.query(
        "select period is null, removed_by, rows from ops.removal order by 1"
    ) == [(False, "somebody", 3), (True, "somebody", 0)]
    assert migrate(database.admin, [GAUGES], {}) == []
