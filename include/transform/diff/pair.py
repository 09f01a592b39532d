"""Two versions of a table, joined by key: counts of what differs, and the first rows that do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from include.transform.diff.profile import Profile, profiles
from include.transform.diff.relation import Table

HIDDEN = "(hidden)"
COUNTS = ("rows_before", "rows_after", "added", "removed", "changed")
SHOWN_CHARACTERS = 100
# Without an equality that compares every part of a value; json keeps its spelling.
_AS_TEXT = ("json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle")


@dataclass(frozen=True)
class Sample:
    """A row that differs: its key, and column -> value or (value before, value after)."""

    kind: str  # added, removed or changed
    key: dict[str, str | None]
    values: dict[str, Any]


def sample_of(kind: str, key: Sequence[str], row: dict[str, Any]) -> Sample:
    """A row as a sample, with its key apart."""
    return Sample(
        kind,
        {name: row[name] for name in key},
        {name: value for name, value in row.items() if name not in key},
    )


def shown(value: sql.Composable, hide: bool) -> sql.Composable:
    """The beginning of a value as text; of a hidden one, only whether there is one."""
    if hide:
        return sql.SQL("case when {} is not null then {} end").format(value, HIDDEN)
    return sql.SQL("left(({})::text, {})").format(value, SHOWN_CHARACTERS)


class Pair:
    """Two versions of a table, as the tables `b` and `a` of a full outer join."""

    def __init__(
        self,
        connection: psycopg.Connection,
        before: Table,
        after: Table,
        hidden: frozenset[str],
    ) -> None:
        self._connection = connection
        self._before, self._after, self._hidden = before, after, hidden
        self._common = [name for name in after.columns if name in before.columns]
        self.key = self._shared_key()
        self._rest = [name for name in self._common if name not in self.key]

    def _shared_key(self) -> tuple[str, ...]:
        """The key of one version that is unique in the other one, too."""
        for key, other in ((self._after.key, self._before), (self._before.key, self._after)):
            if (
                key
                and set(key) <= set(self._common)
                and (other.key == key or self._is_key(key, other))
            ):
                return key
        return ()

    def _is_key(self, key: Sequence[str], table: Table) -> bool:
        columns = list(map(sql.Identifier, key))
        query = sql.SQL(
            "select not exists (select from {table} where num_nulls({columns}) > 0) "
            "and not exists (select from {table} group by {columns} having count(*) > 1)"
        ).format(table=table.quoted, columns=sql.SQL(", ").join(columns))
        return bool(self._connection.execute(query).fetchall()[0][0])

    def by_key(self) -> dict[str, Any]:
        """The counts of rows, and for each column of rows in which it changed."""
        both = sql.SQL("{} is not null and {} is not null").format(*self._first_of_key())
        b_key, a_key = self._first_of_key()
        per_column = [
            sql.SQL("count(*) filter (where {} and {})").format(both, self._differs(name))
            for name in self._rest
        ]
        query = sql.SQL(
            "select count({b}), count({a}), count(*) filter (where {b} is null), "
            "count(*) filter (where {a} is null), count(*) filter (where {both} and {any}) "
            "{columns} from {join}"
        ).format(
            b=b_key,
            a=a_key,
            both=both,
            any=self._any_differs(),
            columns=sql.SQL("").join(sql.SQL(", {}").format(item) for item in per_column),
            join=self._join(),
        )
        row = self._connection.execute(query).fetchall()[0]
        return {
            **dict(zip(COUNTS, row[:5], strict=True)),
            "columns": dict(zip(self._rest, row[5:], strict=True)),
        }

    def by_rows(self) -> dict[str, Any]:
        """The counts of whole rows, of the columns in common, that only one version has."""
        counts = {
            name: self._connection.execute(
                sql.SQL("select count(*) from {}").format(table.quoted)
            ).fetchall()[0][0]
            for name, table in (("rows_before", self._before), ("rows_after", self._after))
        }
        for name, have, lack in (("added", "a", "b"), ("removed", "b", "a")):
            query = sql.SQL("select count(*) from ({}) as found").format(self._only(have, lack))
            counts[name] = self._connection.execute(query).fetchall()[0][0]
        return {**counts, "changed": 0, "columns": {}}

    def profiles(self) -> tuple[dict[str, Profile], dict[str, Profile]]:
        """The profile of each column of each version."""
        before, after = (
            profiles(self._connection, table, self._hidden) for table in (self._before, self._after)
        )
        return before.columns, after.columns

    def samples(self, counts: dict[str, Any], number: int) -> list[Sample]:
        """The first rows, by key, of each kind of difference."""
        if not self.key:
            return [
                Sample(kind, {}, dict(zip(self._common, row, strict=True)))
                for kind, have, lack in (("removed", "b", "a"), ("added", "a", "b"))
                if counts[kind]
                for row in self._connection.execute(
                    sql.SQL("select {} from ({}) as found order by {} limit {}").format(
                        self._shown_columns(self._common),
                        self._only(have, lack),
                        sql.SQL(", ").join(sql.SQL(str(1 + at)) for at in range(len(self._common))),
                        number,
                    )
                )
            ]
        found = []
        if counts["changed"]:
            found += self._changed_rows(number)
        for kind, side, table in (("removed", "b", self._before), ("added", "a", self._after)):
            if counts[kind]:
                found += self._rows_only_in(kind, side, table, number)
        return found

    def _changed_rows(self, number: int) -> list[Sample]:
        values: list[sql.Composable] = [self._shown_of("a", name) for name in self.key]
        for name in self._rest:
            values += [self._differs(name), self._shown_of("b", name), self._shown_of("a", name)]
        b_key, a_key = self._first_of_key()
        query = sql.SQL(
            "select {} from {} where {} is not null and {} is not null and {} order by {} limit {}"
        ).format(
            *(sql.SQL(", ").join(values), self._join(), b_key, a_key, self._any_differs()),
            *(sql.SQL(", ").join(sql.Identifier("a", name) for name in self.key), number),
        )
        found = []
        for row in self._connection.execute(query):
            key, rest = row[: len(self.key)], row[len(self.key) :]
            changed = {
                name: (rest[3 * at + 1], rest[3 * at + 2])
                for at, name in enumerate(self._rest)
                if rest[3 * at]
            }
            found.append(Sample("changed", dict(zip(self.key, key, strict=True)), changed))
        return found

    def _rows_only_in(self, kind: str, side: str, table: Table, number: int) -> list[Sample]:
        other = "a" if side == "b" else "b"
        query = sql.SQL("select {} from {} where {} is null order by {} limit {}").format(
            sql.SQL(", ").join(self._shown_of(side, name) for name in table.columns),
            self._join(),
            sql.Identifier(other, self.key[0]),
            sql.SQL(", ").join(sql.Identifier(side, name) for name in self.key),
            number,
        )
        return [
            sample_of(kind, self.key, dict(zip(table.columns, row, strict=True)))
            for row in self._connection.execute(query)
        ]

    def _first_of_key(self) -> tuple[sql.Identifier, sql.Identifier]:
        """A column of each version that is null only where the join found no row."""
        return sql.Identifier("b", self.key[0]), sql.Identifier("a", self.key[0])

    def _join(self) -> sql.Composed:
        on = [
            sql.SQL("{} = {}").format(*(self._comparable(side, name) for side in ("b", "a")))
            for name in self.key
        ]
        return sql.SQL("{} as b full outer join {} as a on {}").format(
            self._before.quoted, self._after.quoted, sql.SQL(" and ").join(on)
        )

    def _comparable(self, side: str, name: str) -> sql.Composable:
        value = sql.Identifier(side, name)
        types = {self._before.columns[name], self._after.columns[name]}
        as_text = len(types) > 1 or not types.isdisjoint(_AS_TEXT)
        return sql.SQL("{}::text").format(value) if as_text else value

    def _differs(self, name: str) -> sql.Composed:
        return sql.SQL("{} is distinct from {}").format(
            *(self._comparable(side, name) for side in ("b", "a"))
        )

    def _any_differs(self) -> sql.Composable:
        if not self._rest:
            return sql.SQL("false")
        return sql.SQL("({})").format(sql.SQL(" or ").join(map(self._differs, self._rest)))

    def _only(self, have: str, lack: str) -> sql.Composed:
        """The rows, of the columns in common, that one version has more often than the other."""
        tables = {"b": self._before, "a": self._after}
        selects = [
            sql.SQL("select {} from {} as {}").format(
                sql.SQL(", ").join(
                    sql.SQL("{} as {}").format(self._comparable(side, name), sql.Identifier(name))
                    for name in self._common
                ),
                *(tables[side].quoted, sql.Identifier(side)),
            )
            for side in (have, lack)
        ]
        return sql.SQL("{} except all {}").format(*selects)

    def _shown_of(self, side: str, name: str) -> sql.Composable:
        return shown(sql.Identifier(side, name), name in self._hidden)

    def _shown_columns(self, columns: Sequence[str]) -> sql.Composable:
        return sql.SQL(", ").join(
            shown(sql.Identifier(name), name in self._hidden) for name in columns
        )
