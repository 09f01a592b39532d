"""Connections to PostgreSQL, and its failures turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adbc_driver_manager import Error as AdbcError
from adbc_driver_postgresql import dbapi
from adbc_driver_postgresql.dbapi import Connection, Cursor

from include.errors import PermanentError, RetryableError, ServiceUnavailable

# SQLSTATE classes and codes that pass by themselves: connection lost, out of resources,
# operator intervention, serialisation, deadlock, lock not available.
RETRYABLE_STATES = ("08", "53", "57", "40001", "40P01", "55P03")
# What libpq says when the server went away and no SQLSTATE came back.
LOST = ("connection", "server closed", "terminat", "timeout", "could not receive")


class DatabaseRefused(PermanentError):
    """PostgreSQL refused a statement; another try will not change that."""


@contextmanager
def connect(dsn: str) -> Iterator[Connection]:
    """A connection with a transaction open. Raises our errors, never the driver's."""
    with database_errors("PostgreSQL: connecting"):
        connection = dbapi.connect(dsn)
    try:
        with database_errors("PostgreSQL"):
            yield connection
    finally:
        connection.close()


@contextmanager
def database_errors(doing: str) -> Iterator[None]:
    """Turn the driver's failures into retryable and permanent ones; `doing` opens the message."""
    try:
        yield
    except AdbcError as error:
        raise as_ours(doing, error) from error


def as_ours(doing: str, error: AdbcError) -> RetryableError | PermanentError:
    """Retryable where the same statement may succeed later."""
    state = (error.sqlstate or "").strip("\0")
    text = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    lost = not state and any(word in text.lower() for word in LOST)
    if lost or state.startswith(RETRYABLE_STATES):
        return ServiceUnavailable(f"{doing}: {text} The next retry may succeed.")
    return DatabaseRefused(
        f"{doing}: {text} (SQLSTATE {state or 'unknown'}). Retrying will not help; "
        "`wandle doctor` and `wandle migrate` tell what is missing."
    )


def rows(cursor: Cursor, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query with `$1`, `$2`, ... as dictionaries."""
    cursor.execute(query, parameters or None)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
