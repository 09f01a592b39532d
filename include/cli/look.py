"""Commands that list loads, quarantined records, unknown fields, sources and councils."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from include.cli.terminal import JsonOption, print_entries
from include.definitions import raise_for_broken
from include.settings import Settings
from include.sources.model import Contract, contracts, require_every_contract
from include.sources.model import contract as source_named
from include.terminal import print_json, print_table, say, say_lines

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
    if found:
        print_table(columns, [[row[name] for name in columns] for row in found])
    else:
        say("The quarantine is empty.")


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
        say_lines(job.patches(found).rstrip("\n"))
    else:
        say("No unknown fields.")
    if not source:
        require_every_contract("drift")


@commands.command()
def sources(as_json: JsonOption = False) -> None:
    """List the sources that have a contract."""
    if as_json:
        print_json([_source(item) for item in contracts().values()])
    else:
        names = ("source", "title", "period", "publisher", "schedule")
        rows = [
            (*(_source(item)[name] for name in names), len(item.columns))
            for item in contracts().values()
        ]
        print_table((*names, "columns"), rows)
    require_every_contract("sources")


@commands.command()
def councils(as_json: JsonOption = False) -> None:
    """List the councils and their current wards."""
    from include.councils.model import broken_councils
    from include.councils.model import councils as every_council

    today = datetime.now(UTC).date()
    found: list[dict[str, Any]] = [
        {
            "council": item.name,
            "title": item.title,
            "gss_code": item.gss_code,
            "police_force": item.police_force,
            "wards": [
                ward.model_dump()
                for ward in (item.wards_on(today) if item.has_wards_on(today) else ())
            ],
        }
        for item in every_council().values()
    ]
    if as_json:
        print_json(found)
    else:
        names = ("council", "title", "gss_code", "police_force")
        rows = [(*(row[name] for name in names), len(row["wards"])) for row in found]
        print_table(("council", "title", "GSS code", "police force", "wards"), rows)
    raise_for_broken("councils", broken_councils().values())


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
