"""The queries that read a database in pages, by a unique key, and the values of their rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, time
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.string import TextLoader

from include.errors import BeyondLimit, UnexpectedPayload
from include.sources.extract.database import DatabaseExtract
from include.sources.page import SentRequest
from include.sources.partition import Partition

_JSON = ("json", "jsonb")
# Python has none of years after 9999, of infinity, or of 24:00.
_TIMES = ("date", "time", "timetz", "timestamp", "timestamptz")
# Python's intervals have no months, and its ranges are written in another way.
_AS_TEXT = (
    "interval",
    *("int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"),
    *("int4multirange", "int8multirange", "nummultirange"),
    *("datemultirange", "tsmultirange", "tstzmultirange"),
)
# Whatever the server's defaults are.
_SETTINGS = (
    "set time zone 'UTC'",
    "set datestyle = 'ISO'",
    "set intervalstyle = 'postgres'",
    "set extra_float_digits = 1",
)
# Stored bytes of a row that is within every limit: PostgreSQL compresses at most a hundred times.
SMALL_ROW = 8192


def _rows(extract: DatabaseExtract) -> sql.Composed:
    """The query as a subquery, with the condition on the period."""
    condition: sql.Composable = sql.SQL("true")
    if extract.follows_changes:
        changed = sql.Identifier(extract.changed)
        condition = sql.SQL("{0} >= %(period_start)s and {0} < %(period_end)s").format(changed)
    # The contract's own text: trusted, since its authors can change everything.
    query = sql.SQL(extract.query.rstrip("; \n"))
    return sql.SQL("({}\n) as asked where {}").format(query, condition)


def page_query(
    partition: Partition, extract: DatabaseExtract, after: str
) -> tuple[sql.Composed, dict[str, Any]]:
    """The query for the rows of one page after the key `after`, and one row more."""
    key = sql.Identifier(extract.key)
    beyond = sql.SQL(" and {} > %(after)s").format(key) if after else sql.SQL("")
    query = sql.SQL("select * from {rows}{beyond} order by {key} limit {limit}").format(
        rows=_rows(extract), beyond=beyond, key=key, limit=sql.Literal(extract.page_size + 1)
    )
    return query, _bound(partition) | {"after": after}


def largest_row(
    partition: Partition,
    extract: DatabaseExtract,
    connection: psycopg.Connection[Any],
    limit: int,
) -> int:
    """The approximate size of the largest row as text, in bytes; 0 if none is large.

    Measured in the database, because a client would have to fetch the row.
    Raises `UnexpectedPayload` for a null key, which no page after the first
    would have, and `BeyondLimit` for a row of more than `limit` bytes.
    """
    query = sql.SQL(
        "select bool_or({key} is null), max(case when pg_column_size(asked) > {small} "
        "then octet_length(asked::text) end) from {rows}"
    ).format(key=sql.Identifier(extract.key), small=sql.Literal(SMALL_ROW), rows=_rows(extract))
    found = connection.execute(query, _bound(partition)).fetchone()
    has_null, size = found or (False, None)
    if has_null:
        raise UnexpectedPayload(
            f"{partition}: expected a value of the key {extract.key!r} in every row, found null. "
            "Name a unique column under `key`."
        )
    if size is not None and size > limit:
        what = f"expected rows, found one of {size} bytes"
        raise BeyondLimit(what, "record_bytes", limit, str(partition))
    return int(size or 0)


def _bound(partition: Partition) -> dict[str, Any]:
    period = partition.period
    if period.grain == "all":
        return {"council": partition.council}
    return {
        "period_start": period.start,
        "period_end": period.end,
        "council": partition.council,
    }


def page_request(extract: DatabaseExtract, partition: Partition, after: str) -> SentRequest:
    """The key as text for the manifest."""
    bound = {name: as_text(value) for name, value in _bound(partition).items()}
    return SentRequest(
        method="SELECT",
        url=f"database:{extract.connection}",
        query=bound | ({"after": after} if after else {}),
    )


def as_text(value: Any) -> str:
    """Values without a JSON type as text: dates in ISO format, numeric and others as written."""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value.isoformat() if isinstance(value, date | time) else str(value)


class JsonText:
    """A value of json or jsonb as its text, which is JSON too."""

    def __init__(self, text: bytes) -> None:
        # Between values, json keeps line breaks; within texts, they are escaped.
        self.text = text.replace(b"\n", b" ").replace(b"\r", b" ")

    def __str__(self) -> str:
        return self.text.decode()


class _JsonLoader(Loader):
    def load(self, data: Buffer) -> JsonText:
        return JsonText(bytes(data))


def read_as_written(connection: psycopg.Connection[Any]) -> None:
    """Return values for which Python has no type of the same precision as PostgreSQL's text."""
    adapters = connection.adapters
    for setting in _SETTINGS:
        connection.execute(setting)
    for name in _JSON:
        adapters.register_loader(name, _JsonLoader)
    for name in _AS_TEXT:
        adapters.register_loader(name, TextLoader)
    for name in _TIMES:
        adapters.register_loader(name, _or_text(adapters, name))


def _or_text(adapters: Any, name: str) -> type[Loader]:
    """The loader of a type, with text for values that Python cannot represent."""
    inner = adapters.get_loader(adapters.types[name].oid, Format.TEXT)

    class OrText(Loader):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._load: Callable[[Buffer], Any] = inner(oid, context).load

        def load(self, data: Buffer) -> Any:
            try:
                return self._load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return OrText


def value_for_json(value: Any) -> Any:
    """The value for JSON, also in arrays; NaN and infinity as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, time) and value.tzinfo:
        return as_text(value)
    if isinstance(value, list | tuple):
        return [value_for_json(item) for item in value]
    return value


def json_of(value: Any) -> Any:
    """What has no type in JSON: JSON as it is, anything else as text."""
    return orjson.Fragment(value.text) if isinstance(value, JsonText) else as_text(value)
