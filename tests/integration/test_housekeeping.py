"""Housekeeping on a real database and bucket: what goes, what stays, and what is broken off."""

from __future__ import annotations

import io
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.operate import housekeeping as job
from include.jobs.operate.housekeeping import housekeeping, summary
from include.jobs.pipeline.load import load
from include.landing import inventory
from include.landing.manifest import Manifest, ParentLanding
from include.landing.write import Draft
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse import lock
from include.warehouse.books import removals
from include.warehouse.lock import locked_for_removal
from tests.integration.landings import killed_after, on_both, prefix_of
from tests.samples import REQUEST, body_of, column, contract, facts

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
GAUGES = contract(retention_days=10)
# Under the same name, so that the same table will do.
PERSONAL = contract(
    column("id", "integer", required=True),
    column("note", personal="keep"),
    key=["id"],
    retention_days=40,
)
COUNCIL, PERIOD, OLD_PERIOD = "kingston", "2026-11", "2026-08"


@pytest.fixture
def lake(kept_lake) -> Lake:
    return kept_lake


def land(
    lake: Lake,
    days_ago: float,
    *records: dict[str, Any],
    finished: bool = True,
    source: Contract = GAUGES,
    period: str = PERIOD,
    council: str = COUNCIL,
    parents: dict[str, ParentLanding] | None = None,
) -> Manifest | str:
    """A landing whose fetch began so many days ago; the prefix of one that has no manifest."""
    where = source.partition(council, period)
    began = NOW - timedelta(days=days_ago)
    draft = Draft.open(lake.landings, where, run_id=f"{days_ago}", contract_hash="", now=began)
    body = body_of(list(records))
    draft.add(facts(body, len(records)), REQUEST, io.BytesIO(body))
    if not finished:
        return draft.landing_id
    return draft.finish(run_id="run", code_version="test", started_at=began, parents=parents or {})


def record(number: int) -> dict[str, Any]:
    return {"id": number, "note": f"n{number}"}


@pytest.fixture
def clean(lake, warehouse):
    """Runs housekeeping at a fixed time: the landings' ids by reason."""

    def run(delete: bool = True, *contracts: Contract, now: datetime = NOW) -> dict[str, list[str]]:
        by_name = {item.name: item for item in contracts or (GAUGES,)}
        found = housekeeping(
            lake=lake, dsn=warehouse.dsn(), delete=delete, contracts=by_name, now=now
        )
        reasons: dict[str, list[str]] = {}
        for item in found:
            reasons.setdefault(item["reason"], []).append(item["landing"])
        return reasons

    return run


@pytest.fixture
def loading(lake, warehouse):
    def run(manifest: Manifest, source: Contract = GAUGES) -> dict[str, Any]:
        return load(
            source,
            source.partition(COUNCIL, manifest.period),
            lake=lake,
            dsn=warehouse.dsn(),
            run_id="run",
            landing_id=manifest.landing_id,
        )

    return run


def held_ids(lake: Lake) -> set[str]:
    return {item.landing_id for item in inventory.stored_landings(lake.landings)}


def versions(lake: Lake, landing_id: str) -> int:
    """How many versions and markers S3 still keeps of a landing's objects."""
    found = lake.s3.list_object_versions(Bucket=lake.bucket)
    items = [*found.get("Versions", ()), *found.get("DeleteMarkers", ())]
    return sum(f"/{landing_id}/" in item["Key"] for item in items)


def keeps_versions(lake: Lake) -> bool:
    return bool(lake.s3.get_bucket_versioning(Bucket=lake.bucket).get("Status"))


@on_both
def test_what_is_superseded_and_interrupted_is_deleted_and_recorded(
    lake, warehouse, clean, loading
):
    old, newest = land(lake, 30, record(1)), land(lake, 1, record(2))
    left = land(lake, 2, record(3), finished=False)
    for manifest in (old, newest):
        loading(manifest)

    assert clean() == {"superseded": [old.landing_id], "interrupted": [left]}

    assert held_ids(lake) == {newest.landing_id}
    assert warehouse.query(
        "select landing_id, reason, objects, bytes > 0, removed_at from ops.removal order by 1"
    ) == [
        (old.landing_id, "superseded", 2, True, NOW),
        (left, "interrupted", 1, True, NOW),
    ]
    assert clean() == {}


def test_a_dry_run_says_the_same_and_deletes_nothing(lake, warehouse, clean):
    old = land(lake, 30, record(1))
    land(lake, 1, record(2))
    before = held_ids(lake)

    assert clean(False) == {"superseded": [old.landing_id]}

    assert held_ids(lake) == before
    assert warehouse.value("select count(*) from ops.removal") == 0
    assert clean(False) == clean(True)


