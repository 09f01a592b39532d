"""Read SQL Server. Not yet run against one: docs/databases.md says what is tested."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

import mssql_python

from include.errors import SourceRejected
from include.extract.databases.address import Address
from include.extract.databases.reader import CONNECT_SECONDS, Asked, Failure, Row
from include.extract.databases.values import single
from include.extract.network.deadline import Deadline

log = logging.getLogger(__name__)

TLS_MODES = ("verify_identity", "required", "disabled")
# The types of parameters: moments without a zone, in UTC.
PARAMETERS = {
    "period_start": "datetime2(7)",
    "period_end": "datetime2(7)",
    "council": "nvarchar(100)",
    "after": "nvarchar(4000)",
}
# A login that may only read, a database that keeps versions of its rows.
MAY_WRITE = """
select max(convert(int, granted)) from (
    select is_srvrolemember('sysadmin') as granted
    union all select is_rolemember('db_owner')
    union all select is_rolemember('db_datawriter')
    union all select has_perms_by_name(db_name(), 'DATABASE', name)
    from (values ('INSERT'), ('UPDATE'), ('DELETE'), ('ALTER')) as rights (name)
) as found
"""
VERSIONS = """
select snapshot_isolation_state, convert(int, is_read_committed_snapshot_on)
from sys.databases where database_id = db_id()
"""
DESCRIBE = """
select name, system_type_name, max_length, error_message
from sys.dm_exec_describe_first_result_set({query}, {types}, 0)
where is_hidden = 0 or is_hidden is null order by column_ordinal
"""
_SNAPSHOT_ALLOWED = 1
_TYPE = re.compile(r"[a-z_0-9]+")

_WHOLE = ("bigint", "int", "smallint", "tinyint")
_DECIMAL = ("decimal", "numeric", "money", "smallmoney")
_TIMES = ("date", "datetime", "datetime2", "smalldatetime", "datetimeoffset")
_TEXTS = ("char", "varchar", "nchar", "nvarchar", "sysname")
_BYTES = ("binary", "varbinary", "timestamp", "rowversion", "image")
_ISO, _BYTE_ORDER = 126, "Latin1_General_100_BIN2"
# How each type is read so that nothing is lost: what the driver or JSON would round, as text.
_AS_TEXT = {
    **dict.fromkeys(("decimal", "numeric"), "convert(varchar(60), {0})"),
    **dict.fromkeys(("money", "smallmoney"), "convert(varchar(40), {0}, 2)"),
    "date": "convert(char(10), {0}, 23)",
    "time": "convert(varchar(16), {0}, 121)",
    **dict.fromkeys(
        ("datetime", "datetime2", "smalldatetime", "datetimeoffset"),
        f"convert(varchar(34), {{0}}, {_ISO})",
    ),
    "uniqueidentifier": "convert(char(36), {0})",
    **dict.fromkeys(("text", "ntext", "xml", "json"), "convert(nvarchar(max), {0})"),
    "image": "convert(varbinary(max), {0})",
    "real": "convert(float, {0})",
    "sql_variant": (
        "case when convert(varchar(20), sql_variant_property({0}, 'BaseType')) in "
        "('datetime', 'datetime2', 'smalldatetime', 'datetimeoffset') "
        f"then convert(nvarchar(4000), {{0}}, {_ISO}) "
        "when convert(varchar(20), sql_variant_property({0}, 'BaseType')) in "
        "('money', 'smallmoney') then convert(nvarchar(4000), convert(money, {0}), 2) "
        "when convert(varchar(20), sql_variant_property({0}, 'BaseType')) in "
        "('real', 'float') then convert(nvarchar(4000), convert(float, {0}), 3) "
        "when convert(varchar(20), sql_variant_property({0}, 'BaseType')) in "
        "('binary', 'varbinary') then convert(nvarchar(max), convert(varbinary(8000), {0}), 2) "
        "else convert(nvarchar(4000), {0}) end"
    ),
}
# What PostgreSQL would call them.
_KINDS = {
    **dict.fromkeys(_WHOLE, "int8"),
    **dict.fromkeys(("money", "smallmoney"), "numeric(19,4)"),
    **dict.fromkeys(("datetime", "datetime2", "smalldatetime"), "timestamp"),
    **dict.fromkeys(("float", "real"), "float8"),
    "bit": "bool",
    "date": "date",
    "datetimeoffset": "timestamptz",
    "json": "jsonb",
}
_AS_IT_IS = {*_WHOLE, *_TEXTS, *_BYTES, "bit", "float"}
# ODBC's SQLSTATEs in the driver's words, which are fixed.
_LOGIN = ("Invalid authorization specification",)
_AWAY = (
    "Client unable to establish connection",
    "Connection does not exist",
    "Connection failure during transaction",
    "Server rejected the connection",
    "Communication link failure",
    "Connection failure",
    "Timeout expired",
    "Connection timeout expired",
    "Serialization failure",
    "Operation canceled",
)
_LIBRARIES = "Failed to load the driver"
_CERTIFICATE = re.compile(r"certificate|SSL Provider", re.IGNORECASE)


class SqlServerReader:
    """A connection to SQL Server, in one snapshot where the database allows it."""

    errors: tuple[type[Exception], ...] = (mssql_python.Error,)
    json_is_text = True

    def __init__(self, address: Address, asked: Asked) -> None:
        address.only("ssl_mode", "server_certificate")
        self._address, self._asked = address, asked
        self._connection: Any = None
        self._deadline: Deadline | None = None
        self.kinds: dict[str, str] = {}
        self._types: dict[str, str] = {}
        self._key_type = ""
        self._long: list[str] = []

    def connect(self, deadline: Deadline) -> None:
        """Connect, refuse a login that may write, and begin a transaction."""
        self._connection = mssql_python.connect(
            connection_string(self._address), autocommit=True, timeout=CONNECT_SECONDS
        )
        self._connection.timeout = max(1, int(self._asked.seconds))
        self.watch(deadline)
        ((may_write,),) = self._all(MAY_WRITE)
        if may_write:
            raise SourceRejected(
                f"{self._asked.partition}: the login of the database "
                f"{self._asked.extract.connection!r} may change data, and SQL Server has no "
                "read-only transactions. Use one that is in the role db_datareader alone."
            )
        ((snapshot, committed),) = self._all(VERSIONS)
        level = "snapshot" if snapshot == _SNAPSHOT_ALLOWED else "read committed"
        if level != "snapshot" and not committed:
            log.warning(
                "%s: the database %r allows no snapshots: rows that change while they are read "
                "may be read before or after. To change that, its owner can set "
                "allow_snapshot_isolation on.",
                *(self._asked.partition, self._asked.extract.connection),
            )
        self._connection.cursor().execute(f"set transaction isolation level {level}")
        self._connection.autocommit = False

    def watch(self, deadline: Deadline) -> None:
        """Look at the deadline between rows; the driver ends a statement that takes too long."""
        self._deadline = deadline

    def names(self) -> list[str]:
        """The names of the query's columns, by the server's description of it."""
        query = f"select * from {self._query()} as asked"  # noqa: S608, the contract's own
        return self.describe(self._all(*described_by(query)))

    def describe(self, columns: Iterable[Any]) -> list[str]:
        """Their names, by rows of `DESCRIBE`. Raises `SourceRejected` for the server's error."""
        names = []
        for name, kind, length, error in columns:
            if error is not None:
                raise SourceRejected(
                    f"{self._asked.partition}: the database {self._asked.extract.connection!r} "
                    f"refuses the query: {error} Correct `query` in the contract."
                )
            names.append(str(name))
            self._types[str(name)] = _base(kind)
            own = str(kind) if _base(kind) in ("decimal", "numeric") else "text"
            self.kinds[str(name)] = _KINDS.get(_base(kind), own.replace("decimal", "numeric"))
            if name == self._asked.extract.key:
                self._key_type = str(kind)
            if length == -1:
                self._long.append(str(name))
            if _base(kind) not in _AS_TEXT and _base(kind) not in _AS_IT_IS:
                raise self._asked.unreadable(str(name), str(kind))
        return names

    def largest_row(self) -> int:
        """Of columns without a maximum length."""
        if not self._long:
            return 0
        sizes = " + ".join(f"coalesce(datalength({quoted(name)}), 0)" for name in self._long)
        ((size,),) = self._all(*self._called(f"select max({sizes}) from {self._rows()}"))  # noqa: S608
        return int(size or 0)

    def rows(self, after: str, at_a_time: int) -> Iterator[Row]:
        """By the key, in one statement."""
        cursor = self._connection.cursor()
        cursor.execute(*self._called(self.statement(after), after))
        single_precision = [kind == "real" for kind in self._types.values()]
        while found := cursor.fetchmany(at_a_time):
            for row in found:
                yield [
                    single(value) if is_single else value
                    for value, is_single in zip(row, single_precision, strict=True)
                ]
            if self._deadline is not None and self._deadline.is_over:
                raise mssql_python.OperationalError("Timeout expired", "the deadline has passed")

    def statement(self, after: str) -> str:
        """The rows beyond a key, by the key: what it is, not the text that it is read as."""
        order, compared = key_order(self._asked, self._key_type)
        key = quoted(self._asked.extract.key)
        beyond = f" and ({order} > {compared} or asked.{key} is null)" if after else ""
        return f"select {self._selected()} from {self._rows()}{beyond} order by {order}"  # noqa: S608

    def _selected(self) -> str:
        return ", ".join(
            f"{_AS_TEXT.get(kind, '{0}').format(f'asked.{quoted(name)}')} as {quoted(name)}"
            for name, kind in self._types.items()
        )

    def order_of(self, key: Any) -> Any:
        """Whole numbers as they are; the order of others is the server's."""
        return key if isinstance(key, int) else None

    def failure(self, error: Exception) -> Failure:
        """By the driver's words for the SQLSTATE: the server's may hold values."""
        driver, server = getattr(error, "driver_error", ""), getattr(error, "ddbc_error", "")
        if _LIBRARIES in server:
            return Failure(
                "settings",
                "libraries of Microsoft's driver are missing on this machine. On Debian: apt "
                "install libltdl7 libkrb5-3 libgssapi-krb5-2",
            )
        if driver in _LOGIN:
            return Failure("login")
        if driver.startswith(_AWAY):
            if _CERTIFICATE.search(server):
                return Failure(
                    "settings",
                    "its certificate is not accepted. Name it as `server_certificate` in the "
                    "connection, or tell its owner.",
                )
            return Failure("away", driver.lower())
        return Failure("query", driver or type(error).__name__)

    def close(self) -> None:
        """Roll back and close."""
        if self._connection is not None:
            self._connection.close()

    def _all(self, query: str, *values: Any) -> list[Any]:
        found = self._connection.cursor().execute(query, *values).fetchall()
        return list(found)

    def _called(self, query: str, after: str = "") -> tuple[Any, ...]:
        return called(query, self._asked.bound_without_zone | {"after": after})

    def _query(self) -> str:
        return self._asked.query("mssql", "@{}".format)

    def _rows(self) -> str:
        extract, condition = self._asked.extract, "1 = 1"
        if extract.follows_changes:
            changed = quoted(extract.changed)
            condition = f"{changed} >= @period_start and {changed} < @period_end"
        return f"{self._query()} as asked where {condition}"


