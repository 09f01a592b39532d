"""A run rebuilds only what changed, and leaves what a full refresh would build."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from include.sources.model import contract, contracts
from include.sources.partition import Partition, Period
from include.transform.failures import BuildFailed
from include.transform.process import Dbt
from include.warehouse.books import removals, stored
from include.warehouse.connection import connect
from include.warehouse.schema.migrate import migrate
from tests.integration.built_world import (
    CRIMES,
    DAYS,
    MONTHS,
    READINGS,
    STATIONS,
    World,
    crime,
    reading,
    small_project,
    station,
)

POLICE = {"int_police__crimes", "ward_crime_monthly", "crime_outcomes_monthly"}


@pytest.fixture(scope="module")
def world(new_database, tmp_path_factory) -> Iterator[World]:
    """Built once; each test changes something, and leaves it as built."""
    database = new_database()
    migrate(database.admin, contracts().values(), {})
    home = tmp_path_factory.mktemp("dbt")
    project = small_project(home / "project")
    dsn = database.dsn("wandle_transformer")
    with Dbt(dsn=dsn, home=home, progress=print, project=project) as dbt:
        world = World(database, project, home, dbt)
        world.fill()
        built = world.build()
        assert built["staging"].kept == built["marts"].kept == 0
        yield world


def rebuilt(world: World) -> dict[str, int]:
    """Build; the number of partitions rebuilt by model."""
    built = world.build()
    return {**built["staging"].partitions, **built["marts"].partitions}


def test_a_run_for_which_nothing_changed_does_not_even_start_dbt(world):
    before = world.rows()

    with world.restarted() as dbt:
        built = world.build(dbt=dbt)
        assert not dbt.started

    assert all(layer.unchanged_since for layer in built.values())
    assert world.rows() == before


def test_a_warning_is_repeated_until_its_cause_is_gone(world):
    said = "ward_crime_monthly_wards_have_boundaries"

    assert any(said in warning for warning in world.build()["marts"].warnings)
    world.load(CRIMES, "kingston", MONTHS[0], [crime(1, MONTHS[0])])
    assert any(said in warning for warning in world.build()["marts"].warnings)


@pytest.mark.parametrize(
    ("month", "rows"),
    [
        ("2017-06-01", [crime(1, "2017-06-01")]),
        (MONTHS[1], [crime(number, MONTHS[1], outcome_category="Fined") for number in (1, 2, 3)]),
        (MONTHS[2], [crime(1, MONTHS[2])]),
        (MONTHS[3], [crime(number, MONTHS[3]) for number in (1, 2, 3, 4)]),
        (MONTHS[0], []),
    ],
    ids=["new month", "changed outcomes", "removed crime", "replayed quarantine", "emptied"],
)
def test_only_the_partition_of_a_load_is_rebuilt(world, month, rows):
    world.load(CRIMES, "sutton", month, rows)

    assert rebuilt(world) == dict.fromkeys(POLICE, 1)

    with world.restarted() as dbt:
        world.build(dbt=dbt)
        assert not dbt.started
    world.assert_as_a_full_refresh()
    assert rebuilt(world) == {}


COUNTED = "crimes_are_counted_once_and_none_is_lost"


def test_crimes_are_counted_only_in_the_partitions_that_changed(world):
    # Nobody's run, so it is not found: the other partitions are not read again.
    world.database.query(
        "delete from intermediate.int_police__crimes "
        f"where council = 'sutton' and month = '{MONTHS[1]}'"
    )
    world.load(CRIMES, "kingston", MONTHS[1], [crime(number, MONTHS[1]) for number in (1, 2)])

    built = world.build("staging")["staging"]

    assert {f"test.wandle.{COUNTED}"} <= {result.unique_id for result in built.results}
    world.load(CRIMES, "sutton", MONTHS[1], [crime(number, MONTHS[1]) for number in (1, 2, 3)])
    world.build()
    world.assert_as_a_full_refresh()


def test_a_crime_that_is_lost_in_a_changed_partition_fails_the_build(world):
    world.database.query(
        "create function public.lost() returns trigger language plpgsql as 'begin return null; end'"
    )
    world.database.query(
        "create trigger lost before insert on intermediate.int_police__crimes "
        "for each row when (new.crime_id = 77) execute function public.lost()"
    )
    world.load(CRIMES, "sutton", MONTHS[2], [crime(number, MONTHS[2]) for number in (1, 77)])

    with pytest.raises(BuildFailed, match=COUNTED):
        world.build()

    world.database.query("drop trigger lost on intermediate.int_police__crimes")
    world.load(CRIMES, "sutton", MONTHS[2], [crime(number, MONTHS[2]) for number in (1, 77)])
    world.build()
    world.assert_as_a_full_refresh()


@pytest.mark.parametrize("how", ["expired", "removed"])
def test_a_partition_that_is_gone_is_gone_from_the_marts(world, how):
    world.load(CRIMES, "kingston", "2017-07-01", [crime(1, "2017-07-01")])
    world.build()
    where = Partition(CRIMES, "kingston", Period.parse("2017-07", "month"))
    with connect(world.database.dsn()) as connection, connection.cursor() as cursor:
        if how == "expired":
            removals.empty(
                cursor, contract(CRIMES), where, landing_id="l", code_version="1", run_id="r"
            )
        else:
            stored.delete(cursor, CRIMES, (where.council, where.period.starts_at))
        connection.commit()

    assert rebuilt(world) == dict.fromkeys(POLICE, 1)

    query = "select count(*) from marts.ward_crime_monthly where month = '2017-07-01'"
    assert world.database.value(query) == 0
    world.assert_as_a_full_refresh()


def test_a_load_that_is_committed_while_transform_runs_is_built_by_the_next_run(world, monkeypatch):
    def build(nodes: Any, plan: str = "") -> Any:
        for name in ("kingston", "sutton"):
            world.load(CRIMES, name, MONTHS[1], [crime(9, MONTHS[1], category="robbery")])
        return genuine(nodes, plan)

    genuine = world.dbt.build
    world.load(CRIMES, "sutton", MONTHS[1], [crime(8, MONTHS[1])])
    monkeypatch.setattr(world.dbt, "build", build)
    world.build("staging")
    monkeypatch.setattr(world.dbt, "build", genuine)
    # Between the layers: a mart must not count a load that its intermediate model lacks.
    world.load(CRIMES, "kingston", MONTHS[2], [crime(7, MONTHS[2])])
    world.build("marts")
    world.load(CRIMES, "kingston", MONTHS[3], [crime(6, MONTHS[3])])

    world.build()

    world.assert_as_a_full_refresh()
    assert rebuilt(world) == {}


def test_what_the_ledger_does_not_know_is_rebuilt_every_time(world):
    world.database.query(
        f"update raw.{CRIMES} set _council = 'merton' "
        f"where _council = 'sutton' and _period = '{MONTHS[3]}'"
    )
    world.load(CRIMES, "sutton", MONTHS[3], [])
    world.build()
    world.database.query(f"update raw.{CRIMES} set category = 'drugs' where _council = 'merton'")

    assert rebuilt(world) == dict.fromkeys(POLICE, 1)

    world.assert_as_a_full_refresh()
    world.database.query(f"delete from raw.{CRIMES} where _council = 'merton'")
    world.build()


def test_rows_of_partitions_other_than_the_load_s_are_rebuilt_too(world):
    world.load(READINGS, "sutton", DAYS[1], [reading(DAYS[1], 1, "0.9")])
    assert rebuilt(world) == {"river_levels_daily": 1}
    world.assert_as_a_full_refresh()

    world.load(STATIONS, "sutton", DAYS[3], [station("Hackbridge")])
    assert rebuilt(world) == {}

    query = "select distinct station_name from marts.river_levels_daily where council = 'sutton'"
    assert world.database.query(query) == [("Hackbridge",)]
    world.assert_as_a_full_refresh()


@pytest.mark.parametrize(
    "change",
    [
        f"vacuum full raw.{CRIMES}",
        f"insert into ops.migration (change) values ('copied 2 values of raw.{CRIMES}.a to b')",
        "truncate marts.ward_crime_monthly",
    ],
    ids=["rebuilt", "migrated", "truncated mart"],
)
def test_a_table_that_was_rebuilt_or_changed_by_a_migration_is_built_whole(world, change):
    with psycopg.connect(world.database.admin, autocommit=True) as connection:
        connection.execute(change)

    assert rebuilt(world) == {}

    world.assert_as_a_full_refresh()


def test_what_was_red_stays_red_and_its_marts_as_they_were(world):
    before = world.rows()
    world.load(CRIMES, "kingston", MONTHS[0], [crime(1, MONTHS[0], category=None)])
    for _ in range(2):
        with pytest.raises(BuildFailed, match="not_null_stg_police__street_crime_category"):
            world.build()
    world.load(CRIMES, "kingston", MONTHS[1], [crime(1, MONTHS[1])])
    with pytest.raises(BuildFailed, match="not_null_stg_police__street_crime_category"):
        world.build()
    assert world.rows() == before

    world.load(CRIMES, "kingston", MONTHS[0], [crime(1, MONTHS[0])])
    world.build()

    world.assert_as_a_full_refresh()
    assert rebuilt(world) == {}


@pytest.mark.parametrize("table", ["intermediate.int_police__crimes", "marts.ward_crime_monthly"])
def test_a_run_that_is_killed_leaves_nothing_half_covered(world, table):
    world.load(CRIMES, "sutton", MONTHS[2], [crime(5, MONTHS[2], category="drugs")])
    code = (
        "import sys; from pathlib import Path\n"
        "from include.transform import history\n"
        "from include.transform.build import build_layer\n"
        "from include.transform.process import Dbt\n"
        "dsn, home, project = sys.argv[1], *map(Path, sys.argv[2:])\n"
        "with Dbt(dsn=dsn, home=home, progress=print, project=project) as dbt, "
        "history.building(dsn) as opened:\n"
        "    for layer in ('staging', 'marts'):\n"
        "        build_layer(layer, dbt=dbt, history=opened, run_id='killed')\n"
    )
    dsn = world.database.dsn("wandle_transformer")
    sessions = (
        "select array_agg(pid) from pg_stat_activity "
        "where usename = 'wandle_transformer' and datname = current_database()"
    )
    before = world.database.value(sessions) or []  # those of `world.dbt`
    with psycopg.connect(world.database.admin) as reader:
        reader.execute(f"lock table {table} in share mode")  # type: ignore[arg-type]
        process = subprocess.Popen(
            (sys.executable, "-c", code, dsn, str(world.home), str(world.project))
        )
        waits = (
            f"select count(*) from pg_locks where not granted and relation = '{table}'::regclass"
        )
        until(lambda: world.database.value(waits) == 1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    until(lambda: set(world.database.value(sessions) or []) <= set(before))

    world.build()

    world.assert_as_a_full_refresh()
    assert rebuilt(world) == {}


def test_a_build_by_hand_is_not_taken_for_a_covered_one(world):
    [mart] = [node for node in world.dbt.nodes() if node.key == "marts.ward_crime_monthly"]
    world.dbt.build([mart])

    built = world.build()["marts"]

    assert "model.wandle.ward_crime_monthly" in {result.unique_id for result in built.results}
    world.assert_as_a_full_refresh()


def test_views_of_others_survive_a_changed_model_or_refuse_it_before_it_is_built(
    world, monkeypatch
):
    database = world.database
    database.query("create schema analyst; grant usage on schema analyst to public")
    database.query("create view analyst.wards as select * from marts.ward_crime_monthly")
    path = world.project / "models" / "marts" / "ward_crime_monthly.sql"
    text, description = path.read_text(), path.with_suffix(".yml").read_text()
    path.write_text(text.replace("count(*) as crimes", "count(*) + 0 as crimes"))

    with world.restarted() as dbt:
        built = world.build(dbt=dbt)
        names = {result.unique_id for result in built["marts"].results}
        assert {name for name in names if name.startswith("model.")} == {
            "model.wandle.ward_crime_monthly"
        }
        assert built["staging"].unchanged_since or built["staging"].kept == built["staging"].nodes
        assert database.value("select count(*) from analyst.wards") == database.value(
            "select count(*) from marts.ward_crime_monthly"
        )
        world.assert_as_a_full_refresh(dbt)

    path.write_text(text.replace("count(outcome_category) as", "count(outcome_category)::int as"))
    column = description.index("bigint", description.index("- name: with_outcome"))
    changed = f"{description[:column]}integer{description[column + len('bigint') :]}"
    path.with_suffix(".yml").write_text(changed)
    before = world.rows()
    with world.restarted() as dbt:
        with pytest.raises(BuildFailed, match=r"others use it: analyst\.wards"):
            world.build(dbt=dbt)
        assert world.rows() == before
        database.query("drop schema analyst cascade")
        world.build(dbt=dbt)
        world.assert_as_a_full_refresh(dbt)

    path.write_text(text)
    path.with_suffix(".yml").write_text(description)
    world.build()
    world.assert_as_a_full_refresh()


def until(condition: Any, seconds: float = 200) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
