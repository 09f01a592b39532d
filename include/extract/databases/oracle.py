"""Read Oracle. Not yet run against a server: docs/databases.md says what is tested."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

import oracledb

from include.errors import PermanentError
from include.extract.databases.address import Address
from include.extract.databases.reader import CONNECT_SECONDS, Asked, Failure, Row
from include.extract.databases.tls import certificate_failure, context_of
from include.extract.databases.values import JsonText, single
from include.extract.network.deadline import Deadline

# Whatever the server's defaults are: texts by their bytes, times in UTC. Everything after the
# last sees the moment at which it is run, and may change nothing.
_SETTINGS = (
    "alter session set nls_sort = binary",
    "alter session set nls_comp = binary",
    "alter session set nls_numeric_characters = '.,'",
    "alter session set time_zone = '+00:00'",
    "set transaction read only",
)

_DATE = "ltrim(to_char({0}, 'SYYYY-MM-DD\"T\"HH24:MI:SS'))"
_TIMESTAMP = "ltrim(to_char({0}, 'SYYYY-MM-DD\"T\"HH24:MI:SS.FF9'))"
_ZONED = "ltrim(to_char({0}, 'SYYYY-MM-DD\"T\"HH24:MI:SS.FF9TZH:TZM'))"
# How each type is read so that nothing is lost: Python's times have six digits of a second.
_AS_TEXT = {
    "DB_TYPE_DATE": _DATE,
    "DB_TYPE_TIMESTAMP": _TIMESTAMP,
    "DB_TYPE_TIMESTAMP_TZ": _ZONED,
    "DB_TYPE_TIMESTAMP_LTZ": _ZONED,
    "DB_TYPE_INTERVAL_DS": "to_char({0})",
    "DB_TYPE_INTERVAL_YM": "to_char({0})",
    "DB_TYPE_JSON": "json_serialize({0} returning clob)",
    "DB_TYPE_XMLTYPE": "xmlserialize(content {0} as clob)",
}
_NUMBERS = ("DB_TYPE_NUMBER", "DB_TYPE_BINARY_INTEGER")
_TEXTS = ("DB_TYPE_VARCHAR", "DB_TYPE_NVARCHAR", "DB_TYPE_CHAR", "DB_TYPE_NCHAR")
_LOBS = ("DB_TYPE_CLOB", "DB_TYPE_NCLOB", "DB_TYPE_BLOB")
_AS_IT_IS = {
    *_NUMBERS,
    *_TEXTS,
    *_LOBS,
    *("DB_TYPE_RAW", "DB_TYPE_BINARY_DOUBLE", "DB_TYPE_BINARY_FLOAT", "DB_TYPE_BOOLEAN"),
    *("DB_TYPE_ROWID", "DB_TYPE_UROWID"),
}
# What PostgreSQL would call them.
_KINDS = {
    "DB_TYPE_NUMBER": "numeric",
    "DB_TYPE_DATE": "timestamp",
    "DB_TYPE_TIMESTAMP": "timestamp",
    "DB_TYPE_TIMESTAMP_TZ": "timestamptz",
    "DB_TYPE_TIMESTAMP_LTZ": "timestamptz",
    "DB_TYPE_BINARY_FLOAT": "float8",
    "DB_TYPE_BINARY_DOUBLE": "float8",
    "DB_TYPE_BOOLEAN": "bool",
    "DB_TYPE_JSON": "jsonb",
}
# What a key is compared with.
_KEYS = {
    "DB_TYPE_NUMBER": "to_number(:after)",
    "DB_TYPE_DATE": "to_date(:after, 'SYYYY-MM-DD\"T\"HH24:MI:SS')",
    "DB_TYPE_TIMESTAMP": "to_timestamp(:after, 'SYYYY-MM-DD\"T\"HH24:MI:SS.FF9')",
    "DB_TYPE_TIMESTAMP_TZ": "to_timestamp_tz(:after, 'SYYYY-MM-DD\"T\"HH24:MI:SS.FF9TZH:TZM')",
    "DB_TYPE_TIMESTAMP_LTZ": "to_timestamp_tz(:after, 'SYYYY-MM-DD\"T\"HH24:MI:SS.FF9TZH:TZM')",
    "DB_TYPE_RAW": "hextoraw(:after)",
    **dict.fromkeys(_TEXTS, ":after"),
}

_LOGIN = {"ORA-01017", "ORA-01005", "ORA-28000", "ORA-28001", "ORA-01045", "ORA-28040", "DPY-3015"}
_AWAY = {
    *("DPY-4011", "DPY-4024", "DPY-6000", "DPY-6001", "DPY-6003", "DPY-6005"),
    *("ORA-00018", "ORA-00020", "ORA-01033", "ORA-01034", "ORA-01089", "ORA-01090", "ORA-01092"),
    *("ORA-01013", "ORA-01555", "ORA-00028", "ORA-00054", "ORA-02396", "ORA-02399"),
    *("ORA-03113", "ORA-03114", "ORA-03135", "ORA-12170", "ORA-12514", "ORA-12541", "ORA-12545"),
}
# Texts that name tables and columns, or quote the query, but no values of rows: syntax and names
# (ORA-009xx), rights, statements that write.
_SYNTAX = range(900, 1000)
_SAYS_NO_VALUES = {1031, 1456, 14551, 41900}


class OracleReader:
    """A connection to Oracle, in one read-only transaction, which sees one moment."""

    errors: tuple[type[Exception], ...] = (oracledb.Error,)
    json_is_text = True

    def __init__(self, address: Address, asked: Asked) -> None:
        address.only("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "service_name", "sid")
        self._address, self._asked = address, asked
        self._tls = context_of(address)
        self._parameters = parameters(address)
        self._connection: Any = None
        self.kinds: dict[str, str] = {}
        self._types: dict[str, str] = {}
        self._quoted: dict[str, str] = {}

    def connect(self, deadline: Deadline) -> None:
        """Connect, and begin a read-only transaction."""
        try:
            self._connection = oracledb.connect(
                user=self._address.user,
                password=self._address.password,
                tcp_connect_timeout=CONNECT_SECONDS,
                ssl_context=self._tls,
                ssl_server_dn_match=self._tls is not None and self._tls.check_hostname,
                **self._parameters,
            )
        except OSError as error:
            raise oracledb.OperationalError("no connection") from error
        self.watch(deadline)
        self._connection.outputtypehandler = as_written
        for setting in _SETTINGS:
            self._connection.cursor().execute(setting)

    def watch(self, deadline: Deadline) -> None:
        """Cancel what the server does when its time is up."""
        deadline.interrupt(self._connection.cancel)

    def names(self) -> list[str]:
        """The names of the query's columns, which the server parses without running it."""
        cursor = self._connection.cursor()
        cursor.parse(f"select * from {self._query()} asked")  # noqa: S608, the contract's own
        return self.describe(cursor.description)

    def describe(self, columns: Sequence[Any]) -> list[str]:
        """Their names: in lower case, if Oracle wrote them in upper case for want of quotes."""
        names = []
        for column in columns:
            kind = column.type_code.name
            name = column.name.lower() if column.name.isupper() else column.name
            if kind not in _AS_TEXT and kind not in _AS_IT_IS:
                raise self._asked.unreadable(name, kind.removeprefix("DB_TYPE_"))
            names.append(name)
            self.kinds[name] = _KINDS.get(kind, "text")
            self._types[name], self._quoted[name] = kind, quoted(column.name)
        return names

    def largest_row(self) -> int:
        """Of columns without a maximum length."""
        long = [self._quoted[name] for name, kind in self._types.items() if kind in _LOBS]
        if not long:
            return 0
        sizes = " + ".join(f"coalesce(dbms_lob.getlength({name}), 0)" for name in long)
        query = f"select max({sizes}) from {self._rows()}"  # noqa: S608, the contract's names
        ((size,),) = self._connection.cursor().execute(query, self._used()).fetchall()
        return int(Decimal(size or 0))

    def rows(self, after: str, at_a_time: int) -> Iterator[Row]:
        """By the key, in one statement."""
        cursor = self._connection.cursor()
        cursor.arraysize = at_a_time
        convert = [_OF_TYPE.get(kind) for kind in self._types.values()]
        for row in cursor.execute(self.statement(after), self._used(after)):
            yield [
                value if change is None or value is None else change(value)
                for value, change in zip(row, convert, strict=True)
            ]

    def statement(self, after: str) -> str:
        """The rows beyond a key, by the key: what it is, not the text that it is read as."""
        name = self._asked.extract.key
        kind, key = self._types[name], f"asked.{self._quoted[name]}"
        if kind not in _KEYS:
            raise self._asked.no_key(kind.removeprefix("DB_TYPE_"))
        beyond = f" and ({key} > {_KEYS[kind]} or {key} is null)" if after else ""
        return f"select {self._selected()} from {self._rows()}{beyond} order by {key}"  # noqa: S608

    def order_of(self, key: Any) -> Any:
        """Numbers as such; the order of others is the server's."""
        kind = self._types[self._asked.extract.key]
        return Decimal(key) if kind in _NUMBERS else None

    def failure(self, error: Exception) -> Failure:
        """By the code; the server's words only where they hold no values."""
        for cause in (error, error.__cause__, error.__context__):
            if isinstance(cause, ssl.SSLError):
                return certificate_failure(cause)
            if isinstance(cause, socket.gaierror):
                return Failure("away", "its host name cannot be resolved")
        found = error.args[0] if error.args else None
        code = str(getattr(found, "full_code", ""))
        if code in _LOGIN:
            return Failure("login")
        if not code or code in _AWAY or getattr(found, "isrecoverable", False):
            return Failure("away", code or type(error).__name__)
        number = int(getattr(found, "code", 0))
        told = str(getattr(found, "message", "")).splitlines()[:1]
        if told and (number in _SYNTAX or number in _SAYS_NO_VALUES):
            return Failure("query", told[0].rstrip("."))
        return Failure("query", code)

    def close(self) -> None:
        """Roll back and close."""
        if self._connection is not None:
            with suppress(oracledb.Error, OSError):
                self._connection.close()

    def _selected(self) -> str:
        return ", ".join(
            f"{_AS_TEXT.get(kind, '{0}').format(f'asked.{self._quoted[name]}')} "
            f"as {self._quoted[name]}"
            for name, kind in self._types.items()
        )

    def _used(self, after: str = "") -> dict[str, Any]:
        """The parameters of a query; the driver refuses those that it does not name."""
        extract = self._asked.extract
        named = {name for name in self._asked.bound if f"%({name})s" in extract.query}
        if extract.follows_changes:
            named |= {"period_start", "period_end"}
        values = {name: self._asked.bound_without_zone[name] for name in named}
        return values | ({"after": after} if after else {})

    def _query(self) -> str:
        return self._asked.query("oracle", ":{}".format)

    def _rows(self) -> str:
        extract, condition = self._asked.extract, "1 = 1"
        if extract.follows_changes:
            changed = self._quoted[extract.changed]
            condition = f"{changed} >= :period_start and {changed} < :period_end"
        return f"{self._query()} asked where {condition}"


