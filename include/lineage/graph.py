"""Columns and what they are made of, from the field of a contract to what people see."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from include.definitions import did_you_mean
from include.errors import UnknownName

# The name of a column that stands for which rows a table has.
ROWS = "*"

Kind = Literal[
    "contract", "raw", "staging", "intermediate", "marts", "published", "dashboard", "exposure"
]
# The first of a name that several tables have.
PREFERRED: tuple[Kind, ...] = (
    "marts",
    "intermediate",
    "staging",
    "contract",
    "raw",
    "published",
    "dashboard",
    "exposure",
)

# How a value comes from another one; `rows` to `request` are about which rows there are.
How = Literal[
    "copied",
    "pseudonymised",
    "calculated",
    "aggregated",
    "rows",
    "filter",
    "join",
    "group",
    "order",
    "request",
]


class Column(NamedTuple):
    """A column of a table, such as `marts.dim_ward` and `ward_code`; or its `ROWS`."""

    table: str
    name: str

    def __str__(self) -> str:
        return f"{self.table} (its rows)" if self.name == ROWS else f"{self.table}.{self.name}"


@dataclass(frozen=True)
class Table:
    """A table, file or page; `columns` in their order."""

    name: str
    kind: Kind
    columns: tuple[str, ...]

    @property
    def short_name(self) -> str:
        """The name without the schema."""
        return self.name.partition(".")[2]


@dataclass(frozen=True)
class Step:
    """A column that was reached, `depth` steps away, from or by way of the column `via`."""

    column: Column
    how: How
    via: Column
    depth: int


@dataclass(frozen=True)
class Graph:
    """Every table, and for each column the columns that it is made of.

    `says` is the expression of a column that is made of none, or of a field of
    a contract its place in a record. `untraced` says why nothing is known of the
    columns of a table.
    """

    tables: Mapping[str, Table]
    made_of: Mapping[Column, Mapping[Column, How]]
    says: Mapping[Column, str] = field(default_factory=dict)
    untraced: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def _used_by(self) -> Mapping[Column, Mapping[Column, How]]:
        found: dict[Column, dict[Column, How]] = defaultdict(dict)
        for column, sources in self.made_of.items():
            for source, how in sources.items():
                found[source][column] = how
        return found

    def upstream(self, columns: Iterable[Column]) -> list[Step]:
        """What the columns are made of, nearest first; of a field of a contract, nothing."""
        return _reached(columns, self.made_of)

    def downstream(self, columns: Iterable[Column]) -> list[Step]:
        """What is made of the columns, or has other rows because of them; nearest first."""
        return _reached(columns, self._used_by)

    def origins(self, column: Column) -> list[Column]:
        """The columns at the beginning of what a column is made of; itself, if of none."""
        reached = [column, *(step.column for step in self.upstream([column]))]
        return [each for each in reached if not self.made_of.get(each)]

    def named(self, text: str) -> list[Column]:
        """The columns that a person means by `dim_ward` or `marts.dim_ward.geometry`.

        All columns of a table, and its rows. Raises `UnknownName`.
        """
        if table := self._table(text):
            return [Column(table.name, name) for name in (*table.columns, ROWS)]
        # The name of a column may have dots, too.
        parts = text.split(".", 2)
        for before in (".".join(parts[:2]), parts[0]):
            name = text.removeprefix(f"{before}.")
            if name != text and (table := self._table(before)):
                return [self._column(table, name)]
        before = text.rpartition(".")[0]
        known = [*self.tables, *(table.short_name for table in self.tables.values())]
        raise UnknownName(
            f"lineage: unknown table or column {text!r}.{did_you_mean(before or text, known)} "
            "Name a table, or a column as table.column."
        )

    def _column(self, table: Table, name: str) -> Column:
        if name in table.columns:
            return Column(table.name, name)
        hint = did_you_mean(name, table.columns)
        raise UnknownName(f"lineage: {table.name} has no column {name!r}.{hint}")

    def _table(self, text: str) -> Table | None:
        if text in self.tables:
            return self.tables[text]
        same = [table for table in self.tables.values() if table.short_name == text]
        return min(same, key=lambda table: PREFERRED.index(table.kind), default=None)


def _reached(columns: Iterable[Column], edges: Mapping[Column, Mapping[Column, How]]) -> list[Step]:
    """Each column that edges lead to, once, by the shortest way."""
    begin = list(columns)
    seen = set(begin)
    steps: list[Step] = []
    waiting = deque((column, 0) for column in begin)
    while waiting:
        via, depth = waiting.popleft()
        for column, how in sorted(edges.get(via, {}).items()):
            if column not in seen:
                seen.add(column)
                steps.append(Step(column, how, via, depth + 1))
                waiting.append((column, depth + 1))
    return steps


def merged(graphs: Iterable[Graph]) -> Graph:
    """One graph of several; later ones win where two say something of one column."""
    tables: dict[str, Table] = {}
    made_of: dict[Column, Mapping[Column, How]] = {}
    says: dict[Column, str] = {}
    untraced: dict[str, str] = {}
    for graph in graphs:
        tables |= graph.tables
        made_of |= graph.made_of
        says |= graph.says
        untraced |= graph.untraced
    return Graph(tables, made_of, says, untraced)
