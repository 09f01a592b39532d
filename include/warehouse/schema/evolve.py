"""Create and evolve the raw table of a contract: new columns, wider types, no data loss."""

from __future__ import annotations

import re
from collections.abc import Mapping

import psycopg
from psycopg import sql

from include.errors import PermanentError
from include.sources.columns import Column
from include.sources.model import Contract
from include.sources.raw_table import (
    EXTRA,
    LINEAGE,
    SCHEMA,
    expected_columns,
    lineage,
    lineage_notes,
    sql_type,
)
from include.warehouse.schema import raw_table, views

_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
# The largest whole number up to which a double holds every whole number.
_EXACT_INTEGER = 2**53


def evolve(
    connection: psycopg.Connection, contract: Contract, owner: str, changed: list[str]
) -> None:
    """Change `raw.<source>` to match its contract, and append the changes to `changed`.

    New columns are added, columns with a wider type are widened and the views
    on them recreated; columns that are no longer in the contract stay, and
    columns dropped as personal are emptied. Raises `PermanentError`, which
    explains how to proceed, for a change that could lose data.
    """
    name = sql.Identifier(SCHEMA, contract.name)
    found = columns(connection, contract)
    expected = expected_columns(contract)
    if not found:
        create(connection, contract, contract.name)
        changed.append(f"created raw.{contract.name}")
    else:
        for column, kind in expected.items():
            if column not in found:
                connection.execute(
                    sql.SQL("alter table {} add column {}").format(name, _column(column, kind))
                )
                changed.append(f"added raw.{contract.name}.{column}")
        _widen(connection, contract, owner, found, changed)
        _empty_dropped(connection, contract, found, changed)
    describe(connection, contract)


def create(
    connection: psycopg.Connection,
    contract: Contract,
    table: str,
    further: Mapping[str, str] | None = None,
) -> None:
    """Create a table with the columns of the contract and `further` ones, and its index."""
    kinds = {**expected_columns(contract), **(further or {})}
    name = sql.Identifier(SCHEMA, table)
    columns = sql.SQL(", ").join(_column(item, kind) for item, kind in kinds.items())
    connection.execute(sql.SQL("create table {} ({})").format(name, columns))
    connection.execute(
        sql.SQL("create index {} on {} (_council, _period)").format(
            sql.Identifier(f"{table}_partition"), name
        )
    )


def _widen(
    connection: psycopg.Connection,
    contract: Contract,
    owner: str,
    found: dict[str, str],
    changed: list[str],
) -> None:
    steps: list[sql.Composable] = []
    said: list[str] = []
    for column in contract.raw_columns():
        old, new = found.get(column.name), raw_table.normal_type(sql_type(column.type))
        if old is None or old == new:
            continue
        using = widening(column, old, new)
        if using is None or not _is_exact(connection, contract, column, old, new):
            raise PermanentError(_refusal(contract, column, old, new))
        steps.append(
            sql.SQL("alter column {} type {} using {}").format(
                sql.Identifier(column.name), sql.SQL(new), using
            )
        )
        said.append(f"widened raw.{contract.name}.{column.name} from {old} to {new}")
    _change_period(connection, contract, found["_period"], steps, said)
    if not steps:
        return
    connection.execute("reset role")
    connection.execute("set local timezone = 'UTC'")
    standing = views.take_down(connection, f"{SCHEMA}.{contract.name}")
    alter = sql.SQL("alter table {} {}").format(
        sql.Identifier(SCHEMA, contract.name), sql.SQL(", ").join(steps)
    )
    try:
        connection.execute(alter)
    except (psycopg.DataError, psycopg.NotSupportedError) as error:
        raise PermanentError(
            f"wandle migrate: raw.{contract.name}: {'; '.join(said)}: {_first_line(error)}. "
            f"The table was not changed. {_way_out(contract)}"
        ) from error
    changed.extend(said)
    for view in standing:
        try:
            views.put_up(connection, view)
        except (psycopg.ProgrammingError, psycopg.DataError) as error:
            raise PermanentError(
                f"wandle migrate: raw.{contract.name}: {'; '.join(said)}: the view {view.label} "
                f"does not work with that: {_first_line(error)}. The table was not changed. Drop "
                "the view, migrate, fix its model, and build it again (`wandle transform`)."
            ) from error
        changed.append(f"recreated {view.label}")
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(owner)))


