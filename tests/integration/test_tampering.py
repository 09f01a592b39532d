"""Landings that were tampered with, or have rotted: refused by name, in the ledger, no change."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import Any

import pytest

from include.errors import LandingDamaged, PermanentError, ServiceUnavailable
from include.jobs.pipeline.ingest import ingest, landed_partitions
from include.jobs.pipeline.load import load
from include.landing import read
from include.landing.manifest import FORMAT
from include.sources.model import contract as shipped
from tests.integration.landings import land, prefix_of
from tests.samples import body_of, contract

GAUGES = contract()
CRIME, COUNCILS = shipped("police_street_crime"), ("kingston", "sutton")
PAGES = ([{"id": 2, "note": "b"}], [{"id": 3, "note": "c"}, {"id": "spoilt"}])


@pytest.fixture
def loading(lake, warehouse):
    """Loads a landing of one partition: the newest one, unless it is named."""

    def run(**how: Any):
        arguments = {"lake": lake, "dsn": warehouse.dsn(), "run_id": "run"} | how
        return load(GAUGES, GAUGES.partition("kingston", "2017-05"), **arguments)

    return run


def changed(bucket: Any, manifest: Any, name: str, change: Any) -> str:
    key = prefix_of(manifest) + name
    bucket.put(key, change(bucket.body(key)))
    return key


def rewritten(bucket: Any, manifest: Any, **changes: Any) -> str:
    def change(body: bytes) -> bytes:
        return json.dumps(json.loads(body) | changes).encode()

    return changed(bucket, manifest, "manifest.json", change)


def with_page(manifest: Any, **changes: Any) -> list[dict[str, Any]]:
    pages = [page.model_dump(mode="json") for page in manifest.pages]
    pages[1] |= changes
    return pages


def flipped_byte(bucket: Any, manifest: Any) -> str:
    # In the middle of the packed body: its header and its end stay as they were.
    def flip(body: bytes) -> bytes:
        middle = len(body) // 2
        return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]

    return changed(bucket, manifest, "0002.json.gz", flip)


def flipped_byte_of_the_record(bucket: Any, manifest: Any) -> str:
    # Packed again after the change, so that gzip's own checksum finds nothing.
    def flip(body: bytes) -> bytes:
        return gzip.compress(gzip.decompress(body).replace(b'"c"', b'"d"'))

    return changed(bucket, manifest, "0002.json.gz", flip)


def flipped_byte_at_the_beginning_of_a_large_page(bucket: Any, manifest: Any) -> str:
    # Much that cannot be packed: unpacking fails long before all of it has come.
    def cut(body: bytes) -> bytes:
        noise = hashlib.shake_256(b"noise").hexdigest(99_999)
        much = gzip.compress(body_of([{"id": 3, "note": noise}]))
        return much[:30] + bytes([much[30] ^ 0xFF]) + much[31:]

    return changed(bucket, manifest, "0002.json.gz", cut)


def truncated_page(bucket: Any, manifest: Any) -> str:
    return changed(bucket, manifest, "0002.json.gz", lambda body: body[:-5])


def page_that_is_there_twice(bucket: Any, manifest: Any) -> str:
    return changed(bucket, manifest, "0002.json.gz", lambda body: body + body)


def page_that_is_not_packed(bucket: Any, manifest: Any) -> str:
    return changed(bucket, manifest, "0002.json.gz", gzip.decompress)


def page_of_another_landing(bucket: Any, manifest: Any) -> str:
    other = gzip.compress(body_of([{"id": 8, "note": "b"}, {"id": 9}]))
    return changed(bucket, manifest, "0002.json.gz", lambda body: other)


def vanished_page(bucket: Any, manifest: Any) -> str:
    key = prefix_of(manifest) + "0002.json.gz"
    bucket.lake.s3.delete_object(Bucket=bucket.lake.bucket, Key=key)
    return key


def wrong_counts(bucket: Any, manifest: Any) -> str:
    totals = manifest.totals.model_dump() | {"records": manifest.totals.records + 1}
    pages = with_page(manifest, records=manifest.pages[1].records + 1)
    rewritten(bucket, manifest, pages=pages, totals=totals)
    return prefix_of(manifest) + "0002.json.gz"


def wrong_sizes(bucket: Any, manifest: Any) -> str:
    totals = manifest.totals.model_dump() | {"bytes": manifest.totals.bytes + 1}
    pages = with_page(manifest, bytes=manifest.pages[1].bytes + 1)
    rewritten(bucket, manifest, pages=pages, totals=totals)
    return prefix_of(manifest) + "0002.json.gz"


def page_left_out_of_the_manifest(bucket: Any, manifest: Any) -> str:
    return rewritten(bucket, manifest, pages=with_page(manifest)[:1])


def wrong_totals(bucket: Any, manifest: Any) -> str:
    return rewritten(bucket, manifest, totals=manifest.totals.model_dump() | {"records": 99})


def newer_format(bucket: Any, manifest: Any) -> str:
    return rewritten(bucket, manifest, format=FORMAT + 1, signature="?")


def newer_format_of_the_same_fields(bucket: Any, manifest: Any) -> str:
    return rewritten(bucket, manifest, format=FORMAT + 1)


def manifest_of_another_partition(bucket: Any, manifest: Any) -> str:
    return rewritten(bucket, manifest, council="sutton")


def manifest_of_another_landing(bucket: Any, manifest: Any) -> str:
    return rewritten(bucket, manifest, landing_id="20260101T000000000000Z-0000000000")


def truncated_manifest(bucket: Any, manifest: Any) -> str:
    return changed(bucket, manifest, "manifest.json", lambda body: body[:-20])


def manifest_of_other_bytes(bucket: Any, manifest: Any) -> str:
    return changed(bucket, manifest, "manifest.json", lambda body: b"\x00\xff" * 10)


def vanished_manifest(bucket: Any, manifest: Any) -> str:
    key = prefix_of(manifest) + "manifest.json"
    bucket.lake.s3.delete_object(Bucket=bucket.lake.bucket, Key=key)
    return key


PAGES_DAMAGED = [
    flipped_byte, flipped_byte_of_the_record, flipped_byte_at_the_beginning_of_a_large_page,
    truncated_page, page_that_is_there_twice, page_that_is_not_packed, page_of_another_landing,
    vanished_page, wrong_counts, wrong_sizes,
]  # fmt: skip
MANIFESTS_DAMAGED = [
    page_left_out_of_the_manifest, wrong_totals, newer_format, newer_format_of_the_same_fields,
    manifest_of_another_partition, manifest_of_another_landing, truncated_manifest,
    manifest_of_other_bytes,
]  # fmt: skip
BY_NAME = [vanished_manifest]


def everything(warehouse: Any) -> list[list[tuple[Any, ...]]]:
    """Every row but the ledger's; rows that were written again would differ in `xmin`."""
    return [
        warehouse.query(f"select xmin::text, * from {table} order by _record_no")
        if table.startswith("raw")
        else warehouse.query(f"select xmin::text, * from {table} order by record_no")
        for table in ("raw.gauges", "ops.quarantine")
    ]


