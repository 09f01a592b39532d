"""Drift: the unknown fields of each source, in `ops.schema_drift`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.records.json.values import json_text, parsed
from include.warehouse.columns.unknown_fields import Drift, add_samples, wider
from include.warehouse.connection import Cursor, rows


def record(cursor: Cursor, source: str, landing_id: str, drift: Drift) -> None:
    """Record the unknown fields of a landing; a field keeps its first landing and samples."""
    if not drift.fields:
        return
    known = {row["field"]: row for row in listed(cursor, source)}
    # Always in the same order, so that two loads of a source do not deadlock.
    for name, found in sorted(drift.fields.items()):
        before = known.get(name)
        first_seen, landing, samples = datetime.now(UTC), landing_id, found.samples
        type_name = found.type
        if before:
            first_seen, landing = before["first_seen"], before["landing_id"]
            samples, type_name = [*before["samples"]], wider(before["type"], found.type)
            add_samples(samples, found.samples)
            if (samples, type_name) == (before["samples"], before["type"]):
                continue
            cursor.execute(
                "delete from ops.schema_drift where source = $1 and field = $2", (source, name)
            )
        cursor.execute(
            "insert into ops.schema_drift "
            "(source, field, first_seen, landing_id, samples, type, way) "
            "values ($1, $2, $3, $4, $5::text::jsonb, $6, $7) on conflict do nothing",
            (source, name, first_seen, landing, json_text(samples), type_name, found.way),
        )


def listed(cursor: Cursor, source: str | None = None) -> list[dict[str, Any]]:
    """Every unknown field seen so far, of one source or of all; `samples` as a list."""
    found = rows(
        cursor,
        "select source, field, first_seen, landing_id, samples::text as samples, type, way "
        "from ops.schema_drift where source = $1 or $1 is null order by source, field",
        source,
    )
    for row in found:
        row["samples"] = parsed(row["samples"].encode())
    return found
