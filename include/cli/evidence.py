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

    `wandle verify --source <source> --council sutton --deep`

    `wandle verify --json | jq '.differences[].kind'`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate import verify as job

    check_names(source, council, period)
    settings = Settings.read()
    dsn = settings.need("loader_dsn")
    with progress() as advance:
        found = job.verify(
            lake=lake_of(settings),
            dsn=dsn,
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


@commands.command()
def explain(
    table: Annotated[str, typer.Argument(help="`raw.<source>`, or `marts.ward_crime_monthly`.")],
    key: Annotated[
        list[str] | None, typer.Option("--key", "-k", help="NAME=VALUE of the row; repeat it.")
    ] = None,
    most: Annotated[int, typer.Option("--limit", min=1, max=100, help="Rows to lead back.")] = 3,
    personal: Annotated[
        bool,
        typer.Option("--personal", help="Show personal values; needs the key for pseudonyms."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Where a row comes from: landing, page, request, and the record's own bytes in S3.

    Of a mart's row, the raw rows that it counts are led back. Personal values
    are withheld.

    Examples:

    `wandle explain raw.<source> --key id=54730441`

    `wandle explain marts.ward_crime_monthly -k ward_code=E05000555 -k month=2017-05 -k
    category=drugs`
    """
    from include.cli.origins import as_objects, show
    from include.jobs.lake import lake_of
    from include.jobs.operate import explain as job

    wanted = {}
    for text in key or ():
        name, equals, value = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r}: write it as NAME=VALUE")
        wanted[name] = value
    settings = Settings.read()
    settings.need("loader_dsn")
    found = job.explain(
        table, wanted, lake=lake_of(settings), settings=settings, most=most, personal=personal
    )
    if as_json:
        print_json(as_objects(found))
    else:
        show(found)
