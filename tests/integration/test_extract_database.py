"""Landing the rows of a database: pages by key, one read-only moment, resuming, refusals."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from include.errors import PermanentError, SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.databases import fetch as database
from include.jobs.pipeline.extract import extract
from include.sources.columns import Column
from include.sources.model import Contract
from tests.samples import column, contract

COUNCIL, DAY = "kingston", "2026-11-02"
QUERY = """
    select id, code, note, opened, cost, seen, tags, score
    from requests
    where council = %(council)s and opened >= %(period_start)s and opened < %(period_end)s
"""


@pytest.fixture
def source(new_database) -> Any:
    """A database of requests: seven of the day, one of the next."""
    found = new_database()
    found.query(
        "create table requests (id bigint primary key, code text, council text, note text, "
        "opened timestamptz, cost numeric(12,4), seen date, tags jsonb, score double precision)"
    )
    found.query(
        "insert into requests select n, 'c' || n % 4, 'kingston', 'note 50% of ' || n, "
        "timestamptz '2026-11-02 00:00Z' + n * interval '3 hours', n + 0.1, "
        "date '2026-11-02' - n, jsonb_build_object('n', n), 'NaN' from generate_series(0, 8) n"
    )
    found.query("insert into requests values (99, 'x', 'sutton', null, '2026-11-02 05:00Z')")
    return found


def described(**changes: Any) -> Contract:
    asked = {"kind": "database", "connection": "cases", "query": QUERY, "key": "id", "page_size": 3}
    return contract(column("id", "integer"), period="day", lookback=0, extract=asked | changes)


def landed(lake: Any, source: Any, run_id: str = "run", **changes: Any) -> Any:
    asked = described(**changes)
    landing_id = extract(
        asked, asked.partition(COUNCIL, DAY), lake=lake, run_id=run_id, source_dsn=source.admin
    )
    where = asked.partition(COUNCIL, DAY)
    return lake.landings.manifest(where, landing_id)


def rows(bucket: Any, manifest: Any) -> list[dict[str, Any]]:
    prefix = f"landing/gauges/{COUNCIL}/{DAY}/{manifest.landing_id}/"
    return [
        json.loads(line)
        for page in manifest.pages
        for line in gzip.decompress(bucket.body(prefix + page.name)).splitlines()
    ]


def test_rows_are_landed_as_json_lines_in_pages_by_their_key(lake, bucket, source):
    manifest = landed(lake, source)

    assert [row["id"] for row in rows(bucket, manifest)] == list(range(8))
    assert [(page.label, page.records, page.next) for page in manifest.pages] == [
        ("0", 3, "2"),
        ("3", 3, "5"),
        ("6", 2, ""),
    ]
    assert manifest.pages[1].request.query == {
        "after": "2",
        "council": "kingston",
        "period_start": "2026-11-02T00:00:00+00:00",
        "period_end": "2026-11-03T00:00:00+00:00",
    }
    assert source.name not in manifest.model_dump_json()


def test_values_keep_what_they_say(lake, bucket, source):
    first = rows(bucket, landed(lake, source))[1]

    assert first == {
        "id": 1,
        "code": "c1",
        "note": "note 50% of 1",
        "opened": "2026-11-02T03:00:00+00:00",
        "cost": "1.1000",
        "seen": "2026-11-01",
        "tags": {"n": 1},
        "score": "nan",
    }


def test_a_page_that_is_just_full_is_the_last(lake, source):
    assert [page.next for page in landed(lake, source, page_size=8).pages] == [""]


def test_a_day_without_rows_is_a_landing_without_pages(lake, source):
    source.query("truncate requests")

    manifest = landed(lake, source)

    assert (manifest.outcome, manifest.totals.pages) == ("complete", 0)


@pytest.mark.parametrize("key", ["opened", "cost", "note"])
def test_pages_follow_keys_of_any_type(lake, bucket, source, key):
    manifest = landed(lake, source, key=key, page_size=2)

    assert sorted(row["id"] for row in rows(bucket, manifest)) == list(range(8))
    assert len(manifest.pages) == 4


def test_what_changed_in_the_period_is_requested_by_its_column(lake, bucket, source):
    query = "select id, opened as touched from requests;"

    manifest = landed(lake, source, query=query, changed="touched")

    assert [row["id"] for row in rows(bucket, manifest)] == [*range(8), 99]


def test_all_pages_see_the_same_moment(source):
    asked = described()
    where = asked.partition(COUNCIL, DAY)
    pages = database.fetch_rows(asked, where, dsn=source.admin)

    first = next(pages)
    source.query("delete from requests where id > 4")
    rest = list(pages)

    assert sum(page.facts.records for page in [first, *rest]) == 8


def test_an_interrupted_landing_resumes_after_its_last_key(lake, bucket, source, monkeypatch):
    fill = database._Page.fill

    def failing(page: Any, first: Any, rows: Any) -> Any:
        if first[0] == 6:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return fill(page, first, rows)

    monkeypatch.setattr(database._Page, "fill", failing)
    with pytest.raises(SourceUnavailable, match=r"'cases' does not answer \(OperationalError\)"):
        landed(lake, source)
    monkeypatch.setattr(database._Page, "fill", fill)
    # Pages that are landed are not read again.
    source.query("update requests set note = 'changed'")

    manifest = landed(lake, source)

    found = rows(bucket, manifest)
    assert [row["id"] for row in found] == list(range(8))
    assert [row["note"] == "changed" for row in found] == [False] * 6 + [True] * 2


def test_a_connection_that_is_cut_is_retryable(source):
    asked = described()
    where = asked.partition(COUNCIL, DAY)
    pages = database.fetch_rows(asked, where, dsn=source.admin)
    next(pages)
    source.query(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        f"where datname = '{source.name}' and pid <> pg_backend_pid()"
    )

    with pytest.raises(SourceUnavailable, match="does not answer"):
        list(pages)


def test_a_server_that_is_not_there_is_retryable_and_its_address_is_not_shown(lake):
    nowhere = "postgresql://u:secret@127.0.0.1:9/d"

    with pytest.raises(SourceUnavailable, match="'cases' does not answer") as caught:
        extract(
            described(),
            described().partition(COUNCIL, DAY),
            lake=lake,
            run_id="r",
            source_dsn=nowhere,
        )

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_can_be_written(lake, source):
    query = "with gone as (delete from requests returning id) select id from gone"

    with pytest.raises((SourceRejected, SourceUnavailable)):
        landed(lake, source, query=query)

    source.query(
        "create function wipe() returns bigint language plpgsql as "
        "$$ begin delete from requests; return 1; end $$"
    )
    with pytest.raises(SourceRejected, match="cannot execute DELETE in a read-only transaction"):
        landed(lake, source, query="select wipe() as id")

    assert source.value("select count(*) from requests") == 10


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query": "select nothing from requests"}, 'column "nothing" does not exist'),
        ({"query": "select id from absent"}, 'relation "absent" does not exist'),
        (
            {"key": "absent"},
            "`key` names the column 'absent', which the query does not",
        ),
        ({"query": "select from where"}, "syntax error"),
        ({"query": "select id, code as id from requests"}, "more than one column named 'id'"),
    ],
)
def test_a_query_that_is_wrong_is_permanently_refused(lake, source, changes, said):
    with pytest.raises(SourceRejected, match=said):
        landed(lake, source, **changes)


def test_a_role_without_rights_is_permanently_refused(lake, source):
    source.query("create role nobody_here login")
    dsn = source.dsn("nobody_here")

    with pytest.raises(SourceRejected, match="permission denied for table requests"):
        extract(
            described(), described().partition(COUNCIL, DAY), lake=lake, run_id="r", source_dsn=dsn
        )


def test_a_value_that_cannot_be_read_is_not_quoted(lake, source):
    query = "select id, (note || 'personal')::int as n from requests"

    with pytest.raises(SourceRejected, match="22P02") as caught:
        landed(lake, source, query=query)

    assert "personal" not in str(caught.value)


@pytest.mark.parametrize("page_size", [2, 3, 100])
def test_a_key_that_is_not_unique_is_refused_wherever_it_occurs(lake, source, page_size):
    with pytest.raises(UnexpectedPayload, match="'code' once, found one twice"):
        landed(lake, source, key="code", page_size=page_size)


def test_a_key_that_is_null_is_refused(lake, source):
    source.query("update requests set note = null where id = 3")

    with pytest.raises(UnexpectedPayload, match="'note' in every row, found null"):
        landed(lake, source, key="note")


def test_a_database_without_an_address_says_what_to_add(lake):
    with pytest.raises(PermanentError, match="Add the Airflow Connection"):
        extract(described(), described().partition(COUNCIL, DAY), lake=lake, run_id="r")


def test_memory_stays_flat_however_many_rows_there_are(source):
    import tracemalloc

    source.query(
        "insert into requests (id, council, opened, note) select n, 'kingston', "
        "'2026-11-02 12:00Z', repeat('x', 200) from generate_series(1000, 60999) n"
    )
    asked = described(page_size=100_000)
    where = asked.partition(COUNCIL, DAY)
    tracemalloc.start()

    page = next(iter(database.fetch_rows(asked, where, dsn=source.admin)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert page.facts.records == 60_008
    assert page.facts.bytes > 15_000_000
    assert peak < 12_000_000


def test_the_moment_is_utc_whatever_the_servers_zone(lake, bucket, source):
    source.query(f"alter database {source.name} set timezone = 'Australia/Adelaide'")

    found = rows(bucket, landed(lake, source))

    assert found[0]["opened"] == datetime(2026, 11, 2, tzinfo=UTC).isoformat()


def test_a_comment_at_the_end_of_a_query_does_no_harm(lake, source):
    assert landed(lake, source, query=QUERY + "-- the day's").totals.records == 8


def test_personal_data_that_must_not_be_kept_are_not_fetched(lake, source):
    asked = described()
    personal = asked.model_copy(
        update={
            "columns": (*asked.columns, Column.model_validate(column("note", personal="keep"))),
            "retention_days": 30,
        }
    )

    with pytest.raises(PermanentError, match="past its retention of 30 days"):
        extract(
            personal,
            personal.partition(COUNCIL, "2026-01-02"),
            lake=lake,
            run_id="r",
            source_dsn=source.admin,
        )


def test_a_personal_key_is_refused_because_it_would_be_in_manifests():
    asked = {"kind": "database", "connection": "cases", "query": QUERY, "key": "email"}

    with pytest.raises(ValueError, match="the personal column 'email'"):
        contract(column("email", personal="pseudonymise"), retention_days=1, extract=asked)


ODD_VALUES = {
    "numeric '12.50'": "12.50",
    'jsonb \'{"n": 12.50, "m": 0.12345678901234567890}\'': {
        "m": Decimal("0.12345678901234567890"),
        "n": Decimal("12.50"),
    },
    "json '{\"n\":\n90071992547409931234.10}'": {"n": Decimal("90071992547409931234.10")},
    "array['{\"n\": 1.0}'::jsonb]": [{"n": Decimal("1.0")}],
    "array[1.10, 'NaN']::numeric[]": ["1.10", "NaN"],
    "array['NaN', 'Infinity', 0.1]::float8[]": ["nan", "inf", Decimal("0.1")],
    "0.1::float4": Decimal("0.1"),
    "'0.1234567890123456'::float8": Decimal("0.1234567890123456"),
    "interval '1 month 2 hours'": "1 mon 02:00:00",
    "timetz '12:30:00+01'": "12:30:00+01:00",
    "time '24:00'": "24:00:00",
    "timestamptz 'infinity'": "infinity",
    "date '10000-01-01'": "10000-01-01",
    "timestamp '0044-03-15 BC'": "0044-03-15 00:00:00 BC",
    "numrange(1.10, 2.50)": "[1.10,2.50)",
    "money '12.50'": "$12.50",
    "9223372036854775807::bigint": Decimal("9223372036854775807"),
}


@pytest.mark.parametrize("value", ODD_VALUES)
def test_a_value_is_landed_as_the_database_writes_it(lake, bucket, source, value):
    source.query(f"alter database {source.name} set extra_float_digits = 0")
    source.query(f"alter database {source.name} set datestyle = 'German'")

    manifest = landed(lake, source, query=f"select id, {value} as v from requests where id = 1")

    prefix = f"landing/gauges/{COUNCIL}/{DAY}/{manifest.landing_id}/"
    (line,) = gzip.decompress(bucket.body(prefix + manifest.pages[0].name)).splitlines()
    found = json.loads(line, parse_float=Decimal, parse_int=Decimal)["v"]
    assert (found, str(found)) == (ODD_VALUES[value], str(ODD_VALUES[value]))
