"""Lineage: where a column comes from, and what breaks if it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from include.lineage.graph import ROWS, Column, Graph, How, Kind, Step
from include.portal.words import counted, link

# In the order in which data flow.
KINDS: Mapping[Kind, str] = {
    "contract": "Contracts",
    "raw": "Raw tables",
    "staging": "Staging",
    "intermediate": "Intermediate",
    "marts": "Marts",
    "published": "Open-data files",
    "dashboard": "Dashboard",
    "exposure": "Other consumers",
}
# The first that people look for.
FIRST: tuple[Kind, ...] = ("marts", "contract")
_USERS: Mapping[Kind, tuple[str, str]] = {
    "marts": ("mart", "marts"),
    "published": ("open-data file", "open-data files"),
    "dashboard": ("table of the dashboard", "tables of the dashboard"),
    "exposure": ("other consumer", "other consumers"),
}
MEANINGS: Mapping[How, str] = {
    "copied": "the same value",
    "calculated": "a calculation with it, or a conversion",
    "aggregated": "one value of several rows",
    "pseudonymised": "a pseudonym of it",
    "filter": "decides which rows there are",
    "join": "decides which rows are combined",
    "group": "decides which rows are one group",
    "order": "decides which row is taken",
    "rows": "the rows of one table are made of those of the other",
    "request": "the source is requested with this value",
}


@dataclass(frozen=True)
class Named:
    """A column, the rows of a table, or a table; `href` is its page, empty if it has none."""

    text: str
    href: str
    layer: str
    says: str = ""


@dataclass(frozen=True)
class Reached:
    """A column, so many steps away: `how` it makes `via`, or is made of it."""

    column: Named
    how: str
    via: Named
    steps: int


@dataclass(frozen=True)
class ColumnView:
    """What the page of a column shows."""

    column: Named
    table: Named
    upstream: Sequence[Reached]
    downstream: Sequence[Reached]
    used: str
    untraced: str

    @property
    def heading(self) -> str:
        """The column."""
        return self.column.text


@dataclass(frozen=True)
class TableView:
    """What the page of a table shows: its columns, each with what it is directly made of."""

    table: Named
    columns: Sequence[tuple[Named, Sequence[tuple[str, Named]]]]
    upstream: Sequence[Named]
    downstream: Sequence[Named]
    untraced: str

    @property
    def heading(self) -> str:
        """The table."""
        return self.table.text


def tables_view(graph: Graph) -> list[tuple[str, list[Named]]]:
    """Every table by layer, first those that people ask about most."""
    kinds = [*FIRST, *(kind for kind in KINDS if kind not in FIRST)]
    found = {
        kind: [
            _table(graph, name) for name, one in sorted(graph.tables.items()) if one.kind == kind
        ]
        for kind in kinds
    }
    return [(KINDS[kind], tables) for kind, tables in found.items() if tables]


def lineage_view(graph: Graph, text: str) -> ColumnView | TableView:
    """The page of a column or of a table, by its name. Raises `UnknownName`."""
    asked = graph.named(text)
    return _column_view(graph, asked[0]) if len(asked) == 1 else _table_view(graph, asked)


def _column_view(graph: Graph, column: Column) -> ColumnView:
    # For a column, also what its table's rows are made of: without the row there is no value.
    upstream = graph.upstream([column, Column(column.table, ROWS)])
    downstream = graph.downstream([column])
    return ColumnView(
        column=_named(graph, column),
        table=_table(graph, column.table),
        upstream=_reached(graph, upstream),
        downstream=_reached(graph, downstream),
        used=_used(graph, (step.column.table for step in downstream)),
        untraced=_untraced(graph, column, upstream),
    )


def _table_view(graph: Graph, asked: Sequence[Column]) -> TableView:
    name = asked[0].table
    columns = [
        (
            _named(graph, column),
            [
                (how, _named(graph, source))
                for source, how in sorted(graph.made_of.get(column, {}).items())
            ],
        )
        for column in asked
    ]
    return TableView(
        table=_table(graph, name),
        columns=columns,
        upstream=_tables_of(graph, name, graph.upstream(asked)),
        downstream=_tables_of(graph, name, graph.downstream(asked)),
        untraced=graph.untraced.get(name, ""),
    )


def _tables_of(graph: Graph, name: str, steps: Iterable[Step]) -> list[Named]:
    """The other tables that were reached, in the order in which data flow."""
    found = {step.column.table for step in steps} - {name}
    order = [*KINDS.values(), ""]
    tables = [_table(graph, one) for one in sorted(found)]
    return sorted(tables, key=lambda one: order.index(one.layer))


def _reached(graph: Graph, steps: Iterable[Step]) -> list[Reached]:
    return [
        Reached(_named(graph, step.column), step.how, _named(graph, step.via), step.depth)
        for step in steps
    ]


def _named(graph: Graph, column: Column) -> Named:
    # The rows of a table are shown with it.
    of = column.table if column.name == ROWS else str(column)
    table = graph.tables.get(column.table)
    href = link("lineage", of=of) if table and column.name in (ROWS, *table.columns) else ""
    layer = _layer(graph, column.table)
    return Named(str(column), href, layer, graph.says.get(column, ""))


def _table(graph: Graph, name: str) -> Named:
    says = graph.says.get(Column(name, ROWS), "")
    href = link("lineage", of=name) if name in graph.tables else ""
    return Named(name, href, _layer(graph, name), says)


def _layer(graph: Graph, table: str) -> str:
    return KINDS[graph.tables[table].kind] if table in graph.tables else ""


def _used(graph: Graph, tables: Iterable[str]) -> str:
    """Whom a change concerns, in one sentence."""
    kinds = Counter(graph.tables[name].kind for name in {*tables} if name in graph.tables)
    said = [counted(kinds[kind], *words) for kind, words in _USERS.items() if kinds[kind]]
    if not said:
        return "No mart, file or page depends on it."
    return f"A change affects {', '.join(said)}."


def _untraced(graph: Graph, column: Column, steps: Iterable[Step]) -> str:
    """The tables on the way of which nothing is known, and why."""
    tables = dict.fromkeys([column.table, *(step.column.table for step in steps)])
    return "; ".join(f"{name}: {graph.untraced[name]}" for name in tables if name in graph.untraced)
