"""`wandle migrate`: from nothing, again, and on to a wider contract."""

from __future__ import annotations

import threading

import psycopg
import pytest

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.migrate import migrate as migrate_all
from include.jobs.pipeline.load import load
from include.sources.model import contracts
from include.sources.raw_table import LINEAGE
from include.warehouse.schema import migrate as migrating
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract, extracting

OLD = contract()
# In the middle, so that the table's order is no longer the contract's.
NEW = contract(
    column("id", "integer", required=True), column("depth", "double"), column("note"), key=["id"]
)
COLUMNS = (
    "select column_name from information_schema.columns "
    "where table_schema = 'raw' and table_name = 'gauges' order by ordinal_position"
)


@pytest.fixture
def empty(new_database):
    return new_database()


def test_every_shipped_contract_gets_its_table(empty):
    migrate_all(empty.admin, {})

    found = empty.query("select table_name from information_schema.tables where table_schema='raw'")
    assert {row[0] for row in found} == set(contracts())


def test_the_columns_are_the_contracts_and_the_lineage(empty):
    migrate(empty.admin, [OLD], {})

    assert [row[0] for row in empty.query(COLUMNS)] == ["id", "note", "_extra", *LINEAGE]


def test_every_column_is_described_in_the_database(empty):
    migrate(empty.admin, [OLD], {})

    described = empty.query(
        "select col_description('raw.gauges'::regclass, attnum) from pg_attribute "
        "where attrelid = 'raw.gauges'::regclass and attnum > 0"
    )
    assert all(row[0] for row in described)
    assert empty.value("select obj_description('raw.gauges'::regclass)") == OLD.description


def test_partitions_are_found_by_an_index(empty):
    migrate(empty.admin, [OLD], {})

    definition = empty.value("select indexdef from pg_indexes where schemaname = 'raw'")
    assert definition.endswith("(_council, _period)")


def test_migrating_twice_changes_nothing(empty):
    first = migrate(empty.admin, [OLD], {})
    oids = "select oid, relname, relacl::text from pg_class where relnamespace > 16383 order by 1"
    before = empty.query(oids)

    second = migrate(empty.admin, [OLD], {})

    assert "created raw.gauges" in first
    assert second == []
    assert empty.query(oids) == before


def test_a_new_column_keeps_the_data_and_can_be_loaded(empty, lake):
    migrate(empty.admin, [OLD], {})
    land(lake, OLD, [{"id": 1, "note": "a"}])
    where = {"lake": lake, "dsn": empty.dsn(), "run_id": "r"}
    before = load(OLD, OLD.partition("kingston", "2017-05"), **where)

    changed = migrate(empty.admin, [NEW], {})

    assert changed == ["added raw.gauges.depth"]
    assert empty.query("select id, note, depth from raw.gauges") == [(1, "a", None)]
    assert (
        load(NEW, NEW.partition("kingston", "2017-05"), **where)["content_hash"]
        == before["content_hash"]
    )
    land(lake, NEW, [{"id": 2, "note": "b", "depth": 0.5}])
    assert load(NEW, NEW.partition("kingston", "2017-05"), **where)["status"] == "loaded"
    assert empty.query("select id, note, depth from raw.gauges") == [(2, "b", 0.5)]


