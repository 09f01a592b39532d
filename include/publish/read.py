"""Read the public columns of the marts, as one snapshot, by a role that can read nothing else."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg
import pyarrow as pa
import pyarrow.csv as arrow_csv
from psycopg import sql

from include.errors import PermanentError, ServiceUnavailable
from include.publish import types

SCHEMA = "marts"
ROLE = "wandle_publisher"
_OPTIONS = (
    "-c timezone=UTC -c datestyle=ISO -c default_transaction_read_only=on "
    "-c default_transaction_isolation=repeatable\\ read -c lock_timeout=60s"
)
_BLOCK_BYTES = 32 << 20

_READABLE_BY_ROLE = """
select c.relname::text
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where
    n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm')
    and pg_has_role(current_user, c.relowner, 'usage')
    and has_any_column_privilege(%s, c.oid, 'SELECT')
"""
_COLUMNS = """
select a.attname::text, format_type(a.atttypid, a.atttypmod)
from pg_attribute as a
where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
"""
_KEY = """
select a.attname::text
from pg_index as i
cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = to_regclass(%s) and i.indisprimary
order by k.place
"""


@dataclass(frozen=True)
class Mart:
    """The public columns of a mart, with their SQL types, its key, and its rows in order of it.

    `text` has every value as PostgreSQL writes it, `rows` the same values typed.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    text: pa.Table
    rows: pa.Table


def built_columns(connection: psycopg.Connection, mart: str) -> dict[str, str]:
    """The columns that a mart has in the database, and their SQL types; none if it is not built."""
    found = connection.execute(_COLUMNS, (_regclass(mart),)).fetchall()
    return {str(name): str(type_) for name, type_ in found}


def grant(connection: psycopg.Connection, public: Mapping[str, Sequence[str]]) -> None:
    """Let the role read exactly these columns of these marts.

    `connection` is of the marts' owner. Every build replaces the marts, and so
    takes the rights away.
    """
    role = sql.Identifier(ROLE)
    with connection.transaction():
        readable = connection.execute(_READABLE_BY_ROLE, (SCHEMA, ROLE)).fetchall()
        for (mart,) in readable:
            connection.execute(
                sql.SQL("revoke all on {} from {}").format(sql.Identifier(SCHEMA, mart), role)
            )
        for mart, columns in public.items():
            connection.execute(
                sql.SQL("grant select ({}) on {} to {}").format(
                    sql.SQL(", ").join(map(sql.Identifier, columns)),
                    sql.Identifier(SCHEMA, mart),
                    role,
                )
            )


def read(
    dsn: str, public: Mapping[str, Sequence[str]], unfit: dict[str, str] | None = None
) -> dict[str, Mart]:
    """The marts with these columns, all as of one moment.

    A mart with a type or value that cannot be published is left out, and why
    is put into `unfit`; without it, that raises.

    Raises `ServiceUnavailable` if the database does not respond, and
    `PermanentError` for a column that the role of `dsn` may not read, or a
    type or value that cannot be published.
    """
    try:
        with psycopg.connect(
            dsn, connect_timeout=10, application_name="wandle publish", options=_OPTIONS
        ) as connection:
            found = {}
            for name, columns in public.items():
                try:
                    found[name] = _mart(connection, name, columns)
                except PermanentError as error:
                    if unfit is None:
                        raise
                    unfit[name] = str(error)
            return found
    except psycopg.errors.InsufficientPrivilege as error:
        raise PermanentError(
            f"publish: {ROLE} may not read what it should: {_first_line(error)}. Run `wandle "
            "migrate`, then `wandle publish`."
        ) from error
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"publish: PostgreSQL: {_first_line(error)}. Try again later."
        ) from error


def _mart(connection: psycopg.Connection, name: str, wanted: Sequence[str]) -> Mart:
    place = _regclass(name)
    found = built_columns(connection, name)
    columns = {column: found[column] for column in wanted}
    key = tuple(str(column) for (column,) in connection.execute(_KEY, (place,)).fetchall())
    if not set(key) <= set(columns):
        key = ()
    kinds = {column: types.kind_of(name, column, type_) for column, type_ in columns.items()}
    values = [sql.SQL(kinds[column].value).format(sql.Identifier(column)) for column in columns]
    order = [
        sql.SQL('{} collate "C"').format(sql.Identifier(column))
        if kinds[column].is_text
        else sql.Identifier(column)
        for column in key
    ]
    # Without a key, by the values: the same rows make the same file.
    order = order or [sql.SQL('({})::text collate "C"').format(value) for value in values]
    statement = sql.SQL(
        "copy (select {} from {} order by {}) to stdout (format csv, header true)"
    ).format(
        sql.SQL(", ").join(
            sql.SQL("{} as {}").format(value, sql.Identifier(column))
            for value, column in zip(values, columns, strict=True)
        ),
        sql.Identifier(SCHEMA, name),
        sql.SQL(", ").join(order),
    )
    body = io.BytesIO()
    with connection.cursor().copy(statement) as copy:
        for block in copy:
            body.write(block)
    return Mart(
        name,
        columns,
        key,
        _parsed(body, name, dict.fromkeys(columns, pa.string())),
        _parsed(body, name, {column: kind.arrow for column, kind in kinds.items()}),
    )


def _parsed(body: io.BytesIO, mart: str, wanted: Mapping[str, pa.DataType]) -> pa.Table:
    body.seek(0)
    try:
        return arrow_csv.read_csv(
            body,
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=wanted,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["true"],
                false_values=["false"],
            ),
        )
    except pa.ArrowInvalid as error:
        # Without the value.
        where = str(error).partition(":")[0]
        raise PermanentError(
            f"publish: marts.{mart}: {where}: a value does not fit its type, for example infinity. "
            "Exclude it in the model, then run `wandle transform`."
        ) from None


def _regclass(mart: str) -> str:
    quoted = mart.replace('"', '""')
    return f'{SCHEMA}."{quoted}"'


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
