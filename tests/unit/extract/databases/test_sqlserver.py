"""SQL Server: its SQL by sqlglot's dialect, its values and errors by the driver's own types.

There is no server here: docs/databases.md says so, too.
"""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import mssql_python
import pytest
import sqlglot
from mssql_python.exceptions import sqlstate_to_exception

from include.errors import PermanentError, SourceRejected
from include.extract.databases import sqlserver
from include.extract.databases.address import parse
from include.extract.databases.sqlserver import SqlServerReader
from tests.unit.extract.databases.asking import asked

ADDRESS = "mssql://reader:s3cr%7Det@db.example.org:1433/council"
TYPES = {
    "a_bigint": "bigint", "a_bit": "bit", "a_decimal": "decimal(38,10)", "money": "money",
    "a_datetime2": "datetime2(7)", "a_zoned": "datetimeoffset(7)", "a_date": "date",
    "a_time": "time(7)", "a_guid": "uniqueidentifier", "text": "nvarchar(max)", "an_xml": "xml",
    "bytes": "varbinary(max)", "a_version": "timestamp", "a_variant": "sql_variant",
    "a_real": "real", "a_float": "float", "old": "ntext", "an_image": "image", "odd]name": "int",
}  # fmt: skip
LONG = ("nvarchar(max)", "xml", "varbinary(max)")


def reader(key_type: str = "int", address: str = ADDRESS, **changes: Any) -> SqlServerReader:
    found = SqlServerReader(parse(address, "cases"), asked(**changes))
    described = {"id": key_type} | TYPES
    found.describe(
        (name, kind, -1 if kind in LONG else 8, None) for name, kind in described.items()
    )
    return found


def parsed(query: str) -> Any:
    return sqlglot.parse_one(query, read="tsql")


KEYS = {
    "int": "convert(bigint, @after)",
    "decimal(38,10)": "convert(decimal(38,10), @after)",
    "money": "convert(money, @after)",
    "datetime2(7)": "convert(datetime2(7), @after, 126)",
    "datetime": "convert(datetime2(7), @after, 126)",
    "datetimeoffset(7)": "convert(datetimeoffset(7), @after, 126)",
    "date": "convert(date, @after, 23)",
    "uniqueidentifier": "@after collate Latin1_General_100_BIN2",
    "nvarchar(20)": "convert(varbinary(8000), @after)",
    "varbinary(8)": "convert(varbinary(8000), @after, 2)",
}


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize("after", ["", "1"])
@pytest.mark.parametrize("changes", [{}, {"query": "select * from t", "changed": "a_datetime2"}])
def test_pages_are_requested_in_t_sql(kind, after, changes):
    query = reader(kind, **changes).statement(after)

    tree = parsed(query)

    assert isinstance(tree, sqlglot.exp.Select)
    assert tree.args["order"] is not None
    assert (KEYS[kind] in query) == bool(after)
    assert "%(" not in query
    assert ("@council" in query) == (not changes)
    assert [item.alias for item in tree.expressions] == ["id", *TYPES]


@pytest.mark.parametrize("query", [sqlserver.MAY_WRITE, sqlserver.VERSIONS])
def test_what_is_requested_from_the_server_itself_is_t_sql(query):
    assert parsed(query)


@pytest.mark.parametrize("kind", ["float", "real", "bit", "xml", "time(7)", "sql_variant"])
def test_a_key_without_a_safe_order_is_refused(kind):
    with pytest.raises(SourceRejected, match=f"the key 'id' has the type {kind.partition('(')[0]}"):
        reader(kind).statement("")


@pytest.mark.parametrize("kind", ["geography", "hierarchyid", "vector(3)", "dbo.own"])
def test_a_type_that_would_lose_something_is_refused(kind):
    with pytest.raises(SourceRejected, match=r"'v' has the type .* without loss\. Convert it"):
        SqlServerReader(parse(ADDRESS, "cases"), asked()).describe([("v", kind, 8, None)])


