"""Read MySQL and MariaDB."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pymysql
from pymysql.constants import CR, FIELD_TYPE
from pymysql.cursors import SSCursor

from include.extract.databases.address import Address
from include.extract.databases.mysql_types import (
    CONVERSIONS,
    DECIMAL,
    IN_UTC,
    KINDS,
    LOGIN,
    LONG,
    NAMES,
    OF_THE_CLIENT,
    PASSES,
    SAYS_NO_VALUES,
    TEXTS,
    TIMES,
    WHOLE,
)
from include.extract.databases.reader import CONNECT_SECONDS, Asked, Failure, Row
from include.extract.databases.tls import certificate_failure, context_of
from include.extract.databases.values import single
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

# What the driver stumbles over if a server does not speak the protocol.
_NOT_THE_PROTOCOL = (pymysql.InternalError, AssertionError, IndexError, ValueError, struct.error)


class MySqlReader:
    """A connection to MySQL or MariaDB, in one consistent snapshot of InnoDB's tables."""

    errors: tuple[type[Exception], ...] = (pymysql.Error,)
    json_is_text = True

    def __init__(self, address: Address, asked: Asked) -> None:
        address.only("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "charset")
        self._address, self._asked = address, asked
        self._tls = context_of(address)
        self._connection: pymysql.Connection[Any] | None = None
        self._socket: socket.socket | None = None
        self.kinds: dict[str, str] = {}
        self._columns: dict[str, int] = {}
        self._lengths: dict[str, int] = {}
        self._key_is_bytes = False

    def connect(self, deadline: Deadline) -> None:
        """Connect, and begin a read-only transaction with a consistent snapshot."""
        address = self._address
        try:
            found = socket.create_connection((address.host, address.port), CONNECT_SECONDS)
        except OSError as error:
            raise pymysql.OperationalError(CR.CR_CONN_HOST_ERROR, "no connection") from error
        deadline.watch(found.fileno())
        self._socket = found
        connection = pymysql.connect(
            host=address.host,
            user=address.user,
            password=address.password,
            database=address.database or None,
            charset="utf8mb4",
            conv=CONVERSIONS,
            ssl=self._tls,
            ssl_disabled=self._tls is None,
            local_infile=False,
            defer_connect=True,
            read_timeout=CONNECT_SECONDS,
        )
        self._connection = connection
        try:
            connection.connect(found)
        except _NOT_THE_PROTOCOL as error:
            raise pymysql.OperationalError(CR.CR_MALFORMED_PACKET, "malformed") from error
        # From here on, it is the deadline that ends what takes too long.
        connection._read_timeout = None  # type: ignore[attr-defined]
        self._begin()

    def _begin(self) -> None:
        seconds = max(1, int(self._asked.seconds))
        version = self._open.get_server_info()  # type: ignore[no-untyped-call]
        is_mariadb = "mariadb" in str(version).lower()
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
        described = self._describe(f"select * from {self._query()} as asked limit 0")  # noqa: S608
        names = [str(column[0]) for column in described]
        self._columns = {str(column[0]): int(column[1]) for column in described}
        self.kinds = {name: KINDS.get(kind, "text") for name, kind in self._columns.items()}
        self._lengths = {str(column[0]): int(column[3] or 0) for column in described}
        return names

    def _describe(self, query: str) -> Any:
        with self._open.cursor() as cursor:
            cursor.execute(query, self._asked.bound_without_zone)
            return cursor.description or ()

    def largest_row(self) -> int:
        """Of texts and bytes, if any row may be larger than the limit."""
        long = [name for name, kind in self._columns.items() if kind in LONG]
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
            row: Any
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
        if kind in WHOLE | DECIMAL | TIMES:
            return key
        if kind not in TEXTS:
            raise self._asked.no_key(NAMES.get(kind, str(kind)))
        with self._open.cursor() as cursor:
            cursor.execute(
                # Of no row: the query need not run for it.
                f"select charset((select {key} from {self._rows()} and false))",  # noqa: S608
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
        if kind in WHOLE:
            return int(after), "%(after)s"
        if kind in DECIMAL:
            return Decimal(after), "%(after)s"
        if kind in TIMES:
            moment = after.removesuffix(IN_UTC).replace("T", " ")
            return moment, f"cast(%(after)s as {'datetime(6)' if ' ' in moment else 'date'})"
        return after, "unhex(%(after)s)" if self._key_is_bytes else "cast(%(after)s as binary)"

    def order_of(self, key: Any) -> Any:
        """Texts by their bytes in UTF-8, decimals as numbers."""
        if isinstance(key, str):
            is_number = self._columns[self._asked.extract.key] in DECIMAL
            return Decimal(key) if is_number else key.encode()
        return key

    def failure(self, error: Exception) -> Failure:
        """By the number; the server's words only where they hold no values."""
        cause = getattr(error, "original_exception", error.__cause__)
        if isinstance(cause, ssl.SSLError):
            return certificate_failure(cause)
        if isinstance(cause, socket.gaierror):
            return Failure("away", "its host name cannot be resolved")
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        if isinstance(cause, OSError):
            return Failure("away", (cause.strerror or type(cause).__name__).lower())
        if number == CR.CR_SSL_CONNECTION_ERROR:
            return Failure(
                "settings",
                "it offers no TLS. Ask its owner to enable TLS, or set `ssl_mode: disabled` in "
                "the connection if nobody can eavesdrop.",
            )
        if number in LOGIN:
            return Failure("login")
        if number in PASSES or number in OF_THE_CLIENT:
            return Failure("away", f"error {number}")
        told = str(error.args[1]) if number in SAYS_NO_VALUES else type(error).__name__
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