def _change_period(
    connection: psycopg.Connection,
    contract: Contract,
    old: str,
    steps: list[sql.Composable],
    said: list[str],
) -> None:
    """Let an empty table hold hours instead of days, or the reverse."""
    new = raw_table.normal_type(lineage(contract)["_period"])
    if old == new:
        return
    table = sql.Identifier(SCHEMA, contract.name)
    found = connection.execute(sql.SQL("select 1 from {} limit 1").format(table)).fetchone()
    if found:
        raise PermanentError(
            f"wandle migrate: raw.{contract.name}: `period` is now {contract.period}, but the "
            "table has partitions of another size. The table was not changed. Give the source a "
            f"new name, or remove its data (`wandle remove {contract.name} --to ...`) and fetch "
            "them again."
        )
    steps.append(
        sql.SQL("alter column _period type {0} using _period::text::{0}").format(sql.SQL(new))
    )
    said.append(f"changed raw.{contract.name}._period from {old} to {new}")


def widening(column: Column, old: str, new: str) -> sql.Composable | None:
    """The SQL to convert values to a type that holds all of them; None if it does not."""
    value = sql.Identifier(column.name)
    if new == "text":
        return sql.SQL("{}::text").format(value)
    if old == "date" and new == "timestamp with time zone":
        return sql.SQL("{}::timestamp at time zone {}").format(
            value, sql.Literal(column.zone or "UTC")
        )
    if old == "bigint" and new == "double precision":
        return sql.SQL("{}::double precision").format(value)
    wide = _NUMERIC.fullmatch(new)
    if wide and old == "bigint":
        return sql.SQL("{}::{}").format(value, sql.SQL(new))
    narrow = _NUMERIC.fullmatch(old)
    if wide and narrow:
        before, after = int(narrow[1]) - int(narrow[2]), int(wide[1]) - int(wide[2])
        if after >= before and int(wide[2]) >= int(narrow[2]):
            return sql.SQL("{}::{}").format(value, sql.SQL(new))
    return None


def _is_exact(
    connection: psycopg.Connection, contract: Contract, column: Column, old: str, new: str
) -> bool:
    """Whether every existing number keeps its value; a double rounds very large ones."""
    if (old, new) != ("bigint", "double precision"):
        return True
    too_large = connection.execute(
        sql.SQL("select 1 from {} where {} not between {} and {} limit 1").format(
            sql.Identifier(SCHEMA, contract.name),
            sql.Identifier(column.name),
            sql.Literal(-_EXACT_INTEGER),
            sql.Literal(_EXACT_INTEGER),
        )
    ).fetchone()
    return too_large is None


def _refusal(contract: Contract, column: Column, old: str, new: str) -> str:
    return (
        f"wandle migrate: raw.{contract.name}: column {column.name} is {old}, expected {new}, "
        f"which might not hold every existing value. The table was not changed. "
        f"Restore the old type, or give the column a new name (with `path: "
        f"{column.path or column.name}`). {_way_out(contract)}"
    )


def _way_out(contract: Contract) -> str:
    return (
        f"Or rebuild the table from S3: `wandle migrate --rebuild {contract.name}`, then "
        "`wandle transform`."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _empty_dropped(
    connection: psycopg.Connection,
    contract: Contract,
    found: dict[str, str],
    changed: list[str],
) -> None:
    """Remove values that were loaded before the contract dropped them as personal."""
    dropped = [column.name for column in contract.columns if column.personal == "drop"]
    # With personal data, unknown fields are kept only in the landing.
    for column in [*dropped, EXTRA] if contract.personal else []:
        if column not in found:
            continue
        emptied = connection.execute(
            sql.SQL("update {table} set {column} = null where {column} is not null").format(
                table=sql.Identifier(SCHEMA, contract.name),
                column=sql.Identifier(column),
            )
        )
        if emptied.rowcount:
            changed.append(f"emptied raw.{contract.name}.{column}, which is dropped")


def _column(name: str, kind: str) -> sql.Composable:
    needed = sql.SQL(" not null" if name in LINEAGE else "")
    return sql.SQL("{} {}{}").format(sql.Identifier(name), sql.SQL(kind), needed)


def columns(connection: psycopg.Connection, contract: Contract) -> dict[str, str]:
    """The columns of the raw table and their types, in order; empty without the table."""
    query = raw_table.COLUMNS_QUERY.replace("$1", "%s")
    found = connection.execute(query, (f"{SCHEMA}.{contract.name}",))
    return {row[0]: row[1] for row in found}


def describe(connection: psycopg.Connection, contract: Contract) -> None:
    """Write the descriptions of the contract into the database."""
    name = sql.Identifier(SCHEMA, contract.name)
    connection.execute(
        sql.SQL("comment on table {} is {}").format(name, sql.Literal(contract.description.strip()))
    )
    notes = {column.name: column.description for column in contract.raw_columns()}
    for column, note in {**notes, **lineage_notes(contract)}.items():
        connection.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier(SCHEMA, contract.name, column), sql.Literal(note)
            )
        )
