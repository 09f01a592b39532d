"""`wandle remove` as people run it, in a copy of the checkout: files, table, and what is left."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from include.sources.model import contracts
from include.warehouse.schema.migrate import migrate
from tests.integration.conftest import Warehouse

CHECKOUT = Path(__file__).parents[2]
SOURCE = "planning_applications"
MARTS = "dbt_project/models/marts"


@pytest.fixture
def copy(tmp_path) -> Path:
    """The checkout, as a person may change it."""
    for name in ("include", "dbt_project", "sandbox"):
        shutil.copytree(
            CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "target")
        )
    return tmp_path


@pytest.fixture
def database(new_database) -> Warehouse:
    """A database of its own: a copy of a shared one has what other tests left in it."""
    database = new_database()
    migrate(database.admin, contracts().values(), {})
    return database


@pytest.fixture
def wandle(copy, database, folder_lake, tmp_path):
    """Runs a command of the copy: its exit code and what it says."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(copy),
        "COLUMNS": "300",
        "WANDLE_HOME": str(tmp_path / "home"),
        "WANDLE_CODE_VERSION": "test",
        "WANDLE_BUCKET": folder_lake.bucket,
        "AWS_ENDPOINT_URL_S3": folder_lake.s3.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "WANDLE_ADMIN_DSN": database.admin,
        "WANDLE_LOADER_DSN": database.dsn(),
        "WANDLE_TRANSFORMER_DSN": database.dsn("wandle_transformer"),
        "WANDLE_PUBLISHER_DSN": database.dsn("wandle_publisher"),
    }
    program = "from include import cli; cli.main()"

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def row(database: Warehouse, table: str, council: str) -> None:
    database.query(
        f"insert into raw.{table} (_council, _period, _landing_id, _record_no) "
        f"values ('{council}', '2026-11-01', 'L', 1)"
    )


def test_a_dataset_is_removed_with_its_files_and_its_table(wandle, copy, database: Any):
    row(database, SOURCE, "sutton")
    sample = copy / "home" / "samples" / f"{SOURCE}@api.example.org.json"
    sample.parent.mkdir(parents=True)
    sample.write_text("{}")
    transformer = "wandle_transformer"
    database.query("create table marts.planning_applications (a int)", transformer)
    database.query(
        f"create view staging.stg_planning__applications as table raw.{SOURCE}", transformer
    )
    database.query("create table marts.river_levels_daily (a int)", transformer)

    refused, why = wandle("remove", SOURCE)
    assert refused == 1
    assert (
        f"{MARTS}/planning_applications.sql reads stg_planning__applications. Delete or change it"
        in why
    )
    for path in copy.glob(f"{MARTS}/planning_applications.*"):
        path.unlink()
    shown, listed = wandle("remove", SOURCE)
    assert shown == 0
    for line in (
        f"{SOURCE} sutton 2026-11: 1 partition: 1 row, 0 landings (0 bytes)",
        "dbt_project/models/staging/planning/stg_planning__applications.sql",
        "dbt_project/models/staging/planning/stg_planning__applications.yml",
        f"include/sources/{SOURCE}.yaml",
        f"raw.{SOURCE} in dbt_project/models/staging/_sources.yml",
        f"the table raw.{SOURCE}",
        "marts.planning_applications, which no model builds",
        "staging.stg_planning__applications, which no model builds",
        "1 partition to remove. Run again with `--yes`.",
    ):
        assert line in listed
    assert (copy / f"include/sources/{SOURCE}.yaml").exists()

    done, told = wandle("remove", SOURCE, "--yes")

    assert (done, "1 partition removed." in told) == (0, True)
    assert "Run `make dictionary`, then commit" in told
    assert not (copy / f"include/sources/{SOURCE}.yaml").exists()
    assert not sample.exists()
    assert not (copy / "dbt_project/models/staging/planning").exists()
    sources = (copy / "dbt_project/models/staging/_sources.yml").read_text()
    assert SOURCE not in sources
    assert "police_street_crime" in sources
    assert database.value(f"select to_regclass('raw.{SOURCE}') is null")
    assert database.query(
        "select relname from pg_class where relnamespace in "
        "('staging'::regnamespace, 'marts'::regnamespace) and relkind in ('r', 'v')"
    ) == [("river_levels_daily",)]
    valid, differences = wandle("validate")
    assert "database: table raw.gauges" not in differences
    assert "the dashboard shows marts.planning_applications, and no model builds it" in differences
    assert (valid, "1 difference." in differences) == (1, True)
    again, nothing = wandle("remove", SOURCE, "--yes")
    assert again == 0
    assert "Nothing to remove." in nothing
    assert "removed it on" in nothing


def test_a_council_is_removed_with_its_file_and_the_last_one_stays(wandle, copy, database: Any):
    row(database, SOURCE, "sutton")
    row(database, SOURCE, "kingston")

    done, told = wandle("remove", "--council", "sutton", "--yes")
    refused, why = wandle("remove", "--council", "kingston", "--yes")

    assert (done, "include/councils/sutton.yaml" in told) == (0, True), told
    assert not (copy / "include/councils/sutton.yaml").exists()
    assert database.query(f"select _council from raw.{SOURCE}") == [("kingston",)]
    assert refused == 1
    assert "nothing was changed. No council would be left" in why
    assert (copy / "include/councils/kingston.yaml").exists()