def test_the_servers_error_in_a_query_is_reported():
    with pytest.raises(SourceRejected, match="refuses the query: Invalid column name 'x'"):
        reader().describe([(None, None, None, "Invalid column name 'x'.")])


def test_a_query_is_a_parameter_and_so_are_its_values():
    statement, query, types, *values = sqlserver.called("select '?' as a", {
        "period_start": datetime(2026, 11, 2), "period_end": datetime(2026, 11, 3),
        "council": "kingston", "after": "1",
    })  # fmt: skip

    assert "select" not in statement
    assert statement.count("?") == 2 + len(values)
    assert query == "select '?' as a"
    assert "@period_start datetime2(7)" in types
    assert values == [datetime(2026, 11, 2), datetime(2026, 11, 3), "kingston", "1"]


class Answers:
    """A connection that answers with rows."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows, self.asked = rows, ()

    def cursor(self) -> Any:
        return self

    def execute(self, *called: Any) -> Any:
        self.asked = called
        return self

    def fetchmany(self, size: int) -> list[Any]:
        found, self.rows = self.rows[:size], self.rows[size:]
        return found


def test_rows_arrive_with_all_their_digits():
    found = SqlServerReader(parse(ADDRESS, "cases"), asked())
    found.describe([("id", "int", 4, None), ("a_real", "real", 4, None), ("b", "bit", 1, None)])
    found._connection = Answers([(1, 0.10000000149011612, True), (2, 16777216.0, None)])

    assert [*found.rows("", 1)] == [[1, 0.1, True], [2, 16777216.0, None]]


def test_the_largest_row_is_measured_if_a_column_has_no_maximum():
    found = reader()
    found._connection = SimpleNamespace(
        cursor=lambda: SimpleNamespace(
            execute=lambda *called: SimpleNamespace(fetchall=lambda: [(parsed(called[1]) and 7,)])
        )
    )

    assert found.largest_row() == 7


def test_the_certificate_is_verified_unless_the_connection_says_otherwise():
    def told(**options: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return sqlserver.connection_string(parse(f"{ADDRESS}?{query}", "cases"))

    assert "Encrypt={yes};TrustServerCertificate={no};" in told()
    assert "Encrypt={yes};TrustServerCertificate={yes};" in told(ssl_mode="required")
    assert "Encrypt={no};" in told(ssl_mode="disabled")
    assert "ServerCertificate={/c.pem};" in told(server_certificate="/c.pem")
    assert "PWD={s3cr}}et};" in told()
    assert "ApplicationIntent={ReadOnly}" in told()
    with pytest.raises(PermanentError, match="expected `ssl_mode` to be one of"):
        told(ssl_mode="optional")
    with pytest.raises(PermanentError, match="unknown option 'Driver' for SQL Server"):
        reader(address=f"{ADDRESS}?Driver=x")


@pytest.mark.parametrize(
    ("state", "server", "kind", "told"),
    [
        ("28000", "Login failed for user 'reader'.", "login", ""),
        ("08S01", "TCP Provider: Error code 0x68", "away", "communication link failure"),
        ("08001", "TCP Provider: Error code 0x2749", "away", "client unable to establish"),
        ("08001", "SSL Provider: certificate verify failed", "settings", "certificate is not"),
        ("HYT00", "", "away", "timeout expired"),
        ("40001", "deadlock victim", "away", "serialization failure"),
        ("22018", "Conversion failed for 'personal'", "query", "Invalid character value"),
        ("42S02", "Invalid object name 'x'.", "query", "Base table or view not found"),
    ],
)
def test_an_error_of_the_driver_says_what_to_do_and_no_value(state, server, kind, told):
    failure = reader().failure(sqlstate_to_exception(state, server))

    assert failure.kind == kind
    assert failure.told.startswith(told) or told in failure.told
    assert "personal" not in failure.told


def test_missing_libraries_are_named():
    error = mssql_python.OperationalError(
        "Connection operation failed", "Failed to load the driver"
    )

    assert "apt install libltdl7" in reader().failure(error).told
