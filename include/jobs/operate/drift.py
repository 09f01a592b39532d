"""Fields missing from the contracts, and the columns to add for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import yaml

from include.jobs.pipeline.known_sources import known_contracts, known_names
from include.jobs.pipeline.selection import Selection
from include.printable import one_line
from include.sources import paths
from include.sources.model import Contract, every_contract
from include.sources.raw_table import column_name
from include.warehouse.books import drift
from include.warehouse.columns.unknown_fields import NAME_CHARACTERS
from include.warehouse.connection import connect


def unknown_fields(dsn: str, sources: Collection[str] = ()) -> list[dict[str, Any]]:
    """Each field seen in a record but missing from its contract, with where it was first seen.

    Excludes fields added to the contract since. The contract of a source that
    is switched off or whose file is gone is the recorded one; sources without
    any are left out. Raises `UnknownName` for a source that nothing has.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        found = drift.listed(cursor)
        known = known_contracts(cursor)
    Selection(tuple(sources)).check(known_names(known, ()))
    return [
        {**row, "first_seen": row["first_seen"].isoformat(timespec="seconds")}
        for row in found
        if (not sources or row["source"] in sources)
        and row["source"] in known
        and not is_named(known[row["source"]], row)
    ]


def is_named(contract: Contract, row: Mapping[str, Any]) -> bool:
    """Whether the contract covers the field by now."""
    field = _parts(row)
    for column in contract.columns_of(row["way"]):
        path = column.record_path
        if path and path == field[: len(path)]:
            return True
        # The column reads part of an object; its other fields are still unknown.
        objects = all(isinstance(sample, dict) for sample in row["samples"])
        if path[: len(field)] == field and objects:
            return True
    return False


def patches(fields: Iterable[Mapping[str, Any]], dsn: str) -> str:
    """YAML to add to each contract, one document per source, with a column per unknown field."""
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for row in fields:
        by_source.setdefault(row["source"], []).append(row)
    with connect(dsn) as connection, connection.cursor() as cursor:
        known = known_contracts(cursor)
    return "---\n".join(
        ("" if source in every_contract() else f"# Restore or correct {_file(source)} first.\n")
        + patch(known[source], rows)
        for source, rows in by_source.items()
    )


def _file(source: str) -> str:
    return f"include/sources/{source}.yaml"


def patch(contract: Contract, rows: Iterable[Mapping[str, Any]]) -> str:
    """What to add to one contract, with the commands that follow."""
    taken = {column.name for column in contract.columns}
    columns, remarks = [], []
    for row in rows:
        field = _parts(row)
        if not field:
            remarks.append(
                f"# {one_line(row['field'])}: it has no valid path; it stays in _extra. "
                f"First seen {row['first_seen'][:10]}."
            )
            continue
        name = column_name(field, taken)
        taken.add(name)
        columns.append(_column(name, row))
    body = _yaml({"columns": columns})
    return "\n".join(
        [
            f"# Add to {_file(contract.name)} under `columns`, with descriptions;",
            f"# then run `wandle migrate`, `wandle sync`, `wandle reload {contract.name}`.",
            *remarks,
            body if columns else "columns: []\n",
        ]
    )


def _yaml(content: dict[str, Any]) -> str:
    """YAML, in ASCII if it holds what YAML would print and a terminal must not."""
    as_it_is = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=96)
    if all(one_line(line) == line for line in as_it_is.split("\n")):
        return as_it_is
    return yaml.safe_dump(content, sort_keys=False, width=96)


def _column(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    samples = ", ".join(str(sample) for sample in row["samples"])
    seen = f"First seen on {row['first_seen'][:10]} in landing {row['landing_id']}"
    column: dict[str, Any] = {"name": name}
    if name != row["field"]:
        column["path"] = row["field"]
    return column | {
        "type": "text" if row["type"] == "unknown" else row["type"],
        "description": f"{seen}{f', e.g. {samples}' if samples else ''}. TODO: describe.",
    }


def _parts(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The names along a field's path; none where the listed path is not the whole one."""
    if len(row["field"]) >= NAME_CHARACTERS:
        return ()
    try:
        return paths.parts(row["field"])
    except ValueError:
        return ()
