"""Columns that loaded partitions have never filled, and the models that read them.

A column that is added to a contract is null in every partition that was loaded before, until it is
reloaded. A mart of both would be built without an error, and lack the values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from include.sources.model import Contract
from include.transform.graph import Node
from include.transform.project import NAME
from include.transform.sources import outside_generated

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
        sources = [
            source
            for source in unfilled
            if f"source.{NAME}.raw.{source}" in node.depends_on and not node.is_test
        ]
        for source in [] if node.error else sources:
            text = outside_generated((project / node.path).read_text(encoding="utf-8"))
            if read := sorted(column for column in unfilled[source] if _reads(text, column)):
                node = replace(node, error=_error(source, read, unfilled[source]))
        yield node


def _reads(text: str, column: str) -> bool:
    whole = re.search(r"select\s+\*\s+from\s+(?:source\b|\{\{\s*source\()", text, re.IGNORECASE)
    return bool(whole) or re.search(rf"\b{column}\b", text) is not None


def _error(source: str, columns: list[str], counts: Mapping[str, int]) -> str:
    most = max(counts[column] for column in columns)
    return (
        f"it reads {', '.join(columns)} of raw.{source}, which {most} partitions never filled: "
        f"they were loaded before the contract had it. Run `wandle reload {source}`, then "
        "`wandle transform`"
    )
