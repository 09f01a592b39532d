"""Print ledger entries and summaries on the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.jobs.pipeline.causes import Failure, causes
from include.settings import Settings
from include.terminal import counted, print_table, say
from include.warehouse.books.ledger import BAD

STATUS_COLOURS = {
    "loaded": "green",
    "unchanged": "cyan",
    "not_published": "yellow",
    "refused": "red",
    "failed": "red",
    "expired": "yellow",
}


def print_ledger(entries: list[dict[str, Any]]) -> None:
    """Print ledger entries as a table, what was not loaded below each; then causes of failures."""
    columns = ("source", "council", "period", "status", "records", "loaded")
    rows = [
        [
            *(entry[name] for name in columns[:3]),
            (entry["status"], STATUS_COLOURS[entry["status"]]),
            *(entry[name] for name in columns[4:]),
        ]
        for entry in entries
    ]
    print_table(columns, rows, right=columns[4:], notes=map(_left_out, entries))
    for cause in causes(Failure.of(entry) for entry in entries if entry["status"] in BAD):
        say(cause.title, mark="•", style="red")
        say(f"  {cause.first.reason}")


def _left_out(entry: dict[str, Any]) -> str:
    told = [f"{entry['quarantined']:,} quarantined"] if entry["quarantined"] else []
    told += [counted(entry["duplicates"], "duplicate")] if entry["duplicates"] else []
    return ", ".join(told)


def show_summary(
    settings: Settings,
    entries: list[dict[str, Any]],
    marts: Mapping[str, int],
    *,
    seconds: float,
    url: str,
) -> None:
    """Print the ledger of the partitions, the marts' row counts, and the login at `url`."""
    say("")
    print_ledger(entries)
    lines = [
        "",
        *(
            _books(source, [entry for entry in entries if entry["source"] == source])
            for source in sorted({entry["source"] for entry in entries})
        ),
        f"in {seconds:.0f} s",
        "",
        *(f"{mart}: {count:,} rows" for mart, count in marts.items()),
        "",
        f"Airflow   {url}",
        f"dbt docs  {url}/dbt-docs/",
        f"Data      {url}/data/",
        f"Login     {settings.airflow_user} / {settings.airflow_password}",
        f"Dashboard {url}/dashboard/",
    ]
    for line in lines:
        say(line)


def _books(source: str, entries: list[dict[str, Any]]) -> str:
    records, loaded, quarantined, duplicates = (
        sum(entry[name] for entry in entries)
        for name in ("records", "loaded", "quarantined", "duplicates")
    )
    return (
        f"{source}: {counted(len(entries), 'partition')}, {counted(records, 'record')} = "
        f"{loaded:,} loaded + {quarantined:,} quarantined + {duplicates:,} duplicates"
    )
