"""Commands that create contracts and councils, generate from them, and exchange them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.terminal import (
    JsonOption,
    NameArgument,
    SourcesArgument,
    UrlOption,
    ask,
    print_drafted,
    settings_for,
)
from include.definitions import raise_for_broken
from include.errors import PermanentError, WrongDefinition
from include.local.status import PlatformStopped, refuse_stopped
from include.settings import Settings
from include.sources.model import (
    Contract,
    broken_contracts,
    every_contract,
    require_every_contract,
)
from include.sources.model import contract as source_named
from include.terminal import counted, print_json, say

if TYPE_CHECKING:
    from include.jobs.author.validate import Validation

commands = typer.Typer()

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A data contract in YAML.", exists=True, dir_okay=False),
]


@commands.command()
def new_council(
    name: NameArgument,
    title: Annotated[str, typer.Option(help="Display name, e.g. `Merton`.")],
    gss_code: Annotated[str, typer.Option("--gss", help="GSS code, e.g. E09000024.")],
    box: Annotated[
        str,
        typer.Option(
            help="Bounding box: south,west,north,east in degrees, e.g. 51.38,-0.26,51.45,-0.12"
        ),
    ],
    force: Annotated[
        str, typer.Option("--police-force", help="Police force ID on data.police.uk.")
    ] = "metropolitan",
    wards: Annotated[
        int | None,
        typer.Option(
            help="Number of wards in the council: the box must contain exactly this many.", min=1
        ),
    ] = None,
) -> None:
    """Create a council's file, with the police API's wards inside a bounding box.

    Wards of councils that have a file already are left out.

    Example:

    `wandle new-council merton --title Merton --gss E09000024
    --box 51.38,-0.26,51.45,-0.12`
    """
    from include.jobs.author import new_council as job

    settings_for("sandbox")
    written = job.new_council(
        name, title=title, gss_code=gss_code, box=box, force=force, wards=wards
    )
    say(f"Wrote {written.path} with {len(written.wards)} wards: {', '.join(written.wards)}.")
    for owner, names in written.others.items():
        say(f"Left out {counted(len(names), 'ward')} of {owner}: {', '.join(names)}.")
    if written.unplaced:
        say(f"The API has no boundary for {', '.join(written.unplaced)}: add the missing ones.")
    say(
        "Review it: the box may include wards of other neighbouring councils. Then run `wandle "
        f"validate`, and `wandle ingest SOURCE --council {name}` for each source."
    )


@commands.command()
def sync(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with code 1 if a file is stale.")
    ] = False,
) -> None:
    """Regenerate files derived from contracts: dbt sources, staging models, JSON schemas.

    A contract without a staging model gets one, for you to edit. In an existing one, only the
    columns between the markers are updated, and in its `.yml` the `data_type` of columns that
    the model passes through unchanged.

    Examples: `wandle sync`, `wandle sync --check`
    """
    from include.jobs.author import sync as job

    wrong: list[WrongDefinition] = []
    found = list(job.stale_files(wrong)) if check else job.sync(wrong)
    for path in found:
        say(f"{('Stale:' if path.exists() else 'Missing:') if check else 'Wrote'} {path}")
    if check and found:
        raise PermanentError(f"sync: {len(found)} files are out of date. Run `wandle sync`.")
    if not found and not wrong:
        say("All files are up to date.")
    raise_for_broken("sync", [*wrong, *broken_contracts().values()])


@commands.command()
def validate(as_json: JsonOption = False) -> None:
    """Check that contracts, councils, dbt sources and tables agree.

    Works without a database. Exits with code 1 if they disagree.

    Examples: `wandle validate`, `wandle validate --json | jq '.differences'`
    """
    from include.jobs.author import validate as job

    settings = Settings.read()
    try:
        refuse_stopped(settings, ["postgresql"])
    except PlatformStopped as stopped:
        found = dataclasses.replace(job.validate(""), without_database=str(stopped))
    else:
        found = job.validate(settings.loader_dsn)
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        _print_validation(found)
    if found.differences:
        raise typer.Exit(1)


def _print_validation(found: Validation) -> None:
    for difference in found.differences:
        say(str(difference), mark="•", style="red")
    say(f"Compared {', '.join(found.looked_at)}: {counted(len(found.differences), 'difference')}.")
    if found.without_database:
        say(f"Skipped the database: {found.without_database}")


@commands.command()
def migrate(
    rebuild: Annotated[
        str,
        typer.Option(
            "--rebuild",
            metavar="SOURCE",
            help="Recreate the raw table of this source, and load it from S3.",
        ),
    ] = "",
    rotate: Annotated[
        list[str] | None,
        typer.Option(
            "--rotate", help="AWS only: give this database role a new password. Repeatable."
        ),
    ] = None,
) -> None:
    """Create or update warehouse roles and tables to match the contracts.

    Columns are added, renamed (`renamed_from`) and widened without data loss. Where a type
    cannot be changed, `--rebuild` makes a new table; readers see the old rows until the new
    ones are complete. Reports partitions that were loaded under older rules. If Airflow is running
    on this machine, unpauses the DAGs of new sources.

    On AWS (WANDLE_ENVIRONMENT is set), also fills the environment's secrets and creates
    Airflow's metadata database.

    Examples: `wandle migrate`, `wandle migrate --rebuild SOURCE`,
    `wandle migrate --rotate wandle_loader`
    """
    from include.jobs.aws.environment import admin_dsn_of
    from include.jobs.rules import loaded_by_older_rules
    from include.local import platform
    from include.sources.model import contracts

    settings = settings_for("postgresql", *(["s3"] if rebuild else []))
    if rotate and not settings.environment:
        raise PermanentError(
            "migrate: --rotate works on AWS only, and WANDLE_ENVIRONMENT is not set."
        )
    if rebuild:
        changed = _rebuild(settings, source_named(rebuild), rotate or [])
    else:
        changed = _migrate(settings, rotate or [])
    for change in changed or ["Nothing to change: the database is up to date."]:
        say(change)
    made = [name for name in contracts() if f"created raw.{name}" in changed]
    platform.open_new_schedules(settings, made, report=say)
    for line in loaded_by_older_rules(admin_dsn_of(settings), settings):
        say(line, mark="•", style="yellow")
    require_every_contract("migrate")


def _migrate(settings: Settings, rotate: list[str]) -> list[str]:
    from include.jobs.aws.environment import migrate_environment
    from include.jobs.migrate import migrate as run

    if settings.environment:
        return migrate_environment(settings, rotate=rotate)
    return run(settings.need("admin_dsn"), {}, settings)


def _rebuild(settings: Settings, contract: Contract, rotate: list[str]) -> list[str]:
    """Migrate, and rebuild the table that cannot be altered. No other table may be refused."""
    from include.cli.terminal import progress
    from include.jobs.aws.environment import admin_dsn_of
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.rebuild import rebuild
    from include.warehouse.schema.migrate import MigrationRefused

    changed: list[str] = []
    try:
        changed += _migrate(settings, rotate)
    except MigrationRefused as refused:
        changed += refused.changed
    with progress() as advance:
        changed += rebuild(
            contract,
            lake=lake_of(settings),
            admin_dsn=admin_dsn_of(settings),
            progress=advance,
        )
    return [*changed, *_migrate(settings, []), "Next: `wandle transform`."]


@commands.command()
def export_odcs(
    source: SourcesArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="All sources.")] = False,
    into: Annotated[
        Path, typer.Option("--into", help="The folder to write to. Default: the current one.")
    ] = Path(),
) -> None:
    """Write contracts in the Open Data Contract Standard, as SOURCE.odcs.yaml.

    Columns, types, key, allowed values, retention, licence and owner use the fields of the
    standard, version 3.2; everything else goes into custom properties, so that
    `wandle import-odcs` recreates the same contract.

    Examples: `wandle export-odcs SOURCE`, `wandle export-odcs --all --into odcs`
    """
    from include.jobs.author.odcs import exchange as job

    if bool(source) == everything:
        raise PermanentError("export-odcs: pass either sources or --all.")
    known = every_contract()
    chosen = known.values() if everything else [source_named(name) for name in source or ()]
    for path in job.export_odcs(chosen, into):
        say(f"Wrote {path}")
    if everything:
        require_every_contract("export-odcs")


@commands.command()
def import_odcs(
    file: FileArgument,
    name: Annotated[
        str, typer.Option("--name", help="Name of the source. Default: as in FILE.")
    ] = "",
    table: Annotated[
        str, typer.Option("--table", help="Object of the schema to use, if FILE has several.")
    ] = "",
    url: UrlOption = "",
) -> None:
    """Generate a contract and a staging model from a file of the Open Data Contract Standard.

    Prints what was assumed, and what a contract cannot express. Review the contract before you
    run it.

    Examples: `wandle import-odcs orders.odcs.yaml`,
    `wandle import-odcs orders.odcs.yaml --table orders --url https://api.example.org/orders`
    """
    from include.jobs.author.odcs import exchange as job

    print_drafted(job.import_odcs(file, name=name, table=table, url=url, ask=ask))
