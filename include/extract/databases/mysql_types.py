"""The types and errors of MySQL and MariaDB, by the numbers of their protocol."""

from __future__ import annotations

import re
from typing import Any

from pymysql.constants import CR, ER, FIELD_TYPE
from pymysql.converters import encoders

from include.extract.databases.values import JsonText

WHOLE = {
    FIELD_TYPE.TINY,
    FIELD_TYPE.SHORT,
    FIELD_TYPE.INT24,
    FIELD_TYPE.LONG,
    FIELD_TYPE.LONGLONG,
    FIELD_TYPE.YEAR,
}
DECIMAL = {FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL}
TIMES = {FIELD_TYPE.DATE, FIELD_TYPE.NEWDATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP}
TEXTS = {
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
LONG = TEXTS | {FIELD_TYPE.JSON, FIELD_TYPE.GEOMETRY}
NAMES = {number: name for name, number in vars(FIELD_TYPE).items() if name.isupper()}
# A date with a month and day; 0000-00-00 and 2026-00-00 are printed as they are.
_REAL_DATE = re.compile(r"(?!0000)\d{4}-(?!00)\d\d-(?!00)\d\d ")
IN_UTC = "+00:00"

# What PostgreSQL would call them.
KINDS: dict[int, str] = {
    **dict.fromkeys(WHOLE, "int8"),
    **dict.fromkeys(DECIMAL, "numeric"),
    FIELD_TYPE.FLOAT: "float8",
    FIELD_TYPE.DOUBLE: "float8",
    FIELD_TYPE.DATE: "date",
    FIELD_TYPE.DATETIME: "timestamp",
    FIELD_TYPE.TIMESTAMP: "timestamptz",
    FIELD_TYPE.JSON: "jsonb",
}

LOGIN = {
    ER.ACCESS_DENIED_ERROR,
    ER.HOST_NOT_PRIVILEGED,
    ER.NOT_SUPPORTED_AUTH_MODE,
    1862,  # the password has expired
    1698,  # access denied without a password
    1820,  # the password must be changed
    3118,  # locked, in MySQL
    4151,  # locked, in MariaDB
}
# Their texts name tables and columns, or quote the query, but no values of rows.
SAYS_NO_VALUES = {
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
PASSES = {
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
    return _moment(text) + IN_UTC if _REAL_DATE.match(text) else text


# How each type arrives; all others as the text that the server writes.
_DECODERS: dict[int, Any] = {
    **dict.fromkeys(WHOLE, int),
    FIELD_TYPE.BIT: lambda value: int.from_bytes(value, "big"),
    FIELD_TYPE.DOUBLE: float,
    FIELD_TYPE.DATETIME: _moment,
    FIELD_TYPE.TIMESTAMP: _moment_in_utc,
    FIELD_TYPE.JSON: lambda text: JsonText(text.encode()),
}
CONVERSIONS: dict[Any, Any] = {**encoders, **_DECODERS}
# The driver's own errors: connections that fail.
OF_THE_CLIENT = range(CR.CR_UNKNOWN_ERROR, 3000)
