"""Commands that verify loads against landings and trace rows to their source."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from include.cli.terminal import (
    CouncilOption,
    FromOption,
    JsonOption,
    KeyOption,
    PeriodOption,
    SourcesArgument,
    TableArgument,
    ToOption,
    key_values,
    progress,
    selected,
    settings_for,
)
from include.terminal import counted, print_json, say

commands = typer.Typer()


@commands.command()
def verify(
    source: SourcesArgument = None,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every page of every landing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the rows in PostgreSQL with the landings in S3.

    Recounts and rehashes the rows of each partition. Changes nothing. Exits with code 1 if
    anything differs, and says what to do about each difference.

    Examples:

    `wandle verify`

    `wandle verify SOURCE --council sutton --deep`

    `wandle verify --json | jq '.differences[].kind'`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate import verify as job

    selection = selected(source, council, period, first, last)
    selection.check_periods()
    settings = settings_for("postgresql", "s3")
    dsn = settings.need("loader_dsn")
    with progress() as advance:
        found = job.verify(
            lake=lake_of(settings),
            dsn=dsn,
            selection=selection,
            deep=deep,
            progress=advance,
        )
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        for difference in found.differences:
            say(str(difference), mark="•", style="red")
        for note in found.passed_over:
            say(f"Skipped: {note}")
        say(
            f"Compared {counted(found.partitions, 'partition')}: "
            f"{counted(len(found.differences), 'difference')}."
        )
    if found.differences:
        raise typer.Exit(1)


@commands.command()
def explain(
    table: TableArgument,
    key: KeyOption = None,
    most: Annotated[
        int, typer.Option("--limit", min=1, max=100, help="Maximum number of rows to trace.")
    ] = 3,
    personal: Annotated[
        bool,
        typer.Option("--personal", help="Show personal values; requires WANDLE_PSEUDONYM_KEY."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Trace a row to its source: landing, page, request and original record in S3.

    For a row of a mart, traces the raw rows that it was made of. Personal values are hidden.

    Examples:

    `wandle explain raw.SOURCE --key id=54730441`

    `wandle explain marts.ward_crime_monthly -k month=2017-05 -k category=drugs`
    """
    from include.cli.origins import as_objects, show
    from include.jobs.lake import lake_of
    from include.jobs.operate import explain as job

    settings = settings_for("postgresql", "s3")
    settings.need("loader_dsn")
    wanted = key_values("explain", key)
    found = job.explain(
        table, wanted, lake=lake_of(settings), settings=settings, most=most, personal=personal
    )
    if as_json:
        print_json(as_objects(found))
    else:
        show(found)
