"""Columns that loaded partitions have never filled, and the models that read them.

A column that is added to a contract is null in every partition that was loaded before, until it is
reloaded. A column that left its contract stays in the table, and is null in every partition that is
loaded from then on. A mart of both would be built without an error, and lack the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from include.sources.model import Contract
from include.sources.raw_table import expected_columns
from include.transform.graph import Node
from include.transform.project import NAME
from include.transform.sources import generated_columns, outside_generated

# By source and column: how many partitions with rows were loaded without it.
Unfilled = Mapping[str, Mapping[str, int]]

# What the current load of each partition with rows knew. Unknown for loads of earlier versions.
LOADED_COLUMNS = """
with current as (
    select distinct on (source, council, period) source, status, rows, columns
    from ops.load
    where status in ('loaded', 'unchanged', 'expired')
    order by source, council, period, load_id desc
)
select source, columns, count(*)
from current
where status <> 'expired' and rows > 0 and columns is not null
group by source, columns
"""


def unfilled_columns(
    loaded: Iterable[tuple[str, list[str], int]], contracts: Mapping[str, Contract]
) -> dict[str, dict[str, int]]:
    """How many partitions lack each column, given the result of `LOADED_COLUMNS`."""
    found: dict[str, dict[str, int]] = {}
    for source, columns, partitions in loaded:
        if source not in contracts:
            continue
        for column in contracts[source].raw_columns():
            if column.name not in columns:
                counts = found.setdefault(source, {})
                counts[column.name] = counts.get(column.name, 0) + partitions
    return found


def refuse_unfilled(nodes: Iterable[Node], unfilled: Unfilled, project: Path) -> Iterator[Node]:
    """The nodes; a model that reads a column which partitions never filled has an `error`."""
    for node in nodes:
        for source in [] if node.error else _read_by(node, unfilled):
            text = outside_generated((project / node.path).read_text(encoding="utf-8"))
            if read := sorted(column for column in unfilled[source] if _reads(text, column)):
                node = replace(node, error=_error(source, read, unfilled[source]))
        yield node


def refuse_dropped(
    nodes: Iterable[Node], contracts: Mapping[str, Contract], project: Path
) -> Iterator[Node]:
    """The nodes; a model that takes a column which left its contract has an `error`."""
    for node in nodes:
        for source in [] if node.error else _read_by(node, contracts):
            text = (project / node.path).read_text(encoding="utf-8")
            known = {*expected_columns(contracts[source])}
            if left := sorted({*generated_columns(text)} - known):
                node = replace(node, error=_left_error(source, left))
        yield node


def _read_by(node: Node, sources: Iterable[str]) -> list[str]:
    """Those of the sources that a model selects from."""
    return [
        source
        for source in sources
        if f"source.{NAME}.raw.{source}" in node.depends_on and not node.is_test
    ]


def _reads(text: str, column: str) -> bool:
    whole = re.search(r"select\s+\*\s+from\s+(?:source\b|\{\{\s*source\()", text, re.IGNORECASE)
    return bool(whole) or re.search(rf"\b{column}\b", text) is not None


def _left_error(source: str, columns: list[str]) -> str:
    return (
        f"it selects {', '.join(columns)} of raw.{source}, which the contract no longer has: "
        "partitions that are loaded now are empty there. Run `wandle sync`, let the model do "
        "without (or give the column back to the contract), then `wandle transform`"
    )


def _error(source: str, columns: list[str], counts: Mapping[str, int]) -> str:
    most = max(counts[column] for column in columns)
    return (
        f"it selects {', '.join(columns)} of raw.{source}, which {most} partitions never filled: "
        f"they were loaded before the contract had it. Run `wandle reload {source}`, then "
        "`wandle transform`"
    )
