"""Where a column comes from, and what breaks if it changes: from the contracts to the dashboard."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.lineage.contracts import contract_graph
from include.lineage.graph import ROWS, Column, Graph, Step, merged
from include.lineage.models import model_graph, shown_graph
from include.publish.public import public_marts
from include.publish.site.tables import SCHEMAS
from include.sources.model import Contract
from include.sources.raw_table import expected_columns
from include.transform.process import Dbt
from include.transform.project import FOLDER

# dbt needs the name of a database, and no database, to compile.
_NO_DATABASE = "dbname=wandle"


@dataclass(frozen=True)
class Answer:
    """What a person asked about, where it comes from, and what is made of it."""

    asked: Sequence[Column]
    upstream: Sequence[Step]
    downstream: Sequence[Step]


def project_graph(
    contracts: Mapping[str, Contract], *, state: Path, project: Path = FOLDER
) -> Graph:
    """Every column from the contracts through the project to the files and pages; no database.

    `state` is where dbt keeps what it has parsed, if the folder exists. Raises as
    `Dbt.nodes` does if the project does not parse.
    """
    with (
        tempfile.TemporaryDirectory(prefix="wandle-lineage-") as folder,
        Dbt(
            dsn=_NO_DATABASE,
            # Not where a build may be writing.
            home=state / "lineage" if state.is_dir() else Path(folder),
            progress=lambda line: None,
            project=project,
        ) as dbt,
    ):
        described, published = dbt.lineage(), dbt.published()
    return whole_graph(contracts, described, published)


def whole_graph(
    contracts: Mapping[str, Contract],
    described: Mapping[str, Any],
    published: Sequence[Mapping[str, Any]],
) -> Graph:
    """The same, of what dbt has described already."""
    raw = {f"raw.{name}": [*expected_columns(one)] for name, one in contracts.items()}
    public = {mart.name: mart for mart in public_marts(published, contracts) if not mart.refused}
    shown = {
        name: [column for column in columns if column in public[name].columns]
        for name, columns in SCHEMAS.items()
        if name in public and not columns.keys() & public[name].withheld
    }
    return merged(
        [
            *map(contract_graph, contracts.values()),
            model_graph(described, raw),
            shown_graph("published", {name: [*mart.columns] for name, mart in public.items()}),
            shown_graph("dashboard", shown),
        ]
    )


def ask(graph: Graph, text: str) -> Answer:
    """Where a column or table comes from, and what breaks if it changes.

    Raises `UnknownName`.
    """
    asked = graph.named(text)
    return Answer(asked, graph.upstream(asked), graph.downstream(asked))


def as_json(graph: Graph, answer: Answer) -> dict[str, Any]:
    """The answer as JSON: each column with its table, how it is reached, and what it says."""
    return {
        "asked": [_json_of(graph, column) for column in answer.asked],
        "upstream": [_step(graph, step) for step in answer.upstream],
        "downstream": [_step(graph, step) for step in answer.downstream],
        "not_traced": dict(graph.untraced),
    }


def _json_of(graph: Graph, column: Column) -> dict[str, Any]:
    return {
        **column._asdict(),
        "rows": column.name == ROWS,
        "kind": graph.tables[column.table].kind if column.table in graph.tables else None,
        "says": graph.says.get(column, ""),
    }


def _step(graph: Graph, step: Step) -> dict[str, Any]:
    reached = {"how": step.how, "via": str(step.via), "depth": step.depth}
    return _json_of(graph, step.column) | reached
