"""The ledger and the quarantine in a form for people and scripts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from include.jobs.pipeline.selection import EVERYTHING, Selection
from include.settings import Settings
from include.sources.model import Contract, every_contract
from include.sources.partition import Partition, Period
from include.warehouse import load as warehouse
from include.warehouse.books import ledger, quarantine
from include.warehouse.books.ledger import Entry
from include.warehouse.connection import connect
from include.warehouse.find_rows import row_counts


def public_entry(entry: Mapping[str, Any], contract: Contract | None = None) -> dict[str, Any]:
    """A ledger entry with the period as text, the landing's id as `landing`, times in ISO 8601.

    Without `contract`, all contracts are read to find it.
    """
    known = contract or every_contract().get(entry["source"])
    grain = known.period if known else "day"
    shown = {
        "source": entry["source"],
        "council": entry["council"],
        "period": str(Period.starting(entry["period"], grain)),
        "records": entry["records"],
        "loaded": entry["loaded"],
        "quarantined": entry["quarantined"],
        "duplicates": entry["duplicates"],
        "status": entry["status"],
        "content_hash": entry["content_hash"],
        "landing": entry["landing_id"],
        "seconds": round(entry["seconds"], 3),
    }
    rest = (
        "step",
        "rows",
        "pages",
        "bytes",
        "run_id",
        "forced_by",
        "error",
        "started_at",
        "finished_at",
    )
    for name in rest:
        value = entry[name]
        shown[name] = value.isoformat() if isinstance(value, datetime) else value
    return shown


def ledger_entries(
    dsn: str,
    selection: Selection = EVERYTHING,
    *,
    statuses: Collection[str] = (),
    history: bool = False,
) -> list[dict[str, Any]]:
    """The newest entry of each partition, or with `history` every one, oldest first.

    Only the selected ones, with one of the `statuses`, if any. Raises as
    `Selection.check` does.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        found = ledger.entries(cursor) if history else ledger.newest_entries(cursor)
    return [
        public_entry(entry)
        for entry in _selected(found, selection)
        if not statuses or entry["status"] in statuses
    ]


@contextmanager
def extract_failures_recorded(
    contract: Contract, partition: Partition, *, dsn: str, run_id: str
) -> Iterator[None]:
    """Add a failed extract to the ledger, with the reason; the error is raised all the same."""
    begun = Entry.begin(
        contract,
        partition,
        run_id=run_id,
        code_version=Settings.read().code_version,
        step="extract",
    )
    try:
        yield
    except warehouse.INTERRUPTIONS:
        raise
    except BaseException as error:
        warehouse.write_failure(dsn, begun, error)
        raise


def quarantined(
    dsn: str,
    selection: Selection = EVERYTHING,
    *,
    columns: Collection[str] = (),
    rules: Collection[str] = (),
) -> list[dict[str, Any]]:
    """The quarantine: where each record is and which rule it broke, without the record.

    Only what is selected, and of these columns and rules, if any. Raises as
    `Selection.check` does.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        found = quarantine.listed(cursor)
    listed = []
    for row in _selected(found, selection):
        row["period"] = str(_partition(row).period)
        row["landing"] = row.pop("landing_id")
        row["column"] = row.pop("column_name")
        row["found_at"] = row["found_at"].isoformat()
        if (not columns or row["column"] in columns) and (not rules or row["rule"] in rules):
            listed.append(row)
    return listed


def _selected(rows: list[dict[str, Any]], selection: Selection) -> list[dict[str, Any]]:
    selection.check({(row["source"], row["council"]) for row in rows})
    return [row for row in rows if selection.has(_partition(row))]


def _partition(row: Mapping[str, Any]) -> Partition:
    known = every_contract().get(row["source"])
    return Partition(
        row["source"],
        row["council"],
        Period.starting(row["period"], known.period if known else "day"),
    )


def marts_are_behind(dsn: str) -> bool:
    """Whether a raw table changed after the newest complete build of the marts began."""
    with connect(dsn) as connection, connection.cursor() as cursor:
        return ledger.newer_than_marts(cursor)


def mart_counts(dsn: str) -> dict[str, int]:
    """The number of rows of each mart, as its readers see it."""
    with connect(dsn) as connection, connection.cursor() as cursor:
        return row_counts(cursor)
