"""Commands that verify loads against landings and trace rows to their source."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

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
from include.settings import Settings
from include.sources.model import contracts, require_every_contract
from include.terminal import complain, counted, print_json, print_table, say

if TYPE_CHECKING:
    from include.jobs.lineage.columns import Answer
    from include.lineage.graph import Graph

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
    from include.cli.explained import as_objects, show
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


@commands.command()
def lineage(
    asked: Annotated[
        str,
        typer.Argument(
            metavar="COLUMN|TABLE",
            help="A table, such as `ward_crime_monthly` or `stg_weather__hourly`, or one of its "
            "columns, such as `marts.ward_crime_monthly.crimes`.",
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Show where a column comes from, and what breaks if you change it.

    Follows contract fields through raw tables, staging models and marts to the published files,
    the dashboard and other consumers, using the SQL of your working tree. Needs no platform.
    `(its rows)` means which rows a table has, as decided by a filter, join or grouping.

    Examples:

    `wandle lineage marts.ward_crime_summary.crimes`

    `wandle lineage int_police__crimes.outcome_category`

    `wandle lineage stg_weather__hourly --json | jq '.downstream[].table'`
    """
    from include.jobs.lineage import columns as job

    graph = job.project_graph(contracts(), state=Settings.read().home / "dbt")
    found = job.ask(graph, asked)
    if as_json:
        print_json(job.as_json(graph, found))
    else:
        _show_lineage(graph, found)
    require_every_contract("lineage")


def _show_lineage(graph: Graph, found: Answer) -> None:
    for column in found.asked[:1] if len(found.asked) == 1 else ():
        if told := graph.says.get(column):
            say(f"{column}: {told}")
    for title, steps in (
        ("Where it comes from", found.upstream),
        ("What is derived from it", found.downstream),
    ):
        say(f"{title}:" if steps else f"{title}: nothing.")
        if steps:
            print_table(
                ("column", "how", "via"),
                [(str(step.column), step.how, str(step.via)) for step in steps],
                notes=[graph.says.get(step.column, "") for step in steps],
            )
    for table, why in graph.untraced.items():
        complain(f"{table} is left out: {why}.", mark="Warning:", style="yellow")
