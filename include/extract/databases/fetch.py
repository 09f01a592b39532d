"""Read the rows of a partition from a database as JSON lines, paged by their key."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO

import orjson

from include.disk import disk_errors
from include.errors import (
    BeyondLimit,
    PermanentError,
    SourceRejected,
    SourceUnavailable,
    UnexpectedPayload,
)
from include.extract.databases.address import dialect_of, parse
from include.extract.databases.reader import Asked, Failure, Reader, Row, page_request
from include.extract.databases.values import as_json, as_text, json_of, value_for_json
from include.extract.fetched import Page
from include.extract.network.deadline import Fetch
from include.sources.extract.database import DatabaseExtract
from include.sources.limits import Limits
from include.sources.model import Contract
from include.sources.page import PageFacts, SentRequest
from include.sources.partition import Partition

IN_MEMORY_BYTES = 8 * 1024 * 1024
ROWS_AT_A_TIME = 2_000
# Rows that are held together; fewer are read at a time where one is larger than its part.
BYTES_AT_A_TIME = 16 * 1024 * 1024
SUCCESS = 200


def fetch_rows(
    contract: Contract,
    partition: Partition,
    *,
    dsn: str | None,
    landed: Iterable[PageFacts] = (),
) -> Iterator[Page]:
    """Yield the rows of the partition in pages of `page_size`, ordered by the key.

    The query may bind `period_start`, `period_end` (exclusive) and `council`;
    one that does not bind the period gives the rows that changed in it, by
    the column `changed`, or all rows.

    The first pages are not read again, as long as label and request are
    those in `landed`. A page is labelled with its first key, and the next one
    is requested with its last.

    Raises `SourceUnavailable` if the database does not answer or drops the
    connection, `SourceRejected` if it refuses the query, `UnexpectedPayload`
    for a key that is null or repeated, `BeyondLimit` for a row or a page
    that is too large or takes too long, and `PermanentError` without `dsn`.
    """
    extract = contract.extract
    if not isinstance(extract, DatabaseExtract):
        raise TypeError(f"{contract.name} is not read from a database")
    if not dsn:
        raise PermanentError(
            f"{partition}: the address of the database {extract.connection!r} is not given. "
            "Add the Airflow Connection with that name, or its variable for the command line."
        )
    have, after = deque(landed), ""
    while have and have[0].digest == page_request(extract, partition, after).digest_with({}):
        facts = have.popleft()
        yield Page(page_request(extract, partition, after), facts)
        if not facts.next:
            return
        after = facts.next
    limits = contract.limits
    asked = Asked(partition, extract, limits.record_bytes, limits.fetch_seconds)
    reader = reader_of(dsn, asked)
    fetch = Fetch(limits)
    with _errors(asked, reader), closing(reader):
        with _timed(fetch, asked, reader, connects=True):
            names = _checked(asked, reader.names())
            rows = reader.rows(after, _at_a_time(asked, reader))
            row = next(rows, None)
        while row is not None:
            request = page_request(extract, partition, after)
            page = _Page(asked, reader, names, _json_fields(contract), limits.answer_bytes)
            with _timed(fetch, asked, reader):
                row = page.fill(row, rows)
            after = page.last_key
            yield Page(request, page.facts(request), page.body)


@contextmanager
def opened(dsn: str, asked: Asked) -> Iterator[Reader]:
    """A reader that is connected, for as long as one request may take.

    Raises what `fetch_rows` raises for a database or a query that it cannot read.
    """
    reader = reader_of(dsn, asked)
    with (
        _errors(asked, reader),
        closing(reader),
        _timed(Fetch(Limits()), asked, reader, connects=True),
    ):
        yield reader


def reader_of(dsn: str, asked: Asked) -> Reader:
    """The reader for the server of an address. Drivers are imported when they are needed."""
    dialect = dialect_of(dsn, asked.extract.connection)
    if dialect == "postgresql":
        from include.extract.databases.postgres import PostgresReader

        return PostgresReader(dsn, asked)
    address = parse(dsn, asked.extract.connection)
    if dialect == "mysql":
        from include.extract.databases.mysql import MySqlReader

        return MySqlReader(address, asked)
    if dialect == "mssql":
        from include.extract.databases.sqlserver import SqlServerReader

        return SqlServerReader(address, asked)
    from include.extract.databases.oracle import OracleReader

    return OracleReader(address, asked)


@contextmanager
def _timed(fetch: Fetch, asked: Asked, reader: Reader, connects: bool = False) -> Iterator[None]:
    """Cut the connection if what is done meanwhile takes longer than one request may."""
    who = str(asked.partition)
    fetch.check(who)
    deadline = fetch.request()
    with deadline:
        try:
            if connects:
                reader.connect(deadline)
            else:
                reader.watch(deadline)
            yield
        except reader.errors:
            deadline.check(who)
            raise


def _checked(asked: Asked, names: list[str]) -> list[str]:
    """The names of the query's columns, of which a record can have each once."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceRejected(
            f"{asked.partition}: the query returns more than one column named "
            f"{', '.join(map(repr, twice))}. Rename them in `query` with `as`."
        )
    for field, name in (("key", asked.extract.key), ("changed", asked.extract.changed)):
        if name and name not in names:
            raise asked.absent(field, name, names)
    return names


