"""Landing the rows of MariaDB: what holds for PostgreSQL, and what is peculiar to MariaDB."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.errors import (
    PermanentError,
    PipelineError,
    SourceRejected,
    SourceUnavailable,
    UnexpectedPayload,
)
from include.extract.databases.fetch import fetch_rows
from include.jobs.pipeline.extract import extract
from include.sources.model import Contract
from tests.mariadb import PASSWORD, PLAIN_READER, MariaDb
from tests.samples import column, contract

COUNCIL, DAY = "kingston", "2026-11-02"
QUERY = """
    select id, code, note, opened, cost, seen, tags, score
    from requests
    where council = %(council)s and opened >= %(period_start)s and opened < %(period_end)s
"""


@pytest.fixture(scope="module")
def server(mariadb_server) -> MariaDb:
    """A server with the requests of two days and two councils."""
    found: MariaDb = mariadb_server
    rows = ", ".join(
        f"({n}, 'c{n % 4}', 'kingston', 'note 50% of {n}', "
        f"date_add('2026-11-02', interval {3 * n} hour), {n}.1, "
        f"date_sub('2026-11-02', interval {n} day), '{{\"n\": {n}.50}}', {n} / 3)"
        for n in range(9)
    )
    found.query(
        "create table requests (id bigint primary key, code text, council text, note text, "
        "opened datetime, cost decimal(12,4), seen date, tags json, score double)",
        f"insert into requests values {rows}",
        "insert into requests (id, code, council, opened) "
        "values (99, 'x', 'sutton', '2026-11-02 05:00')",
    )
    return found


def described(**changes: Any) -> Contract:
    asked = {"kind": "database", "connection": "cases", "query": QUERY, "key": "id", "page_size": 3}
    return contract(
        column("id", "integer"), column("tags", "jsonb"),
        period="day", lookback=0, extract=asked | changes,
    )  # fmt: skip


def pages(server: MariaDb, landed: Any = (), address: str = "", **changes: Any) -> list[Any]:
    asked = described(**changes)
    where = asked.partition(COUNCIL, DAY)
    return list(fetch_rows(asked, where, dsn=address or server.address(), landed=landed))


def rows_of(found: list[Any]) -> list[dict[str, Any]]:
    return [
        json.loads(line, parse_float=Decimal)
        for page in found
        for line in page.body.read().splitlines()
    ]


def rows(server: MariaDb, **changes: Any) -> list[dict[str, Any]]:
    return rows_of(pages(server, **changes))


def test_rows_are_landed_as_json_lines_in_pages_by_their_key(lake, bucket, server):
    asked = described()
    where = asked.partition(COUNCIL, DAY)

    landing_id = extract(asked, where, lake=lake, run_id="r", source_dsn=server.address())

    manifest = lake.landings.manifest(where, landing_id)
    prefix = f"landing/gauges/{COUNCIL}/{DAY}/{manifest.landing_id}/"
    bodies = [gzip.decompress(bucket.body(prefix + page.name)) for page in manifest.pages]
    found = [json.loads(line) for body in bodies for line in body.splitlines()]
    assert [row["id"] for row in found] == list(range(8))
    assert [(page.label, page.records, page.next) for page in manifest.pages] == [
        ("0", 3, "2"),
        ("3", 3, "5"),
        ("6", 2, ""),
    ]
    assert found[1] == {
        "id": 1,
        "code": "c1",
        "note": "note 50% of 1",
        "opened": "2026-11-02T03:00:00",
        "cost": "1.1000",
        "seen": "2026-11-01",
        "tags": {"n": 1.5},
        "score": 0.333333333,
    }
    assert str(server.port) not in manifest.model_dump_json()


def test_a_page_that_is_just_full_is_the_last(server):
    assert [page.facts.next for page in pages(server, page_size=8)] == [""]


def test_a_query_without_rows_gives_no_page(server):
    assert pages(server, query="select id from requests where false") == []


def test_what_changed_in_the_period_is_requested_by_its_column(server):
    query = "select id, opened as touched from requests;"

    found = rows(server, query=query, changed="touched")

    assert [row["id"] for row in found] == [*range(8), 99]


def test_all_pages_see_the_same_moment(server):
    server.query("create or replace table moment as select seq as id from seq_1_to_30000")
    asked = described(query="select id from moment", page_size=10_000)
    found = fetch_rows(asked, asked.partition(COUNCIL, DAY), dsn=server.address())

    first = next(found)
    server.query("delete from moment where id > 5", "insert into moment values (100000)")
    rest = list(found)

    assert sum(page.facts.records for page in [first, *rest]) == 30_000


def test_an_interrupted_landing_resumes_after_its_last_key(server):
    first = pages(server)

    again = pages(server, landed=[page.facts for page in first[:2]])

    assert [page.body is None for page in again] == [True, True, False]
    assert [row["id"] for row in rows_of(again[2:])] == [6, 7]


def test_a_connection_that_is_cut_is_retryable(server):
    query = "select seq as id, repeat('x', 100) as note from seq_1_to_300000"
    asked = described(query=query, page_size=10)
    found = fetch_rows(asked, asked.partition(COUNCIL, DAY), dsn=server.address())
    next(found)
    for (number,) in server.query(
        "select id from information_schema.processlist where user = 'reader'"
    ):
        server.query(f"kill {number}")

    with pytest.raises(SourceUnavailable, match="'cases' does not answer"):
        list(found)


WORDS = [
    "note = '%%'", "note <> '\\'%%?:x'", "note <> \"it's %%\"", "`note` <> '-- ;'",
    "1 = 1 -- it's\n",
    "1 = 1 # it's 50%%\n", "1 = 1 /* '? :x %% */", "note <> ':a ? @b'",
    "5 %% 2 = 1", "id = 1--1 or id > 0",
]  # fmt: skip


@pytest.mark.parametrize("condition", WORDS)
def test_a_query_means_the_same_wherever_signs_of_parameters_are_in_it(server, condition):
    query = f"select id from requests where ({condition}) is not null and council = %(council)s"

    assert [row["id"] for row in rows(server, query=query)] == list(range(9))


def test_nothing_can_be_written(server):
    server.query(
        "create or replace function wipe() returns int modifies sql data "
        "begin delete from requests; return 1; end"
    )
    server.query(f"grant all on council.* to {PLAIN_READER}@'%'")
    address = server.address(user=PLAIN_READER)

    with pytest.raises(SourceRejected, match="READ ONLY transaction"):
        pages(server, address=address, query="select wipe() as id")

    server.query(
        f"revoke all on council.* from {PLAIN_READER}@'%'",
        f"grant select on council.* to {PLAIN_READER}@'%'",
    )
    assert server.query("select count(*) from requests") == ((10,),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"query": "select nothing from requests"}, "Unknown column 'nothing'"),
        ({"query": "select id from absent"}, r"Table 'council\.absent' doesn't exist"),
        ({"key": "absent"}, "`key` names the column 'absent'"),
        ({"query": "select from where"}, "error in your SQL syntax"),
        ({"query": "select id, code as id from requests"}, "Duplicate column name 'id'"),
        ({"query": "select user as id from mysql.user"}, "SELECT command denied"),
        ({"query": "select 1 as id # %(council)s"}, "no placeholder in quotes or in a comment"),
        ({"query": "select 1 as id /*! for update */ from `t`"}, "no comment that MySQL runs"),
        ({"key": "score"}, "the key 'score' has the type DOUBLE, by which rows cannot be paged"),
    ],
)
def test_a_query_that_is_wrong_is_permanently_refused(server, changes, said):
    with pytest.raises(SourceRejected, match=said):
        pages(server, **changes)


def test_a_value_that_cannot_be_read_is_not_quoted(server):
    query = "select id, date_add('personal', interval id day) + exp(1000 + id) as n from requests"

    with pytest.raises(SourceRejected, match="1690") as caught:
        pages(server, query=query)

    assert "personal" not in str(caught.value)


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_a_key_that_is_not_unique_is_refused_wherever_it_occurs(server, page_size):
    with pytest.raises(UnexpectedPayload, match="'code' once, found one twice"):
        pages(server, key="code", page_size=page_size)


def test_a_key_that_is_null_is_refused(server):
    query = "select id, nullif(id, 6) as k from requests"
    first = pages(server, query="select id, id as k from requests", key="k")

    for landed in ([], [first[0].facts]):
        with pytest.raises(UnexpectedPayload, match="'k' in every row, found null"):
            pages(server, query=query, key="k", landed=landed)


# ---- keys


def put(server: MariaDb, kind: str, values: list[Any]) -> None:
    server.query(f"create or replace table k (k {kind}, unique (k) using hash)")
    with server.session() as cursor:
        cursor.executemany("insert into k values (%s)", [(value,) for value in values])


KEYS: dict[str, list[Any]] = {
    "bigint unsigned": [2**64 - 1, 2**64 - 2, 2**53, 2**53 + 1, 2**53 + 2, 0, 9, 10],
    "bigint": [-(2**63), -(2**63) + 1, -1, 0, 1, 2**63 - 1],
    "decimal(38,10)": ["0.1", "0.1000000001", "-5", "9999999999999999999999999999.0000000001",
                       "9999999999999999999999999999"],
    "datetime(6)": ["2026-11-02 00:00:00.000001", "2026-11-02 00:00:00",
                    "9999-12-31 23:59:59.999999", "0000-00-00 00:00:00", "2026-00-01 00:00:00"],
    "timestamp(3)": ["2026-03-29 01:30:00.001", "2026-03-29 01:30:00", "2026-10-25 01:30:00"],
    "date": ["2026-11-02", "2026-11-03", "0000-00-00", "1000-01-01"],
    "year": [2026, 1999, 0, 2155],
    "uuid": ["9583b2de-e98b-11f1-8a2e-02fc00000001", "9583b2de-e98b-11f0-8a2e-02fc00000001",
             "00000000-0000-0000-0000-000000000001"],
    "varbinary(20)": [b"\x00", b"a", b"a\x00", b"a ", b"\xff'\\", b"A"],
    "varchar(20) character set latin1 collate latin1_nopad_bin":
        ["é", "É", "e", "€", "z", "a ", "a"],
    "enum('b', 'a', 'A ')": ["b", "a"],
    "varchar(20) collate utf8mb4_bin": ["a", "A", "á", "😀", "ﬀ", "%", "'", "\\", "\\'", "a\\"],
}  # fmt: skip


@pytest.mark.parametrize("kind", KEYS)
def test_pages_follow_keys_of_any_type_from_wherever_they_resume(server, kind):
    put(server, kind, KEYS[kind])
    whole = pages(server, query="select * from k", key="k", page_size=1)
    found = [row["k"] for row in rows_of(whole)]

    assert len(found) == len(set(found)) == len(KEYS[kind])
    for done in range(1, len(whole)):
        landed = [page.facts for page in whole[:done]]
        rest = pages(server, query="select * from k", key="k", page_size=1, landed=landed)[done:]
        assert [row["k"] for row in rows_of(rest)] == found[done:]


# What collations take for equal: case, accents, width, blanks at the end, ignorable characters.
CONFUSING = st.text(
    st.sampled_from("aAáÁàäeéiıIİßsSﬀfkKKåÅ  \t\xad\u200b0①1"),  # noqa: RUF001
    min_size=1, max_size=4,
)  # fmt: skip
COLLATIONS = ("general_ci", "unicode_520_ci", "uca1400_ai_ci", "bin", "nopad_bin", "swedish_ci")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(CONFUSING, min_size=2, max_size=12, unique=True),
    size=st.integers(1, 4),
    collation=st.sampled_from(COLLATIONS),
    resume=st.integers(0, 12),
)
def test_no_page_boundary_loses_or_repeats_keys_that_collations_take_for_equal(
    server, texts, size, collation, resume
):
    put(server, "varchar(20) collate utf8mb4_nopad_bin", texts)
    query = f"select k collate utf8mb4_{collation} as k from k"

    whole = pages(server, query=query, key="k", page_size=size)
    done = min(resume, len(whole) - 1)
    landed = [page.facts for page in whole[:done]]
    rest = pages(server, query=query, key="k", page_size=size, landed=landed)[done:]

    bodies = [rows_of([page]) for page in whole]
    assert sorted(row["k"] for body in bodies for row in body) == sorted(texts)
    assert rows_of(rest) == [row for body in bodies[done:] for row in body]


# ---- values

ODD_VALUES: dict[str, Any] = {
    "18446744073709551615": 18446744073709551615,
    "cast(1.10 as decimal(65,30))": "1.100000000000000000000000000000",
    "cast(-12345678901234567890123456789012345.123456789012345678901234567890 as decimal(65,30))":
        "-12345678901234567890123456789012345.123456789012345678901234567890",
    "cast('838:59:59.999999' as time(6))": "838:59:59.999999",
    "cast('-00:00:01' as time)": "-00:00:01",
    "cast('0000-00-00' as date)": "0000-00-00",
    "cast('0000-00-00 00:00:00' as datetime)": "0000-00-00 00:00:00",
    "cast('2026-00-31 10:00:00' as datetime)": "2026-00-31 10:00:00",
    "cast('2026-11-02 10:00:00.5' as datetime(6))": "2026-11-02T10:00:00.500000",
    "cast('2026-11-02' as date)": "2026-11-02",
    "b'1010'": "0a",
    "cast(x'00ff' as binary)": "00ff",
    "_latin1 x'a3'": "£",
    "convert('€' using cp1251)": "€",
    "_utf8mb4 '😀'": "😀",
    "true": 1,
    "1e308": Decimal("1e308"),
    "cast(0.1 as double)": Decimal("0.1"),
    "null": None,
    "'a\\0b'": "a\0b",
    "repeat('ab', 3)": "ababab",
    "(select group_concat(seq) from seq_1_to_200000)": ",".join(map(str, range(1, 200_001))),
    "json_object('n', 1.50)": '{"n": 1.50}',
}  # fmt: skip


@pytest.mark.parametrize("value", ODD_VALUES)
def test_a_value_is_landed_as_the_database_writes_it(server, value):
    (found,) = rows(server, query=f"select 1 as id, {value} as v")

    assert (found["v"], str(found["v"])) == (ODD_VALUES[value], str(ODD_VALUES[value]))


COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "tinyint(1)": ("t", [0, 1, -128, 127]),
    "int(5) zerofill": ("z", [42]),
    "bit(1)": ("b", [0, 1]),
    "bit(64)": ("b", [2**64 - 1]),
    "year": ("y", [2026, 0]),
    "set('a', 'b')": ("s", ["a,b", "", "b"]),
    "enum('', 'x')": ("e", ["", "x"]),
    "char(5)": ("c", ["a"]),
    "float": ("f", [16777216, 0.5, 1234567]),
    "timestamp": ("t", ["2026-07-01 12:00:00"]),
}


def test_a_column_is_landed_with_all_its_digits(server):
    found = {}
    for kind, (name, values) in COLUMNS.items():
        server.query(f"create or replace table v (id int primary key, {name} {kind})")
        with server.session() as cursor:
            cursor.executemany("insert into v values (%s, %s)", list(enumerate(values)))
        found[kind] = [row[name] for row in rows(server, query="select * from v")]

    assert found == {kind: values for kind, (_, values) in COLUMNS.items()} | {
        "timestamp": ["2026-07-01T12:00:00+00:00"]
    }


def test_memory_stays_flat_however_many_rows_there_are(server):
    import tracemalloc

    query = "select seq as id, repeat('x', 400) as note from seq_1_to_30000"
    asked = described(query=query, page_size=100_000)
    tracemalloc.start()

    page = next(fetch_rows(asked, asked.partition(COUNCIL, DAY), dsn=server.address()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert page.facts.records == 30_000
    assert page.facts.bytes > 12_000_000
    assert peak < 12_000_000


# ---- connections


def refused(server: MariaDb, kind: type[PipelineError], said: str, address: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        pages(server, address=address)
    assert PASSWORD not in str(caught.value)
    assert "wrong-one" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_server_that_is_not_there_is_retryable(server):
    refused(server, SourceUnavailable, "connection refused", "mysql://u:wrong-one@127.0.0.1:9/d")
    refused(
        server, SourceUnavailable, "its host name cannot be resolved",
        "mysql://u:wrong-one@nowhere.invalid/d",
    )  # fmt: skip


def test_a_wrong_login_is_not(server):
    refused(server, SourceRejected, "refuses the login", server.address(password="wrong-one"))
    refused(server, SourceRejected, "refuses the login", server.address(user="nobody"))


def test_certificates_are_verified_unless_the_connection_says_otherwise(server):
    other_name = server.address(host="127.0.0.1")
    refused(server, SourceRejected, "certificate is not accepted.*mismatch", other_name)
    unknown = server.address(ssl_mode="verify_identity")
    refused(server, SourceRejected, "certificate is not accepted", unknown)
    in_plain = server.address(ssl_mode="disabled")
    refused(server, SourceRejected, "refuses the login", in_plain)

    for options in ({"ssl_mode": "required"}, {"ssl_mode": "verify_ca", "ssl_ca": str(server.ca)}):
        assert pages(server, address=server.address(host="127.0.0.1", **options))
    assert pages(server, address=server.address(user=PLAIN_READER, ssl_mode="disabled"))


def test_a_server_without_tls_is_sent_no_password(server):
    # The greeting of a server without the capability of TLS.
    rest = b"5.5.5-10.11.0-MariaDB\0" + b"\1\0\0\0" + b"12345678\0" + b"\xff\xf7" + b"\x21"
    rest += b"\2\0" + b"\x0f\x80" + b"\x15" + b"\0" * 10 + b"123456789012\0"
    rest += b"mysql_native_password\0"
    body = b"\x0a" + rest
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            client, _ = listening.accept()
            with client:
                client.sendall(len(body).to_bytes(3, "little") + b"\0" + body)
                got.append(client.recv(4096))

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        address = f"mysql://u:wrong-one@127.0.0.1:{port}/d?ssl_mode=required"
        refused(server, SourceRejected, "offers no TLS", address)
        thread.join(timeout=5)

    assert got == [b""]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://u:p@h/d?ssl_mode=preferred", "expected `ssl_mode` to be one of"),
        ("mysql://u:p@h/d?cursor=sscursor", "unknown option 'cursor' for MySQL or MariaDB"),
        ("mysql://u:p@h/d?ssl_ca=/absent", "cannot be read: No such file"),
        ("sqlite://u:p@h/d", "unknown scheme 'sqlite'"),
        ("mysql://u:p@h:port/d", "percent-encoded"),
        ("mysql:///d", "names no host"),
    ],
)
def test_a_connection_that_is_set_up_wrongly_is_named(server, address, said):
    refused(server, PermanentError, said, address)


def test_a_server_that_is_killed_while_rows_are_read_is_retryable_and_the_landing_resumes(
    lake, new_mariadb, monkeypatch
):
    with new_mariadb() as server:
        server.query("create table big as select seq as id, repeat('x', 500) n from seq_1_to_30000")
        asked = described(query="select id, n from big", page_size=6_000)
        where = asked.partition(COUNCIL, DAY)
        killing = iter([server.kill])

        def land(on_page: Any) -> str:
            return extract(
                asked, where, lake=lake, run_id="r", source_dsn=server.address(), progress=on_page
            )

        with pytest.raises(SourceUnavailable, match="'cases' does not answer"):
            land(lambda done: done == 2 and next(killing)())
        server.restart()
        landing_id = land(lambda done: None)

        manifest = lake.landings.manifest(where, landing_id)
        assert manifest.totals.records == 30_000
        assert [page.next for page in manifest.pages] == ["6000", "12000", "18000", "24000", ""]
