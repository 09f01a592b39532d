"""Verifying: every way in which S3 and PostgreSQL may differ is found, with what to do next."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.errors import LoadRefused, PermanentError
from include.jobs.operate import differences
from include.jobs.operate import verify as job
from include.jobs.pipeline.load import load
from include.jobs.pipeline.selection import Selection
from include.sources.model import contracts
from include.warehouse import read_back
from include.warehouse.connection import connect_for_arrow
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land, prefix_of
from tests.samples import column, contract

GAUGES = contract()
EVERY_TYPE = contract(
    column("id", "integer"),
    column("label"),
    column("level", "numeric(9,3)"),
    column("share", "double"),
    column("open", "boolean"),
    column("day", "date"),
    column("seen", "timestamptz"),
    column("more", "jsonb"),
    name="gauges_of_every_type",
)
GOOD = [{"id": number, "note": f"n{number}", "new": [number, None]} for number in range(1, 6)]
BAD = {"id": "x"}


@pytest.fixture(autouse=True)
def known(monkeypatch):
    """The contract that these tests load is among the shipped ones."""
    monkeypatch.setitem(contracts(), GAUGES.name, GAUGES)


@pytest.fixture
def verified(lake, warehouse):
    """Verifies, and gives what differs."""

    def run(**asked: Any) -> job.Verified:
        deep = asked.pop("deep", False)
        selection = Selection(**{f"{name}s": (value,) for name, value in asked.items()})
        return job.verify(lake=lake, dsn=warehouse.dsn(), selection=selection, deep=deep)

    return run


@pytest.fixture
def loaded(lake, warehouse):
    """Two partitions, landed and loaded, one with a record in quarantine; that one's manifest."""
    manifest = land(lake, GAUGES, GOOD[:3], [*GOOD[3:], BAD])
    land(lake, GAUGES, GOOD, council="sutton")
    for council in ("kingston", "sutton"):
        load(
            GAUGES,
            GAUGES.partition(council, "2017-05"),
            lake=lake,
            dsn=warehouse.dsn(),
            run_id="run",
        )
    return manifest


def the(found: job.Verified) -> differences.Difference:
    """The one difference, which must be of the partition that was harmed."""
    (difference,) = found.differences
    assert (difference.source, difference.council, difference.period) == (
        "gauges", "kingston", "2017-05",
    )  # fmt: skip
    return difference


def test_what_was_loaded_is_what_was_landed(verified, loaded):
    found = verified(deep=True)

    assert (found.partitions, found.differences) == (2, [])


def test_a_landing_that_was_never_loaded_is_found(verified, lake, loaded):
    manifest = land(lake, GAUGES, GOOD, period="2017-06")

    (difference,) = verified().differences

    assert difference.kind == "never loaded"
    assert f"S3 has landing {manifest.landing_id}; it has not been loaded yet" in difference.what
    assert difference.next == "`wandle reload gauges --council kingston --period 2017-06`."


def test_a_landing_newer_than_the_loaded_one_is_found_with_what_became_of_it(
    verified, lake, warehouse, loaded, monkeypatch
):
    newer = land(lake, GAUGES, GOOD[:1])
    before = the(verified())
    strict = contract(checks={"min_share_of_previous": 0.9})
    with pytest.raises(LoadRefused):
        load(
            strict,
            strict.partition("kingston", "2017-05"),
            lake=lake,
            dsn=warehouse.dsn(),
            run_id="run",
        )

    after = the(verified())

    assert before.kind == after.kind == "newer landing"
    assert f"has landing {newer.landing_id}, {loaded.landing_id} is loaded" in before.what
    assert "it has not been loaded yet" in before.what
    assert "its load was refused: gauges kingston 2017-05: expected at least 0.9" in after.what


def test_a_landing_that_is_not_published_is_nothing_to_load(verified, lake, loaded):
    land(lake, GAUGES, outcome="not_published")

    assert verified().differences == []


def test_a_loaded_landing_that_vanished_is_found(verified, bucket, loaded):
    for name in ("manifest.json", "0001.json.gz", "0002.json.gz"):
        bucket.lake.s3.delete_object(Bucket=bucket.lake.bucket, Key=prefix_of(loaded) + name)

    difference = the(verified())

    assert difference.kind == "vanished landing"
    assert loaded.landing_id in difference.what
    assert "wandle ingest gauges --council kingston --period 2017-05" in difference.next