@pytest.mark.parametrize(
    "damage", [*PAGES_DAMAGED, *MANIFESTS_DAMAGED, *BY_NAME], ids=lambda item: item.__name__
)
@pytest.mark.parametrize("forced_by", [None, "ann"], ids=["", "forced"])
def test_a_damaged_landing_is_refused_by_name_and_changes_nothing(
    lake, bucket, warehouse, loading, damage, forced_by
):
    land(lake, GAUGES, [{"id": 1, "note": "a"}, {"id": "bad"}])
    loading()
    before = everything(warehouse)
    manifest = land(lake, GAUGES, *PAGES)
    key = damage(bucket, manifest)

    with pytest.raises(LandingDamaged) as caught:
        loading(landing_id=manifest.landing_id if damage in BY_NAME else None, forced_by=forced_by)

    assert f"s3://{lake.bucket}/{key}" in str(caught.value)
    assert everything(warehouse) == before
    assert [len(rows) for rows in before] == [1, 1]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            page_of_another_landing,
            "expected .* bytes with sha256 .*, or fetch the partition again",
        ),
        (truncated_page, "not readable as gzip .*, or fetch the partition again"),
        (manifest_of_another_landing, r"expected the manifest of .*\. Fetch the partition again"),
        (vanished_page, "no such object"),
    ],
)
def test_the_message_says_what_is_damaged(lake, bucket, loading, damage, said):
    damage(bucket, land(lake, GAUGES, *PAGES))

    with pytest.raises(LandingDamaged, match=said):
        loading()


