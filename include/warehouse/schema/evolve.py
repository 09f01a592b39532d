"""Make and evolve the raw table of a contract: new columns, wider types, nothing lost."""

from __future__ import annotations

import re

import psycopg
from psycopg import sql

from include.errors import PermanentError
from include.sources.model import Column, Contract
from include.sources.raw_table import (
    EXTRA,
    LINEAGE,
    LINEAGE_NOTES,
    SCHEMA,
    expected_columns,
    sql_type,
)
from include.warehouse.schema import raw_table, views

_NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")
# The largest whole number up to which a double holds every whole number.
_EXACT_INTEGER = 2**53


def evolve(
    connection: psycopg.Connection, contract: Contract, owner: str, changed: list[str]
) -> None:
    """Bring `raw.<source>` to what its contract says, adding to `changed` what was done.

    A column that the contract names anew is added, one whose type became wider
    is widened, with the views on it made again; one that it no longer names
    stays, and what it drops as personal is emptied. Raises
    `PermanentError`, with the way out, for a change that could lose data.
    """
    name = sql.Identifier(SCHEMA, contract.name)
    found = _columns(connection, contract)
    expected = expected_columns(contract)
    if not found:
        _create(connection, contract, name)
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
    _comments(connection, contract, name)


def _create(connection: psycopg.Connection, contract: Contract, name: sql.Identifier) -> None:
    expected = expected_columns(contract)
    columns = sql.SQL(", ").join(_column(item, kind) for item, kind in expected.items())
    connection.execute(sql.SQL("create table {} ({})").format(name, columns))
    connection.execute(
        sql.SQL("create index {} on {} (_council, _period)").format(
            sql.Identifier(f"{contract.name}_partition"), name
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
                "the view, migrate, and build it again (`wandle transform`) when its model fits."
            ) from error
        changed.append(f"made {view.label} again")
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(owner)))


def widening(column: Column, old: str, new: str) -> sql.Composable | None:
    """How values of one type become another that holds all of them; None if it does not."""
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
    """Whether every number that is there stays what it is; a double rounds very large ones."""
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
        f"which might not hold every value that is there. The table was not changed. "
        f"Give it its old type, or the new one another name (`path: "
        f"{column.path or column.name}` keeps its place). {_way_out(contract)}"
    )


def _way_out(contract: Contract) -> str:
    return (
        "Or build the table anew from S3: "
        f"`drop table raw.{contract.name} cascade` as the owner of the database, `wandle migrate`, "
        f"`wandle reload {contract.name}`, `wandle transform`."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _empty_dropped(
    connection: psycopg.Connection,
    contract: Contract,
    found: dict[str, str],
    changed: list[str],
) -> None:
    """What a contract drops as personal must not stay from the time when it did not."""
    dropped = [column.name for column in contract.columns if column.personal == "drop"]
    # Of personal data, unknown fields are kept in the landing alone.
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


def _columns(connection: psycopg.Connection, contract: Contract) -> dict[str, str]:
    query = raw_table.COLUMNS_QUERY.replace("$1", "%s")
    found = connection.execute(query, (f"{SCHEMA}.{contract.name}",))
    return {row[0]: row[1] for row in found}


def _comments(connection: psycopg.Connection, contract: Contract, name: sql.Identifier) -> None:
    connection.execute(
        sql.SQL("comment on table {} is {}").format(name, sql.Literal(contract.description.strip()))
    )
    notes = {column.name: column.description for column in contract.raw_columns()}
    for column, note in {**notes, **LINEAGE_NOTES}.items():
        connection.execute(
            sql.SQL("comment on column {} is {}").format(
                sql.Identifier(SCHEMA, contract.name, column), sql.Literal(note)
            )
        )