def test_a_vanished_landing_that_rows_point_to_is_found_though_a_later_one_is_unchanged(
    verified, bucket, lake, warehouse, loaded
):
    land(lake, GAUGES, GOOD[:3], [*GOOD[3:], BAD], run_id="another")
    load(
        GAUGES,
        GAUGES.partition("kingston", "2017-05"),
        lake=lake,
        dsn=warehouse.dsn(),
        run_id="another",
    )
    bucket.lake.s3.delete_object(Bucket=bucket.lake.bucket, Key=prefix_of(loaded) + "manifest.json")

    difference = the(verified())

    assert difference.kind == "vanished landing"
    assert loaded.landing_id in difference.what


def test_a_manifest_that_lists_other_pages_is_found(verified, bucket, loaded):
    key = prefix_of(loaded) + "manifest.json"
    manifest = json.loads(bucket.body(key))
    manifest["pages"][0]["sha256"] = "0" * 64
    bucket.put(key, json.dumps(manifest).encode())

    assert the(verified()).kind == "altered landing"


def test_a_manifest_that_cannot_be_read_is_found(verified, bucket, loaded):
    key = prefix_of(loaded) + "manifest.json"
    bucket.put(key, b"{")

    kinds = {difference.kind for difference in verified().differences}

    assert kinds == {"damaged landing", "vanished landing"}


@pytest.mark.parametrize("page", ["0001.json.gz", "0002.json.gz"])
def test_a_damaged_page_is_found_if_pages_are_checked(verified, bucket, loaded, page):
    body = bytearray(bucket.body(prefix_of(loaded) + page))
    body[-9] ^= 1
    bucket.put(prefix_of(loaded) + page, bytes(body))

    assert verified().differences == []
    difference = the(verified(deep=True))
    assert difference.kind == "damaged landing"
    assert prefix_of(loaded) + page in difference.what


def test_a_landing_that_is_not_the_data_is_found_by_a_deep_check(verified, lake, loaded):
    manifest = land(lake, GAUGES, GOOD, b'{"error": "busy"}', counts=[5, 0])

    newer, other = sorted(verified(deep=True).differences, key=lambda found: found.kind)

    assert (newer.kind, other.kind) == ("newer landing", "not the data")
    assert f"0002.json.gz of landing {manifest.landing_id}: expected a list" in other.what
    assert "`wandle ingest gauges --council kingston --period 2017-05`" in other.next


TAMPERING = {
    "delete from raw.gauges where id = 2 and _council = 'kingston'": "row count",
    "insert into raw.gauges select * from raw.gauges where id = 2 and _council = 'kingston'": (
        "row count"
    ),
    "update raw.gauges set note = 'other' where id = 2 and _council = 'kingston'": "content",
    "update raw.gauges set note = null where id = 2 and _council = 'kingston'": "content",
    "update raw.gauges set note = '' where id = 2 and _council = 'kingston'": "content",
    "update raw.gauges set id = -id where id = 2 and _council = 'kingston'": "content",
    "update raw.gauges set _extra = null where id = 2 and _council = 'kingston'": "content",
    "update raw.gauges set _extra = 'null' where id = 2 and _council = 'kingston'": "content",
    "update raw.gauges set _extra = '{}' where id = 2 and _council = 'kingston'": "content",
    "delete from ops.quarantine": "quarantine",
    "update ops.quarantine set record = 'other'": "quarantine",
    "update ops.quarantine set rule = 'other'": "quarantine",
}


@pytest.mark.parametrize("statement", TAMPERING)
def test_rows_that_are_not_those_of_the_ledger_are_found_and_repaired(
    verified, lake, warehouse, loaded, statement
):
    warehouse.query(statement)

    difference = the(verified())

    assert difference.kind == TAMPERING[statement]
    assert difference.next.startswith("`wandle reload gauges --council kingston --period 2017-05")
    forced_by = "me" if "--force" in difference.next else None
    load(
        GAUGES, GAUGES.partition("kingston", "2017-05"),
        lake=lake, dsn=warehouse.dsn(), run_id="run",
        forced_by=forced_by,
    )  # fmt: skip
    assert verified().differences == []


def test_rows_that_the_ledger_does_not_know_are_found(verified, warehouse, loaded):
    warehouse.query("delete from ops.load where council = 'kingston'")

    kinds = [difference.kind for difference in verified().differences]

    assert kinds == ["never loaded", "unaccounted rows"]


