"""Commands for sources that are files: put one into an inbox, and list what is there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from include.cli.terminal import JsonOption, SourceArgument, settings_for
from include.errors import PermanentError
from include.printable import one_line
from include.settings import Settings
from include.sources.model import contract as source_named
from include.terminal import print_json, print_table, say

commands = typer.Typer()


@commands.command()
def put(
    source: SourceArgument,
    file: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE", help="Files to put into the inbox.", exists=True, dir_okay=False
        ),
    ],
    name: Annotated[
        str, typer.Option("--as", help="Name of the file in the inbox. Default: its own name.")
    ] = "",
) -> None:
    """Put files into the inbox of a source. The next run, or `wandle ingest`, loads them.

    A file of the same name is replaced. A name that belongs to no partition is refused.

    Examples:

    `wandle put SOURCE air.json`

    `wandle put SOURCE air.json --as air_kingston_2026-10.json`
    """
    from include.jobs.files.put import put as job
    from include.jobs.lake import lake_of

    if name and len(file) > 1:
        raise typer.BadParameter("--as is for one file")
    contract = source_named(source)
    lake = lake_of(_platform())
    for path in file:
        match = job(contract, path, lake=lake, name=name or path.name, now=datetime.now(UTC))
        places = _places([one.place for one in match.partitions])
        say(f"Put {match.file.address}: {places}")
    say(f"Load it now: `wandle ingest {source}`.")


@commands.command()
def files(
    source: SourceArgument,
    as_json: JsonOption = False,
) -> None:
    """List the files of a source: which are new, changed, landed, or belong to no partition.

    Examples:

    `wandle files SOURCE`

    `wandle files SOURCE --json | jq '.[].state'`
    """
    from include.jobs.files.classify import classify_files
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.ingest import source_dsn

    contract = source_named(source)
    if contract.extract.kind != "files":
        raise PermanentError(f"files: {source} is not fetched from files. See `wandle sources`.")
    settings = _platform()
    found = classify_files(
        contract,
        lake=lake_of(settings),
        today=datetime.now(UTC),
        source_dsn=source_dsn(contract),
    )
    rows: list[dict[str, Any]] = [
        {
            "file": seen.match.file.name,
            "state": seen.state,
            "partitions": [one.place for one in seen.match.partitions],
            "part": seen.match.part,
            "version": seen.match.version,
            "bytes": seen.match.file.size,
            "modified": seen.match.file.modified.isoformat() if seen.match.file.modified else None,
            "why": seen.why,
        }
        for seen in found.files
    ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("No files.")
        return
    shown = [
        [_short(row["file"]), row["state"], row["bytes"], _places(row["partitions"]) or row["why"]]
        for row in rows
    ]
    print_table(("file", "state", "bytes", "partition"), shown, right=("bytes",))


def _short(name: str) -> str:
    line = one_line(name[:200])
    return line if len(name) <= 200 else f"{line}..."


def _places(places: list[dict[str, str]]) -> str:
    """`kingston 2026-05`, or the first and the last of several."""
    texts = [f"{place['council']} {place['period']}" for place in places]
    if len(texts) <= 2:
        return ", ".join(texts)
    return f"{texts[0]} to {texts[-1]} ({len(texts)})"


def _platform() -> Settings:
    """The settings. Raises `WrongSetting` and `PlatformStopped` without a platform."""
    settings = settings_for("s3")
    settings.need("loader_dsn")
    return settings
