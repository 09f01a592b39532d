"""The command that says what a change to the models would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.terminal import JsonOption, settings_for
from include.errors import PermanentError
from include.terminal import counted, note, print_json, say_lines

if TYPE_CHECKING:
    from include.jobs.author.diff import Diff

commands = typer.Typer()


@commands.command()
def diff(
    base: Annotated[
        str,
        typer.Option(
            metavar="REV",
            help="Commit, branch or tag to compare with. Default: where your branch left `main`.",
        ),
    ] = "",
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the schemas of both, to look into them.")
    ] = False,
    drop_kept: Annotated[
        bool, typer.Option("--drop-kept", help="Drop what `--keep` kept, and do nothing else.")
    ] = False,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="Exit with code 1 if a mart differs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what your change to the dbt models would do to the marts.

    Builds the changed models, and what depends on them, of both revisions in schemas of
    their own, and prints as Markdown which rows and columns differ. Nobody's tables change.

    Examples:

    `wandle diff` (your working tree)

    `wandle diff --base v1.4 --json`

    `wandle diff --keep`, later `wandle diff --drop-kept`
    """
    from include.jobs.author import diff as job

    dsn = settings_for("postgresql").need("developer_dsn")
    if drop_kept:
        job.clean(dsn=dsn, kept=True, progress=note)
        return
    found = job.diff(dsn=dsn, base=base, keep=keep, progress=note)
    if as_json:
        print_json(job.as_json(found))
    else:
        say_lines(job.markdown(found).rstrip("\n"))
    for schema in found.kept:
        note(f"Kept: {schema}")
    _exit(found, fail_on_change)


def _exit(found: Diff, fail_on_change: bool) -> None:
    compared = found.compared
    if compared.failures:
        raise PermanentError(
            f"diff: {counted(len(compared.failures), 'model')} could not be built; see above."
        )
    if fail_on_change and compared.anything:
        differing = [mart.name for mart in compared.marts if not mart.nothing]
        raise PermanentError(f"diff: {', '.join(differing)} would change.")
