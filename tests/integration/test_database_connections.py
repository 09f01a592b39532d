"""Connections to servers that are not there, by the real drivers of every kind of database."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from include.errors import SourceUnavailable
from include.extract.databases import oracle, sqlserver
from include.extract.databases.fetch import fetch_rows
from tests.samples import column, contract

SCHEMES = ("postgresql", "mysql", "mssql", "oracle")


@pytest.fixture(autouse=True)
def _seconds(monkeypatch) -> None:
    """Microsoft's driver tries again until its time is up."""
    for module in (oracle, sqlserver):
        monkeypatch.setattr(module, "CONNECT_SECONDS", 1)


def refused(address: str) -> str:
    query = {"kind": "database", "connection": "cases", "query": "select 1 as id", "key": "id"}
    wanted = contract(column("id", "integer"), period="day", extract=query)
    where = wanted.partition("kingston", "2026-11-02")
    with pytest.raises(SourceUnavailable, match="'cases' does not answer") as caught:
        list(fetch_rows(wanted, where, dsn=address))
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1:9", "nowhere.invalid"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_is_not_there_is_retryable(scheme, host):
    refused(f"{scheme}://reader:s3cret@{host}/council")


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_is_not_such_a_database_is_retryable(scheme, said):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.recv(100) if scheme != "mysql" else None
                    client.sendall(said)

        threading.Thread(target=answer, daemon=True).start()
        refused(f"{scheme}://reader:s3cret@127.0.0.1:{listening.getsockname()[1]}/council")


def test_what_microsofts_driver_needs_is_here() -> Any:
    # On Debian: apt install libltdl7 libkrb5-3 libgssapi-krb5-2, as `.ci/run` does.
    assert "client unable to establish connection" in refused("mssql://r:s3cret@127.0.0.1:9/c")