# What is changed in Python once a value has arrived.
_OF_TYPE: dict[str, Any] = {
    "DB_TYPE_BINARY_FLOAT": single,
    "DB_TYPE_JSON": lambda text: JsonText(str(text).encode()),
}


def parameters(address: Address) -> dict[str, Any]:
    """Where the database is, for the driver. Raises `PermanentError` for one without a name."""
    named = {
        name: address.options[name] for name in ("service_name", "sid") if name in address.options
    }
    if not named and address.database:
        named = {"service_name": address.database}
    if len(named) != 1:
        raise PermanentError(
            f"the connection {address.connection!r}: expected one of `service_name` and `sid`. "
            "Correct the connection."
        )
    protocol = "tcp" if context_of(address) is None else "tcps"
    return {"host": address.host, "port": address.port, "protocol": protocol, **named}


def as_written(cursor: Any, metadata: Any) -> Any:
    """Numbers as text with all their digits; long texts and bytes as such, not as handles."""
    kind = metadata.type_code
    if kind in (oracledb.DB_TYPE_NUMBER, oracledb.DB_TYPE_BINARY_INTEGER):
        return cursor.var(oracledb.DB_TYPE_VARCHAR, arraysize=cursor.arraysize)
    if kind in (oracledb.DB_TYPE_CLOB, oracledb.DB_TYPE_NCLOB):
        return cursor.var(oracledb.DB_TYPE_LONG, arraysize=cursor.arraysize)
    if kind is oracledb.DB_TYPE_BLOB:
        return cursor.var(oracledb.DB_TYPE_LONG_RAW, arraysize=cursor.arraysize)
    return None


def quoted(name: str) -> str:
    """An identifier; Oracle's contain no quotes."""
    return f'"{name}"'
