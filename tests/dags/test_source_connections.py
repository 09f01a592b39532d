"""The address of a source database is that of its Airflow Connection, whatever its type."""

from __future__ import annotations

import json

import pytest

from dags._tasks import source_dsn
from include.errors import PermanentError
from include.extract.databases.address import parse
from tests.samples import column, contract

CASES = contract(
    column("id", "integer"),
    extract={
        "kind": "database", "connection": "cases", "query": "select 1 as id", "key": "id",
    },
)  # fmt: skip
FIELDS = {"host": "db.example.org", "login": "reader", "password": "a/p@ss:w%rd", "schema": "cases"}


@pytest.fixture
def connected(monkeypatch):
    """Sets the connection `cases`."""

    def connect(conn_type: str, **fields: object) -> None:
        found = json.dumps({"conn_type": conn_type} | FIELDS | fields)
        monkeypatch.setenv("AIRFLOW_CONN_CASES", found)

    return connect


@pytest.mark.parametrize("conn_type", ["mysql", "mssql", "oracle"])
def test_the_type_of_a_connection_decides_the_kind_of_database(connected, conn_type):
    connected(conn_type, port=4000, extra={"ssl_mode": "required"})

    found = parse(str(source_dsn(CASES)), "cases")

    assert (found.dialect, found.host, found.port) == (conn_type, "db.example.org", 4000)
    assert (found.user, found.password, found.database) == ("reader", "a/p@ss:w%rd", "cases")
    assert found.options == {"ssl_mode": "required"}


def test_a_connection_to_postgresql_is_as_before(connected):
    connected("postgres", port=5433)

    assert source_dsn(CASES) == (
        "postgresql://reader:a%2Fp%40ss%3Aw%25rd@db.example.org:5433/cases"
    )


def test_a_connection_by_its_url_is_the_same(monkeypatch):
    url = "mysql://reader:a%2Fp%40ss%3Aw%25rd@db.example.org:3307/cases?ssl_mode=required"
    monkeypatch.setenv("AIRFLOW_CONN_CASES", url)

    assert parse(str(source_dsn(CASES)), "cases") == parse(url, "cases")


def test_a_connection_of_another_type_is_refused(connected):
    connected("http")

    with pytest.raises(PermanentError, match="'cases' has the type 'http'") as caught:
        source_dsn(CASES)

    assert FIELDS["password"] not in str(caught.value)
