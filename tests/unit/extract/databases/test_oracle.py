"""Oracle: its SQL by sqlglot's dialect, its values and errors by the driver's own types.

There is no server here: docs/databases.md says so, too.
"""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import oracledb
import pytest
import sqlglot
from oracledb.errors import _Error

from include.errors import PermanentError, SourceRejected
from include.extract.databases import oracle
from include.extract.databases.address import parse
from include.extract.databases.oracle import OracleReader
from tests.unit.extract.databases.asking import asked

ADDRESS = "oracle://reader:s3cret@db.example.org:2484/council"
TYPES = {
    "A_DATE": "DATE", "A_TIMESTAMP": "TIMESTAMP", "ZONED": "TIMESTAMP_TZ", "LOCAL": "TIMESTAMP_LTZ",
    "A_NUMBER": "NUMBER", "BYTES": "RAW", "LONG_TEXT": "CLOB", "A_BLOB": "BLOB",
    "A_FLOAT": "BINARY_FLOAT", "A_DOUBLE": "BINARY_DOUBLE", "A_JSON": "JSON", "AN_XML": "XMLTYPE",
    "A_SPAN": "INTERVAL_DS", "Quoted Name": "VARCHAR", "YES": "BOOLEAN",
}  # fmt: skip


def reader(key_type: str = "NUMBER", **changes: Any) -> OracleReader:
    found = OracleReader(parse(ADDRESS, "cases"), asked(**changes))
    found.describe([described(name, kind) for name, kind in ({"ID": key_type} | TYPES).items()])
    return found


def described(name: str, kind: str) -> Any:
    return SimpleNamespace(name=name, type_code=getattr(oracledb, f"DB_TYPE_{kind}"))


@pytest.mark.parametrize(
    "kind", ["NUMBER", "DATE", "TIMESTAMP", "TIMESTAMP_TZ", "VARCHAR", "CHAR", "RAW"]
)
@pytest.mark.parametrize("after", ["", "1"])
@pytest.mark.parametrize("changes", [{}, {"query": "select * from t", "changed": "a_date"}])
def test_pages_are_requested_in_oracles_sql(kind, after, changes):
    query = reader(kind, **changes).statement(after)

    # Which sqlglot does not know.
    known = query.replace(" returning clob)", ")").replace("xmlserialize(content ", "cast(")
    tree = sqlglot.parse_one(known, read="oracle")

    assert isinstance(tree, sqlglot.exp.Select)
    assert str(tree.args["order"].expressions[0].this) == 'asked."ID"'
    assert (":after" in query) == bool(after)
    assert (":council" in query) == (not changes)
    assert [item.alias for item in tree.expressions] == ["ID", *TYPES]


def test_only_the_parameters_that_a_query_names_are_sent():
    start, end = datetime(2026, 11, 2), datetime(2026, 11, 3)

    assert reader()._used() == {"period_start": start, "council": "kingston"}
    assert reader(query="select * from t", changed="a_date")._used("5") == {
        "period_start": start, "period_end": end, "after": "5",
    }  # fmt: skip


def test_names_without_quotes_are_in_lower_case():
    found = OracleReader(parse(ADDRESS, "cases"), asked())

    assert found.describe([described("ID", "NUMBER"), described("Own", "DATE")]) == ["id", "Own"]


@pytest.mark.parametrize("kind", ["CLOB", "BINARY_DOUBLE", "BLOB", "INTERVAL_DS"])
def test_a_key_without_a_safe_order_is_refused(kind):
    with pytest.raises(SourceRejected, match=f"the key 'id' has the type {kind}"):
        reader(kind).statement("")


@pytest.mark.parametrize("kind", ["BFILE", "OBJECT", "VECTOR", "CURSOR"])
def test_a_type_that_would_lose_something_is_refused(kind):
    with pytest.raises(SourceRejected, match=f"'v' has the type {kind}.*without loss. Convert it"):
        OracleReader(parse(ADDRESS, "cases"), asked()).describe([described("V", kind)])


def test_numbers_are_read_as_text_and_long_values_at_once():
    cursor = SimpleNamespace(arraysize=5, var=lambda kind, arraysize: (kind, arraysize))

    def read(kind: Any) -> Any:
        return oracle.as_written(cursor, SimpleNamespace(type_code=kind))

    assert read(oracledb.DB_TYPE_NUMBER) == (oracledb.DB_TYPE_VARCHAR, 5)
    assert read(oracledb.DB_TYPE_CLOB) == (oracledb.DB_TYPE_LONG, 5)
    assert read(oracledb.DB_TYPE_BLOB) == (oracledb.DB_TYPE_LONG_RAW, 5)
    assert read(oracledb.DB_TYPE_VARCHAR) is None


def test_rows_arrive_with_all_their_digits():
    found = OracleReader(parse(ADDRESS, "cases"), asked())
    found.describe(
        [described("ID", "NUMBER"), described("F", "BINARY_FLOAT"), described("J", "JSON")]
    )
    rows = [("12345678901234567890123456789012345678", 0.10000000149011612, '{"n":1.50}'),
            ("2", None, None)]  # fmt: skip
    cursor = SimpleNamespace(execute=lambda query, values: iter(rows))
    found._connection = SimpleNamespace(cursor=lambda: cursor)

    first, second = found.rows("", 10)

    assert (first[0], first[1], str(first[2])) == (rows[0][0], 0.1, '{"n":1.50}')
    assert second == ["2", None, None]
    assert found.order_of(first[0]) > found.order_of(second[0])


def test_where_the_database_is():
    def told(address: str) -> Any:
        return oracle.parameters(parse(address, "cases"))

    plain = {"host": "h.example.org", "port": 1521}
    assert told("oracle://u:p@h.example.org/s") == plain | {"protocol": "tcps", "service_name": "s"}
    assert told("oracle://u:p@h.example.org?sid=s&ssl_mode=disabled") == plain | {
        "protocol": "tcp", "sid": "s",
    }  # fmt: skip
    with pytest.raises(PermanentError, match="expected one of `service_name` and `sid`"):
        told("oracle://u:p@h.example.org")


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        ("ORA-01017: invalid username/password", "login", ""),
        ("ORA-28000: the account is locked", "login", ""),
        ("ORA-01555: snapshot too old", "away", "ORA-01555"),
        ("ORA-03113: end-of-file on communication channel", "away", "DPY-4011"),
        ("DPY-4011: the database or network closed the connection", "away", "DPY-4011"),
        ("ORA-12514: service not known", "away", "ORA-12514"),
        ('ORA-00904: "X": invalid identifier', "query", 'ORA-00904: "X": invalid identifier'),
        (
            "ORA-01456: may not perform insert inside a READ ONLY transaction",
            "query",
            "ORA-01456: ",
        ),
        ("ORA-01722: invalid number 'personal'", "query", "ORA-01722"),
    ],
)
def test_an_error_of_the_driver_says_what_to_do_and_no_value(code, kind, told):
    number = int(code[4:9].partition(":")[0])
    error = oracledb.DatabaseError(_Error(message=f"{code}\nHelp: https://x", code=number))

    failure = reader().failure(error)

    assert (failure.kind, failure.told[: len(told)]) == (kind, told)
    assert "personal" not in failure.told
    assert "Help" not in failure.told
