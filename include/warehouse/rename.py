"""Rename columns of a raw table as `renamed_from` says, with the values and the books."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import psycopg
from psycopg import sql

from include.errors import PermanentError
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.sources.raw_table import SCHEMA, before_renames, renames, sql_type
from include.warehouse import read_back
from include.warehouse.books.quarantine import BYTES, content_of_rows
from include.warehouse.connection import connect_for_arrow
from include.warehouse.schema import evolve, raw_table

# The loads of a source whose rows have the contents that rules of these hashes give.
_LOADED = """
select load_id, council, period, content_hash, quarantine_hash
from (
    select distinct on (council, period) * from ops.load
    where source = %s and status in ('loaded', 'unchanged', 'expired')
    order by council, period, load_id desc
) as current
where status <> 'expired' and rules_hash = any(%s)
"""
_QUARANTINED = (
    f"select column_name, rule, {BYTES} from ops.quarantine "  # noqa: S608
    "where source = %s and council = %s and period = %s"
)


def follow_renames(
    connection: psycopg.Connection,
    contract: Contract,
    *,
    dsn: str,
    rules_hash: Callable[[Contract], str | None],
) -> list[str]:
    """Move the values of renamed columns to their new names; returns what was changed.

    Where the table already has the new column too, its empty fields are filled
    with the values of the old one. Ledger and quarantine follow in the same
    transaction: what was loaded by the same rules under the old names counts
    as loaded by the contract. `rules_hash` is None where it cannot be known.
    """
    found = evolve.columns(connection, contract)
    moved = {
        new: old
        for new, old in renames(contract).items()
        if old in found and (new not in found or _is_behind(connection, contract, new, old))
    }
    if not moved:
        return []
    connection.execute(
        sql.SQL("lock table {} in share row exclusive mode").format(_table(contract))
    )
    contents = dict(_contents(connection, contract, moved, dsn, rules_hash))
    changed = []
    for new, old in moved.items():
        if new in found:
            changed.append(_copy(connection, contract, found, new, old))
        else:
            rename = sql.SQL("alter table {} rename column {} to {}").format(
                _table(contract), sql.Identifier(old), sql.Identifier(new)
            )
            connection.execute(rename)
            changed.append(f"renamed raw.{contract.name}.{old} to {new}")
        _rename_in_books(connection, contract, new, old)
    for (load_id, council, period), content in contents.items():
        place = (contract.name, council, period)
        connection.execute(
            "update ops.load set rules_hash = %s, content_hash = %s, quarantine_hash = %s "
            "where load_id = %s",
            (rules_hash(contract), content, _quarantine_hash(connection, place), load_id),
        )
    return changed


def _table(contract: Contract) -> sql.Identifier:
    return sql.Identifier(SCHEMA, contract.name)


def _is_behind(connection: psycopg.Connection, contract: Contract, new: str, old: str) -> bool:
    """Whether rows have a value under the old name only."""
    query = sql.SQL("select from {} where {} is null and {} is not null limit 1").format(
        _table(contract), sql.Identifier(new), sql.Identifier(old)
    )
    return connection.execute(query).fetchone() is not None


def _copy(
    connection: psycopg.Connection, contract: Contract, found: Mapping[str, str], new: str, old: str
) -> str:
    expected = raw_table.normal_type(sql_type(contract.column(new).type))
    if not found[old] == found[new] == expected:
        raise PermanentError(
            f"wandle migrate: raw.{contract.name}: column {new} is {found[new]}, {old} is "
            f"{found[old]}, expected {expected} for both, so that `renamed_from` can move the "
            "values. The table was not changed. Restore the type, migrate, and change it then."
        )
    copied = connection.execute(
        sql.SQL("update {} set {new} = {old} where {new} is null and {old} is not null").format(
            _table(contract), new=sql.Identifier(new), old=sql.Identifier(old)
        )
    )
    return f"copied {copied.rowcount} values of raw.{contract.name}.{old} to {new}"


def _rename_in_books(
    connection: psycopg.Connection, contract: Contract, new: str, old: str
) -> None:
    names = {"new": new, "old": old, "source": contract.name}
    connection.execute(
        "update ops.load set columns = array_replace(columns, %(old)s, %(new)s), "
        "filled_columns = array_replace(filled_columns, %(old)s, %(new)s) "
        "where source = %(source)s and (%(old)s = any(columns) or %(old)s = any(filled_columns))",
        names,
    )
    connection.execute(
        "update ops.quarantine set column_name = %(new)s "
        "where source = %(source)s and column_name = %(old)s",
        names,
    )


def _contents(
    connection: psycopg.Connection,
    contract: Contract,
    moved: Mapping[str, str],
    dsn: str,
    rules_hash: Callable[[Contract], str | None],
) -> Iterator[tuple[tuple[int, str, Any], str]]:
    """The content under the new names of each partition that is as its ledger entry says."""
    earlier = list(before_renames(contract))
    hashes = [known for known in map(rules_hash, earlier) if known]
    loads = connection.execute(_LOADED, (contract.name, hashes)).fetchall()
    if not loads:
        return
    renamed = {old: new for new, old in renames(contract).items()}
    # This connection has locked the table against writers; another one can read it as Arrow.
    with connect_for_arrow(dsn) as reading, reading.cursor() as cursor:
        for load_id, council, period, content, quarantined in loads:
            partition = Partition(contract.name, council, Period.starting(period, contract.period))
            before, after = read_back.contents_renamed(cursor, earlier[0], partition, renamed)
            held = _quarantine_hash(connection, (contract.name, council, period))
            if (before, held) == (content, quarantined):
                yield (load_id, council, period), after


def _quarantine_hash(connection: psycopg.Connection, place: tuple[Any, ...]) -> str:
    return content_of_rows(connection.execute(_QUARANTINED, place))
