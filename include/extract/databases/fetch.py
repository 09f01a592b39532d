"""Read the rows of a partition from a database as JSON lines, paged by their key."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson
import psycopg
from psycopg.rows import dict_row

from include.disk import disk_errors
from include.errors import (
    BeyondLimit,
    PermanentError,
    SourceRejected,
    SourceUnavailable,
    UnexpectedPayload,
)
from include.extract.databases.queries import (
    as_text,
    json_of,
    largest_row,
    page_query,
    page_request,
    read_as_written,
    value_for_json,
)
from include.extract.fetched import Page
from include.extract.network.deadline import Fetch
from include.sources.extract.database import DatabaseExtract
from include.sources.model import Contract
from include.sources.page import PageFacts, SentRequest
from include.sources.partition import Partition

IN_MEMORY_BYTES = 8 * 1024 * 1024
ROWS_AT_A_TIME = 2_000
# Rows that are held together; fewer are read at a time where one is larger than its part.
BYTES_AT_A_TIME = 16 * 1024 * 1024
CONNECT_SECONDS = 10
SUCCESS = 200
# A read-only transaction, in which all pages see the same snapshot.
READ_ONLY = "set transaction isolation level repeatable read, read only"
# SQLSTATEs of errors in the contract or in privileges; their texts name columns and tables
# but no values: syntax and access rules, no such database, a statement that writes.
SAYS_NO_VALUES = ("42", "3D", "25006")
WRONG_LOGIN = "28"


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
            "Add the Airflow Connection of that name, or its variable for the command line."
        )
    have, after = deque(landed), ""
    while have and have[0].digest == page_request(extract, partition, after).digest_with({}):
        facts = have.popleft()
        yield Page(page_request(extract, partition, after), facts)
        if not facts.next:
            return
        after = facts.next
    limits = contract.limits
    fetch = Fetch(limits)
    with _errors(partition, extract.connection), _connected(dsn) as connection:
        with _timed(fetch, partition, connection):
            largest = largest_row(partition, extract, connection, limits.record_bytes)
        rows = min(ROWS_AT_A_TIME, max(1, BYTES_AT_A_TIME // max(1, largest)))
        more = True
        while more:
            request = page_request(extract, partition, after)
            page = _Page(partition, extract, after, limits.answer_bytes)
            with _timed(fetch, partition, connection):
                page.read(connection, rows)
            after, more = page.last_key, page.more
            if page.records:
                yield Page(request, page.facts(request), page.body)


@contextmanager
def _timed(
    fetch: Fetch, partition: Partition, connection: psycopg.Connection[Any]
) -> Iterator[None]:
    """Cut the connection if what is done meanwhile takes longer than one request may."""
    fetch.check(str(partition))
    deadline = fetch.request()
    with deadline:
        deadline.watch(connection.fileno())
        try:
            yield
        except psycopg.OperationalError:
            deadline.check(str(partition))
            raise


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS) as connection:
        read_as_written(connection)
        connection.commit()
        connection.execute(READ_ONLY)
        yield connection
        connection.rollback()


class _Page:
    """Up to `page_size` rows with keys beyond `after`."""

    def __init__(
        self, partition: Partition, extract: DatabaseExtract, after: str, limit: int
    ) -> None:
        self.records = 0
        self.first_key = self.last_key = ""
        self.more = False
        # Closed by its reader.
        self.body: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
        self._digest = hashlib.sha256()
        self._bytes = 0
        self._partition, self._extract, self._after = partition, extract, after
        self._limit = limit

    def read(self, connection: psycopg.Connection[Any], rows_at_a_time: int) -> None:
        """Read them and one more, which shows whether others follow and whether keys repeat."""
        query, values = page_query(self._partition, self._extract, self._after)
        with (
            disk_errors(f"{self._partition}: keeping the rows"),
            connection.cursor("page", row_factory=dict_row) as cursor,
        ):
            cursor.itersize = rows_at_a_time
            for row in cursor.execute(query, values):
                key = self._key(row)
                if self.records == self._extract.page_size:
                    self.more = True
                    break
                self.first_key = self.first_key or key
                self.last_key = key
                self._write(row)
            self.body.seek(0)

    def _key(self, row: dict[str, Any]) -> str:
        key = as_text(row[self._extract.key])
        if self.records and key == self.last_key:
            raise UnexpectedPayload(
                f"{self._partition}: expected each value of the key {self._extract.key!r} once, "
                "found one twice. Name a unique column under `key`, or make the query's rows "
                "distinct."
            )
        return key

    def _write(self, row: dict[str, Any]) -> None:
        line = orjson.dumps(
            {name: value_for_json(value) for name, value in row.items()},
            default=json_of,
            option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS,
        )
        self._digest.update(line)
        self._bytes += self.body.write(line)
        self.records += 1
        if self._bytes > self._limit:
            what = f"a page has more than {self._limit} bytes (a smaller `page_size` may help)"
            raise BeyondLimit(what, "answer_bytes", self._limit, str(self._partition))

    def facts(self, request: SentRequest) -> PageFacts:
        """The facts of the page, as if it were the answer to a request."""
        return PageFacts(
            label=self.first_key,
            next=self.last_key if self.more else "",
            digest=request.digest_with({}),
            status=SUCCESS,
            fetched_at=datetime.now(UTC),
            sha256=self._digest.hexdigest(),
            bytes=self._bytes,
            records=self.records,
        )


@contextmanager
def _errors(partition: Partition, connection: str) -> Iterator[None]:
    """Turn the database's errors into ours, without messages that may contain values."""
    try:
        yield
    except psycopg.OperationalError as error:
        if (error.sqlstate or "").startswith(WRONG_LOGIN):
            raise SourceRejected(
                f"{partition}: the database {connection!r} refuses the login. Check the "
                "connection's user and password."
            ) from None
        raise SourceUnavailable(
            f"{partition}: the database {connection!r} does not answer "
            f"({type(error).__name__}). Try again later."
        ) from None
    except psycopg.Error as error:
        state = error.sqlstate or ""
        told = error.diag.message_primary if state.startswith(SAYS_NO_VALUES) else ""
        raise SourceRejected(
            f"{partition}: the database {connection!r} refuses the query: "
            f"{told or type(error).__name__} (SQLSTATE {state or 'unknown'}). Retrying will not "
            "help; check `query`, `key` and `changed` in the contract, and the rights of the "
            "connection."
        ) from None
