"""A graph as JSON, so that pages can show it without dbt and without reading SQL."""

from __future__ import annotations

import json
from typing import Any

from include.lineage.graph import Column, Graph, Table


def dumped(graph: Graph, made_from: str = "") -> bytes:
    """The graph as JSON; `made_from` is the state that it describes."""
    content = {
        "made_from": made_from,
        "tables": [[one.name, one.kind, one.columns] for one in graph.tables.values()],
        "made_of": [
            [*column, [[*source, how] for source, how in sources.items()]]
            for column, sources in graph.made_of.items()
        ],
        "says": [[*column, text] for column, text in graph.says.items()],
        "untraced": dict(graph.untraced),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def loaded(body: bytes) -> Graph:
    """The graph that `dumped` wrote."""
    content: dict[str, Any] = json.loads(body)
    return Graph(
        {name: Table(name, kind, tuple(columns)) for name, kind, columns in content["tables"]},
        {
            Column(table, name): {Column(of, field): how for of, field, how in sources}
            for table, name, sources in content["made_of"]
        },
        {Column(table, name): text for table, name, text in content["says"]},
        content["untraced"],
    )


def made_from(body: bytes) -> str:
    """The state that a graph describes; empty if it cannot be read, so that it is made again."""
    try:
        return str(json.loads(body)["made_from"])
    except (ValueError, KeyError, TypeError):
        return ""