@pytest.mark.parametrize("damage", PAGES_DAMAGED, ids=lambda item: item.__name__)
@pytest.mark.parametrize("limit", ["VERIFIED_BY_READER_BYTES", "IN_MEMORY_BYTES"])
def test_a_damaged_page_too_large_for_its_reader_or_for_memory_is_refused_by_name(
    lake, bucket, loading, damage, limit, monkeypatch
):
    monkeypatch.setattr(read, limit, 10)
    manifest = land(lake, GAUGES, *PAGES)
    key = damage(bucket, manifest)

    with pytest.raises(LandingDamaged, match=key):
        loading()


@pytest.mark.parametrize("limit", ["VERIFIED_BY_READER_BYTES", "IN_MEMORY_BYTES"])
def test_a_page_too_large_for_its_reader_or_for_memory_is_loaded_like_any_other(
    lake, warehouse, loading, limit, monkeypatch
):
    land(lake, GAUGES, *PAGES)
    content = loading()["content_hash"]
    warehouse.query("truncate raw.gauges")
    monkeypatch.setattr(read, limit, 10)
    monkeypatch.setattr(read, "CHUNK_BYTES", 3)

    again = loading()

    assert (again["status"], again["content_hash"]) == ("loaded", content)


@pytest.mark.parametrize(
    "damage", [*PAGES_DAMAGED, *MANIFESTS_DAMAGED, *BY_NAME], ids=lambda item: item.__name__
)
def test_a_damaged_landing_is_in_the_ledger_as_failed(lake, bucket, warehouse, loading, damage):
    manifest = land(lake, GAUGES, *PAGES)
    key = damage(bucket, manifest)

    with pytest.raises(LandingDamaged):
        loading(landing_id=manifest.landing_id)

    ((status, landing_id, run_id, error),) = warehouse.query(
        "select status, landing_id, run_id, error from ops.load"
    )
    assert (status, landing_id, run_id) == ("failed", manifest.landing_id, "run")
    assert key in error


def test_the_same_landing_undamaged_is_loaded(lake, warehouse, loading):
    land(lake, GAUGES, *PAGES)

    assert (loading()["loaded"], warehouse.value("select count(*) from ops.quarantine")) == (2, 1)


def test_after_a_damaged_landing_was_fixed_it_is_loaded(lake, bucket, warehouse, loading):
    manifest = land(lake, GAUGES, *PAGES)
    key = prefix_of(manifest) + "0002.json.gz"
    whole = bucket.body(key)
    flipped_byte(bucket, manifest)
    with pytest.raises(LandingDamaged):
        loading()

    bucket.put(key, whole)

    assert loading()["status"] == "loaded"
    assert warehouse.query("select status from ops.load order by load_id") == [
        ("failed",), ("loaded",),
    ]  # fmt: skip


def test_a_landing_without_a_manifest_is_never_loaded(lake, bucket, warehouse, loading):
    vanished_manifest(bucket, land(lake, GAUGES, *PAGES))

    with pytest.raises(PermanentError, match="no finished landing in S3"):
        loading()

    assert warehouse.query("select * from raw.gauges") == []
    assert warehouse.query("select status, landing_id from ops.load") == [("failed", "")]


def test_a_damaged_landing_does_not_block_other_partitions_of_a_reload(lake, bucket, warehouse):
    crime = [{"id": 1, "category": "burglary", "month": "2017-05", "persistent_id": ""}]
    ward = {"ward.code": "E05000400", "ward.name": "Alexandra"}
    damaged, _ = (land(lake, CRIME, crime, council=name, context=ward) for name in COUNCILS)
    key = truncated_manifest(bucket, damaged)

    found = [where for _, where in landed_partitions(lake)]
    first, second = ingest(CRIME, found, lake=lake, dsn=warehouse.dsn(), fetch=False)

    assert [where.council for where in found] == list(COUNCILS)
    assert key in str(first.error)
    assert second.entry is not None
    assert warehouse.query("select council, status from ops.load order by council") == [
        ("kingston", "failed"), ("sutton", "loaded"),
    ]  # fmt: skip


def test_an_unreachable_bucket_is_in_the_ledger_as_failed(lake, warehouse, loading, monkeypatch):
    manifest = land(lake, GAUGES, *PAGES)
    from botocore.exceptions import EndpointConnectionError

    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="http://s3.test")

    monkeypatch.setattr(lake.s3, "get_object", unreachable)

    with pytest.raises(ServiceUnavailable, match=r"S3 is reachable\. Try again later"):
        loading(landing_id=manifest.landing_id)

    assert warehouse.query("select status, landing_id from ops.load") == [
        ("failed", manifest.landing_id)
    ]
