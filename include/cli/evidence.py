"""Whether what is loaded is what was landed, and where a row comes from."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer
from rich.markup import escape

from include.cli.terminal import JsonOption, check_names, print_json, progress, say
from include.settings import Settings

commands = typer.Typer()


@commands.command()
def verify(
    source: Annotated[str | None, typer.Option("--source", "-s", help="One source.")] = None,
    council: Annotated[str | None, typer.Option("--council", "-c", help="One council.")] = None,
    period: Annotated[str | None, typer.Option("--period", "-p", help="One period.")] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every page of the landings, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare what S3 holds with what PostgreSQL holds, partition by partition.

    Rows are counted and hashed anew. Changes nothing. Exit code 1 if something
    differs; each difference says what to do next.

    Examples:

    `wandle verify`

    `wandle verify --source police_street_crime --council sutton --deep`

    `wandle verify --json | jq '.differences[].kind'`
    """
    from include.jobs import verify as job
    from include.jobs.lake import lake_of

    check_names(source, council, period)
    settings = Settings.read()
    with progress() as advance:
        found = job.verify(
            lake=lake_of(settings),
            dsn=settings.need("loader_dsn"),
            source=source,
            council=council,
            period=period,
            deep=deep,
            progress=advance,
        )
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        for difference in found.differences:
            say(f"[red]•[/red] {escape(str(difference))}")
        for note in found.passed_over:
            say(f"Passed over: {escape(note)}")
        say(f"Compared {found.partitions} partitions: {len(found.differences)} differences.")
    if found.differences:
        raise typer.Exit(1)
