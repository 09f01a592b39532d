"""Renamed columns and changed types: what `migrate` moves and says, what waits for a reload."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from include.sources.model import Contract, contracts
from include.transform import history
from include.transform.build import build_layer
from include.transform.failures import BuildFailed
from include.transform.process import Dbt
from include.transform.project import FOLDER, FOLDERS
from include.transform.sources import render, synced_model
from include.transform.staging import model_files, model_path
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract

ID = column("id", "integer", required=True)
OLD = contract(ID, column("value", "double", maximum=100), key=["id"])
ADDED = contract(ID, column("concentration", "double", path="value", maximum=100), key=["id"])
RENAMED = contract(
    ID,
    column("concentration", "double", path="value", maximum=100, renamed_from="value"),
    key=["id"],
)
MONTHS = ("2017-05", "2017-06", "2017-07")
VALUES = "select id, concentration from raw.gauges order by id"


@pytest.fixture
def warehouse(new_database) -> Any:
    """A database of its own, whose raw tables change."""
    database = new_database()
    migrate(database.admin, [], {})
    return database


@pytest.fixture
def use(monkeypatch, wandle, warehouse) -> Callable[[Contract], None]:
    """Makes a contract the only one."""
    monkeypatch.setenv("WANDLE_ADMIN_DSN", warehouse.admin)
    monkeypatch.setenv("WANDLE_TRANSFORMER_DSN", warehouse.dsn("wandle_transformer"))
    monkeypatch.setenv("WANDLE_PUBLISHER_DSN", warehouse.dsn("wandle_publisher"))
    for name in list(contracts()):
        monkeypatch.delitem(contracts(), name)

    def use(changed: Contract) -> None:
        monkeypatch.setitem(contracts(), changed.name, changed)

    return use


@pytest.fixture
def loaded(use, wandle, lake) -> None:
    """Three months by the old contract, one record of each in quarantine."""
    use(OLD)
    assert wandle("migrate")[0] == 0
    for number, month in enumerate(MONTHS):
        records = [{"id": number, "value": number + 0.5}, {"id": 10 + number, "value": 101}]
        land(lake, OLD, records, period=month)
    assert wandle("reload", "gauges")[0] == 0


def test_a_renamed_column_moves_its_values_and_the_books_follow(use, wandle, loaded, warehouse):
    use(RENAMED)

    code, out, _ = wandle("migrate")

    assert (code, out) == (0, "renamed raw.gauges.value to concentration\n")
    assert warehouse.query(VALUES) == [(0, 0.5), (1, 1.5), (2, 2.5)]
    assert warehouse.query("select distinct column_name from ops.quarantine") == [
        ("concentration",)
    ]
    assert wandle("verify", "--deep")[:2] == (0, "Compared 3 partitions: 0 differences.\n")
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"
    assert warehouse.query("select change from ops.migration where change like 'renamed%' ") == [
        ("renamed raw.gauges.value to concentration",)
    ]
    wandle("reload", "gauges")
    newest = "select distinct on (period) status from ops.load order by period, load_id desc"
    assert warehouse.query(newest) == [("unchanged",)] * 3


def test_after_the_rename_is_removed_from_the_contract_nothing_is_due(use, wandle, loaded):
    use(RENAMED)
    wandle("migrate")
    use(ADDED)

    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"
    assert wandle("verify")[0] == 0


def test_without_the_rename_migrate_says_what_older_rules_loaded_and_how_to_reload_it(
    use, wandle, loaded, warehouse
):
    use(ADDED)

    _, out, _ = wandle("migrate")

    assert "added raw.gauges.concentration" in out
    assert "3 of 3 partitions were loaded under older rules" in " ".join(out.split())
    assert "`wandle reload gauges`" in " ".join(out.split())
    wandle("reload", "gauges", "--period", MONTHS[0])
    assert "2 of 3 partitions" in wandle("migrate")[1]
    assert wandle("reload", "gauges")[0] == 0
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"
    assert warehouse.query(VALUES) == [(0, 0.5), (1, 1.5), (2, 2.5)]


def test_values_are_copied_where_the_new_column_was_there_first(use, wandle, loaded, warehouse):
    use(ADDED)
    wandle("migrate")
    wandle("reload", "gauges", "--period", MONTHS[1])
    use(RENAMED)

    _, out, _ = wandle("migrate")

    assert out == "copied 2 values of raw.gauges.value to concentration\n"
    assert warehouse.query(VALUES) == [(0, 0.5), (1, 1.5), (2, 2.5)]
    assert wandle("verify")[:2] == (0, "Compared 3 partitions: 0 differences.\n")
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"


def renamed(name: str, before: str, type_name: str = "double") -> Contract:
    limit = {} if type_name == "text" else {"maximum": 100}
    changed = column(name, type_name, path="value", renamed_from=before, **limit)
    return contract(ID, changed, key=["id"])


def test_a_name_that_changes_twice_keeps_its_values(use, wandle, loaded, warehouse):
    for changed in (RENAMED, renamed("level", "concentration")):
        use(changed)
        assert wandle("migrate")[0] == 0

    assert warehouse.query("select id, level from raw.gauges order by id") == [
        (0, 0.5), (1, 1.5), (2, 2.5),
    ]  # fmt: skip
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"
    assert wandle("verify", "--deep")[:2] == (0, "Compared 3 partitions: 0 differences.\n")


def test_where_the_name_between_two_was_never_migrated_the_reload_is_due(
    use, wandle, loaded, warehouse
):
    use(renamed("level", "concentration"))

    said = " ".join(wandle("migrate")[1].split())
    assert "3 of 3 partitions were loaded under older rules" in said

    assert wandle("verify")[0] == 1
    assert wandle("reload", "gauges")[0] == 0
    assert warehouse.value("select count(level) from raw.gauges") == 3
    assert wandle("verify", "--deep")[0] == 0


def test_a_name_and_a_wider_type_in_one_step(use, wandle, loaded, warehouse):
    use(renamed("level", "value", "text"))

    code, out, _ = wandle("migrate")

    assert code == 0
    assert "renamed raw.gauges.value to level" in out
    assert "widened raw.gauges.level from double precision to text" in out
    assert warehouse.value("select array_agg(level order by id) from raw.gauges") == [
        "0.5", "1.5", "2.5",
    ]  # fmt: skip
    assert "3 of 3 partitions were loaded under older rules" in " ".join(out.split())
    assert wandle("reload", "gauges")[0] == 0
    assert wandle("verify", "--deep")[0] == 0


def test_a_name_and_a_type_that_needs_a_rebuild_in_one_step(use, wandle, loaded, warehouse):
    use(renamed("level", "value", "numeric(5,1)"))

    code, _, err = wandle("migrate")

    assert code == 1
    assert "column level is double precision, expected numeric(5,1)" in " ".join(err.split())
    assert warehouse.value("select count(value) from raw.gauges") == 3
    assert warehouse.query("select distinct column_name from ops.quarantine") == [("value",)]
    assert wandle("migrate", "--rebuild", "gauges")[0] == 0
    assert warehouse.value("select sum(level)::text from raw.gauges") == "4.5"
    assert warehouse.query("select distinct column_name from ops.quarantine") == [("level",)]
    assert wandle("migrate")[1] == "Nothing to change: the database is up to date.\n"
    assert wandle("verify", "--deep")[:2] == (0, "Compared 3 partitions: 0 differences.\n")


def test_a_partition_that_was_edited_by_hand_is_not_declared_correct(
    use, wandle, loaded, warehouse
):
    warehouse.query("update raw.gauges set value = 7 where id = 1")
    use(RENAMED)

    _, out, _ = wandle("migrate")

    assert "1 of 3 partitions were loaded under older rules" in " ".join(out.split())


def test_a_rename_that_is_refused_changes_neither_table_nor_books(use, wandle, loaded, warehouse):
    before = warehouse.query("select * from ops.load order by load_id")
    use(
        contract(
            ID,
            column("concentration", "double", path="value", maximum=100, renamed_from="value"),
            column("note", "date"),
            key=["id"],
        )
    )
    warehouse.query("alter table raw.gauges add column note text")

    code, _, err = wandle("migrate")

    assert code == 1
    assert "column note is text, expected date" in err
    assert warehouse.query("select value from raw.gauges where id = 0") == [(0.5,)]
    assert warehouse.query("select * from ops.load order by load_id") == before


@pytest.fixture
def project(tmp_path) -> Path:
    """A project of one staging model and one mart, of gauges, with our macros."""
    folder = tmp_path / "project"
    shutil.copytree(
        FOLDER, folder, ignore=shutil.ignore_patterns("target", "logs", "models", "*.sql")
    )
    shutil.copytree(FOLDER / "macros", folder / "macros", dirs_exist_ok=True)
    shutil.copytree(FOLDER / "tests/generic", folder / "tests/generic", dirs_exist_ok=True)
    for path, text in model_files(OLD).items():
        place = folder / path.relative_to(FOLDER)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (folder / "models/staging/_sources.yml").write_text(render({OLD.name: OLD}))
    (folder / "models/marts").mkdir()
    (folder / "models/marts/totals.sql").write_text(
        "select month, sum(value) as total from {{ ref('stg_gauges__gauges') }} group by month"
    )
    described = [{"name": "month", "data_type": "date"}, {"name": "total", "data_type": "float8"}]
    (folder / "models/marts/totals.yml").write_text(
        yaml.safe_dump({"models": [{"name": "totals", "columns": described}]})
    )
    return folder


@pytest.fixture
def transform(warehouse, project, tmp_path) -> Callable[..., list[str]]:
    """Builds the project with the staging model as `wandle sync` leaves it; what failed."""

    def build(now: Contract) -> list[str]:
        model = project / model_path(now.name).relative_to(FOLDER)
        model.write_text(synced_model(now, model.read_text()))
        (project / "models/staging/_sources.yml").write_text(render({now.name: now}))
        said = []
        dsn, run_id = warehouse.dsn("wandle_transformer"), uuid4().hex
        with (
            Dbt(dsn=dsn, home=tmp_path / "dbt", progress=print, project=project) as dbt,
            history.building(dsn) as books,
        ):
            for layer in FOLDERS:
                try:
                    build_layer(
                        layer, dbt=dbt, history=books, run_id=run_id, contracts={now.name: now}
                    )
                except BuildFailed as error:
                    said.append(str(error))
        return said

    return build


TOTALS = "select month::text, total from marts.totals order by 1"
EVERY = [("2017-05-01", 0.5), ("2017-06-01", 1.5), ("2017-07-01", 2.5)]


def test_a_mart_keeps_its_history_over_a_rename(use, wandle, loaded, warehouse, transform):
    assert transform(OLD) == []
    use(RENAMED)
    wandle("migrate")

    assert warehouse.query("select value from staging.stg_gauges__gauges where id = 0") == [(0.5,)]
    assert transform(RENAMED) == []
    assert warehouse.query(TOTALS) == EVERY


def test_a_mart_of_a_column_that_partitions_never_filled_is_not_built_until_they_are(
    use, wandle, loaded, warehouse, transform, project
):
    transform(OLD)
    use(ADDED)
    wandle("migrate")
    wandle("reload", "gauges", "--period", MONTHS[2])
    model = project / model_path("gauges").relative_to(FOLDER)
    model.write_text(model.read_text().replace('"value",', "concentration as value,"))

    said = transform(ADDED)

    assert "selects concentration of raw.gauges, which 2 partitions never filled" in said[0]
    assert "Run `wandle reload gauges`" in said[0]
    assert "Stale because of it: stg_gauges__gauges, totals" in said[0]
    assert warehouse.query(TOTALS) == EVERY
    wandle("reload", "gauges")
    assert transform(ADDED) == []
    assert warehouse.query(TOTALS) == EVERY


def test_a_new_column_that_no_model_reads_holds_nothing_back(use, wandle, loaded, transform):
    use(
        contract(
            *OLD.model_dump(mode="json", exclude_defaults=True)["columns"],
            column("depth"),
            key=["id"],
        )
    )
    wandle("migrate")

    assert transform(contracts()["gauges"]) == []
