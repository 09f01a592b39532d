"""Loading a landing: what changes, what does not, and what the ledger says of it."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from include.errors import (
    LoadRefused,
    PermanentError,
    ServiceUnavailable,
    TableOutdated,
)
from include.jobs.pipeline import load as job
from include.jobs.pipeline.load import load
from include.warehouse import load as warehouse_load
from include.warehouse import lock
from include.warehouse import prepare as preparing
from include.warehouse.books import removals
from include.warehouse.connection import connect
from include.warehouse.partition import RawPartition
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land, prefix_of
from tests.samples import body_of, column, contract, extracting

GAUGES = contract()
CHECKED = contract(checks={"min_records": 2, "max_quarantined_share": 0.5})
LEDGER = (
    "select status, records, loaded, quarantined, duplicates from ops.load order by load_id desc"
)


def records(*ids: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": number, "note": f"n{number}"} | more for number in ids]


@pytest.fixture
def loading(lake, warehouse):
    """Loads the newest landing of a partition, or the one that is named."""

    def run(source: Any = GAUGES, council: str = "kingston", period: str = "2017-05", **how: Any):
        arguments = {"lake": lake, "dsn": warehouse.dsn(), "run_id": "run"} | how
        return load(source, source.partition(council, period), **arguments)

    return run


def ids(warehouse: Any, where: str = "true") -> list[int]:
    return [
        row[0] for row in warehouse.query(f"select id from raw.gauges where {where} order by 1")
    ]


def test_a_landing_becomes_the_partition(lake, warehouse, loading):
    manifest = land(lake, GAUGES, records(1, 2), records(3))

    entry = loading()

    assert warehouse.query(
        "select id, note, _extra, _council, _period::text, _landing_id, _record_no "
        "from raw.gauges order by id"
    ) == [
        (number, f"n{number}", None, "kingston", "2017-05-01", manifest.landing_id, number)
        for number in (1, 2, 3)
    ]
    assert (entry["status"], entry["records"], entry["loaded"]) == ("loaded", 3, 3)
    assert warehouse.query(LEDGER) == [("loaded", 3, 3, 0, 0)]


def test_the_ledger_knows_the_landing(lake, warehouse, loading):
    manifest = land(lake, GAUGES, records(1))

    loading()
    loading(forced_by="someone")

    assert warehouse.query("select landing_id, pages, records from ops.landing") == [
        (manifest.landing_id, 1, 1)
    ]
    assert warehouse.query("select forced_by from ops.load order by load_id") == [
        (None,),
        ("someone",),
    ]


def test_unknown_fields_are_kept_as_jsonb(lake, warehouse, loading):
    land(lake, GAUGES, records(1, new={"a": [1.5, None, "é"]}))

    loading()

    assert warehouse.value("select _extra -> 'new' ->> 'a' from raw.gauges") == '[1.5, null, "é"]'


def test_unknown_fields_of_personal_data_are_named_and_not_kept(lake, warehouse, loading):
    personal = contract(column("id", "integer"), column("note", personal="keep"), retention_days=9)
    land(lake, personal, records(1, phone="020 7946 0000"))

    loading(personal)

    assert warehouse.query("select id, _extra from raw.gauges") == [(1, None)]
    assert warehouse.query("select field, samples from ops.schema_drift") == [("phone", [])]


def test_the_same_pages_again_are_unchanged_and_not_read(lake, bucket, warehouse, loading):
    land(lake, GAUGES, records(1, 2))
    first = loading()
    land(lake, GAUGES, records(1, 2), run_id="another")
    bucket.forget()

    entry = loading()

    assert entry["status"] == "unchanged"
    assert (entry["records"], entry["loaded"]) == (2, 2)
    assert entry["content_hash"] == first["content_hash"]
    assert entry["landing"] != first["landing"]
    assert bucket.got(".json.gz") == []


def test_bytes_that_mean_the_same_are_read_and_unchanged(lake, bucket, warehouse, loading):
    land(lake, GAUGES, records(1, 2))
    loading()
    before = warehouse.query("select xmin::text, _landing_id from raw.gauges")
    land(lake, GAUGES, json.dumps(records(2, 1), indent=3).encode(), counts=[2])
    bucket.forget()

    entry = loading()

    assert entry["status"] == "unchanged"
    assert len(bucket.got(".json.gz")) == 1
    assert warehouse.query("select xmin::text, _landing_id from raw.gauges") == before


def written(warehouse: Any) -> int:
    """How many rows have been copied into the raw table, rolled back or not."""
    with psycopg.connect(warehouse.admin, autocommit=True) as connection:
        connection.execute("select pg_stat_force_next_flush()")
        found = connection.execute(
            "select n_tup_ins from pg_stat_user_tables where relname = 'gauges'"
        )
        return int(found.fetchall()[0][0])


def test_a_landing_that_means_the_same_from_its_first_batch_on_is_not_copied(
    lake, warehouse, loading, monkeypatch
):
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 2)
    pages = [[*records(1), {"id": "x"}], [*records(1, 2)], [*records(3, 4)]]
    copied = []
    for bodies in (pages, [b" " + body_of(page) for page in pages], pages[::-1]):
        before = written(warehouse)
        land(lake, GAUGES, *bodies, counts=[2, 2, 2])
        loading()
        copied.append(written(warehouse) - before)

    books = (6, 4, 1, 1)
    assert warehouse.query(LEDGER) == [*2 * [("unchanged", *books)], ("loaded", *books)]
    assert copied == [4, 0, 4]


def test_a_landing_that_differs_after_its_first_batch_is_read_again_and_loaded(
    lake, bucket, warehouse, loading, monkeypatch
):
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 2)
    land(lake, GAUGES, records(1, 2, new=5), records(3, 4, new=5))
    loading()
    land(lake, GAUGES, records(1, 2, new=5), [*records(3, new=5), {"id": "x", "new": 6}])
    bucket.forget()

    loading()

    assert warehouse.query(LEDGER)[0] == ("loaded", 4, 3, 1, 0)
    assert ids(warehouse) == [1, 2, 3]
    assert warehouse.query("select value from ops.quarantine") == [('"x"',)]
    assert warehouse.value("select samples from ops.schema_drift") == [5, 6]
    assert len(bucket.got(".json.gz")) == 4


def test_after_volatile_bytes_the_next_same_pages_are_not_read(lake, bucket, loading):
    for body in (body_of(records(1)), b" " + body_of(records(1))):
        land(lake, GAUGES, body, counts=[1])
        loading()
    bucket.forget()

    assert loading()["status"] == "unchanged"
    assert bucket.got(".json.gz") == []


def test_a_changed_rule_reads_the_same_pages_again(lake, bucket, loading):
    land(lake, GAUGES, records(1))
    loading()
    bucket.forget()

    entry = loading(CHECKED.model_copy(update={"checks": GAUGES.checks, "key": ("note",)}))

    assert entry["status"] == "unchanged"
    assert len(bucket.got(".json.gz")) == 1


def test_a_changed_record_replaces_the_partition(lake, warehouse, loading):
    land(lake, GAUGES, records(1, 2))
    first = loading()
    land(lake, GAUGES, records(1, 2, note="new"))

    entry = loading()

    assert entry["status"] == "loaded"
    assert entry["content_hash"] != first["content_hash"]
    assert warehouse.query("select distinct note from raw.gauges") == [("new",)]
    assert ids(warehouse) == [1, 2]


def test_other_partitions_are_not_touched(lake, warehouse, loading):
    others = [("kingston", "2017-04"), ("sutton", "2017-05")]
    for council, period in others:
        land(lake, GAUGES, records(7), council=council, period=period)
        loading(council=council, period=period)
    land(lake, GAUGES, records(1))
    loading()
    land(lake, GAUGES, records(2))
    before = warehouse.query("select * from raw.gauges where id = 7 order by _council")

    loading()

    assert warehouse.query("select * from raw.gauges where id = 7 order by _council") == before
    assert ids(warehouse) == [2, 7, 7]


def test_a_landing_without_records_does_not_empty_the_partition_unless_forced(
    lake, warehouse, loading
):
    land(lake, GAUGES, records(1, 2))
    loading()
    land(lake, GAUGES, [])

    with pytest.raises(LoadRefused, match=r"as the 2 of the current load .*, found none"):
        loading()
    assert ids(warehouse) == [1, 2]
    assert warehouse.query(LEDGER)[0] == ("refused", 0, 0, 0, 0)
    entry = loading(forced_by="someone")

    assert (entry["status"], entry["records"], entry["forced_by"]) == ("loaded", 0, "someone")
    assert ids(warehouse) == []
    assert loading()["status"] == "unchanged"


def test_an_empty_partition_is_loaded_the_first_time_and_filled_later(lake, warehouse, loading):
    land(lake, GAUGES, [])
    assert (loading()["status"], ids(warehouse)) == ("loaded", [])
    land(lake, GAUGES, records(1))

    assert (loading()["status"], ids(warehouse)) == ("loaded", [1])


def test_a_contract_can_allow_that_a_partition_becomes_empty(lake, warehouse, loading):
    may = contract(checks={"partition_may_empty": True})
    land(lake, may, records(1))
    loading(may)
    land(lake, may, [])

    assert (loading(may)["status"], ids(warehouse)) == ("loaded", [])


def test_a_part_does_not_become_empty_unless_forced(lake, warehouse, loading):
    wards = {"labels": ["E05000400", "E05000401", "E05000402"]}
    land(lake, GAUGES, records(1, 2), records(3, 4, 5), records(6), **wards)
    loading()
    land(lake, GAUGES, records(1, 2, 7, 8, 9), [], records(6), **wards)

    with pytest.raises(LoadRefused, match=r"found 1 without any .*: E05000401 had 3, has none\."):
        loading()
    assert ids(warehouse) == [1, 2, 3, 4, 5, 6]
    assert warehouse.query(LEDGER)[0] == ("refused", 6, 0, 0, 0)
    entry = loading(forced_by="someone")

    assert (entry["status"], entry["forced_by"]) == ("loaded", "someone")
    assert ids(warehouse) == [1, 2, 6, 7, 8, 9]
    assert loading()["status"] == "unchanged"


def test_a_part_whose_answer_says_by_its_status_that_it_is_empty_is_refused(
    lake, warehouse, loading
):
    land(lake, GAUGES, records(1, 2), records(3), labels=["E05000400", "E05000401"])
    loading()
    land(lake, GAUGES, records(1, 2), labels=["E05000400"], empty=["E05000401"])

    with pytest.raises(LoadRefused, match=r"E05000401 had 1, has none\."):
        loading()
    assert ids(warehouse) == [1, 2, 3]


def test_a_small_part_becomes_empty_where_the_contract_allows_it(lake, warehouse, loading):
    few = contract(checks={"max_records_of_emptied_part": 1})
    land(lake, few, records(1, 2), records(3))
    loading(few)
    land(lake, few, records(1, 2), [])

    assert (loading(few)["status"], ids(warehouse)) == ("loaded", [1, 2])


def test_parts_are_compared_with_the_load_and_not_with_what_was_refused(lake, loading):
    land(lake, GAUGES, records(1, 2), records(3))
    loading()
    for _ in range(2):
        land(lake, GAUGES, records(1, 2), [])
        with pytest.raises(LoadRefused, match="page 2 had 1, has none"):
            loading()
    land(lake, GAUGES, records(1, 2), records(4))

    assert loading()["status"] == "loaded"


def test_records_that_were_erased_may_leave_a_partition_empty(lake, warehouse, loading):
    before = land(lake, GAUGES, records(1))
    loading()
    land(lake, GAUGES, [], replaces=before.landing_id)

    assert (loading()["status"], ids(warehouse)) == ("loaded", [])


def test_a_landing_whose_predecessor_is_gone_from_s3_is_loaded(lake, warehouse, loading, caplog):
    before = land(lake, GAUGES, records(1), records(2))
    loading()
    lake.s3.delete_object(Bucket=lake.bucket, Key=f"{prefix_of(before)}manifest.json")
    land(lake, GAUGES, records(1, 3), [], run_id="another")

    assert (loading()["status"], ids(warehouse)) == ("loaded", [1, 3])
    assert "parts are not compared" in caplog.text


def test_a_partition_that_expired_does_not_block_an_empty_landing(lake, warehouse, loading):
    land(lake, GAUGES, records(1))
    entry = loading()
    where = GAUGES.partition("kingston", "2017-05")
    how = {"landing_id": entry["landing"], "code_version": "test", "run_id": "run"}
    with connect(warehouse.admin) as connection, connection.cursor() as cursor:
        removals.empty(cursor, GAUGES, where, **how)
        connection.commit()
    land(lake, GAUGES, [])

    assert loading()["status"] == "loaded"


def test_an_earlier_landing_can_be_loaded_by_name(lake, warehouse, loading):
    old = land(lake, GAUGES, records(1))
    land(lake, GAUGES, records(2))
    loading()

    loading(landing_id=old.landing_id)

    assert ids(warehouse) == [1]


def test_quarantine_is_replaced_with_the_load(lake, warehouse, loading):
    spoilt = b'[{"id":1,"note":"a"}, { "id" : "x"}]'
    land(lake, GAUGES, spoilt, counts=[2])
    loading()
    assert warehouse.query(
        "select record_no, page, page_record_no, column_name, rule, value, record "
        "from ops.quarantine"
    ) == [(2, "0001.json.gz", 2, "id", "type", '"x"', '{ "id" : "x"}')]
    land(lake, GAUGES, records(1, 2))

    entry = loading()

    assert (entry["loaded"], entry["quarantined"]) == (2, 0)
    assert warehouse.query("select * from ops.quarantine") == []


def test_a_different_record_in_quarantine_is_a_change(lake, warehouse, loading):
    for spoilt in ("x", "y"):
        land(lake, GAUGES, [*records(1), {"id": spoilt}])

        assert loading()["status"] == "loaded"

    assert warehouse.query("select value from ops.quarantine") == [('"y"',)]


def test_bytes_that_text_cannot_hold_are_quarantined_as_they_are(lake, warehouse, loading):
    bad = b'{"id":1,"note":"a\xffb"}'
    land(lake, GAUGES, b"[" + bad + b"]", counts=[1])

    loading()

    assert warehouse.query("select record, record_bytes from ops.quarantine") == [
        (r'{"id":1,"note":"a\xffb"}', bad)
    ]


def test_a_quarantined_record_is_readable(lake, warehouse, loading):
    bad = '{"id" : 1,"note":"é\\u0000"}'
    land(lake, GAUGES, f"[{bad}]".encode(), counts=[1])

    loading()

    assert warehouse.query("select record, record_bytes from ops.quarantine") == [(bad, None)]


def test_too_few_records_are_refused_and_nothing_changes(lake, warehouse, loading):
    land(lake, CHECKED, records(1, 2))
    loading(CHECKED)
    land(lake, CHECKED, records(3))

    with pytest.raises(LoadRefused, match=r"expected at least 2 records, found 1 .*Nothing was"):
        loading(CHECKED)

    assert ids(warehouse) == [1, 2]
    assert warehouse.query(LEDGER)[0] == ("refused", 1, 0, 0, 0)
    assert "expected at least 2 records" in warehouse.value(
        "select error from ops.load where status = 'refused'"
    )


def test_too_large_a_share_in_quarantine_is_refused_and_nothing_changes(lake, warehouse, loading):
    land(lake, CHECKED, records(1, 2))
    loading(CHECKED)
    land(lake, CHECKED, [*records(3), {"id": "x"}, {"id": "y"}])

    with pytest.raises(LoadRefused, match=r"2 of 3 records break .* id breaks rule `type`"):
        loading(CHECKED)

    assert ids(warehouse) == [1, 2]
    assert warehouse.query("select * from ops.quarantine") == []


def test_an_error_message_as_the_last_record_is_refused_however_many_there_are(
    lake, warehouse, loading
):
    lines = contract(checks={}, format={"kind": "csv"})
    body = b"id,note\n" + b"".join(b"%d,x\n" % number for number in range(100))
    land(lake, lines, body + b"Error,the query was cancelled\n", counts=[101])

    with pytest.raises(LoadRefused, match=r"the last record, number 101 of .* error message"):
        loading(lines)

    assert loading(lines, forced_by="someone")["quarantined"] == 1


def test_a_share_at_the_limit_is_loaded(lake, loading):
    land(lake, CHECKED, [*records(3), {"id": "x"}])

    assert loading(CHECKED)["quarantined"] == 1


@pytest.mark.parametrize("page", [records(3), [*records(3), {"id": "x"}, {"id": "y"}]])
def test_what_a_check_refuses_can_be_forced(lake, warehouse, loading, page):
    land(lake, CHECKED, page)

    entry = loading(CHECKED, forced_by="ann")

    assert (entry["status"], entry["forced_by"]) == ("loaded", "ann")
    assert ids(warehouse) == [3]


def test_an_unchanged_landing_can_be_forced(lake, warehouse, loading):
    land(lake, GAUGES, records(1))
    loading()

    assert loading(forced_by="ann")["status"] == "loaded"
    assert ids(warehouse) == [1]


def test_not_published_is_in_the_ledger_and_changes_nothing(lake, warehouse, loading):
    land(lake, GAUGES, records(1))
    loading()
    young = land(lake, GAUGES, outcome="not_published")

    entry = loading(landing_id=young.landing_id)

    assert entry["status"] == "not_published"
    assert ids(warehouse) == [1]


def test_after_not_published_the_loaded_data_are_still_known_as_unchanged(lake, loading):
    complete = land(lake, GAUGES, records(1))
    loading()
    young = land(lake, GAUGES, outcome="not_published")
    loading(landing_id=young.landing_id)

    assert loading(landing_id=complete.landing_id)["status"] == "unchanged"


def test_nothing_landed_is_named_with_the_command(loading):
    with pytest.raises(
        PermanentError,
        match=r"no finished landing in S3.*`wandle ingest gauges --council kingston --period",
    ):
        loading()


# --- failures --------------------------------------------------------------------------------


def test_a_failure_in_the_middle_of_the_copy_changes_nothing(lake, warehouse, loading, monkeypatch):
    land(lake, GAUGES, records(1))
    loading()
    land(lake, GAUGES, records(*range(2, 60)), records(60))
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 5)
    original = preparing._record_batch

    def fails_late(batch: Any, partition: Any, landing: Any, before: int, keep: Any) -> Any:
        if before:
            raise ZeroDivisionError("boom")
        return original(batch, partition, landing, before, keep)

    monkeypatch.setattr(preparing, "_record_batch", fails_late)

    with pytest.raises(ZeroDivisionError):
        loading()

    assert ids(warehouse) == [1]
    assert warehouse.query("select status, error from ops.load order by load_id desc limit 1") == [
        ("failed", "ZeroDivisionError")
    ]


def test_books_that_do_not_balance_fail_even_if_forced(lake, warehouse, loading, monkeypatch):
    land(lake, GAUGES, records(1))
    loading()
    land(lake, GAUGES, records(2, 3))
    copied = RawPartition.copy
    monkeypatch.setattr(RawPartition, "copy", lambda self, batches: copied(self, batches) - 1)

    with pytest.raises(PermanentError, match="the books do not balance"):
        loading(forced_by="ann")

    assert ids(warehouse) == [1]
    assert warehouse.query(LEDGER)[0][0] == "failed"


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("delete from raw.gauges where id = 1", [2]),
        ("insert into raw.gauges select * from raw.gauges where id = 1", [1, 1, 2]),
    ],
    ids=["deleted", "inserted"],
)
def test_rows_that_somebody_else_writes_during_a_load_are_not_lost(
    lake, warehouse, loading, monkeypatch, statement, left
):
    land(lake, GAUGES, records(1, 2))
    loading()
    land(lake, GAUGES, records(2, 3))
    monkeypatch.setattr(
        warehouse_load.checks, "of_records", lambda *_: warehouse.query(statement) or None
    )

    with pytest.raises(ServiceUnavailable, match=r"2 rows .* another process writes to raw.gauges"):
        loading()

    assert ids(warehouse) == left
    monkeypatch.undo()
    assert loading()["status"] == "loaded"
    assert ids(warehouse) == [2, 3]


def test_a_truncated_table_is_rebuilt_to_the_same_content_hash(lake, warehouse, loading):
    land(lake, GAUGES, records(1, 2, new=1.5))
    first = loading()
    before = warehouse.query("select * from raw.gauges order by id")
    warehouse.query("truncate raw.gauges")

    entry = loading()

    assert entry["status"] == "loaded"
    assert entry["content_hash"] == first["content_hash"]
    assert warehouse.query("select * from raw.gauges order by id") == before


def test_a_row_deleted_by_hand_is_noticed(lake, warehouse, loading):
    land(lake, GAUGES, records(1, 2))
    loading()
    warehouse.query("delete from raw.gauges where id = 1")

    assert loading()["status"] == "loaded"
    assert ids(warehouse) == [1, 2]


def test_a_table_older_than_the_contract_is_named_with_the_command(lake, warehouse, loading):
    newer = contract(*GAUGES.model_dump()["columns"], column("depth", "double"), key=["id"])
    land(lake, newer, records(1))

    with pytest.raises(TableOutdated, match=r"raw.gauges: column depth .* Run `wandle migrate`"):
        loading(newer)

    assert warehouse.query(LEDGER)[0][0] == "failed"


def test_no_database_is_retryable(lake, tmp_path):
    land(lake, GAUGES, records(1))

    with pytest.raises(ServiceUnavailable, match=r"PostgreSQL: connecting.*Try again later"):
        load(GAUGES, GAUGES.partition("kingston", "2017-05"), lake=lake, run_id="r",
             dsn="postgresql://wandle_loader@127.0.0.1:1/warehouse")  # fmt: skip


def test_a_connection_that_is_cut_is_retryable(lake, warehouse, loading, monkeypatch):
    land(lake, GAUGES, records(1), records(2))
    pages = job._pages

    def cut(*arguments: Any) -> Any:
        warehouse.query(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        yield from pages(*arguments)

    monkeypatch.setattr(job, "_pages", cut)

    with pytest.raises(ServiceUnavailable):
        loading()

    assert ids(warehouse) == []
    assert warehouse.query(LEDGER)[0][0] == "failed"


def test_no_bucket_is_permanent_and_named(lake, warehouse):
    elsewhere = type(lake)(lake.s3, "nowhere", lake.session)

    with pytest.raises(
        PermanentError, match=r"NoSuchBucket\. Check the bucket name and this role's permissions"
    ):
        load(
            GAUGES,
            GAUGES.partition("kingston", "2017-05"),
            lake=elsewhere,
            dsn=warehouse.dsn(),
            run_id="r",
        )


# --- at the same time ------------------------------------------------------------------------


def test_two_loads_of_one_partition_at_once_follow_each_other(lake, warehouse, loading):
    landings = [land(lake, GAUGES, records(*range(n, n + 50))) for n in (0, 1000)]

    with ThreadPoolExecutor(4) as pool:
        waiting = [
            pool.submit(loading, landing_id=landing.landing_id, forced_by="x")
            for landing in landings * 3
        ]
        statuses = {future.result()["status"] for future in waiting}

    assert statuses == {"loaded"}
    newest = warehouse.value("select landing_id from ops.load order by load_id desc limit 1")
    assert warehouse.query(
        "select count(*), min(_landing_id), max(_landing_id) from raw.gauges"
    ) == [(50, newest, newest)]


def test_a_load_that_waits_too_long_for_another_is_retryable(lake, warehouse, loading, monkeypatch):
    land(lake, GAUGES, records(1))
    monkeypatch.setattr(lock, "LOAD_WAIT_SECONDS", 0.2)

    with psycopg.connect(warehouse.dsn(), cursor_factory=psycopg.RawCursor) as other:
        lock.lock_for_load(other, GAUGES.partition("kingston", "2017-05"))
        with pytest.raises(ServiceUnavailable, match="another load or removal"):
            loading()


def test_a_load_while_a_copy_of_the_same_content_is_undone_is_noticed(
    lake, warehouse, loading, monkeypatch
):
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 1)
    land(lake, GAUGES, records(1, 2))
    loading()
    reordered = land(lake, GAUGES, records(2), records(1)).landing_id
    other = land(lake, GAUGES, records(3)).landing_id
    really_copy, rolled_back = RawPartition.copy, psycopg.Connection.rollback
    copied = []

    def copy(self: RawPartition, batches: Any) -> int:
        copied.append(really_copy(self, batches))
        return copied[-1]

    def rollback(connection: Any) -> None:
        rolled_back(connection)
        monkeypatch.undo()
        loading(landing_id=other, forced_by="ann")

    monkeypatch.setattr(RawPartition, "copy", copy)
    monkeypatch.setattr(psycopg.Connection, "rollback", rollback)

    with pytest.raises(ServiceUnavailable, match="another load replaced this partition"):
        loading(landing_id=reordered)

    assert copied == [2]
    assert ids(warehouse) == [3]


def test_a_copy_of_the_same_content_is_undone(lake, warehouse, loading, monkeypatch):
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 1)
    first = land(lake, GAUGES, records(1, 2)).landing_id
    loading()
    land(lake, GAUGES, records(2), records(1))

    assert loading()["status"] == "unchanged"

    assert ids(warehouse, f"_landing_id = '{first}'") == [1, 2] == ids(warehouse)
    assert loading()["status"] == "unchanged"


def test_loads_of_different_partitions_do_not_wait_for_each_other(lake, warehouse, loading):
    land(lake, GAUGES, records(1), council="sutton")

    with psycopg.connect(warehouse.dsn(), cursor_factory=psycopg.RawCursor) as other:
        lock.lock_for_load(other, GAUGES.partition("kingston", "2017-05"))
        assert loading(council="sutton")["status"] == "loaded"


def test_readers_never_see_a_partial_partition(lake, warehouse, loading, monkeypatch):
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 100)
    land(lake, GAUGES, records(*range(400)))
    loading()
    seen: set[tuple[int, int]] = set()
    done = threading.Event()

    def read() -> None:
        with psycopg.connect(warehouse.admin, autocommit=True) as connection:
            while not done.is_set():
                row = connection.execute(
                    "select count(*), count(distinct _landing_id) from raw.gauges"
                ).fetchone()
                seen.add(row)  # type: ignore[arg-type]
                time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    for note in "ab":
        land(lake, GAUGES, *(records(*range(n, n + 100), note=note) for n in range(0, 600, 100)))
        loading()
    done.set()
    reader.join()

    assert seen <= {(400, 1), (600, 1)}
    assert (600, 1) in seen


SHARED = contract(
    column("id", "integer", required=True),
    column("note"),
    key=["id"],
    checks={"min_share_of_previous": 0.5, "max_quarantined_share": 0.2},
)


def test_far_fewer_records_than_the_current_load_are_refused_unless_forced(
    lake, warehouse, loading
):
    land(lake, SHARED, records(1, 2, 3, 4))
    loading(SHARED)
    land(lake, SHARED, records(1))

    with pytest.raises(LoadRefused, match=r"at least 0.5 of the 4 records of the current load"):
        loading(SHARED)
    assert ids(warehouse) == [1, 2, 3, 4]
    entry = loading(SHARED, forced_by="someone")

    assert (entry["status"], entry["forced_by"], ids(warehouse)) == ("loaded", "someone", [1])
    land(lake, SHARED, records(1, 2))
    assert loading(SHARED)["status"] == "loaded"


def test_fewer_records_are_compared_with_what_was_loaded_although_the_table_was_emptied(
    lake, warehouse, loading
):
    land(lake, SHARED, records(1, 2, 3, 4))
    loading(SHARED)
    warehouse.query("truncate raw.gauges")
    land(lake, SHARED, records(1))

    with pytest.raises(LoadRefused, match="of the 4 records"):
        loading(SHARED)


def test_a_column_that_turns_null_everywhere_is_refused_unless_forced(lake, warehouse, loading):
    land(lake, SHARED, records(1, 2))
    loading(SHARED)
    land(lake, SHARED, [{"id": 1, "remark": "n1"}, {"id": 2, "remark": "n2"}])

    with pytest.raises(LoadRefused, match=r"no record has a value in note, where those of"):
        loading(SHARED)
    assert warehouse.query("select note from raw.gauges order by id") == [("n1",), ("n2",)]
    assert warehouse.query("select field, samples from ops.schema_drift") == [
        ("remark", ["n1", "n2"])
    ]
    assert loading(SHARED, forced_by="someone")["status"] == "loaded"

    land(lake, SHARED, [{"id": 1}, {"id": 3}])
    assert loading(SHARED)["status"] == "loaded"


def test_a_null_column_passes_where_the_contract_lets_it_or_nothing_was_there(
    lake, warehouse, loading
):
    lenient = SHARED.model_copy(
        update={"checks": SHARED.checks.model_copy(update={"null_columns_may_appear": True})}
    )
    land(lake, lenient, records(1, 2))
    loading(lenient)
    land(lake, lenient, [{"id": 1}, {"id": 2}])
    assert loading(lenient)["status"] == "loaded"
    land(lake, SHARED, [{"id": 1}, {"id": 3}], council="sutton")
    assert loading(SHARED, "sutton")["status"] == "loaded"


def test_a_column_that_is_new_may_be_null(lake, new_database):
    database = new_database()
    migrate(database.admin, [SHARED], {})
    where = {"lake": lake, "dsn": database.dsn(), "run_id": "run"}
    land(lake, SHARED, records(1))
    load(SHARED, SHARED.partition("kingston", "2017-05"), **where)
    newer = contract(
        column("id", "integer", required=True), column("note"), column("depth"), key=["id"]
    )
    migrate(database.admin, [newer], {})
    land(lake, newer, records(1, 2))

    assert load(newer, newer.partition("kingston", "2017-05"), **where)["status"] == "loaded"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda r: {"ID": r["id"], "note": None},
         r"6 of them: id breaks rule `required`: expected integer at `id`, found a record with ID"),
        (lambda r: r | {"id": None}, r"expected integer at `id`, found null"),
        (lambda r: r | {"id": f"A{r['id']}"}, r"id breaks rule `type`: expected integer at `id`, "
                                              r"found text \"A1\" \(first: record 1,"),
        (lambda r: r | {"id": {"no": 1}}, r"expected integer at `id`, found an object"),
    ],
)  # fmt: skip
def test_a_required_field_that_is_gone_or_of_another_type_is_refused_and_named(
    lake, warehouse, loading, damage, said
):
    land(lake, SHARED, records(9))
    loading(SHARED)
    land(lake, SHARED, [damage(record) for record in records(1, 2, 3, 4, 5, 6)])

    with pytest.raises(LoadRefused, match=said):
        loading(SHARED)

    assert ids(warehouse) == [9]
    assert warehouse.query(LEDGER)[0][0] == "refused"


def test_an_encoding_other_than_the_declared_one_is_named(lake, warehouse, loading):
    spoilt = '[{"id": 1, "note": "café"}, {"id": 2, "other": "café"}, {"id": 3}]'.encode("cp1252")
    for part, said in (
        (b'[{"id": 1, "note"', "note"),
        (b'[{"id": 2, "other"', "the unknown fields"),
    ):
        body = spoilt if said == "note" else b"[" + spoilt.split(b"}, ", 1)[1]
        assert body.startswith(part)
        land(lake, SHARED, body, counts=[3 if said == "note" else 2])

        with pytest.raises(LoadRefused, match=rf"{said}.*text that is not UTF-8.*`encoding`"):
            loading(SHARED)


EXPLODING = contract(
    column("id", "integer", list_value="explode", list_separator="|"), column("note")
)


def test_the_books_count_records_and_say_how_many_rows_they_became(lake, warehouse, loading):
    land(lake, EXPLODING, [{"id": [1, 2], "note": "a"}, {"id": "3|4|5"}, {"id": 6}, {"id": "x|7"}])

    entry = loading(EXPLODING)

    assert (entry["records"], entry["loaded"], entry["quarantined"], entry["rows"]) == (4, 3, 1, 6)
    assert warehouse.query(
        "select count(*), count(distinct _record_no) from raw.gauges"
    ) == [(6, 3)]  # fmt: skip
    again = loading(EXPLODING)
    assert (again["status"], again["rows"]) == ("unchanged", 6)


PERSONAL = contract(
    column("id", "integer", required=True),
    column("note", personal="pseudonymise"),
    key=["id"],
    retention_days=30,
)


def test_a_source_with_pseudonyms_needs_the_key_and_reloads_with_another(
    lake, warehouse, loading, monkeypatch
):
    land(lake, PERSONAL, records(1, 2))
    with pytest.raises(PermanentError, match="WANDLE_PSEUDONYM_KEY is not set"):
        loading(PERSONAL)

    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "a1" * 32)
    first = loading(PERSONAL)
    assert loading(PERSONAL)["status"] == "unchanged"
    noted = warehouse.query("select note from raw.gauges order by id")
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "b2" * 32)
    second = loading(PERSONAL)

    assert second["status"] == "loaded"
    assert second["content_hash"] != first["content_hash"]
    assert warehouse.query("select note from raw.gauges order by id") != noted
    assert all(len(note) == 64 for (note,) in noted)


def test_quarantine_says_who_must_fix_a_record(lake, warehouse, loading):
    ours = contract(
        column("id", "integer"),
        column("note", pattern="n.", responsible="us"),
        checks={"max_quarantined_share": 1},
    )
    land(lake, ours, [*records(1), {"id": "x"}, {"id": 2, "note": "long"}])

    loading(ours)

    assert warehouse.query(
        "select column_name, responsible from ops.quarantine order by record_no"
    ) == [("id", "publisher"), ("note", "us")]
    assert warehouse.query(
        "select responsible from ops.quarantine_overview order by 1", "wandle_portal"
    ) == [("publisher",), ("us",)]


OF_STATIONS = contract(
    column("station", request="station.ref", required=True),
    column("id", "integer"),
    extract=extracting(
        for_each="station",
        parents={"station": {"source": "stations"}, "all": {"source": "stations", "each": "{ref}"}},
        request={"path": "/stations/{station.ref}"},
        archive={
            "from_age_days": 30,
            "request": {"path": "/{period}.json"},
            "format": {"select": {"field": "ref", "among": "all"}},
            "paths": {"station": "ref"},
        },
    ),
)


def test_a_part_that_the_archive_lacks_is_refused(lake, new_database):
    made = new_database()
    stations = OF_STATIONS.model_copy(update={"name": "of_stations"})
    migrate(made.admin, [stations], {})
    where = stations.partition("kingston", "2017-05")

    def run(**how: Any) -> dict[str, Any]:
        return load(stations, where, lake=lake, dsn=made.dsn(), run_id="run", **how)

    def archived(*refs: str) -> None:
        rows = [{"ref": ref, "id": number} for ref in refs for number in (1, 2)]
        land(lake, stations, rows, labels=["archive"], context={"all": "a,b,c"}, way="archive")

    land(lake, stations, records(1, 2), labels=["a"], context={"station.ref": "a"})
    assert run()["status"] == "loaded"
    archived("a", "b", "c")
    assert run()["status"] == "loaded"

    land(lake, stations, records(1, 2, 3, 4), labels=["a"], context={"station.ref": "a"})
    with pytest.raises(LoadRefused, match=r"found 2 without any .*: b had 2, has none; c had 2, h"):
        run()

    assert made.value("select count(*) from raw.of_stations") == 6
    assert run(forced_by="someone")["loaded"] == 4
    assert made.query("select distinct station from raw.of_stations") == [("a",)]


OF_COMBINATIONS = contract(
    column("station", request="station.ref", required=True),
    column("kind", request="kind", required=True),
    column("id", "integer"),
    extract=extracting(
        for_each=["station", "kind"],
        parents={"station": {"source": "stations"}},
        constants={"kind": ["rain", "level"]},
        request={"path": "/stations/{station.ref}/{kind}"},
        archive={
            "from_age_days": 30,
            "request": {"path": "/{period}.json"},
            "paths": {"station": "ref", "kind": "kind"},
        },
    ),
)


def test_a_combination_that_the_api_lacks_is_refused_by_the_values_of_its_columns(
    lake, new_database
):
    made = new_database()
    source = OF_COMBINATIONS.model_copy(update={"name": "of_combinations"})
    migrate(made.admin, [source], {})
    where = source.partition("kingston", "2017-05")

    def run() -> dict[str, Any]:
        return load(source, where, lake=lake, dsn=made.dsn(), run_id="run")

    rows = [{"ref": r, "kind": k, "id": 1} for r in ("a", "b") for k in ("rain", "level")]
    land(lake, source, rows, labels=["archive"], way="archive")
    assert run()["rows"] == 4
    context = {"station.ref": "a", "kind": "rain"}
    land(lake, source, records(1, 2, 3, 4), labels=["a,rain"], context=context)

    with pytest.raises(
        LoadRefused, match=r"found 3 without any .*: a,level had 1, has none; b,lev"
    ):
        run()
