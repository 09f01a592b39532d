"""Compare two versions of a table by key, in the database: only counts and a sample leave it.

Works on any two tables of one database, whatever made them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from include.transform.diff.pair import COUNTS, Pair, Sample, sample_of, shown
from include.transform.diff.profile import Profile, profiles
from include.transform.diff.relation import Table

SAMPLE_ROWS = 5


@dataclass(frozen=True)
class ColumnDifference:
    """A column in both versions, in one of them if the other type is empty.

    `changed` counts the rows of both versions in which it differs.
    """

    name: str
    type_before: str
    type_after: str
    changed: int
    before: Profile | None
    after: Profile | None


@dataclass(frozen=True)
class Difference:
    """What differs between two versions of a table; `key` is empty if whole rows were compared."""

    name: str
    key: tuple[str, ...]
    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int
    columns: tuple[ColumnDifference, ...] = ()
    schema_changes: tuple[str, ...] = ()
    samples: tuple[Sample, ...] = ()
    status: str = field(default="compared")  # or new, removed

    @property
    def nothing(self) -> bool:
        """Whether rows, columns and key are the same."""
        counts = (self.added, self.removed, self.changed, len(self.schema_changes))
        return self.status == "compared" and not any(counts)


def compare(
    connection: psycopg.Connection,
    before: Table | None,
    after: Table | None,
    *,
    hidden: Collection[str] = (),
    sample_rows: int = SAMPLE_ROWS,
) -> Difference:
    """Compare by the primary key, or by whole rows if the versions have no key in common.

    The values of `hidden` columns are compared, but never read. Raises
    `ValueError` if there is neither version.
    """
    if before is None or after is None:
        return _one_sided(connection, before, after, hidden, sample_rows)
    pair = Pair(connection, before, after, frozenset(hidden))
    counts = pair.by_key() if pair.key else pair.by_rows()
    of_before, of_after = pair.profiles()
    return Difference(
        name=after.name,
        key=pair.key,
        **{name: counts[name] for name in COUNTS},
        columns=tuple(
            ColumnDifference(
                name,
                before.columns.get(name, ""),
                after.columns.get(name, ""),
                counts["columns"].get(name, 0),
                of_before.get(name),
                of_after.get(name),
            )
            for name in dict.fromkeys((*after.columns, *before.columns))
        ),
        schema_changes=tuple(schema_changes(before, after)),
        samples=tuple(pair.samples(counts, sample_rows)),
    )


def schema_changes(before: Table, after: Table) -> list[str]:
    """What changed of columns, types and key, as sentences."""
    found = [f"column {name} added" for name in after.columns if name not in before.columns]
    found += [f"column {name} removed" for name in before.columns if name not in after.columns]
    found += [
        f"column {name}: {before.columns[name]} became {type_}"
        for name, type_ in after.columns.items()
        if before.columns.get(name, type_) != type_
    ]
    if before.key != after.key:
        keys = [f"({', '.join(key)})" if key else "none" for key in (before.key, after.key)]
        found.append(f"primary key: {keys[0]} became {keys[1]}")
    return found


def _one_sided(
    connection: psycopg.Connection,
    before: Table | None,
    after: Table | None,
    hidden: Collection[str],
    sample_rows: int,
) -> Difference:
    table = after or before
    if table is None:
        raise ValueError("neither version of the table exists")
    found = profiles(connection, table, hidden)
    samples = _rows_of(connection, table, hidden, sample_rows) if after else ()
    return one_sided(table, after is not None, found.rows, found.columns, samples)


def one_sided(
    table: Table,
    is_new: bool,
    rows: int,
    columns: Mapping[str, Profile | None],
    samples: Iterable[Sample] = (),
) -> Difference:
    """The difference where only one version exists: the new one, or the one that was removed."""
    return Difference(
        name=table.name,
        key=table.key,
        rows_before=0 if is_new else rows,
        rows_after=rows if is_new else 0,
        added=rows if is_new else 0,
        removed=0 if is_new else rows,
        changed=0,
        columns=tuple(
            ColumnDifference(
                name,
                "" if is_new else type_,
                type_ if is_new else "",
                0,
                None if is_new else columns[name],
                columns[name] if is_new else None,
            )
            for name, type_ in table.columns.items()
        ),
        samples=tuple(samples),
        status="new" if is_new else "removed",
    )


def _rows_of(
    connection: psycopg.Connection, table: Table, hidden: Collection[str], number: int
) -> list[Sample]:
    values = [shown(sql.Identifier(name), name in hidden) for name in table.columns]
    order: list[sql.Composable] = [*map(sql.Identifier, table.key)] or [sql.SQL("1")]
    query = sql.SQL("select {} from {} order by {} limit {}").format(
        sql.SQL(", ").join(values), table.quoted, sql.SQL(", ").join(order), number
    )
    return [
        sample_of("added", table.key, dict(zip(table.columns, row, strict=True)))
        for row in connection.execute(query)
    ]
