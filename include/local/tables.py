"""Print ledger entries and summaries on the terminal."""

from __future__ import annotations

from typing import Any

from include.jobs.pipeline.books import mart_counts
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
    """Print ledger entries as a table, one per line, then the causes of failures."""
    numbers = ("records", "loaded", "quarantined", "duplicates", "seconds")
    columns = ("source", "council", "period", *numbers[:4], "status", "seconds")
    rows = []
    for entry in entries:
        shown = entry | {
            "status": (entry["status"], STATUS_COLOURS[entry["status"]]),
            "seconds": f"{entry['seconds']:.2f}",
        }
        rows.append([shown[name] for name in columns])
    print_table(columns, rows, right=numbers)
    for cause in causes(Failure.of(entry) for entry in entries if entry["status"] in BAD):
        say(cause.title, mark="•", style="red")
        say(f"  {cause.first.reason}")


def show_summary(
    settings: Settings, entries: list[dict[str, Any]], *, seconds: float, url: str
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
