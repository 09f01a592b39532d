"""What the columns and the rows of a query are made of, by its SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from include.errors import PermanentError
from include.lineage.graph import ROWS, Column, How

DIALECT = "postgres"
# From the least to the most that happens to a value on its way.
_ORDER: tuple[How, ...] = ("copied", "calculated", "aggregated", "rows")

# What decides about the rows of a query.
_CLAUSES: tuple[tuple[str, How], ...] = (
    ("where", "filter"),
    ("having", "filter"),
    ("group", "group"),
    ("distinct", "group"),
    ("order", "order"),
)


class NotTraced(PermanentError):
    """A query that the parser cannot read, so that nothing is known of its columns."""


@dataclass(frozen=True)
class Made:
    """What a column is made of, and its expression; empty for a column that is taken as it is."""

    sources: Mapping[Column, How] = field(default_factory=dict)
    says: str = ""


@dataclass(frozen=True)
class Traced:
    """What each column of a query is made of, and what decides which rows it has."""

    columns: Mapping[str, Made]
    rows: Mapping[Column, How]


def trace(sql: str, tables: Mapping[str, Sequence[str]]) -> Traced:
    """What the columns and rows of a query are made of.

    `tables` maps `schema.table` to the columns of each table that it reads.
    Raises `NotTraced` if it cannot be read.
    """
    try:
        return _Query(sql, tables).traced()
    except (SqlglotError, RecursionError) as error:
        what = " ".join(str(error).split("\n")[0].split())
        raise NotTraced(f"lineage: the query cannot be read: {what}.") from error


class _Query:
    def __init__(self, sql: str, tables: Mapping[str, Sequence[str]]) -> None:
        tree = parse_one(sql, read=DIALECT)
        for table in tree.find_all(exp.Table):
            table.set("catalog", None)
        for rows in tree.find_all(exp.UDTF, exp.Table):
            _name_its_column(rows)
        known: dict[str, Any] = {}
        for name, columns in tables.items():
            schema, _, table_name = name.partition(".")
            known.setdefault(schema, {})[table_name] = dict.fromkeys(columns, "text")
        tree = qualify(
            tree,
            dialect=DIALECT,
            schema=known,
            validate_qualify_columns=False,
            quote_identifiers=False,
        )
        root = build_scope(tree)
        if root is None:
            raise NotTraced("lineage: the query cannot be read: it is not a select.")
        self._root = root
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._made: dict[tuple[int, str], Made] = {}

    def traced(self) -> Traced:
        names = _names(self._root)
        rows: dict[Column, How] = dict.fromkeys(self._base_rows(self._root), "rows")
        for scope in self._scopes.values():
            for how, clause in _clauses(scope.expression):
                for source in self._of_columns(clause):
                    rows.setdefault(source, how)
        return Traced({name: self._column(self._root, name) for name in names}, rows)

    def _column(self, scope: Scope, name: str) -> Made:
        """What the column `name` of a query, CTE or subquery is made of."""
        key = (id(scope), name)
        if key not in self._made:
            # A recursive query reads itself.
            self._made[key] = Made()
            self._made[key] = self._look_up(scope, name)
        return self._made[key]

    def _look_up(self, scope: Scope, name: str) -> Made:
        query = scope.expression
        if isinstance(query, exp.SetOperation):
            names = _names(scope)
            at = names.index(name) if name in names else -1
            parts = [
                self._column(part, _names(part)[at])
                for part in scope.set_operation_scopes
                if -1 < at < len(_names(part))
            ]
            return _together(parts)
        if not isinstance(query, exp.Select):
            # A function that returns rows, such as generate_series.
            return Made(self._of_columns(query), query.sql(DIALECT, comments=False))
        for selected in query.selects:
            if selected.alias_or_name == name:
                return self._of_expression(scope, selected.unalias())
        return Made()

    def _of_expression(self, scope: Scope, expression: exp.Expr) -> Made:
        if isinstance(expression, exp.Column):
            return self._of_reference(expression)
        says = expression.sql(DIALECT, comments=False)
        how: How = "aggregated" if expression.find(exp.AggFunc) else "calculated"
        sources = {
            source: max(before, how, key=_ORDER.index)
            for source, before in self._of_columns(expression).items()
        }
        if not sources and expression.find(exp.AggFunc):
            # count(*): it is made of rows.
            sources = dict.fromkeys(self._base_rows(scope), "aggregated")
        if not sources:
            made_of = map(self._of_reference, expression.find_all(exp.Column))
            says = ", from ".join(dict.fromkeys([says, *(made.says for made in made_of)]))
        return Made(sources, says)

    def _of_columns(self, expression: exp.Expr) -> dict[Column, How]:
        found: dict[Column, How] = {}
        for reference in expression.find_all(exp.Column):
            for source, how in self._of_reference(reference).sources.items():
                found[source] = max(found.get(source, how), how, key=_ORDER.index)
        return found

    def _of_reference(self, reference: exp.Column) -> Made:
        source = self._source_of(reference)
        if isinstance(source, exp.Table):
            if _is_function(source):
                return Made(self._of_columns(source), source.this.sql(DIALECT, comments=False))
            return Made({Column(_name(source), reference.name): "copied"})
        if isinstance(source, Scope):
            return self._column(source, reference.name)
        return Made()

    def _source_of(self, reference: exp.Column) -> exp.Expr | Scope | None:
        """Where a reference leads: the innermost query around it that knows the name."""
        around: exp.Expr | None = reference.parent
        while around is not None:
            scope = self._scopes.get(id(around))
            if scope is not None and reference.table in scope.sources:
                return scope.sources[reference.table]
            around = around.parent
        return None

    def _base_rows(self, scope: Scope, seen: frozenset[int] = frozenset()) -> Iterator[Column]:
        """The rows of every table that a query reads, also by way of others."""
        if id(scope) in seen:
            return
        for part in (*scope.set_operation_scopes, *scope.subquery_scopes):
            yield from self._base_rows(part, seen | {id(scope)})
        for _, source in scope.selected_sources.values():
            if isinstance(source, exp.Table) and not _is_function(source):
                yield Column(_name(source), ROWS)
            elif isinstance(source, Scope):
                yield from self._base_rows(source, seen | {id(scope)})


def _names(scope: Scope) -> list[str]:
    """The names of the columns of a query, in order."""
    query = scope.expression
    return query.named_selects if isinstance(query, exp.Query) else []


def _clauses(query: exp.Expr) -> Iterator[tuple[How, exp.Expr]]:
    """What decides about the rows of one query, without those inside it."""
    if not isinstance(query, exp.Select):
        return
    for word, how in _CLAUSES:
        if isinstance(clause := query.args.get(word), exp.Expr):
            yield how, clause
    for join in query.args.get("joins") or ():
        if isinstance(clause := join.args.get("on"), exp.Expr):
            yield "join", clause


def _together(parts: Iterable[Made]) -> Made:
    sources: dict[Column, How] = {}
    says: list[str] = []
    for part in parts:
        for source, how in part.sources.items():
            sources[source] = max(sources.get(source, how), how, key=_ORDER.index)
        if part.says and part.says not in says:
            says.append(part.says)
    return Made(sources, " | ".join(says))


def _name_its_column(rows: exp.Expr) -> None:
    """Of a function in `from`, the alias is also the name of its column, as in PostgreSQL."""
    alias = rows.args.get("alias")
    is_function = isinstance(rows, exp.UDTF) or (isinstance(rows, exp.Table) and _is_function(rows))
    if is_function and isinstance(alias, exp.TableAlias) and alias.this and not alias.columns:
        alias.set("columns", [alias.this.copy()])


def _is_function(table: exp.Table) -> bool:
    """Whether it is a function that returns rows, such as generate_series."""
    return isinstance(table.this, exp.Func)


def _name(table: exp.Table) -> str:
    return f"{table.db}.{table.name}"