def test_periods_of_an_earlier_version_may_begin_at_any_hour_and_stay_as_they_are(empty, lake):
    migrate(empty.admin, [OLD], {})
    land(lake, OLD, [{"id": 1, "note": "a"}, {"id": "x", "note": "b"}])
    where = {"lake": lake, "dsn": empty.dsn(), "run_id": "r"}
    before = load(OLD, OLD.partition("kingston", "2017-05"), **where)
    for name in (
        "quarantine_overview", "quarantine_samples", "drift_overview", "removed_partitions",
    ):  # fmt: skip
        empty.query(f"drop view ops.{name}")
    for name in ("landing", "load", "quarantine", "removal", "partition_lock"):
        empty.query(f"alter table ops.{name} alter column period type date")
    with psycopg.connect(empty.admin) as connection:
        connection.execute("set role wandle_owner")
        connection.execute(migrating.ops_tables.ops_views.VIEWS)
        connection.execute(migrating.ops_tables.GRANTS)

    changed = migrate(empty.admin, [OLD], {})

    assert changed == [
        f"let ops.{name}.period be any hour"
        for name in ("landing", "load", "partition_lock", "quarantine", "removal")
    ]
    assert migrate(empty.admin, [OLD], {}) == []
    assert empty.query("select period::text from ops.quarantine_overview", "wandle_portal") == [
        ("2017-05-01 00:00:00",)
    ]
    after = load(OLD, OLD.partition("kingston", "2017-05"), **where)
    assert (after["status"], after["content_hash"]) == ("unchanged", before["content_hash"])


def test_partitions_of_another_size_need_an_empty_table(empty, lake):
    hours = contract(period="hour", extract=extracting(request={"path": "/gauges"}))
    migrate(empty.admin, [OLD], {})
    land(lake, OLD, [{"id": 1, "note": "a"}])
    load(OLD, OLD.partition("kingston", "2017-05"), lake=lake, dsn=empty.dsn(), run_id="r")

    with pytest.raises(PermanentError, match=r"`period` is now hour.*wandle remove gauges"):
        migrate(empty.admin, [hours], {})
    empty.query("delete from raw.gauges")

    assert migrate(empty.admin, [hours], {}) == [
        "changed raw.gauges._period from date to timestamp with time zone"
    ]


def test_a_column_that_left_the_contract_stays_in_the_table(empty, lake):
    migrate(empty.admin, [NEW], {})

    assert migrate(empty.admin, [OLD], {}) == []
    land(lake, OLD, [{"id": 1, "note": "a"}])
    entry = load(OLD, OLD.partition("kingston", "2017-05"), lake=lake, dsn=empty.dsn(), run_id="r")

    assert entry["status"] == "loaded"
    assert "depth" in {row[0] for row in empty.query(COLUMNS)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text", "integer"),
        ("double", "integer"),
        ("numeric(9,6)", "numeric(9,5)"),
        ("numeric(9,6)", "numeric(9,7)"),
        ("timestamptz", "date"),
        ("numeric(9,6)", "double"),
        ("text", "jsonb"),
    ],
)
def test_a_type_that_might_not_hold_what_is_there_is_refused_with_how_to_proceed(empty, old, new):
    migrate(empty.admin, [contract(column("a", old), column("note"))], {})
    changed = contract(column("a", new), column("note"), column("depth", "double"))

    with pytest.raises(
        PermanentError, match=r"raw.gauges: column a is .*, expected .*--rebuild gauges"
    ):
        migrate(empty.admin, [changed], {})

    assert [row[0] for row in empty.query(COLUMNS)] == ["a", "note", "_extra", *LINEAGE]


WIDER = [
    ("integer", "numeric(21,2)", 7, "7.00"),
    ("integer", "double", 7, "7"),
    ("integer", "text", 7, "7"),
    ("numeric(9,6)", "numeric(12,8)", "51.5", "51.50000000"),
    ("numeric(9,6)", "text", "51.5", "51.500000"),
    ("date", "timestamptz", "2017-07-01", "2017-07-01 00:00:00+00"),
    ("timestamptz", "text", "2017-07-01T01:00:00+01:00", "2017-07-01 00:00:00+00"),
    ("boolean", "text", True, "true"),
    ("jsonb", "text", {"a": 1}, '{"a": 1}'),
]


