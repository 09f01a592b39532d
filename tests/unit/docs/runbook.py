"""The entries of docs/runbook.md: each way to fail that it explains, by section."""

from __future__ import annotations

import re
from pathlib import Path

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
RED = "A run is red"

_SECTION = re.compile(r"^## (.+)$", re.M)
_BLOCK = re.compile(r"^```.*?^```", re.M | re.S)
_CELL = re.compile(r"(?<!\\)\|")
_ONLY_NAMES = re.compile(r"`[^`]+`(, `[^`]+`)*")
# A last row of a table, for messages that it does not have.
_REST = "anything else"
_TITLE = re.compile(r"^- \*\*(.+?)\*\*", re.M)


def sections(text: str) -> dict[str, list[str]]:
    """The first cells of its tables and the bold beginnings of its lists, by section.

    A cell of only names has an entry for each. A section of only prose is one entry. In the
    table of red tasks, an entry is a DAG and a task.
    """
    parts = _SECTION.split(text)[1:]
    return {parts[n]: _entries(parts[n], parts[n + 1]) for n in range(0, len(parts), 2)}


def red_tasks(text: str) -> dict[str, set[str]]:
    """The tasks that the table of red tasks has, by the DAG as it is written there."""
    found: dict[str, set[str]] = {}
    for entry in sections(text)[RED]:
        dag_id, _, task = entry.partition(" ")
        found.setdefault(dag_id, set()).add(task)
    return found


def _entries(heading: str, body: str) -> list[str]:
    body = _BLOCK.sub("", body)
    rows = [_cells(line) for line in body.splitlines() if line.startswith("|")]
    if heading == RED:
        return [*_red(rows)]
    # The first two rows of a table are its head and the line below.
    tables = [table.splitlines()[2:] for table in re.findall(r"(?:^\|.*\n?)+", body, re.M)]
    cells = [_cells(line)[0] for table in tables for line in table]
    first = [entry for cell in cells if cell != _REST for entry in _entries_of(cell)]
    return [*first, *_TITLE.findall(body)] or [heading]


def _entries_of(cell: str) -> list[str]:
    return _names(cell) if _ONLY_NAMES.fullmatch(cell) else [cell]


def _red(rows: list[list[str]]) -> list[str]:
    found, dags = [], ""
    for cells in rows[2:]:
        dags = cells[0] or dags
        for dag_id in _names(dags):
            found += [f"{dag_id} {task}" for task in _names(cells[1])]
    return found


def _names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELL.split(line)[1:-1]]
