"""Read MySQL and MariaDB."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.constants import CR, ER, FIELD_TYPE
from pymysql.converters import encoders
from pymysql.cursors import SSCursor

from include.extract.databases.address import Address
from include.extract.databases.reader import CONNECT_SECONDS, Asked, Failure, Row
from include.extract.databases.tls import certificate_failure, context_of
from include.extract.databases.values import JsonText, single
from include.extract.network.deadline import Deadline

# Whatever the server's defaults are: how SQL is read, times in UTC, nothing cut short, and time
# to keep a page while the server waits.
_SETTINGS = (
    "set session sql_mode = ''",
    "set session time_zone = '+00:00'",
    "set session sql_select_limit = 18446744073709551615",
    "set session group_concat_max_len = 4294967295",
    "set session max_sort_length = 8192",
    "set session transaction isolation level repeatable read",
    "set session transaction read only",
    "start transaction with consistent snapshot, read only",
)

_WHOLE = {
    FIELD_TYPE.TINY,
    FIELD_TYPE.SHORT,
    FIELD_TYPE.INT24,
    FIELD_TYPE.LONG,
    FIELD_TYPE.LONGLONG,
    FIELD_TYPE.YEAR,
}
_DECIMAL = {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}
_TIMES = {FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP}
_TEXTS = {
    FIELD_TYPE.VARCHAR,
    FIELD_TYPE.VAR_STRING,
    FIELD_TYPE.STRING,
    FIELD_TYPE.ENUM,
    FIELD_TYPE.SET,
    FIELD_TYPE.TINY_BLOB,
    FIELD_TYPE.MEDIUM_BLOB,
    FIELD_TYPE.LONG_BLOB,
    FIELD_TYPE.BLOB,
}
_LONG = _TEXTS | {FIELD_TYPE.JSON, FIELD_TYPE.GEOMETRY}
_NAMES = {number: name for name, number in vars(FIELD_TYPE).items() if name.isupper()}
# A date with a month and day; 0000-00-00 and 2026-00-00 are printed as they are.
_REAL_DATE = re.compile(r"(?!0000)\d{4}-(?!00)\d\d-(?!00)\d\d ")
_IN_UTC = "+00:00"

_LOGIN = {
    ER.ACCESS_DENIED_ERROR,
    ER.HOST_NOT_PRIVILEGED,
    ER.NOT_SUPPORTED_AUTH_MODE,
    ER.MUST_CHANGE_PASSWORD_LOGIN,
    1698,  # access denied without a password
    1820,  # the password must be changed
    3118,  # locked, in MySQL
    4151,  # locked, in MariaDB
}
# Their texts name tables and columns, or quote the query, but no values of rows.
_SAYS_NO_VALUES = {
    ER.BAD_DB_ERROR,
    ER.BAD_FIELD_ERROR,
    ER.COLUMNACCESS_DENIED_ERROR,
    ER.DBACCESS_DENIED_ERROR,
    ER.DUP_FIELDNAME,
    ER.NO_SUCH_TABLE,
    ER.NON_UNIQ_ERROR,
    ER.PARSE_ERROR,
    ER.SP_DOES_NOT_EXIST,
    ER.TABLEACCESS_DENIED_ERROR,
    1370,  # no right to execute a function
    1792,  # a statement that writes
}
# What passes: too many connections, a shutdown, a network that fails, locks, a killed query.
_PASSES = {
    ER.CON_COUNT_ERROR,
    ER.OUT_OF_RESOURCES,
    ER.SERVER_SHUTDOWN,
    ER.NET_READ_ERROR,
    ER.NET_READ_INTERRUPTED,
    ER.NET_ERROR_ON_WRITE,
    ER.NET_WRITE_INTERRUPTED,
    ER.LOCK_WAIT_TIMEOUT,
    ER.LOCK_DEADLOCK,
    ER.QUERY_INTERRUPTED,
    ER.HOST_IS_BLOCKED,
    1927,  # the connection was killed
    1969,  # max_statement_time
    3024,  # max_execution_time
}


def _moment(text: str) -> str:
    return text.replace(" ", "T", 1) if _REAL_DATE.match(text) else text


def _moment_in_utc(text: str) -> str:
    return _moment(text) + _IN_UTC if _REAL_DATE.match(text) else text


# How each type arrives; all others as the text that the server writes.
_DECODERS: dict[int, Any] = {
    **dict.fromkeys(_WHOLE, int),
    FIELD_TYPE.BIT: lambda value: int.from_bytes(value, "big"),
    FIELD_TYPE.DOUBLE: float,
    FIELD_TYPE.DATETIME: _moment,
    FIELD_TYPE.TIMESTAMP: _moment_in_utc,
    FIELD_TYPE.JSON: lambda text: JsonText(text.encode()),
}


class MySqlReader:
    """A connection to MySQL or MariaDB, in one consistent snapshot of InnoDB's tables."""

    errors: tuple[type[Exception], ...] = (pymysql.Error, OSError)
    json_is_text = True

    def __init__(self, address: Address, asked: Asked) -> None:
        address.only("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "charset")
        self._address, self._asked = address, asked
        self._tls = context_of(address)
        self._connection: pymysql.Connection[Any] | None = None
        self._socket: socket.socket | None = None
        self._columns: dict[str, int] = {}
        self._lengths: dict[str, int] = {}
        self._key_is_bytes = False

    def connect(self, deadline: Deadline) -> None:
        """Connect, and begin a read-only transaction with a consistent snapshot."""
        address = self._address
        found = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
        deadline.watch(found.fileno())
        self._socket = found
        connection = pymysql.connect(
            host=address.host,
            user=address.user,
            password=address.password,
            database=address.database or None,
            charset="utf8mb4",
            conv={**encoders, **_DECODERS},
            ssl=self._tls,
            ssl_disabled=self._tls is None,
            local_infile=False,
            defer_connect=True,
            read_timeout=CONNECT_SECONDS,
        )
        self._connection = connection
        connection.connect(found)
        # From here on, it is the deadline that ends what takes too long.
        connection._read_timeout = None  # type: ignore[attr-defined]
        self._begin()

    def _begin(self) -> None:
        seconds = max(1, int(self._asked.seconds))
        is_mariadb = "mariadb" in self._open.get_server_info().lower()
        limit = (
            f"set session max_statement_time = {seconds}"
            if is_mariadb
            else f"set session max_execution_time = {min(seconds * 1000, 2**32 - 1)}"
        )
        wait = f"set session net_write_timeout = {min(seconds + 60, 31_536_000)}"
        with self._open.cursor() as cursor:
            for setting in (limit, wait, *_SETTINGS):
                cursor.execute(setting)

    def watch(self, deadline: Deadline) -> None:
        """Cut the connection when its time is up."""
        assert self._socket is not None  # noqa: S101
        deadline.watch(self._descriptor)

    @property
    def _descriptor(self) -> int:
        # With TLS, the socket is wrapped in another one.
        found = getattr(self._open, "_sock", None)
        if found is None:
            raise pymysql.OperationalError(CR.CR_SERVER_LOST, "closed")
        return int(found.fileno())

    def names(self) -> list[str]:
        """The names of the query's columns."""
        described = self._describe(f"select * from {self._query()} as asked limit 0")
        names = [str(column[0]) for column in described]
        self._columns = {str(column[0]): int(column[1]) for column in described}
        self._lengths = {str(column[0]): int(column[3] or 0) for column in described}
        return names

    def _describe(self, query: str) -> Any:
        with self._open.cursor() as cursor:
            cursor.execute(query, self._asked.bound_without_zone)
            return cursor.description or ()

    def largest_row(self) -> int:
        """Of texts and bytes, if any row may be larger than the limit."""
        long = [name for name, kind in self._columns.items() if kind in _LONG]
        if 4 * sum(self._lengths[name] for name in long) <= self._asked.record_bytes:
            return 0
        sizes = " + ".join(f"coalesce(length({self._quoted(name)}), 0)" for name in long)
        query = f"select max({sizes}) from {self._rows()}"  # noqa: S608, the contract's names
        with self._open.cursor() as cursor:
            cursor.execute(query, self._asked.bound_without_zone)
            found = cursor.fetchone()
        return int(found[0] or 0) if found else 0

    def rows(self, after: str, at_a_time: int) -> Iterator[Row]:
        """By the key, one at a time as the server sends them."""
        order = self._order()
        values = self._asked.bound_without_zone
        beyond = ""
        if after:
            values["after"], compared = self._after(after)
            key = self._quoted(self._asked.extract.key)
            beyond = f" and ({order} > {compared} or {key} is null)"
        query = (
            f"select {self._selected()} from {self._rows()}{beyond} "  # noqa: S608
            f"order by {order}"
        )
        cursor = self._open.cursor(SSCursor)
        try:
            cursor.execute(query, values)
            singles = [
                place
                for place, kind in enumerate(self._columns.values())
                if kind == FIELD_TYPE.FLOAT
            ]
            for row in iter(cursor.fetchone, None):
                if singles:
                    row = [
                        single(value) if place in singles else value
                        for place, value in enumerate(row)
                    ]
                yield row
        finally:
            self._leave(cursor)

    def _leave(self, cursor: Any) -> None:
        """Read none of the rows that are left, as the driver would when a cursor is closed."""
        result = getattr(cursor, "_result", None)
        if result is not None and result.unbuffered_active:
            result.unbuffered_active = False
            self.close()
        cursor.connection = None

    def _selected(self) -> str:
        """The columns; single precision as double, since the server writes it with six digits."""
        found = []
        for name, kind in self._columns.items():
            quoted = self._quoted(name)
            found.append(f"{quoted} + 0e0 as {quoted}" if kind == FIELD_TYPE.FLOAT else quoted)
        return ", ".join(found)

    def _order(self) -> str:
        """What rows are ordered by: the key, and texts by their bytes.

        Collations take texts for equal that differ by case, accents or blanks at the end.
        """
        name = self._asked.extract.key
        kind, key = self._columns[name], self._quoted(name)
        if kind in _WHOLE | _DECIMAL | _TIMES:
            return key
        if kind not in _TEXTS:
            raise self._asked.no_key(_NAMES.get(kind, str(kind)))
        with self._open.cursor() as cursor:
            cursor.execute(
                f"select charset({key}) from {self._rows()} limit 1",  # noqa: S608
                self._asked.bound_without_zone,
            )
            found = cursor.fetchone()
        self._key_is_bytes = found is not None and found[0] == "binary"
        if self._key_is_bytes:
            return f"cast({key} as binary)"
        return f"cast(cast({key} as char character set utf8mb4) as binary)"

    def _after(self, after: str) -> tuple[Any, str]:
        """The last key as a parameter, and how it is compared."""
        kind = self._columns[self._asked.extract.key]
        if kind in _WHOLE:
            return int(after), "%(after)s"
        if kind in _DECIMAL:
            return Decimal(after), "%(after)s"
        if kind in _TIMES:
            moment = after.removesuffix(_IN_UTC).replace("T", " ")
            return moment, f"cast(%(after)s as {'datetime(6)' if ' ' in moment else 'date'})"
        return after, "unhex(%(after)s)" if self._key_is_bytes else "cast(%(after)s as binary)"

    def order_of(self, key: Any) -> Any:
        """Texts by their bytes in UTF-8, decimals as numbers."""
        if isinstance(key, str):
            is_number = self._columns[self._asked.extract.key] in _DECIMAL
            return Decimal(key) if is_number else key.encode()
        return key

    def failure(self, error: Exception) -> Failure:
        """By the number; the server's words only where they hold no values."""
        cause = getattr(error, "original_exception", error)
        if isinstance(cause, ssl.SSLError):
            return certificate_failure(cause)
        if isinstance(cause, socket.gaierror):
            return Failure("away", "its host name is not known")
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if isinstance(cause, OSError):
            return Failure("away", (cause.strerror or type(cause).__name__).lower())
        if number == CR.CR_SSL_CONNECTION_ERROR:
            return Failure(
                "settings",
                "it offers no TLS. Ask its owner for TLS, or set `ssl_mode: disabled` in the "
                "connection if nobody can read along.",
            )
        if number in _LOGIN:
            return Failure("login")
        if number in _PASSES or number >= CR.CR_UNKNOWN_ERROR and number < 3000:  # noqa: PLR2004
            return Failure("away", f"error {number}")
        told = str(error.args[1]) if number in _SAYS_NO_VALUES else type(error).__name__
        return Failure("query", f"{told} (error {number})")

    def close(self) -> None:
        """End the connection, and with it the transaction."""
        if self._connection is not None and self._connection.open:
            with suppress(pymysql.Error):
                self._connection.close()
        elif self._socket is not None:
            self._socket.close()

    @property
    def _open(self) -> pymysql.Connection[Any]:
        assert self._connection is not None  # noqa: S101
        return self._connection

    def _quoted(self, name: str) -> str:
        """An identifier; the driver takes a single percent sign for a parameter."""
        return f"`{name.replace('`', '``').replace('%', '%%')}`"

    def _query(self) -> str:
        return self._asked.query("mysql", "%({})s".format, "%%")

    def _rows(self) -> str:
        """The query as a subquery, with the condition on the period."""
        extract, condition = self._asked.extract, "true"
        if extract.follows_changes:
            changed = self._quoted(extract.changed)
            condition = f"{changed} >= %(period_start)s and {changed} < %(period_end)s"
        return f"{self._query()} as asked where {condition}"