def test_a_landing_that_rows_were_loaded_from_stays(lake, clean, loading):
    loaded = land(lake, 30, record(1))
    loading(loaded)
    same = land(lake, 20, record(1))
    newest = land(lake, 1, record(1))
    assert [loading(manifest)["status"] for manifest in (same, newest)] == ["unchanged"] * 2

    assert clean() == {"superseded": [same.landing_id]}


def test_a_landing_that_the_newest_good_load_points_to_stays(lake, clean, loading):
    loaded = land(lake, 30, record(1))
    same = land(lake, 20, record(1))
    older = land(lake, 15, record(2))
    land(lake, 1, record(2))
    for manifest in (loaded, same):
        loading(manifest)

    assert clean() == {"superseded": [older.landing_id]}


def test_a_landing_that_only_quarantine_points_to_stays(lake, warehouse, clean, loading):
    loaded = land(lake, 30, {"id": None})
    loading(loaded)
    land(lake, 1, record(1))

    assert warehouse.value("select count(*) from raw.gauges") == 0
    assert clean() == {}


@pytest.mark.parametrize("in_ledger", [True, False])
def test_a_landing_that_a_child_was_made_with_stays(lake, warehouse, clean, loading, in_ledger):
    parent = land(lake, 30, record(1))
    land(lake, 29, record(2))
    land(lake, 1, record(3))
    pointer = ParentLanding(
        source="gauges", council=COUNCIL, period=PERIOD, landing_id=parent.landing_id
    )
    child = land(lake, 5, record(4), period="2026-10", parents={"gauge": pointer})
    if in_ledger:
        loading(child)

    gone = clean()

    assert parent.landing_id in held_ids(lake)
    assert len(gone["superseded"]) == 1


@on_both
def test_public_landings_stay_restorable_where_the_bucket_keeps_versions(lake, clean):
    old = land(lake, 30, record(1))
    land(lake, 1, record(2))

    clean()

    assert old.landing_id not in held_ids(lake)
    if keeps_versions(lake):
        assert versions(lake, old.landing_id) == 4


def test_a_reload_after_housekeeping_gives_the_same_content(lake, warehouse, clean, loading):
    for days_ago in (30, 20):
        loading(land(lake, days_ago, record(days_ago)))
    entry = loading(land(lake, 1, record(1), record(2)))
    clean()
    warehouse.query("truncate raw.gauges")

    again = load(
        GAUGES, GAUGES.partition(COUNCIL, PERIOD), lake=lake, dsn=warehouse.dsn(), run_id="run"
    )

    assert (again["status"], again["content_hash"]) == ("loaded", entry["content_hash"])


@on_both
def test_personal_data_past_their_limit_are_deleted_everywhere_at_once(
    lake, warehouse, clean, loading
):
    first = land(lake, 60, record(1), {"id": None, "note": "Jo Bloggs"}, period=OLD_PERIOD)
    loading(first, PERSONAL)
    second = land(lake, 50, record(1), record(2), period=OLD_PERIOD)
    young = land(lake, 1, record(7))
    loading(young, PERSONAL)

    gone = clean(True, PERSONAL)

    assert gone == {"expired": [first.landing_id, second.landing_id]}
    assert held_ids(lake) == {young.landing_id}
    assert warehouse.query("select id from raw.gauges") == [(7,)]
    assert warehouse.value("select count(*) from ops.quarantine") == 0
    if keeps_versions(lake):
        assert versions(lake, first.landing_id) + versions(lake, second.landing_id) == 0
        assert versions(lake, young.landing_id) == 2


def test_the_ledger_says_that_personal_data_are_deleted_and_nothing_else(
    lake, warehouse, clean, loading
):
    loading(land(lake, 60, record(1), period=OLD_PERIOD), PERSONAL)
    clean(True, PERSONAL)
    clean(True, PERSONAL)

    entries = warehouse.query("select status, rows, records, error from ops.load order by load_id")

    assert entries == [("loaded", 1, 1, None), ("expired", 0, 0, None)]
    assert warehouse.value("select count(*) from ops.removal where reason = 'expired'") == 1