@pytest.mark.parametrize(("old", "new", "value", "expected"), WIDER)
def test_a_wider_type_keeps_every_value(empty, lake, old, new, value, expected):
    before = contract(column("a", old), column("note"))
    migrate(empty.admin, [before], {})
    land(lake, before, [{"a": value, "note": "n"}, {"a": None, "note": "n"}])
    load(before, before.partition("kingston", "2017-05"), lake=lake, dsn=empty.dsn(), run_id="r")
    after = contract(column("a", new), column("note"))

    changed = migrate(empty.admin, [after], {})

    assert len(changed) == 1
    assert changed[0].startswith("widened raw.gauges.a from ")
    with psycopg.connect(empty.admin) as connection:
        connection.execute("set timezone = 'UTC'")
        found = connection.execute("select a::text from raw.gauges order by _record_no").fetchall()
    assert found == [(expected,), (None,)]
    assert migrate(empty.admin, [after], {}) == []


def test_a_date_becomes_midnight_in_the_zone_of_its_column(empty):
    migrate(empty.admin, [contract(column("a", "date"))], {})
    empty.query("insert into raw.gauges values ('2017-07-01', null, 'k', '2017-07-01', 'L', 1)")

    zoned = contract(column("a", "timestamptz", zone="Europe/London"))
    migrate(empty.admin, [zoned], {})

    assert empty.value("select a = '2017-06-30 23:00+00' from raw.gauges")


def test_a_number_too_large_for_the_wider_type_is_refused_and_stays(empty):
    migrate(empty.admin, [contract(column("a", "integer"))], {})
    empty.query("insert into raw.gauges values (9007199254740993, null, 'k', '2017-07-01', 'L', 1)")

    for kind in ("double", "numeric(10,0)"):
        with pytest.raises(PermanentError, match=r"table was not changed\..*--rebuild gauges"):
            migrate(empty.admin, [contract(column("a", kind))], {})

    assert empty.value("select a from raw.gauges") == 9007199254740993


VIEWS = """
set role wandle_transformer;
create view staging.stg with (security_barrier) as select id, note from raw.gauges;
create view intermediate."On It" as select id + 1 as next, note from staging.stg;
create view marts.counted as
    select next, count(*) as count from intermediate."On It" join raw.gauges using (note)
    group by next;
comment on view staging.stg is 'It''s staged.';
comment on column staging.stg.id is 'Which.';
grant select on staging.stg to wandle_portal with grant option;
grant select (note) on intermediate."On It" to public;
reset role;
create view public.others as select id from staging.stg;
"""
STATE = """
select n.nspname, c.relname, pg_get_userbyid(c.relowner), c.reloptions,
    (select array_agg(x order by x) from unnest(c.relacl::text[]) x), obj_description(c.oid),
    (select array_agg(a.attname || coalesce(a.attacl::text, '')
        || coalesce(col_description(c.oid, a.attnum), '') order by a.attnum)
     from pg_attribute a where a.attrelid = c.oid and a.attnum > 0)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'v' and n.nspname in ('staging', 'intermediate', 'marts', 'public')
order by 1, 2
"""


def owner_only(state):
    """An owner's own rights are stored either as nothing or in full."""
    return [
        (*row[:4], [item for item in row[4] or [] if not item.startswith(f"{row[2]}=")], *row[5:])
        for row in state
    ]


def test_views_on_a_widened_column_are_made_again_as_they_were(empty):
    migrate(empty.admin, [OLD], {})
    empty.query("insert into raw.gauges values (5, 'a', null, 'k', '2017-07-01', 'L', 1)")
    empty.query(VIEWS)
    before = empty.query(STATE)

    wider = contract(column("id", "numeric(20,1)", required=True), column("note"), key=["id"])
    changed = migrate(empty.admin, [wider], {})

    assert changed[0] == "widened raw.gauges.id from bigint to numeric(20,1)"
    assert set(changed[1:]) == {
        f"recreated {name}"
        for name in ("staging.stg", "intermediate.On It", "marts.counted", "public.others")
    }
    assert owner_only(empty.query(STATE)) == owner_only(before)
    assert empty.query("select next, count from marts.counted", "wandle_reader") == [(6, 1)]
    assert empty.query("select id from staging.stg", "postgres") == [(5,)]


