"""Commands that exchange contracts with other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from include.cli.terminal import SourcesArgument, UrlOption, ask, print_drafted
from include.errors import PermanentError
from include.sources.model import contract as source_named
from include.sources.model import every_contract, require_every_contract
from include.terminal import say

commands = typer.Typer()

FileArgument = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A data contract in YAML.", exists=True, dir_okay=False),
]


@commands.command()
def export_odcs(
    source: SourcesArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="All sources.")] = False,
    into: Annotated[
        Path, typer.Option("--into", help="The folder to write to. Default: the current one.")
    ] = Path(),
) -> None:
    """Write contracts in the Open Data Contract Standard, as SOURCE.odcs.yaml.

    Columns, types, key, allowed values, retention, licence and owner are in the words of the
    standard, version 3.2; the rest is in its custom properties, so that `wandle import-odcs`
    makes the same contract of the file.

    Examples: `wandle export-odcs SOURCE`, `wandle export-odcs --all --into odcs`
    """
    from include.jobs.author.odcs import exchange as job

    if bool(source) == everything:
        raise PermanentError("export-odcs: nothing to do, or too much. Pass sources, or --all.")
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
        str, typer.Option("--name", help="The source's name. Default: as in FILE.")
    ] = "",
    table: Annotated[
        str, typer.Option("--table", help="The object of its schema, if FILE has several.")
    ] = "",
    url: UrlOption = "",
) -> None:
    """Generate a contract and a staging model from a file of the Open Data Contract Standard.

    Prints what was assumed, and what no contract can say. Review the contract before you
    run it.

    Examples: `wandle import-odcs orders.odcs.yaml`,
    `wandle import-odcs orders.odcs.yaml --table orders --url https://api.example.org/orders`
    """
    from include.jobs.author.odcs import exchange as job

    print_drafted(job.import_odcs(file, name=name, table=table, url=url, ask=ask))
