"""From the columns of raw tables to those of the marts, their files and pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any, cast

from include.lineage.graph import ROWS, Column, Graph, How, Kind, Table, merged
from include.lineage.sql import NotTraced, trace

_LAYERS = ("staging", "intermediate", "marts")


def model_graph(described: Mapping[str, Any], raw: Mapping[str, Sequence[str]]) -> Graph:
    """The models and exposures of a project, as `described_lineage` describes them.

    `raw` maps each raw table, as `raw.<source>`, to its columns. Of a model that
    cannot be read, `untraced` says why.
    """
    tables = dict(raw)
    found: dict[str, Table] = {}
    made_of: dict[Column, Mapping[Column, How]] = {}
    says: dict[Column, str] = {}
    untraced: dict[str, str] = {}
    for model in _parents_first(described["models"]):
        name = model["table"]
        tables[name] = model["columns"]
        found[name] = Table(name, _kind(name), tuple(model["columns"]))
        if not model["sql"]:
            untraced[name] = "it does not compile"
            continue
        try:
            traced = trace(model["sql"], tables)
        except NotTraced as error:
            untraced[name] = str(error)
            continue
        made_of[Column(name, ROWS)] = traced.rows
        # Also those that nobody has described: others may be made of them.
        tables[name] = list(dict.fromkeys((*model["columns"], *traced.columns)))
        found[name] = Table(name, _kind(name), tuple(tables[name]))
        for column, made in traced.columns.items():
            if made.sources:
                made_of[Column(name, column)] = made.sources
            if made.says:
                says[Column(name, column)] = made.says
    return merged([Graph(found, made_of, says, untraced), _exposures(described)])


def _parents_first(models: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    known = {model["unique_id"]: model for model in models}
    parents = {name: [*filter(known.get, one["depends_on"])] for name, one in known.items()}
    return (known[name] for name in TopologicalSorter(parents).static_order())


def _kind(table: str) -> Kind:
    schema = table.partition(".")[0]
    return cast("Kind", next((layer for layer in _LAYERS if schema.endswith(layer)), "marts"))


def _exposures(described: Mapping[str, Any]) -> Graph:
    """Who uses a model, as the project says: of all its columns and rows."""
    models = {model["unique_id"]: model for model in described["models"]}
    tables: dict[str, Table] = {}
    made_of: dict[Column, Mapping[Column, How]] = {}
    says: dict[Column, str] = {}
    for exposure in described["exposures"]:
        name = f"exposure.{exposure['name']}"
        tables[name] = Table(name, "exposure", ())
        says[Column(name, ROWS)] = f"{exposure['label']}; owner: {exposure['owner'] or 'nobody'}"
        made_of[Column(name, ROWS)] = {
            Column(models[one]["table"], column): "rows" if column == ROWS else "copied"
            for one in exposure["depends_on"]
            if one in models
            for column in (*models[one]["columns"], ROWS)
        }
    return Graph(tables, made_of, says)


def shown_graph(kind: Kind, shown: Mapping[str, Iterable[str]]) -> Graph:
    """What people see of marts: `published` files or the `dashboard`, by mart and column."""
    tables: dict[str, Table] = {}
    made_of: dict[Column, Mapping[Column, How]] = {}
    for mart, columns in shown.items():
        name = f"{kind}.{mart}"
        tables[name] = Table(name, kind, tuple(columns))
        for column in (*tables[name].columns, ROWS):
            how: How = "rows" if column == ROWS else "copied"
            made_of[Column(name, column)] = {Column(f"marts.{mart}", column): how}
    return Graph(tables, made_of)