def connection_string(address: Address) -> str:
    """ODBC's, with verified TLS unless the connection says otherwise. Raises `PermanentError`."""
    mode = address.option("ssl_mode", "verify_identity", TLS_MODES)
    parts = {
        "Server": f"{address.host},{address.port}",
        "Database": address.database or "master",
        "UID": address.user,
        "PWD": address.password,
        "Encrypt": "no" if mode == "disabled" else "yes",
        "TrustServerCertificate": "yes" if mode == "required" else "no",
        "ServerCertificate": address.options.get("server_certificate", ""),
        # Lets an availability group answer from a copy that is only read.
        "ApplicationIntent": "ReadOnly",
        "ConnectRetryCount": "0",
    }
    return "".join(
        f"{name}={{{value.replace('}', '}}')}}};" for name, value in parts.items() if value
    )


def called(query: str, values: dict[str, Any]) -> tuple[Any, ...]:
    """A statement that runs the query with its parameters by name, and what it is called with.

    The query itself is a parameter: the driver looks for none in it.
    """
    types = ", ".join(f"@{name} {kind}" for name, kind in PARAMETERS.items())
    names = ", ".join(f"@{name} = ?" for name in PARAMETERS)
    return f"exec sp_executesql ?, ?, {names}", query, types, *map(values.get, PARAMETERS)


