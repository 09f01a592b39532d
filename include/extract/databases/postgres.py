"""Read PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.string import TextLoader

from include.extract.databases.reader import CONNECT_SECONDS, Asked, Failure, Row
from include.extract.databases.values import JsonText
from include.extract.network.deadline import Deadline

# A read-only transaction, in which every query sees the same snapshot.
READ_ONLY = "set transaction isolation level repeatable read, read only"
# SQLSTATEs of errors in the contract or in privileges; their texts name columns and tables
# but no values: syntax and access rules, no such database, a statement that writes.
SAYS_NO_VALUES = ("42", "3D", "25006")
WRONG_LOGIN = "28"

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
# Whatever the server's defaults are. All rows are read, not the first ones.
_SETTINGS = (
    "set time zone 'UTC'",
    "set datestyle = 'ISO'",
    "set intervalstyle = 'postgres'",
    "set extra_float_digits = 1",
    "set cursor_tuple_fraction = 1",
)
# Of a column that a query takes as it is: its comment, and whether it alone is the primary key.
_NOTES = """
    select coalesce(col_description(%(table)s::oid, %(column)s::int), ''),
        exists (
            select from pg_index
            where indrelid = %(table)s::oid and indisprimary and indnatts = 1
                and indkey[0] = %(column)s::int2
        )
"""
# Stored bytes of a row that is within every limit: PostgreSQL compresses at most a hundred times.
SMALL_ROW = 8192


class PostgresReader:
    """A connection to PostgreSQL, in one repeatable-read snapshot."""

    errors: tuple[type[Exception], ...] = (psycopg.Error,)
    json_is_text = False

    def __init__(self, dsn: str, asked: Asked) -> None:
        self._dsn, self._asked = dsn, asked
        self._connection: psycopg.Connection[Any] | None = None
        self.kinds: dict[str, str] = {}

    def connect(self, deadline: Deadline) -> None:
        """Connect, and begin a read-only transaction."""
        self._connection = psycopg.connect(self._dsn, connect_timeout=CONNECT_SECONDS)
        self.watch(deadline)
        read_as_written(self._connection)
        self._connection.commit()
        self._connection.execute(READ_ONLY)

    def watch(self, deadline: Deadline) -> None:
        """Cut the connection when its time is up."""
        deadline.watch(self._open.fileno())

    def names(self) -> list[str]:
        """The names of the query's columns."""
        described = self._described().description or ()
        self.kinds = {column.name: column.type_display for column in described}
        return [column.name for column in described]

    def notes(self) -> dict[str, tuple[str, bool]]:
        """The comments of columns of tables, and whether one alone is the primary key."""
        found: dict[str, tuple[str, bool]] = {}
        described = self._described()
        result = described.pgresult
        for place, column in enumerate(described.description or ()):
            if result and result.ftable(place):
                asked = {"table": result.ftable(place), "column": result.ftablecol(place)}
                row = self._open.execute(_NOTES, asked).fetchone()
                found[column.name] = row or ("", False)
        return found

    def _described(self) -> psycopg.Cursor[Any]:
        query = sql.SQL("select * from {} limit 0").format(self._rows())
        return self._open.execute(query, self._asked.bound)

    def largest_row(self) -> int:
        """As text. Raises `UnexpectedPayload` for a null key."""
        query = sql.SQL(
            "select bool_or({key} is null), max(case when pg_column_size(asked) > {small} "
            "then octet_length(asked::text) end) from {rows}"
        ).format(key=self._key, small=sql.Literal(SMALL_ROW), rows=self._rows())
        found = self._open.execute(query, self._asked.bound).fetchone()
        has_null, size = found or (False, None)
        if has_null:
            raise self._asked.null_key()
        return int(size or 0)

    def rows(self, after: str, at_a_time: int) -> Iterator[Row]:
        """By the key, through a cursor of the server."""
        beyond = sql.SQL(" and {} > %(after)s").format(self._key) if after else sql.SQL("")
        query = sql.SQL("select * from {rows}{beyond} order by {key}").format(
            rows=self._rows(), beyond=beyond, key=self._key
        )
        with self._open.cursor("rows") as cursor:
            cursor.itersize = at_a_time
            yield from cursor.execute(query, self._asked.bound | {"after": after})

    def order_of(self, key: Any) -> Any:
        """None: it depends on the collation."""

    def failure(self, error: Exception) -> Failure:
        """By the SQLSTATE; the server's words only where they hold no values."""
        state = getattr(error, "sqlstate", None) or ""
        if isinstance(error, psycopg.OperationalError):
            known = state.startswith(WRONG_LOGIN)
            return Failure("login") if known else Failure("away", type(error).__name__)
        diag = getattr(error, "diag", None)
        told = diag.message_primary if diag and state.startswith(SAYS_NO_VALUES) else ""
        return Failure("query", f"{told or type(error).__name__} (SQLSTATE {state or 'unknown'})")

    def close(self) -> None:
        """Roll back and close."""
        if self._connection is not None:
            self._connection.close()

    @property
    def _open(self) -> psycopg.Connection[Any]:
        assert self._connection is not None  # noqa: S101
        return self._connection

    @property
    def _key(self) -> sql.Identifier:
        return sql.Identifier(self._asked.extract.key)

    def _rows(self) -> sql.Composed:
        """The query as a subquery, with the condition on the period."""
        extract = self._asked.extract
        condition: sql.Composable = sql.SQL("true")
        if extract.follows_changes:
            changed = sql.Identifier(extract.changed)
            condition = sql.SQL("{0} >= %(period_start)s and {0} < %(period_end)s").format(changed)
        query = sql.SQL(self._asked.query("postgresql", "%({})s".format, "%%"))
        return sql.SQL("{} as asked where {}").format(query, condition)


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
