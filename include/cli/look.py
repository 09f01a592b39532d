"""Commands that list loads, quarantined records, unknown fields, sources and councils."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from include.cli.terminal import JsonOption, console, print_entries, print_json, say
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.sources.model import contract as source_named

commands = typer.Typer()


@commands.command()
def ledger(
    as_json: JsonOption = False,
    history: Annotated[
        bool, typer.Option("--history", help="Show every entry, oldest first.")
    ] = False,
) -> None:
    """List what is loaded: the latest ledger entry of each partition.

    Examples: `wandle ledger`, `wandle ledger --history --json | jq '.[].status'`
    """
    from include.jobs.pipeline.books import ledger_entries

    found = ledger_entries(Settings.read().need("loader_dsn"), history=history)
    if as_json:
        print_json(found)
        return
    print_entries(found)


@commands.command()
def quarantine(as_json: JsonOption = False) -> None:
    """List records that violate their contract, with the rule and the value.

    Example: `wandle quarantine --json`
    """
    from include.jobs.pipeline.books import quarantined

    found = quarantined(Settings.read().need("loader_dsn"))
    if as_json:
        print_json(found)
        return
    columns = (
        *("source", "council", "period", "record_no", "page"),
        *("column", "rule", "value", "responsible"),
    )
    table = Table(*columns, box=None)
    for row in found:
        table.add_row(*("" if row[name] is None else escape(str(row[name])) for name in columns))
    console.print(table if found else "The quarantine is empty.")


@commands.command()
def drift(
    source: Annotated[str | None, typer.Argument(help="Only this source. Default: all.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List fields missing from the contracts, as a patch to add them.

    Examples: `wandle drift`, `wandle drift --json | jq '.[].field'`
    """
    from include.jobs.operate import drift as job

    if source:
        source_named(source)
    found = job.unknown_fields(Settings.read().need("loader_dsn"), source)
    if as_json:
        print_json(found)
    elif found:
        typer.echo(job.patches(found), nl=False)
    else:
        say("No unknown fields.")


@commands.command()
def sources(as_json: JsonOption = False) -> None:
    """List the sources that have a contract."""
    if as_json:
        print_json([_source(item) for item in contracts().values()])
        return
    table = Table("source", "title", "period", "publisher", "schedule", "columns", box=None)
    for item in contracts().values():
        shown = _source(item)
        table.add_row(
            *(str(shown[name]) for name in ("source", "title", "period", "publisher", "schedule")),
            str(len(item.columns)),
        )
    console.print(table)


@commands.command()
def councils(as_json: JsonOption = False) -> None:
    """List the councils and their current wards."""
    from include.councils.model import councils as every_council

    today = datetime.now(UTC).date()
    found: list[dict[str, Any]] = [
        {
            "council": item.name,
            "title": item.title,
            "gss_code": item.gss_code,
            "police_force": item.police_force,
            "wards": [ward.model_dump() for ward in item.wards_on(today)],
        }
        for item in every_council().values()
    ]
    if as_json:
        print_json(found)
        return
    table = Table("council", "title", "GSS code", "police force", "wards", box=None)
    for row in found:
        table.add_row(
            row["council"],
            row["title"],
            row["gss_code"],
            row["police_force"],
            str(len(row["wards"])),
        )
    console.print(table)


def _source(contract: Contract) -> dict[str, Any]:
    return {
        "source": contract.name,
        "title": contract.title,
        "period": f"{contract.period}, snapshot" if contract.snapshot else contract.period,
        "publisher": contract.publisher,
        "licence": contract.licence,
        "schedule": contract.schedule,
        "columns": [column.model_dump(mode="json") for column in contract.columns],
        "key": contract.key,
    }
