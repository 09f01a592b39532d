"""Publishing on a real PostgreSQL and S3: what a version holds, and what never gets into it."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pyarrow.parquet as parquet
import pytest

from include.errors import PermanentError
from include.jobs.publish import prepare as job
from include.jobs.publish import publish as publishing
from include.jobs.publish import versions as jobs
from include.jobs.publish.propose import Proposal, propose
from include.jobs.publish.publish import NotApproved, NotPublic, publish_marts
from include.publish import versions
from include.publish.files import write
from include.publish.front import front
from include.publish.read import grant, read
from include.publish.versions import INDEX, ROOT, NotPublished, Published
from include.sources.model import contracts
from include.transform import history
from include.transform.process import Dbt

SHARES = "crime_outcomes_monthly"
FRONT = tuple(front("0" * 16))
MADE_OF_CRIMES = ("dim_ward", "ward_crime_monthly", "ward_crime_summary")
CRIMES, WEATHER, SPEND = "ward_crime_monthly", "weather_daily", "supplier_spend_monthly"
ROLE = "wandle_publisher"


@pytest.fixture(scope="module")
def database(new_database, migrated):
    """A warehouse with a few rows of three marts, and dbt's verdict that they are good."""
    found = new_database(migrated.name)
    found.query(
        "insert into raw.police_street_crime (ward_code, ward_name, id, category, month, _council, "
        "_period, _landing_id, _record_no) select 'E05000401', 'Berry\"lands, Ä', n, 'burglary', "
        "'2017-01', 'kingston', '2017-01-01', 'a', n from generate_series(1, 3) as n"
    )
    found.query(
        'insert into raw.weather_hourly (point_name, "time", temperature_2m, _council, '
        "_period, _landing_id, _record_no) select 'Kingston', "
        "timestamptz '2026-11-01' + n * interval '1 hour', n / 4.0, 'kingston', '2026-11-01', "
        "'a', n from generate_series(1, 9) as n"
    )
    return found


@pytest.fixture(scope="module")
def dbt(database, tmp_path_factory) -> Iterator[Dbt]:
    """One dbt process, in which every model is built once."""
    home = tmp_path_factory.mktemp("dbt")
    with Dbt(dsn=database.dsn("wandle_transformer"), home=home, progress=print) as running:
        results = running.build(node for node in running.nodes() if not node.is_test)
        assert all(result.good for result in results), results
        yield running