def _at_a_time(asked: Asked, reader: Reader) -> int:
    """How many rows may be held. Raises `BeyondLimit` for one that is too large."""
    largest = reader.largest_row()
    if largest > asked.record_bytes:
        what = f"expected rows, found one of {largest} bytes"
        raise BeyondLimit(what, "record_bytes", asked.record_bytes, str(asked.partition))
    return min(ROWS_AT_A_TIME, max(1, BYTES_AT_A_TIME // max(1, largest)))


def _json_fields(contract: Contract) -> frozenset[str]:
    """The fields that are JSON by the contract: the whole is a column, or something within it."""
    return frozenset(
        column.record_path[0]
        for column in contract.columns
        if column.type == "jsonb" or len(column.record_path) > 1
    )


class _Page:
    """Up to `page_size` rows."""

    def __init__(
        self, asked: Asked, reader: Reader, names: list[str], is_json: frozenset[str], limit: int
    ) -> None:
        self.records = 0
        self.first_key = self.last_key = ""
        # Closed by its reader.
        self.body: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
        self._more = False
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._asked, self._reader, self._names = asked, reader, names
        self._place = names.index(asked.extract.key)
        self._is_json = is_json if reader.json_is_text else frozenset()
        self._limit = limit
        self._order: object = None

    def fill(self, first: Row, rows: Iterator[Row]) -> Row | None:
        """Keep the first row and those after it; return the first row of the next page, if any.

        That one also shows whether keys repeat.
        """
        row: Row | None = first
        with disk_errors(f"{self._asked.partition}: keeping the rows"):
            while row is not None:
                key = self._key(row)
                if self.records == self._asked.extract.page_size:
                    self._more = True
                    break
                self.first_key = self.first_key or key
                self.last_key = key
                self._write(row)
                row = next(rows, None)
            self.body.seek(0)
        return row

    def _key(self, row: Row) -> str:
        value = row[self._place]
        if value is None:
            raise self._asked.null_key()
        key, name = as_text(value), self._asked.extract.key
        if self.records and key == self.last_key:
            raise UnexpectedPayload(
                f"{self._asked.partition}: expected each value of the key {name!r} once, "
                "found one twice. Name a unique column under `key`, or make the query's rows "
                "distinct."
            )
        order, before = self._reader.order_of(value), self._order
        if order is not None and before is not None and order < before:
            raise UnexpectedPayload(
                f"{self._asked.partition}: the database's rows are not in the order of the key "
                f"{name!r}: paging by it would lose rows. Name another unique column under `key`."
            )
        self._order = order
        return key

    def _write(self, row: Row) -> None:
        record = {
            name: value_for_json(as_json(value) if name in self._is_json else value)
            for name, value in zip(self._names, row, strict=True)
        }
        line = orjson.dumps(
            record, default=json_of, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
        )
        self._digest.update(line)
        self._bytes += self.body.write(line)
        self.records += 1
        if self._bytes > self._limit:
            what = f"a page has more than {self._limit} bytes (a smaller `page_size` may help)"
            raise BeyondLimit(what, "answer_bytes", self._limit, str(self._asked.partition))

    def facts(self, request: SentRequest) -> PageFacts:
        """The facts of the page, as if it were the answer to a request."""
        return PageFacts(
            label=self.first_key,
            next=self.last_key if self._more else "",
            digest=request.digest_with({}),
            status=SUCCESS,
            fetched_at=datetime.now(UTC),
            sha256=self._digest.hexdigest(),
            bytes=self._bytes,
            records=self.records,
        )


@contextmanager
def _errors(asked: Asked, reader: Reader) -> Iterator[None]:
    """Turn the database's errors into ours, without messages that may contain values."""
    try:
        yield
    except reader.errors as error:
        raise _explained(asked, reader.failure(error)) from None


def _explained(asked: Asked, failure: Failure) -> SourceRejected | SourceUnavailable:
    who = f"{asked.partition}: the database {asked.extract.connection!r}"
    if failure.kind == "login":
        return SourceRejected(f"{who} refuses the login. Check the connection's user and password.")
    if failure.kind == "away":
        return SourceUnavailable(f"{who} does not answer ({failure.told}). Try again later.")
    if failure.kind == "settings":
        return SourceRejected(f"{who} cannot be read: {failure.told}")
    return SourceRejected(
        f"{who} refuses the query: {failure.told}. Retrying will not help; check `query`, `key` "
        "and `changed` in the contract, and the rights of the connection."
    )
