"""Print ledger entries and summaries on the terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from include.jobs.pipeline.books import mart_counts
from include.settings import Settings

STATUS_COLOURS = {
    "loaded": "green",
    "unchanged": "cyan",
    "not_published": "yellow",
    "refused": "red",
    "failed": "red",
    "expired": "yellow",
}


def entries_table(entries: list[dict[str, Any]]) -> Table:
    """Ledger entries as a table, one per line."""
    table = Table(box=None)
    numbers = ("records", "loaded", "quarantined", "duplicates", "seconds")
    columns = ("source", "council", "period", *numbers[:4], "status", "seconds")
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left")
    for entry in entries:
        colour = STATUS_COLOURS[entry["status"]]
        shown = {**entry, "status": f"[{colour}]{entry['status']}[/{colour}]"}
        shown["seconds"] = f"{entry['seconds']:.2f}"
        table.add_row(*(str(shown[name]) for name in columns))
    return table


def show_summary(
    settings: Settings, entries: list[dict[str, Any]], *, seconds: float, url: str, console: Console
) -> None:
    """Print the ledger of the partitions, the marts' row counts, and the login at `url`."""
    console.print()
    console.print(entries_table(entries))
    lines = [
        "",
        *(
            _books(source, [entry for entry in entries if entry["source"] == source])
            for source in sorted({entry["source"] for entry in entries})
        ),
        f"in {seconds:.0f} s",
        "",
        *(
            f"{mart}: {count:,} rows"
            for mart, count in mart_counts(settings.need("reader_dsn")).items()
        ),
        "",
        f"Airflow   {url}",
        f"dbt docs  {url}/dbt-docs/",
        f"Login     {settings.airflow_user} / {settings.airflow_password}",
    ]
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _books(source: str, entries: list[dict[str, Any]]) -> str:
    records, loaded, quarantined, duplicates = (
        sum(entry[name] for entry in entries)
        for name in ("records", "loaded", "quarantined", "duplicates")
    )
    return (
        f"{source}: {len(entries)} partitions, {records:,} records = {loaded:,} loaded + "
        f"{quarantined:,} quarantined + {duplicates:,} duplicates"
    )