@pytest.fixture
def publish(database, dbt, lake, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Publish what the database holds, with all of it good but what is `failed`."""

    def run(*failed: str, approved: str | None = None) -> dict[str, Any]:
        judge(database, dbt, failed)
        with history.building(database.dsn("wandle_transformer")) as opened:
            return publish_marts(
                dbt, opened, publisher_dsn=database.dsn(ROLE), lake=lake, approved=approved
            )

    return run


@pytest.fixture
def proposed(database, dbt, lake) -> Callable[..., Proposal | None]:
    """What publishing would change, with all that the database holds good but what is `failed`."""

    def run(*failed: str) -> Proposal | None:
        judge(database, dbt, failed)
        with history.building(database.dsn("wandle_transformer")) as opened:
            return propose(dbt, opened, publisher_dsn=database.dsn(ROLE), lake=lake)

    return run


def with_contracts(monkeypatch: pytest.MonkeyPatch, changed: Any) -> None:
    """Publish under other contracts."""
    for module in (job, publishing):
        monkeypatch.setattr(module, "contracts", lambda: changed)


def judge(database: Any, dbt: Dbt, failed: Collection[str]) -> None:
    """Write dbt's verdict: all is good but what is `failed`."""
    statuses = {node.unique_id: "success" for node in dbt.nodes()}
    statuses |= {name: "fail" for name in statuses if name.split(".")[2] in failed}
    database.query("truncate ops.dbt_run, ops.dbt_node")
    with psycopg.connect(database.admin) as connection:
        connection.execute(
            "insert into ops.dbt_run (run_id, invocation_id, layer, project_hash, started_at, "
            "finished_at, status, nodes, failed) "
            "values ('run', 'one', 'marts', '', now(), now(), 'success', 1, 0)"
        )
        connection.cursor().executemany(
            "insert into ops.dbt_node (run_id, invocation_id, unique_id, resource_type, status)"
            " values ('run', 'one', %s, 'model', %s)",
            list(statuses.items()),
        )


@pytest.fixture
def published(lake) -> Published:
    return Published(lake.s3, lake.bucket)


@pytest.fixture
def restored(database) -> Iterator[None]:
    """Undoes what a test does to the marts."""
    tables = (CRIMES, WEATHER)
    for name in tables:
        database.query(f"create table public.{name} as table marts.{name}")
    yield
    for name in tables:
        database.query(
            f"truncate marts.{name}; insert into marts.{name} table public.{name}; "
            f"drop table public.{name}"
        )


def test_every_format_holds_the_rows_of_the_mart(database, publish, published, bucket):
    done = publish()

    read = lambda path: published.read(done["version"], path)  # noqa: E731
    (row,) = database.query(f"select * from marts.{CRIMES}")
    text = read(f"data/{CRIMES}/{CRIMES}.csv").decode()
    assert text.count("\r\n") == text.count("\n") == 2
    assert '"Berry""lands, Ä"' in text
    (read_row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert list(read_row.values()) == [str(value) for value in row]
    table = parquet.read_table(io.BytesIO(read(f"data/{CRIMES}/{CRIMES}.parquet")))
    assert [tuple(one.values()) for one in table.to_pylist()] == [row]
    (from_json,) = orjson.loads(read(f"data/{CRIMES}/{CRIMES}.json"))
    assert [str(value) for value in from_json.values()] == [str(value) for value in row]
    assert done["rows"][CRIMES] == 1
    assert b"Open data" in read("site/index.html")


def test_every_file_of_a_version_is_described_with_its_hash(publish, published, bucket):
    version = publish()["version"]

    described = published.version(version)
    stored = {key for key in bucket.listed() if key.startswith(f"{ROOT}{version}/")}
    assert stored == {f"{ROOT}{version}/{path}" for path in [*described["files"], "version.json"]}
    for path, file in described["files"].items():
        body = published.read(version, path)
        assert (hashlib.sha256(body).hexdigest(), len(body)) == (file["sha256"], file["bytes"])


def test_every_mart_that_declares_it_is_published(publish, dbt):
    declared = {model["name"] for model in dbt.published()}

    assert publish()["rows"].keys() == declared
    assert {CRIMES, WEATHER, SPEND} <= declared


def test_the_index_is_written_after_the_version_and_what_leads_to_it_after_the_index(
    publish, bucket
):
    publish()

    *written, remembered = [key for name, key in bucket.keys if name == "PutObject"]
    assert remembered == INDEX  # what it is made from, once all of it is there
    assert written[-len(FRONT) :] == [f"{ROOT}{name}" for name in FRONT]
    assert written[-len(FRONT) - 1] == INDEX
    assert written[-len(FRONT) - 2].endswith("/version.json")
    assert written.count(INDEX) == 1


def test_the_same_content_is_not_published_twice(publish, bucket):
    first = publish()
    bucket.forget()

    second = publish()

    assert (first["new"], second["new"]) == (True, False)
    assert second["version"] == first["version"]
    assert bucket.calls["PutObject"] == 0


def test_a_version_says_what_changed_since_the_one_before(database, publish, restored, lake):
    publish()
    database.query(
        f"update marts.{CRIMES} set crimes = 7; "
        f"insert into marts.{CRIMES} select council, ward_code, ward_name, month, 'robbery', 1, 0 "
        f"from marts.{CRIMES}; delete from marts.{WEATHER}"
    )

    publish()

    newest, oldest = jobs.listed(lake)
    assert newest["current"]
    assert newest["since"] == oldest["version"]
    assert newest["changes"] == {
        CRIMES: {"added": 1, "removed": 0, "changed": 1},
        WEATHER: {"added": 0, "removed": 1, "changed": 0},
    }


def test_a_proposal_says_what_would_change_and_writes_nothing(
    database, publish, proposed, restored, bucket, lake
):
    first = publish()["version"]
    assert proposed() is None
    database.query(f"update marts.{CRIMES} set crimes = 7; delete from marts.{WEATHER}")
    bucket.forget()

    found = proposed(SPEND)

    assert f"compared with {first}" in found.markdown
    assert f"| `{CRIMES}` | 1 | 0 | 0 | 1 | the same |" in found.markdown
    assert f"| `{WEATHER}` | 1 → 0 | 0 | 1 | 0 | the same |" in found.markdown
    assert f"`{SPEND}` keeps its last published files: `model {SPEND}: fail`" in found.markdown
    assert bucket.calls["PutObject"] == 0
    assert publish(SPEND, approved=found.version)["version"] == found.version
    assert proposed(SPEND) is None


def test_the_first_publication_is_proposed_too(publish, proposed):
    found = proposed()

    assert "would be the first one" in found.markdown
    assert f"| `{CRIMES}` | 0 → 1 | 1 | 0 | 0 | **new mart** |" in found.markdown
    assert publish(approved=found.version)["new"]


def test_marts_that_changed_after_they_were_approved_are_not_published(
    database, publish, proposed, restored, published
):
    publish()
    before = published.index()
    database.query(f"update marts.{CRIMES} set crimes = 7")
    approved = proposed().version
    database.query(f"update marts.{CRIMES} set crimes = 8")

    for given in (approved, ""):
        with pytest.raises(NotApproved, match=r"changed in the meantime\. Nothing was published"):
            publish(approved=given)

    assert published.index() == before


def test_a_mart_that_failed_keeps_its_last_published_files(database, publish, published, restored):
    good = publish()["version"]
    database.query(f"update marts.{CRIMES} set crimes = -1; update marts.{WEATHER} set rain_mm = 9")

    done = publish(CRIMES)

    assert done["kept"] == dict.fromkeys(MADE_OF_CRIMES, f"model {CRIMES}: fail")
    path = f"data/{CRIMES}/{CRIMES}.csv"
    assert published.read(done["version"], path) == published.read(good, path)
    assert done["changes"] == {WEATHER: {"added": 0, "removed": 0, "changed": 1}}
    assert published.index().entry(done["version"]).kept == done["kept"]


def test_a_mart_is_kept_if_a_test_below_it_failed(publish):
    publish()
    below = "not_null_int_police__crimes_council"

    of_crimes = {*MADE_OF_CRIMES, SHARES, "crime_outcomes_by_age"}
    assert publish(below)["kept"].keys() == of_crimes


def test_a_mart_whose_build_did_not_end_is_kept(database, publish, dbt, lake):
    publish()
    database.query("update ops.dbt_run set status = 'running'")

    with history.building(database.dsn("wandle_transformer")) as opened:
        done = publish_marts(dbt, opened, publisher_dsn=database.dsn(ROLE), lake=lake)

    assert done["kept"].keys() == done["rows"].keys()
    assert not done["new"]


def test_all_marts_are_read_as_of_one_moment(database, publish, published, restored, monkeypatch):
    reading = job.read
    from include.publish import read as module

    mart = module._mart

    def interrupted(connection, name, columns):
        found = mart(connection, name, columns)
        if name == CRIMES:
            database.query(f"update marts.{WEATHER} set rain_mm = 99")
        return found

    monkeypatch.setattr(module, "_mart", interrupted)
    monkeypatch.setattr(
        job, "read", lambda dsn, public, unfit: reading(dsn, dict(sorted(public.items())), unfit)
    )

    done = publish()

    rows = orjson.loads(published.read(done["version"], f"data/{WEATHER}/{WEATHER}.json"))
    assert database.query(f"select distinct rain_mm from marts.{WEATHER}") == [(99,)]
    assert {row["rain_mm"] for row in rows} != {99}


def test_the_publisher_can_read_what_was_granted_and_nothing_else(database, publish):
    publish()
    tables = database.query(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables "
        "where schemaname in ('raw', 'ops', 'staging', 'intermediate', 'marts') union all "
        "select quote_ident(schemaname) || '.' || quote_ident(viewname) from pg_views "
        "where schemaname in ('ops', 'staging', 'intermediate', 'marts')"
    )
    readable = set()

    for (table,) in tables:
        with psycopg.connect(database.dsn(ROLE)) as connection:
            try:
                connection.execute(f"select * from {table}")
                readable.add(table)
            except psycopg.errors.InsufficientPrivilege:
                pass

    assert len(tables) > 40
    assert "raw.service_requests" not in readable
    assert readable == {f"marts.{name}" for name in publish()["rows"]}


def test_a_column_that_is_not_public_is_neither_published_nor_readable(
    database, publish, published, dbt, monkeypatch
):
    described = dbt.published()
    for model in described:
        for column in model["columns"]:
            if (model["name"], column["name"]) == (SHARES, "mean_months_after"):
                column["meta"]["publish"] = False
    monkeypatch.setattr(dbt, "published", lambda: described)

    done = publish()

    header = published.read(done["version"], f"data/{SHARES}/{SHARES}.csv").splitlines()[0]
    assert b"crimes" in header
    assert b"mean_months_after" not in header
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.query(f"select mean_months_after from marts.{SHARES}", ROLE)
    database.query(f"select crimes from marts.{SHARES}", ROLE)


def test_a_mart_of_an_internal_source_is_refused_and_the_others_are_published(
    database, publish, published, monkeypatch
):
    changed = {**contracts()}
    changed["weather_hourly"] = replace_contract(changed["weather_hourly"], access="internal")
    with_contracts(monkeypatch, changed)

    with pytest.raises(NotPublic, match=f"marts.{WEATHER} .* weather_hourly, .*access: internal"):
        publish()

    index = published.index()
    assert index.entry(index.current).datasets.keys() >= {CRIMES}
    assert WEATHER not in index.entry(index.current).datasets
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.query(f"select council from marts.{WEATHER}", ROLE)


def test_values_of_a_source_with_personal_columns_are_published_only_by_name(
    publish, published, monkeypatch
):
    changed = with_personal("council_spend", "supplier_name")
    with_contracts(monkeypatch, changed)

    with pytest.raises(NotPublic, match=f"marts.{SPEND} has no public column"):
        publish()


def with_personal(name: str, *columns: str) -> dict[str, Any]:
    """The contracts, one of which calls these columns personal."""
    changed = [
        column.model_copy(update={"personal": "keep"}) if column.name in columns else column
        for column in contracts()[name].columns
    ]
    return contracts() | {name: replace_contract(contracts()[name], columns=tuple(changed))}


def hide(dbt: Any, monkeypatch: Any, mart: str, *hidden: str) -> None:
    """Let a mart declare each of its columns as public, but not these."""
    described = dbt.published()
    for model in described:
        if model["name"] == mart:
            for column in model["columns"]:
                column["meta"]["publish"] = column["name"] not in hidden
    monkeypatch.setattr(dbt, "published", lambda: described)


def test_versions_with_a_column_that_became_personal_are_named_until_they_are_withdrawn(
    database, publish, published, restored, dbt, lake, monkeypatch
):
    first = publish()["version"]
    database.query(f"update marts.{CRIMES} set crimes = 8")
    second = publish()["version"]
    with_contracts(monkeypatch, with_personal("police_street_crime", "ward_name"))
    for mart in (*MADE_OF_CRIMES, SHARES, "crime_outcomes_by_age"):
        hide(dbt, monkeypatch, mart, "ward_name")

    with pytest.raises(NotPublic) as raised:
        publish()

    index = published.index()
    shown = [
        column["name"] for column in published.version(index.current)["datasets"][CRIMES]["columns"]
    ]
    assert "crimes" in shown
    assert "ward_name" not in shown
    assert f"still show ward_name of {CRIMES}, which is not public" in str(raised.value)
    assert f"--withdraw VERSION`: {second}, {first}." in str(raised.value)
    for version in (first, second):
        jobs.withdraw(version, dsn=database.dsn("wandle_transformer"), lake=lake)
    assert publish()["version"] == index.current


def test_a_mart_that_failed_does_not_keep_files_with_a_column_that_became_personal(
    database, publish, published, dbt, monkeypatch
):
    publish()
    with_contracts(monkeypatch, with_personal("weather_hourly", "point_name"))
    hide(dbt, monkeypatch, WEATHER, "point_name")
    hide(dbt, monkeypatch, "borough_conditions_daily")

    with pytest.raises(NotPublic, match=f"The last files of marts.{WEATHER} show point_name"):
        publish(WEATHER)

    index = published.index()
    assert WEATHER not in index.entry(index.current).datasets
    assert CRIMES in index.entry(index.current).datasets


def test_a_value_that_no_file_can_hold_keeps_its_mart_and_no_other(
    database, publish, published, restored
):
    first = publish()["version"]
    database.query(
        f"update marts.{WEATHER} set day = 'infinity'; update marts.{CRIMES} set crimes = 8"
    )

    with pytest.raises(PermanentError, match=f"marts.{WEATHER}: .*does not fit its type"):
        publish()

    index = published.index()
    assert index.current != first
    now, before = index.entry(index.current).datasets, index.entry(first).datasets
    assert now[CRIMES] != before[CRIMES]
    assert now[WEATHER] == before[WEATHER]


def replace_contract(contract: Any, **changes: Any) -> Any:
    return contract.model_copy(update=changes)


def test_an_older_version_can_be_used_until_the_latest_is_chosen(
    database, publish, published, restored, lake
):
    dsn = database.dsn("wandle_transformer")
    first = publish()["version"]
    database.query(f"update marts.{CRIMES} set crimes = 8")
    second = publish()["version"]

    assert jobs.use(first, dsn=dsn, lake=lake) == first
    database.query(f"update marts.{CRIMES} set crimes = 9")
    third = publish()["version"]
    assert published.index().current == first

    assert jobs.use("latest", dsn=dsn, lake=lake) == third
    assert len({first, second, third}) == 3
    with pytest.raises(NotPublished, match="no version 'x'"):
        jobs.use("x", dsn=dsn, lake=lake)


def test_content_that_is_published_again_says_what_it_changed_this_time(
    database, publish, published, restored
):
    first = publish()["version"]
    database.query(f"delete from marts.{WEATHER}")
    second = publish()["version"]
    database.query(f"insert into marts.{WEATHER} table public.{WEATHER}")

    done = publish()

    assert (done["version"], done["new"]) == (first, False)
    newest = published.index().versions[0]
    assert (newest.version, newest.since) == (first, second)
    assert newest.changes == {WEATHER: {"added": 1, "removed": 0, "changed": 0}}


def test_the_latest_version_is_the_content_published_last_though_another_one_was_pinned(
    database, publish, published, restored, lake
):
    dsn = database.dsn("wandle_transformer")
    first = publish()["version"]
    database.query(f"delete from marts.{WEATHER}")
    second = publish()["version"]
    jobs.use(second, dsn=dsn, lake=lake)
    database.query(f"insert into marts.{WEATHER} table public.{WEATHER}")

    assert publish()["version"] == first
    assert published.index().current == second

    assert jobs.use("latest", dsn=dsn, lake=lake) == first


def test_a_version_whose_files_somebody_deleted_is_published_again(publish, published, bucket):
    version = publish()["version"]
    published.delete(version)
    published.delete_description(version)

    done = publish()

    assert (done["version"], done["new"]) == (version, True)
    for path in published.version(version)["files"]:
        published.read(version, path)


def test_a_kept_mart_keeps_its_files_though_those_of_the_newest_version_were_deleted(
    database, publish, published, restored
):
    first = publish()["version"]
    database.query(f"delete from marts.{WEATHER}")
    newest = publish()["version"]
    published.delete(newest)
    published.delete_description(newest)

    done = publish(CRIMES)

    path = f"data/{CRIMES}/{CRIMES}.csv"
    assert published.read(done["version"], path) == published.read(first, path)


def test_a_withdrawn_version_is_deleted_and_not_published_again(
    database, publish, published, restored, lake, bucket
):
    dsn = database.dsn("wandle_transformer")
    first = publish()["version"]
    with pytest.raises(PermanentError, match="the only version"):
        jobs.withdraw(first, dsn=dsn, lake=lake)
    database.query(f"update marts.{CRIMES} set crimes = 8")
    second = publish()["version"]

    assert jobs.withdraw(second, dsn=dsn, lake=lake).current == first

    assert not [key for key in bucket.listed() if second in key]
    # Also where nobody was asked, because it may not be published.
    with pytest.raises(PermanentError, match="was withdrawn"):
        publish(approved="")
    with pytest.raises(PermanentError, match="was withdrawn"):
        publish()
    assert published.index().current == first


def test_versions_past_retention_and_unfinished_ones_are_deleted(
    database, publish, published, restored, lake, bucket, monkeypatch
):
    dsn = database.dsn("wandle_transformer")
    monkeypatch.setattr(versions, "KEPT", 1)
    first = publish()["version"]
    database.query(f"update marts.{CRIMES} set crimes = 8")
    second = publish()["version"]
    bucket.put(f"{ROOT}interrupted/data/x.csv", b"x")
    later = datetime.now(UTC) + timedelta(days=8)

    assert jobs.expire(dsn=dsn, lake=lake, delete=True) == []
    assert jobs.expire(dsn=dsn, lake=lake, delete=False, now=later) == [first, "interrupted"]
    assert jobs.expire(dsn=dsn, lake=lake, delete=True, now=later) == [first, "interrupted"]

    assert {key.split("/")[1] for key in bucket.listed()} == {second, "index.json", *FRONT}
    assert [entry.version for entry in published.index().versions] == [second]


@pytest.mark.parametrize("kept_lake", ["versions"], indirect=True)
def test_after_an_erasure_nothing_older_of_the_source_is_left(
    database, publish, restored, kept_lake
):
    dsn = database.dsn("wandle_transformer")
    first = publish()["version"]
    assert jobs.forget(["police_street_crime"], dsn=dsn, lake=kept_lake) == []
    database.query(f"update marts.{CRIMES} set crimes = 8")
    second = publish()["version"]

    assert jobs.forget(["service_requests"], dsn=dsn, lake=kept_lake) == []
    assert jobs.forget(["police_street_crime"], dsn=dsn, lake=kept_lake) == [first]

    found = kept_lake.s3.list_object_versions(Bucket=kept_lake.bucket, Prefix=ROOT)
    assert "DeleteMarkers" not in found
    assert {item["Key"].split("/")[1] for item in found["Versions"]} == {
        second,
        "index.json",
        *FRONT,
    }


def test_an_erasure_fails_while_a_mart_keeps_its_old_files(database, publish, lake, restored):
    publish()
    database.query(f"update marts.{WEATHER} set rain_mm = 4")
    publish(CRIMES)

    with pytest.raises(PermanentError, match=f"{CRIMES}, .* could not be built again"):
        jobs.forget(["police_street_crime"], dsn=database.dsn("wandle_transformer"), lake=lake)


def test_the_data_package_and_the_csv_metadata_are_valid_by_their_standards(
    publish, published, tmp_path
):
    from csvw import CSVW
    from frictionless import Package

    folder = unpacked(published, publish()["version"], tmp_path)

    report = Package(str(folder / "datapackage.json")).validate()
    assert report.flatten(["title", "message"]) == []
    assert report.stats["tasks"] == len(report.tasks) >= 5
    for metadata in sorted(folder.glob("*/*.csv-metadata.json")):
        table = CSVW(str(metadata), validate=True)
        assert table.is_valid, metadata
        (rows,) = (entry["row"] for entry in table.to_json()["tables"])
        with metadata.with_name(f"{metadata.parent.name}.csv").open(newline="") as file:
            assert len(rows) == sum(1 for _ in csv.DictReader(file))


def test_a_wrong_value_is_found_by_the_validators(publish, published, tmp_path):
    from csvw import CSVW
    from frictionless import Package

    folder = unpacked(published, publish()["version"], tmp_path)
    path = folder / CRIMES / f"{CRIMES}.csv"
    path.write_bytes(path.read_bytes().replace(b"2017-01-01", b"January"))

    found = Package(str(folder / "datapackage.json")).validate().flatten(["type"])
    assert ["type-error"] in found
    assert not CSVW(f"{path}-metadata.json", validate=True).is_valid


def test_the_catalogue_is_linked_data_with_a_licence_and_a_hash_for_every_file(publish, published):
    from rdflib import Graph

    version = publish()["version"]
    body = published.read(version, "data/catalog.jsonld").decode()
    graph = Graph().parse(data=body, format="json-ld", publicID="https://data.example/catalog")

    found = graph.query(
        "prefix dcat: <http://www.w3.org/ns/dcat#> prefix dct: <http://purl.org/dc/terms/> "
        "prefix spdx: <http://spdx.org/rdf/terms#> "
        "select ?url ?hash where { ?catalogue a dcat:Catalog; dcat:dataset ?dataset. "
        "?dataset dct:license ?licence; dct:title ?title; dcat:distribution ?file. "
        "?file dcat:downloadURL ?url; spdx:checksum/spdx:checksumValue ?hash }"
    )
    hashes = {str(row.url): str(row.hash).lower() for row in found}
    files = published.version(version)["files"]
    assert hashes == {
        path.replace("data/", "https://data.example/", 1): file["sha256"]
        for path, file in files.items()
        if path.endswith((".csv", ".parquet", ".json", ".geojson"))
        and path.count("/") == 2
        and not path.endswith("-metadata.json")
    }
    assert len(hashes) >= 15


def test_a_description_names_licence_publisher_and_every_column(publish, published, dbt):
    described = published.version(publish()["version"])["datasets"]

    assert described[CRIMES]["licence"] == "Open Government Licence v3.0"
    assert described[CRIMES]["attribution"] == (
        "Contains data from data.police.uk, Open Government Licence v3.0."
    )
    assert described[CRIMES]["key"] == ["council", "ward_code", "month", "category"]
    for name, dataset in described.items():
        assert all(column["description"] for column in dataset["columns"]), name
        assert dataset["sources"], name


def test_values_are_written_exactly_in_every_format(database, tmp_path):
    database.query(
        "drop table if exists marts.all_types; create table marts.all_types ("
        "id bigint primary key, words text, amount numeric(6, 2), free numeric, yes boolean, "
        "day date, at timestamptz, local timestamp, parts jsonb, names text[], geometry jsonb); "
        "insert into marts.all_types values (1, '', 1.50, 0.1000, true, '2026-02-28', "
        "'2026-02-28 23:30:00.250+01', '2026-02-28 10:00', '{\"a\": [1]}', "
        'array[\'x\', null], \'{"type": "Point", "coordinates": [-0.3, 51.4]}\'), '
        "(2, E'two\\nlines', null, null, false, null, null, null, null, null, null)"
    )
    names = [name for (name,) in database.query(
        "select column_name::text from information_schema.columns where table_name = 'all_types' "
        "order by ordinal_position")]  # fmt: skip
    with psycopg.connect(database.dsn("postgres"), autocommit=True) as connection:
        grant(connection, {"all_types": names})

    mart = read(database.dsn(ROLE), {"all_types": names})["all_types"]
    found = write(mart, tmp_path, "geometry")

    text = (tmp_path / "all_types.csv").read_bytes().decode()
    assert text == (
        "id,words,amount,free,yes,day,at,local,parts,names,geometry\r\n"
        '1,"",1.50,0.1000,true,2026-02-28,2026-02-28T22:30:00.25Z,2026-02-28T10:00:00,'
        '"{""a"": [1]}","[""x"",null]","{""type"": ""Point"", ""coordinates"": [-0.3, 51.4]}"\r\n'
        '2,"two\nlines",,,false,,,,,,\r\n'
    )
    rows = parquet.read_table(tmp_path / "all_types.parquet").to_pylist()
    assert (rows[0]["words"], rows[1]["amount"], rows[0]["amount"]) == ("", None, Decimal("1.50"))
    assert rows[0]["at"] == datetime(2026, 2, 28, 22, 30, 0, 250_000, tzinfo=UTC)
    first, second = orjson.loads((tmp_path / "all_types.json").read_bytes())
    assert (first["parts"], first["names"], first["free"]) == ({"a": [1]}, ["x", None], 0.1)
    shapes = orjson.loads((tmp_path / "all_types.geojson").read_bytes())
    assert [shape["geometry"] for shape in shapes["features"]] == [
        {"type": "Point", "coordinates": [-0.3, 51.4]}, None
    ]  # fmt: skip
    assert second["words"] == "two\nlines"
    assert found.keys() == {"csv", "parquet", "json", "geojson"}
    for wrong in (
        "day = 'infinity'",
        "at = 'infinity'",
        "at = '0044-03-15 BC'",
        "local = '-infinity'",
    ):
        database.query(
            f"update marts.all_types set day = null, at = null; update marts.all_types set {wrong}"
        )
        with pytest.raises(PermanentError, match=r"marts.all_types: .*does not fit its type"):
            read(database.dsn(ROLE), {"all_types": names})
    database.query("drop table marts.all_types")


def unpacked(published: Published, version: str, folder: Path) -> Path:
    """The data files of a version in a folder."""
    for path in published.version(version)["files"]:
        if path.startswith("data/"):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(published.read(version, path))
    return folder / "data"