def test_what_reads_the_table_without_its_staging_model_is_named(wandle, copy, database: Any):
    direct = copy / f"{MARTS}/raw_hours.sql"
    direct.write_text(f"select 1 from {{{{ source('raw', '{SOURCE}') }}}}")
    child = copy / "include/sources/flood_readings.yaml"
    child.write_text(child.read_text().replace("source: flood_stations", f"source: {SOURCE}\nx: 1"))
    (copy / f"{MARTS}/odd.sql").write_bytes(b"select 1 -- caf\xe9")

    refused, why = wandle("remove", SOURCE)

    assert refused == 1
    assert f"{MARTS}/raw_hours.sql reads raw.{SOURCE}. Delete or change it" in why
    assert f"include/sources/flood_readings.yaml is broken, and names {SOURCE}" in why
    assert f"{MARTS}/planning_applications.sql reads stg_planning__applications" in why
    (copy / "dbt_project/models/staging/planning/stg_planning__applications.yml").write_text(
        "models: ["
    )
    assert (
        "stg_planning__applications.yml is broken, and may describe" in wandle("remove", SOURCE)[1]
    )


def test_the_table_of_a_mart_whose_model_is_gone_is_removed_by_its_name(
    wandle, copy, database: Any
):
    transformer = "wandle_transformer"
    for name in ("planning_applications", "daily_rain"):
        database.query(f"create table marts.{name} (a int)", transformer)

    shown, listed = wandle("remove", "marts.daily_rain")
    done, told = wandle("remove", "marts.daily_rain", "--yes")
    again, nothing = wandle("remove", "marts.daily_rain", "--yes")
    refused, why = wandle("remove", "marts.planning_applications", "--yes")

    assert (shown, "marts.daily_rain, which no model builds" in listed) == (0, True)
    assert (done, "1 table removed." in told) == (0, True)
    assert (again, "Nothing to remove." in nothing) == (0, True)
    assert refused == 1
    assert (
        f"{MARTS}/planning_applications.sql builds marts.planning_applications. Delete that file"
        in why
    )
    assert database.query("select tablename from pg_tables where schemaname = 'marts'") == [
        ("planning_applications",)
    ]
    for wrong in ("raw.planning_applications", "ops.load"):
        assert wandle("remove", wrong, "--yes")[0] == 1


def test_a_table_that_waits_for_a_rebuild_blocks_the_removal_of_no_other_dataset(
    wandle, copy, database: Any
):
    database.query("alter table raw.bank_holidays alter column title type jsonb using null")
    for path in copy.glob(f"{MARTS}/planning_applications.*"):
        path.unlink()

    done, told = wandle("remove", SOURCE, "--yes")

    assert done == 0, told
    assert database.value(f"select to_regclass('raw.{SOURCE}') is null")


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder that nobody can write to, as in an image; root, too."""
    for options in (("--bind", str(folder)), ("-o", "remount,ro,bind")):
        mount = ("/bin/mount", *options, str(folder))
        if subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("this user may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(("/bin/umount", "--lazy", str(folder)), check=True)


@pytest.mark.parametrize("folder", ["include/sources", "dbt_project/models/staging"])
def test_files_that_cannot_be_deleted_are_named_before_anything_is_removed(
    wandle, copy, database, folder
):
    row(database, SOURCE, "sutton")
    for path in copy.glob(f"{MARTS}/planning_applications.*"):
        path.unlink()

    with read_only(copy / folder):
        refused, why = wandle("remove", SOURCE, "--yes")
        narrower, _ = wandle("remove", SOURCE, "--council", "kingston", "--yes")

    assert refused == 1
    assert "Traceback" not in why
    assert "nothing was changed." in why
    assert f"{folder}/" in why
    assert "cannot be changed here. Delete the dataset's or council's files in the repo" in why
    assert database.value(f"select count(*) from raw.{SOURCE}") == 1
    assert database.value("select count(*) from ops.removal") == 0
    assert narrower == 0
    assert wandle("remove", SOURCE, "--yes")[0] == 0


def test_a_file_that_cannot_be_written_is_named_without_a_traceback(wandle, copy):
    contract = copy / f"include/sources/{SOURCE}.yaml"
    text = contract.read_text()
    contract.write_text(text.replace("title: ", "title: Other "))

    with read_only(copy / "dbt_project/models/staging"):
        code, said = wandle("sync")
    assert (code, "Traceback" in said) == (1, False), said
    assert "Read-only file system" in said
    assert "_sources.yml" in said
    assert "Make it writable, then run the same command again" in said
    assert "Free some space" not in said
    assert wandle("sync")[0] == 0


def test_what_is_in_the_place_of_a_contract_is_named_or_removed(wandle, copy, database: Any):
    row(database, SOURCE, "sutton")
    for path in copy.glob(f"{MARTS}/planning_applications.*"):
        path.unlink()
    contract = copy / f"include/sources/{SOURCE}.yaml"
    contract.unlink()
    contract.mkdir()

    refused, why = wandle("remove", SOURCE, "--yes")

    assert (refused, f"{SOURCE}.yaml is a folder. Delete it yourself." in why) == (1, True), why
    assert database.value(f"select count(*) from raw.{SOURCE}") == 1
    contract.rmdir()
    contract.symlink_to("nowhere.yaml")
    misnamed = contract.with_suffix(".yml")
    misnamed.write_text("name: planning_applications")
    done, told = wandle("remove", SOURCE, "--yes")
    assert done == 0, told
    assert not contract.is_symlink()
    assert not misnamed.exists()


@pytest.mark.parametrize(
    "name", ["../councils/kingston", "*", "planning_*", "./planning_applications"]
)
def test_a_name_that_is_a_path_or_a_pattern_removes_no_file(wandle, copy, database, name):
    sample = copy / "home" / "samples" / f"{SOURCE}@api.example.org.json"
    sample.parent.mkdir(parents=True)
    sample.write_text("{}")

    refused, why = wandle("remove", name, "--yes")

    assert (refused, "unknown source" in why) == (1, True), why
    assert sample.exists()
    assert (copy / "include/councils/kingston.yaml").exists()
    assert (copy / f"include/sources/{SOURCE}.yaml").exists()
