"""Commands that build the dbt models, and say what a change to them would do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from include.cli.terminal import JsonOption, settings_for
from include.errors import PermanentError
from include.settings import Settings
from include.terminal import counted, note, print_json, print_table, say, say_lines

if TYPE_CHECKING:
    from include.jobs.author.diff import Diff

commands = typer.Typer()


@commands.command()
def transform(
    full_refresh: Annotated[
        bool,
        typer.Option(
            "--full-refresh",
            help="Build everything, not only what changed; needed after a raw table or a mart "
            "was edited by hand.",
        ),
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Drop the schemas of WANDLE_SCHEMA_PREFIX instead.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the dbt models that changed, layer by layer; publish the open data and docs.

    With WANDLE_SCHEMA_PREFIX, build into schemas of your own, such as `dev_staging`, and
    nothing else: everyone's tables, docs and records stay as they are.

    Examples:

    `wandle transform`, `wandle transform --full-refresh`, `wandle transform --json`

    `WANDLE_SCHEMA_PREFIX=dev_ wandle transform`, later
    `WANDLE_SCHEMA_PREFIX=dev_ wandle transform --drop`
    """
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.transform import transform as run

    settings = settings_for("postgresql", "s3")
    if settings.schema_prefix or drop:
        _transform_apart(settings, drop=drop, as_json=as_json)
        return
    built = run(
        dsn=settings.need("transformer_dsn"),
        publisher_dsn=settings.need("publisher_dsn"),
        lake=lake_of(settings),
        run_id=f"wandle transform {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        home=settings.home / "dbt",
        report=note,
        full_refresh=full_refresh,
    )
    _print_built(built, as_json=as_json)
    if not as_json:
        published = built["published"]
        for name, why in published["kept"].items():
            say(f"Warning: {name} keeps its last published files: {why}")
        say(f"Open data: version {published['version']}{'' if published['new'] else ', unchanged'}")
        say(f"dbt docs: {built['docs']}")


def _transform_apart(settings: Settings, *, drop: bool, as_json: bool) -> None:
    """Build into the schemas of a developer, or drop them."""
    from include.jobs.author import build_apart
    from include.transform.diff import own_schemas

    prefix, dsn = settings.need("schema_prefix"), settings.need("developer_dsn")
    if drop:
        dropped = own_schemas.drop(dsn, prefix)
        if as_json:
            print_json({"dropped": dropped})
        else:
            say(f"Dropped {', '.join(dropped)}." if dropped else "Nothing to drop.")
        return
    schemas = own_schemas.names(prefix)
    note(f"WANDLE_SCHEMA_PREFIX is set: building into {', '.join(schemas)} and nowhere else")
    home = settings.home / "dbt" / f"prefix_{prefix}"
    built = build_apart.transform(dsn=dsn, prefix=prefix, home=home, report=note)
    _print_built(built, as_json=as_json)


def _print_built(built: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(built)
        return
    layers = [built[name] for name in ("staging", "marts")]
    numbers = ("nodes", "kept", "seconds")
    rows = [[layer[name] for name in ("layer", *numbers)] for layer in layers]
    print_table(("layer", *numbers), rows, right=numbers)
    for warning in (warning for layer in layers for warning in layer["warnings"]):
        say(f"Warning: {warning}")


MartsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MART]...", help="With `--published`: only these marts."),
]
BaseOption = Annotated[
    str,
    typer.Option(
        metavar="REV",
        help="Commit, branch or tag to compare with. Default: where your branch left `main`. "
        "With `--published`, a version. Default: the one before the newest.",
    ),
]


@commands.command()
def diff(
    marts: MartsArgument = None,
    base: BaseOption = "",
    published: Annotated[
        bool,
        typer.Option("--published", help="Compare the last two published versions instead."),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the schemas of both revisions for inspection.")
    ] = False,
    drop_kept: Annotated[
        bool, typer.Option("--drop-kept", help="Drop what `--keep` kept, and do nothing else.")
    ] = False,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with code 1 if a mart differs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how your change to the dbt models, or the last publication, changes the marts.

    Builds the changed models, and what depends on them, for both revisions in separate
    schemas, and prints as Markdown which rows and columns differ. Shared tables do not change.

    With `--published`, nothing is built: the same report compares the marts of the newest
    published version with those of the version before, from their Parquet files.

    Examples:

    `wandle diff` (your working tree)

    `wandle diff --base v1.4 --json`

    `wandle diff --keep`, later `wandle diff --drop-kept`

    `wandle diff --published` (what did the last publication change?)

    `wandle diff --published weather_daily --base VERSION` (since an older version)
    """
    if published and (keep or drop_kept):
        raise typer.BadParameter("--keep and --drop-kept are for schemas; --published makes none")
    if marts and not published:
        raise typer.BadParameter("name marts with --published only; otherwise all are compared")
    if published:
        _diff_published(marts or [], base, fail_on_change=fail_on_change, as_json=as_json)
        return
    from include.jobs.author import diff as job

    dsn = settings_for("postgresql").need("developer_dsn")
    if drop_kept:
        job.clean(dsn=dsn, kept=True, progress=note)
        return
    _diff_revisions(dsn, base, keep=keep, fail_on_change=fail_on_change, as_json=as_json)


def _diff_revisions(
    dsn: str, base: str, *, keep: bool, fail_on_change: bool, as_json: bool
) -> None:
    """Compare the working tree with a revision."""
    from include.jobs.author import diff as job

    found = job.diff(dsn=dsn, base=base, keep=keep, progress=note)
    if as_json:
        print_json(job.as_json(found))
    else:
        say_lines(job.markdown(found).rstrip("\n"))
    for schema in found.kept:
        note(f"Kept: {schema}")
    _exit(found, fail_on_change)


def _diff_published(marts: list[str], base: str, *, fail_on_change: bool, as_json: bool) -> None:
    """Compare two published versions."""
    from include.jobs.lake import lake_of
    from include.jobs.publish import diff as job

    lake = lake_of(settings_for("s3"))
    found = job.published_diff(lake=lake, marts=marts, base=base, progress=note)
    if as_json:
        print_json(job.as_json(found))
    else:
        say_lines(job.markdown(found).rstrip("\n"))
    if fail_on_change:
        job.refuse_change(found)


def _exit(found: Diff, fail_on_change: bool) -> None:
    compared = found.compared
    if compared.failures:
        raise PermanentError(
            f"diff: {counted(len(compared.failures), 'model')} could not be built; see above."
        )
    if fail_on_change and compared.anything:
        differing = [mart.name for mart in compared.marts if not mart.nothing]
        raise PermanentError(f"diff: {', '.join(differing)} would change.")
