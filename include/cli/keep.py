"""What is kept, and for how long."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from include.cli.terminal import JsonOption, console, print_json, say
from include.settings import Settings

commands = typer.Typer()


@commands.command()
def housekeeping(
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; else it is shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is kept no longer: landings that are superseded or were interrupted, old personal data.

    How long a source is kept is said in its contract, `retention_days`. The DAG
    `housekeeping` deletes each day.

    Examples: `wandle housekeeping`, `wandle housekeeping --delete`
    """
    from include.jobs.housekeeping import housekeeping as run
    from include.jobs.lake import lake_of

    settings = Settings.read()
    found = run(lake=lake_of(settings), dsn=settings.need("loader_dsn"), delete=delete)
    if as_json:
        print_json(found)
        return
    columns = ("source", "council", "period", "landing", "reason", "objects", "bytes")
    table = Table(box=None)
    for name in columns:
        table.add_column(name, justify="right" if name in ("objects", "bytes") else "left")
    for item in found:
        table.add_row(*(str(item[name]) for name in columns))
    if found:
        console.print(table)
    size = sum(item["bytes"] for item in found)
    done = "deleted" if delete else "to delete: `--delete` does it"
    say(f"{len(found)} landings, {size:,} bytes, {done}." if found else "Nothing to delete.")