def test_a_view_that_does_not_work_with_the_wider_type_is_named_and_nothing_changes(empty):
    migrate(empty.admin, [OLD], {})
    empty.query("create view staging.plus as select id + 1 as next from raw.gauges")

    with pytest.raises(PermanentError, match=r"the view staging.plus does not work with that"):
        migrate(empty.admin, [contract(column("id", "text"), column("note"))], {})

    assert empty.query("select next from staging.plus") == []


def test_a_materialized_view_is_named_and_nothing_changes(empty):
    migrate(empty.admin, [OLD], {})
    empty.query("create materialized view staging.held as select id from raw.gauges")

    with pytest.raises(PermanentError, match=r"staging.held depends on it, a materialized view"):
        migrate(empty.admin, [contract(column("id", "text"), column("note"))], {})

    assert empty.query("select id from staging.held") == []


def test_readers_see_the_views_all_the_time(empty):
    """A widened type is one transaction: no moment without the views on it."""
    migrate(empty.admin, [OLD], {})
    empty.query("create view staging.stg as select id from raw.gauges")
    stop, failures = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                empty.query("select id from staging.stg")
            except psycopg.Error as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    migrate(empty.admin, [contract(column("id", "text"), column("note"))], {})
    stop.set()
    reader.join()

    # A query planned before and run after the change may have to look again, but finds the view.
    assert [error for error in failures if "does not exist" in str(error)] == []


def test_what_a_contract_begins_to_drop_as_personal_is_emptied(empty):
    migrate(empty.admin, [OLD], {})
    empty.query("insert into raw.gauges values (5, 'Jo', null, 'k', '2017-07-01', 'L', 1)")

    drops = contract(
        column("id", "integer"), column("note", personal="drop"), key=["id"], retention_days=30
    )

    assert migrate(empty.admin, [drops], {}) == ["emptied raw.gauges.note, which is dropped"]
    assert empty.query("select id, note from raw.gauges") == [(5, None)]
    assert migrate(empty.admin, [drops], {}) == []


def test_unknown_fields_of_what_became_personal_are_emptied(empty):
    migrate(empty.admin, [OLD], {})
    empty.query(
        "insert into raw.gauges (id, _extra, _council, _period, _landing_id, _record_no) "
        "values (5, '{\"phone\": \"020 7946 0000\"}', 'k', '2017-05-01', 'L', 1)"
    )
    personal = contract(column("id", "integer"), column("note", personal="keep"), retention_days=9)

    assert migrate(empty.admin, [personal], {}) == ["emptied raw.gauges._extra, which is dropped"]
    assert empty.query("select id, _extra from raw.gauges") == [(5, None)]
    assert migrate(empty.admin, [personal], {}) == []


def test_a_column_that_is_dropped_is_not_made(empty):
    drops = contract(column("id", "integer"), column("phone", personal="drop"), retention_days=30)
    migrate(empty.admin, [drops], {})

    assert [row[0] for row in empty.query(COLUMNS)] == ["id", "_extra", *LINEAGE]


def test_the_books_of_an_earlier_version_are_brought_up_to_date(empty):
    migrate(empty.admin, [OLD], {})
    before = migrating.ops_tables.COLUMNS
    for name in (
        "quarantine_overview", "quarantine_samples", "drift_overview", "removed_partitions",
    ):  # fmt: skip
        empty.query(f"drop view ops.{name}")
    for name, column_name, *_ in before:
        empty.query(f"alter table ops.{name} drop column {column_name}")
    empty.query(
        "insert into ops.load (source, council, period, landing_id, status, records, loaded, "
        "quarantined, duplicates, pages, bytes, pages_hash, rules_hash, contract_hash, "
        "code_version, run_id, started_at, finished_at, seconds) values ('gauges', 'k', "
        "'2017-05-01', 'L', 'loaded', 3, 2, 1, 0, 1, 1, '', '', '', '', '', now(), now(), 1)"
    )

    changed = migrate(empty.admin, [OLD], {})

    assert changed == [f"added ops.{name}.{column_name}" for name, column_name, *_ in before]
    assert empty.query("select rows, filled_columns from ops.load") == [(2, None)]
    assert empty.value("select columns @> array['id', 'note'] from ops.load")
    assert migrate(empty.admin, [OLD], {}) == []