def test_personal_rows_whose_landing_is_lost_are_still_deleted(lake, warehouse, clean, loading):
    manifest = land(lake, 60, record(1), {"id": None}, period=OLD_PERIOD)
    loading(manifest, PERSONAL)
    where = PERSONAL.partition(COUNCIL, OLD_PERIOD)
    inventory.remove(lake.landings, where, manifest.landing_id, every_version=True)

    assert clean(False, PERSONAL) == {"expired": [""]}
    assert clean(True, PERSONAL) == {"expired": [""]}
    assert clean(True, PERSONAL) == {}

    assert warehouse.value("select count(*) from raw.gauges") == 0
    assert warehouse.value("select count(*) from ops.quarantine") == 0


def test_a_partition_that_was_emptied_can_be_loaded_again(lake, warehouse, clean, loading):
    loading(land(lake, 60, record(1), period=OLD_PERIOD), PERSONAL)
    clean(True, PERSONAL)

    again = land(lake, 0.1, record(1), period=OLD_PERIOD)

    assert loading(again, PERSONAL)["status"] == "loaded"
    assert clean(True, PERSONAL) == {"expired": [again.landing_id]}


POINTS = [
    (removals, "record", 0),
    (job, "remove", 0),
    (job, "remove", 1),
    (inventory, "_delete", 0),
    (inventory, "_delete", 1),
    (inventory, "_delete", 2),
    (inventory, "_delete", 3),
    (inventory, "remove_old_versions", 1),
]


@pytest.mark.parametrize(
    ("kept_lake", "point"),
    [*(("versions", point) for point in POINTS), *(("rclone", point) for point in POINTS[1:5])],
    indirect=["kept_lake"],
    ids=lambda found: found if isinstance(found, str) else f"{found[1]} {found[2]}",
)
def test_the_next_run_resumes_wherever_the_last_one_was_interrupted(
    lake, warehouse, clean, loading, monkeypatch, point
):
    where, name, count = point
    first = land(lake, 60, record(1), {"id": None}, period=OLD_PERIOD)
    loading(first, PERSONAL)
    second = land(lake, 50, record(2), period=OLD_PERIOD)
    with monkeypatch.context() as patched:
        patched.setattr(where, name, killed_after(count, getattr(where, name)))
        with pytest.raises(KeyboardInterrupt):
            clean(True, PERSONAL)

    clean(True, PERSONAL)

    assert held_ids(lake) == set()
    assert warehouse.query("select landing_id, reason from ops.removal order by 1") == [
        (first.landing_id, "expired"),
        (second.landing_id, "expired"),
    ]
    assert warehouse.query("select status from ops.load order by load_id") == [
        ("loaded",),
        ("expired",),
    ]
    if keeps_versions(lake):
        assert versions(lake, first.landing_id) + versions(lake, second.landing_id) == 0


@on_both
def test_a_half_removed_landing_has_no_manifest_and_is_deleted_at_once(lake, clean, monkeypatch):
    old = land(lake, 30, record(1))
    land(lake, 1, record(2))
    monkeypatch.setattr(inventory, "MOST_AT_ONCE", 1)
    delete_objects = lake.s3.delete_objects
    monkeypatch.setattr(lake.s3, "delete_objects", killed_after(1, delete_objects))
    with pytest.raises(KeyboardInterrupt):
        clean()
    monkeypatch.undo()

    assert not any(key.endswith("manifest.json") for key in lake.landings.keys(prefix_of(old)))
    assert clean() == {"interrupted": [old.landing_id]}


def test_what_is_being_loaded_is_left_for_the_next_run(lake, warehouse, clean, monkeypatch):
    monkeypatch.setattr(lock, "REMOVAL_WAIT_SECONDS", 1)
    old = land(lake, 30, record(1))
    land(lake, 1, record(2))
    where = GAUGES.partition(COUNCIL, PERIOD)
    with psycopg.connect(warehouse.dsn(), cursor_factory=psycopg.RawCursor) as loading_it:
        lock.lock_for_load(loading_it, where)

        with pytest.raises(ServiceUnavailable, match=r"skipped 1 partitions: gauges kingston"):
            clean()

    assert old.landing_id in held_ids(lake)
    assert clean() == {"superseded": [old.landing_id]}


def test_no_load_of_a_partition_begins_while_it_is_removed_from(lake, warehouse, loading):

    newest = land(lake, 1, record(2))
    where = GAUGES.partition(COUNCIL, PERIOD)
    with (
        pytest.MonkeyPatch.context() as patched,
        lock.locked_for_removal(warehouse.dsn(), where) as connection,
    ):
        connection.commit()
        patched.setattr(lock, "LOAD_WAIT_SECONDS", 1)
        with pytest.raises(ServiceUnavailable, match="another load or removal"):
            loading(newest)

    assert loading(newest)["status"] == "loaded"