def test_a_partition_loaded_by_older_rules_is_found(verified, loaded, monkeypatch):
    changed = contract(checks={"max_quarantined_share": 0.5})
    monkeypatch.setitem(contracts(), GAUGES.name, changed)

    found = verified(council="kingston")

    assert the(found).kind == "older rules"


def test_a_table_that_is_not_as_its_contract_says_is_found(verified, loaded, monkeypatch):
    wider = contract(column("id", "integer"), column("note"), column("more"), key=["id"])
    monkeypatch.setitem(contracts(), GAUGES.name, wider)

    (difference,) = [item for item in verified().differences if item.source == "gauges"]

    assert (difference.kind, difference.next) == ("table", "`wandle migrate`.")
    assert "column more (text) is missing" in difference.what


def test_a_selection_checks_nothing_else(verified, warehouse, loaded):
    warehouse.query("delete from raw.gauges where _council = 'kingston'")

    assert verified(source="gauges", council="sutton").differences == []
    assert the(verified(source="gauges", period="2017-05")).kind == "row count"


def test_nothing_to_compare_is_not_a_success(verified):
    with pytest.raises(PermanentError, match="no matching partitions in S3 or the warehouse"):
        verified()


def test_what_could_not_be_compared_is_reported(verified, bucket, loaded):
    bucket.put("landing/gauges/sutton/May/x/manifest.json", b"{}")

    said = " ".join(verified().passed_over)

    assert "landing/gauges/sutton/May/" in said


@pytest.fixture(scope="module")
def typed_warehouse(new_database):
    database = new_database()
    migrate(database.admin, [EVERY_TYPE], {})
    return database


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | numbers | texts,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(texts, inside, max_size=3),
    max_leaves=6,
)
records = st.fixed_dictionaries(
    {
        "id": st.none() | st.integers(-(2**63), 2**63 - 1),
        "label": st.none() | texts,
        "level": st.none() | st.decimals(-999_999, 999_999, places=3).map(str),
        "share": st.none() | numbers,
        "open": st.none() | st.booleans(),
        "day": st.none() | st.dates().map(str),
        "seen": st.none() | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        "more": json_values,
        "unknown": json_values,
    }
)


@settings(
    max_examples=25, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(found=st.lists(records, min_size=1, max_size=8))
def test_rows_of_every_type_hash_as_they_did_when_they_were_loaded(lake, typed_warehouse, found):
    land(lake, EVERY_TYPE, found)

    entry = load(
        EVERY_TYPE, EVERY_TYPE.partition("kingston", "2017-05"),
        lake=lake, dsn=typed_warehouse.dsn(), run_id="run",
        forced_by="me",
    )  # fmt: skip

    where = EVERY_TYPE.partition("kingston", "2017-05")
    with connect_for_arrow(typed_warehouse.dsn()) as connection, connection.cursor() as cursor:
        stands = read_back.held(cursor, EVERY_TYPE, where)
    assert (stands.rows, stands.content_hash) == (entry["rows"], entry["content_hash"])


PEAK = """
import resource, sys
from include.warehouse import read_back
from include.warehouse.connection import connect_for_arrow
from tests.samples import contract
gauges = contract()
where = gauges.partition(sys.argv[2], "2017-05")
with connect_for_arrow(sys.argv[1]) as connection, connection.cursor() as cursor:
    read_back.begin(cursor)
    found = read_back.held(cursor, gauges, where)
print(found.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_stays_flat_however_many_rows_there_are(warehouse):
    with psycopg.connect(warehouse.admin) as connection:
        for council, count in (("small", 200_000), ("large", 1_000_000)):
            connection.execute(
                "insert into raw.gauges select n, repeat('x', 200), null, %s, '2017-05-01', 'l', n "
                "from generate_series(1, %s::int) n",
                (council, count),
            )

    def peak(council: str) -> tuple[int, int]:
        done = subprocess.run(
            [sys.executable, "-c", PEAK, warehouse.dsn(), council],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        count, megabytes = map(int, done.stdout.split())
        return count, megabytes

    (few, small), (many, large) = peak("small"), peak("large")

    assert (few, many) == (200_000, 1_000_000)
    assert large - small < 30, "800,000 more rows of 200 bytes are 160 MB"