def test_the_ledger_of_an_earlier_version_accepts_its_new_statuses(empty):
    migrate(empty.admin, [OLD], {})
    empty.query("alter table ops.load drop constraint load_status_check")
    empty.query(
        "alter table ops.load add constraint load_status_check check (status in ('loaded'))"
    )

    assert migrate(empty.admin, [OLD], {}) == ["let ops.load say `expired`"]
    assert migrate(empty.admin, [OLD], {}) == []


def test_the_quarantine_of_an_earlier_version_becomes_readable(empty):
    migrate(empty.admin, [OLD], {})
    kept = ['{"note":"é"}', '{"note":"' + chr(92) + 'u0000"}']
    odd = b'{"note":"\xff"}'
    empty.query(
        "drop view ops.quarantine_samples;"
        "alter table ops.quarantine drop column record;"
        "alter table ops.quarantine rename column record_bytes to record;"
        "alter table ops.quarantine alter column record set not null"
    )
    with psycopg.connect(empty.admin) as connection:
        for number, record in enumerate([*(text.encode() for text in kept), odd], start=1):
            connection.execute(
                "insert into ops.quarantine (source, council, period, landing_id, record_no, page, "
                "page_record_no, rule, record, found_at) values "
                "('gauges', 'sutton', '2017-05-01', 'a', %s, '0001', 1, 'type', %s, now())",
                (number, record),
            )

    assert migrate(empty.admin, [OLD], {}) == ["made ops.quarantine.record readable"]
    assert empty.query("select record, record_bytes from ops.quarantine order by record_no") == [
        (kept[0], None),
        (kept[1], None),
        ('{"note":"' + chr(92) + '377"}', odd),
    ]
    assert migrate(empty.admin, [OLD], {}) == []


def test_a_table_in_use_is_retryable_and_nothing_changes(empty, monkeypatch):
    migrate(empty.admin, [OLD], {})
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_SECONDS", 0.2)

    with psycopg.connect(empty.admin) as reader:
        reader.execute("select * from raw.gauges")
        with pytest.raises(ServiceUnavailable, match="a table was in use"):
            migrate(empty.admin, [NEW], {})

    assert "depth" not in {row[0] for row in empty.query(COLUMNS)}


def test_two_migrations_at_once_follow_each_other(empty):
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(empty.admin, [OLD], {})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_password_is_set_for_the_roles_that_are_named(empty):
    migrate(empty.admin, [OLD], {"wandle_reader": "it's a \\ secret"})

    stored = dict(
        empty.query(
            "select rolname, rolpassword like 'SCRAM-SHA-256%' from pg_authid "
            "where rolname in ('wandle_reader', 'wandle_owner')"
        )
    )
    assert stored["wandle_reader"]
    assert not stored["wandle_owner"]


def test_no_database_is_retryable():
    with pytest.raises(ServiceUnavailable, match="PostgreSQL did not answer"):
        migrate("postgresql://postgres@127.0.0.1:1/warehouse", [OLD], {})


def test_a_refused_contract_is_named_and_does_not_block_others(empty):
    before, after = contract(name="before"), contract(name="later")
    migrate(empty.admin, [OLD], {})
    narrower = contract(column("id", "integer", required=True), column("note", "date"), key=["id"])

    with pytest.raises(PermanentError, match=r"raw.gauges: column note is text, expected date"):
        migrate(empty.admin, [before, narrower, after], {})

    tables = empty.query(
        "select table_name from information_schema.tables where table_schema='raw'"
    )
    assert {row[0] for row in tables} == {"before", "gauges", "later"}
    assert empty.query("select * from raw.later", "wandle_loader") == []
    assert migrate(empty.admin, [before, OLD, after], {}) == []