def test_what_became_referenced_during_the_run_stays(lake, clean, loading, monkeypatch):
    old, newest = land(lake, 30, record(1)), land(lake, 1, record(2))
    loading(newest)
    holding = locked_for_removal

    def loaded_before(dsn: str, partition: Partition) -> Any:
        loading(old)
        return holding(dsn, partition)

    monkeypatch.setattr(job, "locked_for_removal", loaded_before)

    assert clean() == {}
    assert old.landing_id in held_ids(lake)


# A landing: how many days ago, what it holds, whether it was finished, and loaded.
HISTORY = st.lists(
    st.tuples(
        st.sampled_from([0.5, 3, 9, 11, 15, 20, 30, 60]),
        st.sampled_from([[1], [1, 2], [None, 1], []]),
        st.sampled_from([True, True, True, False]),
        st.booleans(),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda one: one[0],
)
_councils = itertools.count()
# Any of these landings may follow any other.
UNCHECKED = contract(
    retention_days=10,
    checks={
        "max_quarantined_share": 1,
        "partition_may_empty": True,
        "max_records_of_emptied_part": None,
    },
)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORY)
def test_after_any_history_what_is_needed_is_there_and_nothing_else(lake, warehouse, history):
    council = f"council_{next(_councils)}"
    landed = {}
    for days_ago, ids, finished, loaded in sorted(history, reverse=True):
        found = land(lake, days_ago, *map(record, ids), finished=finished, council=council)
        landing_id = found.landing_id if isinstance(found, Manifest) else found
        landed[landing_id] = (days_ago, finished)
        if finished and loaded:
            load(
                UNCHECKED,
                UNCHECKED.partition(council, PERIOD),
                lake=lake,
                dsn=warehouse.dsn(),
                run_id="run",
                landing_id=landing_id,
            )
    of_council = f"where council = '{council}'"
    before = warehouse.query(
        f"select landing_id from ops.load {of_council} order by load_id desc limit 1"
    )
    pointed = {
        *(row[0] for row in before),
        *(row[0] for row in warehouse.query(f"select landing_id from ops.quarantine {of_council}")),
        *(row[0] for row in warehouse.query(
            f"select _landing_id from raw.gauges where _council = '{council}'"
        )),
    }  # fmt: skip

    housekeeping(lake=lake, dsn=warehouse.dsn(), delete=True, contracts={"gauges": GAUGES}, now=NOW)

    newest = max((name for name, (_, finished) in landed.items() if finished), default=None)
    assert {item.landing_id for item in inventory.stored_landings(lake.landings)
            if item.partition.council == council} == {
        name
        for name, (days_ago, finished) in landed.items()
        if (name in pointed or name == newest or days_ago <= 10 if finished else days_ago < 1)
    }  # fmt: skip


def test_a_role_that_may_not_delete_gets_a_message_that_says_so(
    lake, warehouse, clean, monkeypatch
):
    old = land(lake, 30, record(1))
    land(lake, 1, record(2))
    refused = {"Errors": [{"Key": "k", "Code": "AccessDenied"}]}
    monkeypatch.setattr(lake.s3, "delete_objects", lambda **_: refused)

    with pytest.raises(PermanentError, match=r"k: AccessDenied\. Check this role's permission"):
        clean()

    assert old.landing_id in held_ids(lake)


def test_a_damaged_manifest_keeps_its_landing(lake, clean):
    damaged = land(lake, 30, record(1))
    newest = land(lake, 1, record(2))
    lake.s3.put_object(Bucket=lake.bucket, Key=f"{prefix_of(damaged)}manifest.json", Body=b"{}")

    assert clean() == {}
    assert held_ids(lake) == {damaged.landing_id, newest.landing_id}


def test_objects_that_belong_to_no_landing_are_not_touched(lake, clean):
    strays = ("landing/readme.txt", "landing/gauges/kingston/2026-11/notes/a.txt", "docs/a.html")
    for key in strays:
        lake.s3.put_object(Bucket=lake.bucket, Key=key, Body=b"x")

    assert clean() == {}
    found = lake.s3.list_objects_v2(Bucket=lake.bucket)["Contents"]
    assert {item["Key"] for item in found} == set(strays)


def test_the_summary_counts_by_source_and_reason():
    listed = [
        {"source": "a", "reason": "superseded", "bytes": 2},
        {"source": "a", "reason": "superseded", "bytes": 3},
        {"source": "b", "reason": "expired", "bytes": 4},
    ]

    assert summary(listed) == {
        "a": {"superseded": 2, "bytes": 5},
        "b": {"expired": 1, "bytes": 4},
    }