def described_by(query: str) -> tuple[str, str, str]:
    """A statement that describes the query, and its parameters."""
    types = ", ".join(f"@{name} {kind}" for name, kind in PARAMETERS.items())
    return DESCRIBE.format(query="?", types="?"), query, types


def key_order(asked: Asked, key_type: str) -> tuple[str, str]:
    """What rows are ordered by, and the last key as it is compared: texts by their bytes."""
    kind, key = _base(key_type), f"asked.{quoted(asked.extract.key)}"
    if kind in _WHOLE:
        return key, "convert(bigint, @after)"
    if kind in _DECIMAL:
        return key, f"convert({key_type}, @after)"
    if kind == "date":
        return key, "convert(date, @after, 23)"
    if kind in _TIMES:
        wide = "datetimeoffset(7)" if kind == "datetimeoffset" else "datetime2(7)"
        return key, f"convert({wide}, @after, {_ISO})"
    if kind == "uniqueidentifier":
        return (
            f"convert(char(36), {key}) collate {_BYTE_ORDER}",
            f"@after collate {_BYTE_ORDER}",
        )
    if kind in _TEXTS:
        whole = f"convert(varbinary(8000), convert(nvarchar(4000), {key}))"
        return whole, "convert(varbinary(8000), @after)"
    if kind in _BYTES and kind != "image":
        return key, "convert(varbinary(8000), @after, 2)"
    raise asked.no_key(kind)


def quoted(name: str) -> str:
    """An identifier."""
    return f"[{name.replace(']', ']]')}]"


def _base(kind: Any) -> str:
    """A type without its length and precision; empty if it has no name."""
    found = _TYPE.match(str(kind or "").lower())
    return found[0] if found else ""
