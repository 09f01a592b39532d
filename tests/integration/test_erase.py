"""Erasing a subject: gone from every version of every landing, and from the database."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.errors import LandingDamaged, PermanentError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.operate import erase as job
from include.jobs.operate.erase import erase, what_remains
from include.jobs.operate.erase_search import find
from include.jobs.operate.erase_subject import Subject
from include.jobs.operate.housekeeping import housekeeping
from include.jobs.operate.verify import verify
from include.jobs.pipeline.load import load
from include.jobs.pipeline.selection import Selection
from include.landing import inventory, rewrite
from include.landing.manifest import Manifest
from include.landing.rewrite import replacement_id
from include.landing.write import Draft
from include.sources.model import contracts
from include.warehouse.books import removals
from tests.integration.landings import killed_after, on_both, prefix_of
from tests.samples import REQUEST, column, contract, facts

# Under the name of a table that is there, with columns that it has.
PEOPLE = contract(
    column("id", "integer", required=True),
    column("note", path="email", personal="pseudonymise"),
    column("phone", personal="drop"),
    key=["id"],
    retention_days=365,
    format={"kind": "jsonl"},
)
JO = "jo@example.org"
KEY = "k" * 64
DAY = "2026-11"


@pytest.fixture(autouse=True)
def _key(deployment, monkeypatch):
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", KEY)


@pytest.fixture
def lake(kept_lake: Lake) -> Lake:
    return kept_lake


def person(number: int, email: str = "") -> dict[str, Any]:
    return {"id": number, "email": email or f"p{number}@example.org", "phone": f"020 {number}"}


def land(
    lake: Any, hours_ago: float, *pages: list[dict[str, Any]], council: str = "kingston"
) -> Manifest:
    where = PEOPLE.partition(council, DAY)
    began = datetime.now(UTC) - timedelta(hours=hours_ago)
    draft = Draft.open(
        lake.landings, where, run_id=f"{hours_ago}", contract_hash=PEOPLE.contract_hash, now=began
    )
    for number, records in enumerate(pages):
        body = b"".join(json.dumps(record).encode() + b"\n" for record in records)
        draft.add(facts(body, len(records), str(number)), REQUEST, io.BytesIO(body))
    return draft.finish(run_id="run", code_version="test", started_at=began, parents={})


@pytest.fixture
def loading(lake, warehouse):
    def run(manifest: Manifest | None = None, council: str = "kingston") -> dict[str, Any]:
        return load(
            PEOPLE,
            PEOPLE.partition(council, DAY),
            lake=lake,
            dsn=warehouse.dsn(),
            run_id="run",
            landing_id=manifest.landing_id if manifest else None,
        )

    return run


@pytest.fixture
def erasing(lake, warehouse):
    """Erases Jo, or the subject that is named, and counts how often marts were built."""
    rebuilt: list[int] = []

    def run(**key: str) -> list[int]:
        rebuilt.clear()
        erase(
            PEOPLE,
            Subject(PEOPLE, key or {"note": JO}),
            lake=lake,
            dsn=warehouse.dsn(),
            by="somebody",
            rebuild=lambda: rebuilt.append(warehouse.value("select count(*) from raw.gauges")),
        )
        return rebuilt

    return run


def everything(lake: Any) -> bytes:
    """All bytes of all versions of all objects, unpacked."""
    try:
        found = lake.s3.list_object_versions(Bucket=lake.bucket).get("Versions", [])
        asked = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
    except lake.s3.exceptions.ClientError:
        found = lake.s3.list_objects_v2(Bucket=lake.bucket).get("Contents", [])
        asked = [{"Key": item["Key"]} for item in found]
    bodies = [(one, lake.s3.get_object(Bucket=lake.bucket, **one)["Body"].read()) for one in asked]
    return b"\n".join(
        gzip.decompress(body) if one["Key"].endswith(".gz") else body for one, body in bodies
    )


def ids(warehouse: Any) -> list[int]:
    return [row[0] for row in warehouse.query("select id from raw.gauges order by id")]


@on_both
def test_a_subject_is_gone_from_everywhere_and_the_others_are_not(
    lake, warehouse, loading, erasing
):
    old = land(lake, 30, [person(1), person(2, JO)])
    new = land(lake, 2, [person(1), person(2, JO)], [person(3), person(4, JO)])
    for manifest in (old, new):
        loading(manifest)
    assert JO.encode() in everything(lake)

    rebuilt = erasing()

    left = everything(lake)
    assert JO.encode() not in left
    assert b"020 4" not in left
    assert b"p1@example.org" in left
    assert b"020 3" in left
    assert ids(warehouse) == [1, 3]
    assert rebuilt == [2]
    assert {item.landing_id for item in inventory.stored_landings(lake.landings)} == {
        replacement_id(old.landing_id),
        replacement_id(new.landing_id),
    }


def test_the_books_of_the_replacement_balance_and_say_what_was_erased(
    lake,
    warehouse,
    loading,
    erasing,
):
    old = land(lake, 2, [person(1), person(2, JO)], [person(4, JO)])
    loading()
    erasing()
    where = PEOPLE.partition("kingston", DAY)

    manifest = lake.landings.manifest(where, replacement_id(old.landing_id))

    assert (manifest.replaces, manifest.erased) == (old.landing_id, 2)
    assert manifest.totals.records + manifest.erased == old.totals.records
    assert [page.records for page in manifest.pages] == [1, 0]
    assert [page.request for page in manifest.pages] == [page.request for page in old.pages]
    assert (manifest.started_at, manifest.outcome) == (old.started_at, old.outcome)
    assert warehouse.query(
        "select replaces, erased, records from ops.landing order by landing_id"
    ) == [
        (None, 0, 3),
        (old.landing_id, 2, 1),
    ]
    entries = "select status, records, loaded, forced_by from ops.load order by load_id"
    assert warehouse.query(entries) == [("loaded", 3, 3, None), ("loaded", 1, 1, "somebody")]
    # From now on nothing has changed.
    assert loading()["status"] == "unchanged"


def test_verify_finds_nothing_wrong_after_erasing_and_housekeeping(
    lake, warehouse, loading, erasing, monkeypatch
):
    monkeypatch.setitem(contracts(), PEOPLE.name, PEOPLE)

    def differences() -> list[Any]:
        how = {"lake": lake, "dsn": warehouse.dsn(), "selection": Selection((PEOPLE.name,))}
        return verify(**how, deep=True).differences

    for hours_ago in (3000, 2000, 2):
        loading(land(lake, hours_ago, [person(1), person(hours_ago), person(5, JO)]))
    assert differences() == []

    erasing()
    assert differences() == []

    shorter = PEOPLE.model_copy(update={"retention_days": 30})
    gone = housekeeping(
        lake=lake, dsn=warehouse.dsn(), delete=True, contracts={PEOPLE.name: shorter}
    )
    assert len(gone) == 2
    assert differences() == []


def test_the_record_of_an_erasure_holds_a_keyed_hash_and_no_value(
    lake, warehouse, loading, erasing
):
    old = land(lake, 2, [person(1), person(2, JO)])
    loading()

    erasing()

    (row,) = warehouse.query("select row_to_json(r) from ops.removal r")[0]
    assert (row["reason"], row["records_erased"]) == ("erased", 1)
    assert row["replaced_by"] == replacement_id(old.landing_id)
    assert len(row["subject"]) == 64
    books = warehouse.query(
        "select row_to_json(r)::text from ops.load r union all "
        "select row_to_json(r)::text from ops.landing r"
    )
    assert JO not in f"{row} {books}"
    assert row["subject"] not in [
        note for (note,) in warehouse.query("select note from raw.gauges")
    ]


def test_records_in_quarantine_are_erased_too(lake, warehouse, loading, erasing):
    land(lake, 2, [person(1), person(2, JO) | {"id": "two"}, person(3) | {"id": "three"}])
    loading()
    assert warehouse.value("select count(*) from ops.quarantine") == 2

    erasing()

    assert warehouse.value("select count(*) from ops.quarantine") == 1
    assert JO.encode() not in everything(lake)


def test_a_landing_whose_load_is_outstanding_is_replaced_too(lake, warehouse, erasing, loading):
    land(lake, 2, [person(1), person(2, JO)])

    assert erasing() == [0]

    assert ids(warehouse) == []
    assert loading()["records"] == 1
    assert ids(warehouse) == [1]


def test_rows_of_an_older_landing_that_the_newer_did_not_change_come_from_the_newer(
    lake, warehouse, loading, erasing
):
    first = land(lake, 30, [person(1), person(2, JO)])
    loading(first)
    second = land(lake, 2, [person(2, JO), person(1)])
    assert loading()["status"] == "unchanged"

    erasing()

    assert warehouse.query("select id, _landing_id from raw.gauges") == [
        (1, replacement_id(second.landing_id))
    ]
    assert loading()["status"] == "unchanged"


def test_the_replacement_of_an_old_landing_does_not_become_the_newest(lake, loading, erasing):
    land(lake, 30, [person(1), person(2, JO)])
    new = land(lake, 2, [person(1), person(5)])

    erasing()

    assert loading()["landing"] == new.landing_id


def test_any_column_can_be_used_even_one_that_is_dropped(lake, warehouse, loading, erasing):
    land(lake, 2, [person(1), person(2), person(3)])
    loading()

    erasing(phone="020 2")
    assert ids(warehouse) == [1, 3]

    erasing(id="3", phone="020 3")
    assert ids(warehouse) == [1]


def test_other_sources_and_partitions_without_the_subject_are_not_touched(
    lake,
    warehouse,
    loading,
    erasing,
):
    other = land(lake, 2, [person(1)], council="sutton")
    land(lake, 2, [person(2, JO)])
    loading()
    loading(other, "sutton")
    key = f"landing/other/kingston/{DAY}/{other.landing_id}/0001.json.gz"
    lake.s3.put_object(Bucket=lake.bucket, Key=key, Body=b"a")

    erasing()

    entries = "select council, status from ops.load order by load_id"
    assert warehouse.query(entries)[2:] == [("kingston", "loaded")]
    assert lake.landings.ids(PEOPLE.partition("sutton", DAY)) == {other.landing_id: True}
    assert lake.s3.get_object(Bucket=lake.bucket, Key=key)["Body"].read() == b"a"


def test_where_nobody_is_found_nothing_is_done(lake, warehouse, loading, erasing):
    land(lake, 2, [person(1)])
    loading()

    assert erasing() == []

    assert warehouse.value("select count(*) from ops.load") == 1


def test_looking_for_a_subject_changes_nothing(lake, loading, warehouse):
    old = land(lake, 2, [person(1), person(2, JO)], [person(4, JO)])
    loading()
    before = everything(lake)

    found = find(PEOPLE, Subject(PEOPLE, {"note": JO}), lake=lake)

    assert [(one.manifest.landing_id, one.records) for one in found.holds] == [(old.landing_id, 2)]
    assert everything(lake) == before
    assert ids(warehouse) == [1, 2, 4]


def test_what_was_hidden_by_a_plain_deletion_is_erased_too(lake, erasing):
    hidden = land(lake, 30, [person(2, JO)])
    land(lake, 2, [person(1)])
    for key in list(lake.landings.keys(prefix_of(hidden))):
        lake.s3.delete_object(Bucket=lake.bucket, Key=key)
    assert JO.encode() in everything(lake)

    erasing()

    assert JO.encode() not in everything(lake)
    assert b"p1@example.org" in everything(lake)


# Every step that changes something; at each, the process is killed once.
STEPS = [
    (rewrite.Draft, "add", 1),
    (rewrite.Draft, "finish", 0),
    (rewrite.Draft, "finish", 1),
    (job, "load", 0),
    (job, "load", 1),
    (removals, "record", 1),
    (job, "remove", 0),
    (inventory, "_delete", 0),
    (inventory, "_delete", 2),
    (inventory, "_delete", 5),
    (job, "_clear_up", 0),
    (job, "remove_old_versions", 0),
]
KILLS = [
    *(("versions", step, {"id": "9"} if number % 2 else {}) for number, step in enumerate(STEPS)),
    ("rclone", STEPS[2], {}),
    ("rclone", STEPS[4], {}),
    ("rclone", STEPS[8], {}),
]


@pytest.mark.parametrize(
    ("kept_lake", "step", "again"),
    KILLS,
    indirect=["kept_lake"],
    ids=[f"{kind}, {step[1]} {step[2]}" for kind, step, _ in KILLS],
)
def test_interrupted_anywhere_it_is_finished_by_running_it_again(
    lake,
    warehouse,
    loading,
    erasing,
    monkeypatch,
    step,
    again,
):
    where, name, count = step
    first = land(lake, 30, [person(1), person(2, JO)])
    loading(first)
    land(lake, 2, [person(1), person(2, JO), person(9)], council="sutton")
    loading(None, "sutton")
    with monkeypatch.context() as patched:
        patched.setattr(where, name, killed_after(count, getattr(where, name)))
        with pytest.raises(KeyboardInterrupt):
            erasing()

    if again:
        # Somebody else's erasure in between leaves nothing of this one undone that it began.
        erasing(**again)
    erasing()

    assert JO.encode() not in everything(lake)
    assert ids(warehouse) == ([1, 1] if again else [1, 1, 9])
    pointed = {row[0] for row in warehouse.query("select distinct _landing_id from raw.gauges")}
    present = {item.landing_id: item for item in inventory.stored_landings(lake.landings)}
    assert pointed <= set(present)
    assert all(item.finished for item in present.values())
    erased = warehouse.query("select landing_id from ops.removal where reason = 'erased'")
    assert (first.landing_id,) in erased
    assert len(present) == 2


def test_a_manifest_half_deleted_is_not_taken_up_by_the_run_that_wrote_it(
    lake,
    erasing,
    monkeypatch,
):
    old = land(lake, 2, [person(2, JO)], [person(1)])
    with monkeypatch.context() as patched:
        patched.setattr(inventory, "MOST_AT_ONCE", 1)
        patched.setattr(lake.s3, "delete_objects", killed_after(1, lake.s3.delete_objects))
        with pytest.raises(KeyboardInterrupt):
            erasing()
    assert f"{prefix_of(old)}manifest.json" not in set(lake.landings.keys(prefix_of(old)))

    erasing()

    assert list(lake.landings.keys(prefix_of(old))) == []


def test_a_landing_that_is_being_written_is_named_and_the_rest_is_done(
    lake, warehouse, loading, erasing
):
    land(lake, 2, [person(1), person(2, JO)])
    loading()
    where = PEOPLE.partition("kingston", DAY)
    draft = Draft.open(lake.landings, where, run_id="now", contract_hash="", now=datetime.now(UTC))
    body = json.dumps(person(2, JO)).encode() + b"\n"
    draft.add(facts(body, 1), REQUEST, io.BytesIO(body))

    with pytest.raises(ServiceUnavailable, match=f"may hold the subject: .* {draft.landing_id}"):
        erasing()

    assert ids(warehouse) == [1]
    assert len(list(lake.landings.keys(prefix_of_draft(draft)))) == 1


def test_a_landing_that_arrived_during_the_run_is_named_and_not_skipped(lake, warehouse, loading):
    land(lake, 2, [person(1), person(2, JO)])
    loading()
    came: list[Manifest] = []

    with pytest.raises(ServiceUnavailable, match="landings that are new") as told:
        erase(
            PEOPLE,
            Subject(PEOPLE, {"note": JO}),
            lake=lake,
            dsn=warehouse.dsn(),
            by="somebody",
            rebuild=lambda: came.append(land(lake, 1, [person(2, JO)])),
        )

    assert came[0].landing_id in str(told.value)


def prefix_of_draft(draft: Draft) -> str:
    return f"landing/{PEOPLE.name}/kingston/{DAY}/{draft.landing_id}/"


def test_a_landing_that_cannot_be_read_stops_it_before_anything_is_changed(
    lake,
    warehouse,
    loading,
    erasing,
):
    land(lake, 2, [person(2, JO)])
    loading()
    damaged = land(lake, 30, [person(1)])
    key = f"{prefix_of(damaged)}0001.json.gz"
    lake.s3.put_object(Bucket=lake.bucket, Key=key, Body=gzip.compress(b"{}"))

    with pytest.raises(LandingDamaged, match=f"{key}: expected .* bytes with sha256"):
        erasing()

    assert ids(warehouse) == [2]
    assert len(inventory.stored_landings(lake.landings)) == 2


def test_a_body_that_cannot_be_cut_stops_it_before_anything_is_changed(lake, warehouse):
    columnar = PEOPLE.model_copy(
        update={"format": PEOPLE.format.model_copy(update={"kind": "columnar"})}
    )
    where = PEOPLE.partition("kingston", DAY)
    body = json.dumps({"id": [1, 2], "email": ["a", JO], "phone": ["", ""]}).encode()
    draft = Draft.open(lake.landings, where, run_id="r", contract_hash="", now=datetime.now(UTC))
    draft.add(facts(body, 2), REQUEST, io.BytesIO(body))
    draft.finish(run_id="r", code_version="t", started_at=datetime.now(UTC), parents={})

    with pytest.raises(
        PermanentError, match=r"0001\.json\.gz: its records are not contiguous"
    ) as told:
        find(columnar, Subject(columnar, {"note": JO}), lake=lake)

    assert JO not in str(told.value)


def test_samples_of_unknown_fields_are_forgotten(lake, warehouse, erasing):
    insert = (
        "insert into ops.schema_drift (source, field, first_seen, landing_id, samples) values "
        "('gauges', '{}', now(), 'L', '{}'::jsonb)"
    )
    warehouse.query(insert.format("mail", json.dumps([{"to": [f"<{JO}>"]}])))
    warehouse.query(insert.format("other", json.dumps(["x"])))

    erasing()

    assert warehouse.query("select field from ops.schema_drift") == [("other",)]


def test_the_message_says_what_still_holds_them_and_until_when():
    now = datetime(2026, 11, 21, tzinfo=UTC)

    known, unknown = (" ".join(what_remains(PEOPLE, days, now)) for days in (35, None))

    assert "Backups of the database hold them until 2026-12-26" in known
    assert "WANDLE_BACKUP_DAYS is not set" in unknown
    assert "autovacuum" in known
    assert "the next fetch" in known


def test_children_that_were_requested_by_its_values_are_named():
    parents = {p.source: c.name for c in contracts().values() for p in c.extract.parents.values()}
    parent, child = next(iter(parents.items()))

    assert child in " ".join(what_remains(contracts()[parent], 1, datetime.now(UTC)))
