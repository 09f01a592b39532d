"""Connections to PostgreSQL, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import psycopg
import pyarrow as pa

from include.disk import DiskFull
from include.errors import PermanentError, RetryableError, ServiceUnavailable

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection as ArrowConnection

CONNECT_SECONDS = 10

Connection: TypeAlias = psycopg.Connection[Any]
# From `connect`: a `Cursor` that also supports COPY.
CopyCursor: TypeAlias = psycopg.Cursor[Any]

# SQLSTATE classes and codes of temporary failures: connection lost, out of resources,
# operator intervention, serialisation, deadlock, lock not available.
RETRYABLE_STATES = ("08", "53", "57", "40001", "40P01", "55P03")
DISK_FULL = "53100"
# Parts of libpq's messages if the server is gone and there is no SQLSTATE.
LOST = ("connection", "server closed", "terminat", "timeout", "could not receive")


class Cursor(Protocol):
    """Runs statements with the parameters `$1`, `$2`, ...; of any driver."""

    @property
    def description(self) -> Sequence[Any] | None:
        """Each column of the result, its name first."""

    def execute(self, query: str, parameters: Sequence[Any] | None = None, /) -> Any:
        """Run one statement."""

    def fetchall(self) -> list[Any]:
        """The result's rows."""


class ArrowCursor(Cursor, Protocol):
    """Also reads its result as Arrow."""

    def fetch_record_batch(self) -> Iterable[pa.RecordBatch]:
        """The result batch by batch, as a stream."""


class DatabaseRefused(PermanentError):
    """PostgreSQL rejected a statement; a retry will not help."""


@contextmanager
def connect(dsn: str) -> Iterator[Connection]:
    """A connection with an open transaction. Raises our errors, never the driver's."""
    with database_errors("PostgreSQL: connecting"):
        connection = psycopg.connect(
            dsn, cursor_factory=psycopg.RawCursor, options="-c timezone=UTC"
        )
    try:
        with database_errors("PostgreSQL"):
            yield connection
    finally:
        connection.close()


@contextmanager
def connect_for_arrow(dsn: str) -> Iterator[ArrowConnection]:
    """The same with a driver whose cursors read a result as a stream of Arrow batches."""
    # It imports pandas, which most callers do not need.
    from adbc_driver_manager import Error as ArrowError
    from adbc_driver_postgresql import dbapi

    with database_errors("PostgreSQL: connecting", ArrowError):
        connection = dbapi.connect(dsn)
    try:
        with database_errors("PostgreSQL", ArrowError):
            yield connection
    finally:
        connection.close()


@contextmanager
def database_errors(doing: str, failures: type[Exception] = psycopg.Error) -> Iterator[None]:
    """Turn a driver's errors into retryable and permanent ones; `doing` starts the message."""
    try:
        yield
    except failures as error:
        raise as_ours(doing, error) from error


def as_ours(doing: str, error: Exception) -> RetryableError | PermanentError:
    """Retryable if the same statement may succeed later."""
    state = (getattr(error, "sqlstate", None) or "").strip("\0")
    text = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    lost = not state and any(word in text.lower() for word in LOST)
    if state == DISK_FULL:
        return DiskFull(
            f"{doing}: {text}. The database server's disk is full. Free some space there, then "
            "try again."
        )
    if lost or state.startswith(RETRYABLE_STATES):
        return ServiceUnavailable(f"{doing}: {text}. Try again later.")
    return DatabaseRefused(
        f"{doing}: {text} (SQLSTATE {state or 'unknown'}). Retrying will not help; "
        "`wandle doctor` and `wandle migrate` report what is missing."
    )


def rows(cursor: Cursor, query: str, *parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query with `$1`, `$2`, ... as dictionaries."""
    cursor.execute(query, parameters or None)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def problem_of_login(dsn: str) -> str:
    """Why this DSN cannot connect over TLS; empty if it can. Without the password."""
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS) as connection:
            found = connection.execute(
                "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
            ).fetchone()
    except psycopg.OperationalError as error:
        return f"{_first_line(error)}"
    return "" if found and found[0] else "the connection is not encrypted."


def takes_plain_connections(dsn: str) -> bool:
    """Whether the server also accepts this role without TLS."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query)) | {"sslmode": "disable"}
    plain = urlunsplit(parts._replace(query=urlencode(query, safe="/")))
    try:
        psycopg.connect(plain, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
