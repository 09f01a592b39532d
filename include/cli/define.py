"""Contracts, councils, and all that is made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from include.cli.terminal import console, say
from include.errors import PermanentError
from include.settings import Settings

commands = typer.Typer()


@commands.command()
def new_source(
    name: Annotated[str, typer.Argument(help="What the source will be called: `air_quality`.")],
    url: Annotated[str, typer.Option("--url", help="One request of the API, with query.")] = "",
    file: Annotated[
        Path | None,
        typer.Option("--file", help="One answer of it, in a file.", exists=True, dir_okay=False),
    ] = None,
    period: Annotated[str, typer.Option(help="What a partition holds: `day` or `month`.")] = "day",
    records: Annotated[
        str, typer.Option("--records", help="Where its records are: `result.records`.")
    ] = "",
) -> None:
    """Write a contract and a staging model from one answer of an API.

    Records, columns, types, a key and the paging are guessed: read the contract over
    before you run it. It loads every record of that answer, or it is not written.
    With `--file` alone, the address stays to be filled in.

    Examples:

    `wandle new-source air_quality --url "https://api.example.org/v1/readings?day=2026-11-01"`

    `wandle new-source air_quality --file answer.json --url https://api.example.org/v1/readings`
    """
    from include.jobs.author import new_source as job

    drafted = job.new_source(name, url=url, file=file, period=period, records=records)
    for path in drafted.files:
        say(f"written: {path}")
    for remark in drafted.remarks:
        say(f"note: {remark}")
    say(f"Read the contract over, then: `wandle migrate && wandle ingest {name} --period ...`")


@commands.command()
def new_council(
    name: Annotated[str, typer.Argument(help="What its file will be called: `merton`.")],
    title: Annotated[str, typer.Option(help="As people write it.")],
    gss_code: Annotated[str, typer.Option("--gss", help="Its GSS code: E09000024.")],
    box: Annotated[
        str, typer.Option(help="South, west, north, east in degrees: 51.38,-0.26,51.45,-0.12")
    ],
    force: Annotated[
        str, typer.Option(help="Its police force's id at data.police.uk.")
    ] = "metropolitan",
) -> None:
    """Write a council's file, with the wards that the police API has inside a box.

    Example:

    `wandle new-council merton --title Merton --gss E09000024 --box 51.38,-0.26,51.45,-0.12`
    """
    from include.jobs.author import new_council as job

    path, wards = job.new_council(name, title=title, gss_code=gss_code, box=box, force=force)
    say(f"written: {path}, with {wards} wards. Read it over: a box knows no borders.")


@commands.command()
def sync(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a file is stale.")
    ] = False,
) -> None:
    """Write what follows the contracts: dbt's sources, staging columns and types, schemas.

    In a staging model's `.yml`, only the `data_type` of columns that the model takes as
    they are is changed.

    Examples: `wandle sync`, `wandle sync --check`
    """
    from include.jobs.author import sync as job

    found = list(job.stale_files()) if check else job.sync()
    for path in found:
        say(f"{'stale' if check else 'written'}: {path}")
    if check and found:
        raise PermanentError(
            f"sync: {len(found)} files are not what the contracts say. Run `wandle sync`."
        )
    if not found:
        say("Everything is as the contracts say.")


@commands.command()
def validate() -> None:
    """Check contracts, councils, dbt's sources and tables against each other.

    Works without a database, too. Exit code 1 if something does not fit.

    Example: `wandle validate`
    """
    from include.jobs.author import validate as job

    found = job.validate(Settings.read().loader_dsn)
    for difference in found.differences:
        console.print(f"[red]•[/red] {difference}", highlight=False, soft_wrap=True)
    say(f"Compared {', '.join(found.looked_at)}: {len(found.differences)} differences.")
    if found.without_database:
        say(f"The database was not looked at: {found.without_database}")
    if found.differences:
        raise typer.Exit(1)


@commands.command()
def migrate(
    rotate: Annotated[
        list[str] | None,
        typer.Option("--rotate", help="On AWS: a role that gets a new password; repeat it."),
    ] = None,
) -> None:
    """Bring roles and tables of the warehouse to what the contracts say.

    On AWS (WANDLE_ENVIRONMENT is set), it also fills the environment's secrets
    and makes the database of Airflow's metadata.

    Examples: `wandle migrate`, `wandle migrate --rotate wandle_loader`
    """
    from include.jobs.aws.environment import migrate_environment
    from include.jobs.migrate import migrate as run

    settings = Settings.read()
    if settings.environment:
        changed = migrate_environment(settings, rotate=rotate or ())
    elif rotate:
        raise PermanentError("migrate: --rotate is for AWS, and WANDLE_ENVIRONMENT is not set.")
    else:
        changed = run(settings.need("admin_dsn"), {})
    say("\n".join(changed) or "Nothing to change: the database is as the contracts say.")
