"""What the columns and the rows of a query are made of, by its SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope
from sqlglot.schema import MappingSchema

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
    except NotTraced:
        raise
    except Exception as error:
        # Of SQL that the parser does not know, it raises more than its own errors.
        what = " ".join(str(error).split("\n")[0].split())
        raise NotTraced(f"lineage: the query cannot be read: {what}.") from error


class _Query:
    def __init__(self, sql: str, tables: Mapping[str, Sequence[str]]) -> None:
        self._tables = tables
        tree = parse_one(sql, read=DIALECT)
        for table in tree.find_all(exp.Table):
            table.set("catalog", None)
        named = [column for column in tree.find_all(exp.Column) if column.table]
        for rows in tree.find_all(exp.UDTF, exp.Table):
            _name_its_columns(rows, [one.this for one in named if one.table == rows.alias])
        known: dict[str, Any] = {}
        for name, columns in tables.items():
            schema, _, table_name = name.partition(".")
            known.setdefault(schema, {})[table_name] = dict.fromkeys(columns, "text")
        tree = qualify(
            tree,
            dialect=DIALECT,
            # Names that are quoted keep their case.
            schema=MappingSchema(known, dialect=DIALECT, normalize=False),
            validate_qualify_columns=False,
            quote_identifiers=False,
        )
        root = build_scope(tree)
        if root is None:
            raise NotTraced("lineage: the query cannot be read: it is not a select.")
        self._root = root
        self._scopes = {id(scope.expression): scope for scope in root.traverse()}
        self._made: dict[tuple[int, str], Made] = {}
        self._rows: dict[int, frozenset[Column]] = {}
        self._around: dict[int, Scope | None] = {}

    def traced(self) -> Traced:
        names = _names(self._root)
        if "*" in names:
            raise NotTraced(
                "lineage: the query cannot be read: it selects `*` from something whose columns "
                "are not known. Name the columns, or describe that table."
            )
        rows: dict[Column, How] = dict.fromkeys(sorted(self._base_rows(self._root)), "rows")
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
        if _is_lateral_query(query):
            inner = self._scopes.get(id(query.this.unnest()))
            return self._column(inner, name) if inner else Made()
        if not isinstance(query, exp.Select):
            # A function that returns rows, such as generate_series.
            return self._of_function(query, query)
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
            sources = dict.fromkeys(sorted(self._base_rows(scope)), "aggregated")
        if not sources:
            made_of = map(self._of_reference, self._references(expression))
            says = ", from ".join(dict.fromkeys([says, *(made.says for made in made_of)]))
        return Made(sources, says)

    def _of_columns(self, expression: exp.Expr) -> dict[Column, How]:
        found: dict[Column, How] = {}
        for reference in self._references(expression):
            for source, how in self._of_reference(reference).sources.items():
                found[source] = max(found.get(source, how), how, key=_ORDER.index)
        return found

    def _references(self, expression: exp.Expr) -> Iterator[exp.Expr]:
        """The columns and whole rows that an expression names, including in a named window."""
        yield from expression.find_all(exp.Column, exp.TableColumn)
        for window in expression.find_all(exp.Window):
            scope, named = self._scope_around(window), window.args.get("alias")
            if scope and isinstance(named, exp.Identifier):
                for defined in scope.expression.args.get("windows") or ():
                    if defined.name == named.name:
                        yield from defined.find_all(exp.Column)

    def _of_reference(self, reference: exp.Expr) -> Made:
        is_row = isinstance(reference, exp.TableColumn)
        source = self._source_of(reference, reference.name if is_row else reference.text("table"))
        if is_row or reference.name == "*":
            return self._of_row(source)
        if isinstance(source, exp.Table):
            if _is_function(source):
                return self._of_function(source, source.this)
            return Made({Column(_name(source), reference.name): "copied"})
        if isinstance(source, Scope):
            return self._column(source, reference.name)
        return self._of_bare_name(reference)

    def _of_bare_name(self, reference: exp.Expr) -> Made:
        """What a name without a table stands for, where the parser left it like that."""
        scope = self._scope_around(reference)
        if scope is None or reference.text("table"):
            return Made()
        if reference.find_ancestor(exp.Order, exp.Group, exp.Distinct):
            # A column of the query itself.
            return self._column(scope, reference.name)
        # An argument of a function in `from`.
        found = [one for one in scope.sources.values() if reference.name in self._columns_of(one)]
        if len(found) != 1:
            return Made()
        if isinstance(found[0], Scope):
            return self._column(found[0], reference.name)
        return Made({Column(_name(found[0]), reference.name): "copied"})

    def _columns_of(self, source: Any) -> Sequence[str]:
        return _names(source) if isinstance(source, Scope) else self._tables.get(_name(source), ())

    def _of_function(self, around: exp.Expr, function: exp.Expr) -> Made:
        """What the columns of a function in `from` are made of: no value of it is the same."""
        sources: dict[Column, How] = {
            source: max(how, "calculated", key=_ORDER.index)
            for source, how in self._of_columns(around).items()
        }
        return Made(sources, function.sql(DIALECT, comments=False))

    def _of_row(self, source: exp.Expr | Scope | None) -> Made:
        """What a whole row is made of, such as that of `to_jsonb(crimes)`."""
        if isinstance(source, Scope):
            return _together(self._column(source, name) for name in _names(source))
        if isinstance(source, exp.Table):
            name = _name(source)
            return Made({Column(name, one): "copied" for one in self._tables.get(name, ())})
        return Made()

    def _source_of(self, reference: exp.Expr, name: str) -> exp.Expr | Scope | None:
        """Where a reference leads: the innermost query around it that knows the table's name."""
        scope = self._scope_around(reference)
        while scope is not None:
            if name in scope.sources:
                return scope.sources[name]
            scope = self._scope_around(scope.expression)
        return None

    def _scope_around(self, inner: exp.Expr) -> Scope | None:
        """The innermost query around an expression; each step on the way is taken once."""
        way: list[int] = []
        around, found = inner.parent, None
        while around is not None and found is None:
            found = self._scopes.get(id(around)) or self._around.get(id(around))
            way.append(id(around))
            around = around.parent
        self._around.update(dict.fromkeys(way, found))
        return found

    def _base_rows(self, scope: Scope, around: frozenset[int] = frozenset()) -> frozenset[Column]:
        """The rows of every table that a query reads, directly or through others."""
        if id(scope) in around:
            # A recursive query reads itself.
            return frozenset()
        if id(scope) not in self._rows:
            within = around | {id(scope)}
            parts = (*scope.set_operation_scopes, *scope.subquery_scopes)
            sources = (source for _, source in scope.selected_sources.values())
            found = [self._base_rows_of(part, within) for part in (*parts, *sources)]
            self._rows[id(scope)] = frozenset().union(*found)
        return self._rows[id(scope)]

    def _base_rows_of(self, source: Any, around: frozenset[int]) -> frozenset[Column]:
        if isinstance(source, Scope):
            return self._base_rows(source, around)
        if isinstance(source, exp.Table) and not _is_function(source):
            return frozenset({Column(_name(source), ROWS)})
        return frozenset()


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


def _name_its_columns(rows: exp.Expr, named: Sequence[exp.Expr]) -> None:
    """Of a function in `from`, its columns as the query names them, such as `each.key`.

    The alias is also the name of its column, as in PostgreSQL.
    """
    alias = rows.args.get("alias")
    is_function = isinstance(rows, exp.UDTF) or (isinstance(rows, exp.Table) and _is_function(rows))
    if _is_lateral_query(rows):
        return
    if is_function and isinstance(alias, exp.TableAlias) and alias.this and not alias.columns:
        names = {
            name.name: name for name in (alias.this, *named) if isinstance(name, exp.Identifier)
        }
        alias.set("columns", [name.copy() for name in names.values()])


def _is_lateral_query(rows: exp.Expr) -> bool:
    """Whether it is `lateral (select …)`, which names its columns itself."""
    return isinstance(rows, exp.Lateral) and isinstance(rows.this, exp.Subquery)


def _is_function(table: exp.Table) -> bool:
    """Whether it is a function that returns rows, such as generate_series."""
    return isinstance(table.this, exp.Func)


def _name(table: exp.Table) -> str:
    return f"{table.db}.{table.name}"
