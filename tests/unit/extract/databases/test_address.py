"""Addresses of source databases, and the Airflow Connections that they are made from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import PermanentError
from include.extract.databases.address import parse, url_of
from include.extract.databases.tls import context_of

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(
    kind=st.sampled_from(["mysql", "mssql", "oracle"]),
    host=st.sampled_from(["db.example.org", "127.0.0.1", "::1"]),
    port=st.none() | st.integers(1, 65535),
    login=TEXT,
    password=TEXT,
    schema=TEXT,
    option=TEXT,
)
def test_a_connection_and_its_address_say_the_same(
    kind, host, port, login, password, schema, option
):
    parts = {"host": host, "port": port, "login": login, "password": password, "schema": schema}

    found = parse(url_of("c", kind, parts, {"ssl_ca": option}), "c")

    assert (found.host, found.user, found.password, found.database) == (
        host, login, password, schema,
    )  # fmt: skip
    assert found.port == port or port is None
    assert found.options == {"ssl_ca": option}
    another = parse(
        url_of("c", kind, {**parts, "password": f"{password}2"}, {"ssl_ca": option}), "c"
    )
    assert repr(another) == repr(found)


def test_options_that_airflow_groups_are_the_same_options():
    extra = {"ssl": {"ca": "/ca.pem", "key": "/key.pem"}, "ssl_mode": "verify_ca"}

    found = parse(url_of("c", "mysql", {"host": "h"}, extra), "c")

    assert found.options == {"ssl_ca": "/ca.pem", "ssl_key": "/key.pem", "ssl_mode": "verify_ca"}


def test_a_connection_that_is_not_a_database_is_refused():
    with pytest.raises(PermanentError, match="connection 'c' has the type 'http', which is not"):
        url_of("c", "http", {"host": "h", "password": "s3cret"}, {})


@pytest.mark.parametrize(
    ("address", "verified", "named"),
    [
        ("mysql://u:p@db.example.org/d", True, True),
        ("mysql://u:p@db.example.org/d?ssl_mode=verify_ca", True, False),
        ("mysql://u:p@db.example.org/d?ssl_mode=REQUIRED", False, False),
        ("oracle://u:p@db.example.org/d", True, True),
    ],
)
def test_certificates_are_verified_by_default(address, verified, named):
    context = context_of(parse(address, "c"))

    assert context is not None
    assert (bool(context.verify_mode), context.check_hostname) == (verified, named)


@pytest.mark.parametrize(
    "address", ["mysql://u:p@127.0.0.1/d", "mysql://u:p@db.example.org/d?ssl_mode=disabled"]
)
def test_there_is_no_tls_on_this_machine_or_where_the_connection_says_so(address):
    assert context_of(parse(address, "c")) is None
