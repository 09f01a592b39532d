"""Commands for people and programs that read data: profile, Google Sheets, the read API."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.terminal import (
    CouncilOption,
    FromOption,
    JsonOption,
    PeriodOption,
    TableArgument,
    ToOption,
    progress,
    selected,
    settings_for,
)
from include.terminal import counted, print_json, print_table, say

if TYPE_CHECKING:
    from include.jobs.serving.profile import ColumnProfile, Profile

commands = typer.Typer()

# Heights of a bar, from nothing to the highest.
_HEIGHTS = " ▁▂▃▄▅▆▇█"
_MOST_SHOWN = 3
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}", re.ASCII)
_MOST_CHARACTERS = 40
_WHY_HIDDEN = {
    "personal": "personal: values are hidden",
    "unclassified": "not classified, may be personal: values are hidden",
}


@commands.command()
def profile(
    table: TableArgument,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    rows: Annotated[
        int,
        typer.Option("--rows", min=1, help="Maximum number of rows to sample from a larger table."),
    ] = 100_000,
    as_json: JsonOption = False,
) -> None:
    """Describe a table: statistics, distributions, missing values and outliers.

    The table can also be a staging or intermediate model, or just the name of a source or
    mart.

    Rows, values and lengths are counted in the whole table; the rest describes a random
    sample of a table with more than `--rows` rows. Outliers are values more than 1.5
    interquartile ranges beyond the quartiles. Values of personal columns are never read: only
    counts and lengths are shown.

    Examples:

    `wandle profile marts.weather_daily`

    `wandle profile SOURCE --council sutton --from 2026-01 --to 2026-06`

    `wandle profile raw.SOURCE --json | jq '.columns[].missing'`
    """
    from include.jobs.serving import profile as job

    settings = settings_for("postgresql")
    selection = selected(None, council, period, first, last)
    found = job.profile(table, settings=settings, selection=selection, rows=rows)
    if as_json:
        print_json(found.as_json())
        return
    say(f"{found.table}: {counted(found.rows, 'row')}{_sampled(found)}")
    if found.about:
        say(found.about, style="dim")
    columns = ("column", "type", "missing", "distinct", "lowest", "median", "highest", "spread")
    lines = [_line(found, column) for column in found.columns]
    notes = [_notes(found, column) for column in found.columns]
    right = ("missing", "distinct", "lowest", "median", "highest")
    print_table(columns, lines, right=right, notes=notes)


@commands.command()
def sheets(
    mart: Annotated[
        str, typer.Argument(metavar="MART", help="The mart, such as marts.weather_daily.")
    ],
    spreadsheet: Annotated[
        str,
        typer.Argument(metavar="SPREADSHEET", help="Address or ID of the spreadsheet."),
    ],
    tab: Annotated[
        str, typer.Option("--tab", help="The tab to write. Default: the name of the mart.")
    ] = "",
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Replace a tab even if it contains something else."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a mart to a Google Sheet, using a service account that may edit it.

    The tab shows its old rows until all new ones are there. Text stays text, even if it looks
    like a formula. Other tabs are not touched. Personal columns are refused. The key of the
    account is the secret google_sheets; docs/serving.md explains how to create one.

    Examples:

    `wandle sheets weather_daily https://docs.google.com/spreadsheets/d/SPREADSHEET/edit`

    `wandle sheets weather_daily SPREADSHEET --tab Weather --json | jq .rows`
    """
    from include.jobs.serving import sheets as job

    settings = settings_for("postgresql")
    with progress() as advance:
        written = job.write_mart(
            mart,
            to=spreadsheet,
            settings=settings,
            title=tab,
            replace=replace,
            progress=lambda sent, total: advance(mart, sent + 1, total),
        )
    if as_json:
        print_json(dataclasses.asdict(written) | {"address": written.address})
        return
    say(
        f"Wrote {counted(written.rows, 'row')} of {written.mart} to the tab {written.tab!r} of "
        f"{written.title!r}: {written.address}"
    )


@commands.command()
def serve(
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")
    ] = 8000,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all interfaces.")
    ] = "127.0.0.1",
    workers: Annotated[
        int,
        typer.Option("--workers", min=1, max=64, help="Processes, each with a copy of the data."),
    ] = 1,
    rate: Annotated[
        float,
        typer.Option("--rate", min=0, help="Requests per second for each client; 0 for no limit."),
    ] = 50.0,
    burst: Annotated[
        int,
        typer.Option("--burst", min=1, help="Requests a client may send at once after a pause."),
    ] = 200,
    keys: Annotated[
        bool, typer.Option("--keys", help="Accept API keys, from the secret api_keys.")
    ] = False,
    proxies: Annotated[
        int,
        typer.Option(
            "--proxies", min=0, max=5, help="Proxies in front that append to X-Forwarded-For."
        ),
    ] = 0,
    log_requests: Annotated[
        bool, typer.Option("--log/--no-log", help="Print a line of JSON for each request.")
    ] = True,
    log_clients: Annotated[
        bool, typer.Option("--log-clients", help="Also log the addresses of clients.")
    ] = False,
) -> None:
    """Serve the published datasets over HTTP: rows, groups and files, from memory.

    Loads the current version from S3, and each new one within seconds. Reads no database. If S3 is
    unavailable, it serves what it has. Stop it with Ctrl+C or SIGTERM: requests that have begun
    are answered. Open `/v1/` in a browser to try it.

    Examples:

    `wandle serve`

    `wandle serve --host 0.0.0.0 --port 8000 --workers 2 --rate 100`
    """
    from include.jobs.serving.api import Served, command

    if not _HOST.fullmatch(host):
        raise typer.BadParameter(f"{host!r} is not an address or a host name", param_hint="--host")
    settings = settings_for("s3")
    if not settings.environment:
        settings.need("s3_endpoint")
    how = Served(host, port, workers, rate, burst, proxies, keys, log_requests, log_clients)
    line = command(how)
    # Replaces this process: its memory is not kept, and signals reach the server.
    os.execv(line[0], line)  # noqa: S606


def _sampled(found: Profile) -> str:
    if not found.is_sampled:
        return ""
    share = found.sampled / found.rows
    return (
        f". Values, missing and lengths are of all rows, everything else of a random sample of "
        f"{counted(found.sampled, 'row')} ({share:.1%})"
    )


def _line(found: Profile, column: ColumnProfile) -> list[str | None]:
    number = column.kind == "number"
    bars = column.distribution if column.kind in ("number", "time") else []
    distinct = column.statistics.get("distinct")
    return [
        column.name,
        column.type,
        _share(column.missing, found.rows),
        None if distinct is None else f"{distinct:,}",
        _end(column.lowest, number=number),
        _end(column.statistics.get("50%"), number=number),
        _end(column.highest, number=number),
        _sparkline([bar.count for bar in bars]),
    ]


def _notes(found: Profile, column: ColumnProfile) -> str:
    notes = []
    if column.hidden:
        notes.append(_WHY_HIDDEN[column.hidden])
    if column.lengths and column.kind in ("masked", "json", "other"):
        notes.append("{shortest:,} to {longest:,} characters".format(**column.lengths))
    if column.kind in ("text", "boolean", "json") and column.distribution:
        total = max(1, found.sampled)
        notes += [
            f"{_cut(bar.label)} {bar.count / total:.0%}"
            for bar in column.distribution[:_MOST_SHOWN]
        ]
    if blank := column.statistics.get("blank"):
        notes.append(f"{blank:,} blank")
    if infinite := column.statistics.get("infinite"):
        notes.append(f"{infinite:,} infinite or not a number")
    if column.outliers and column.outliers.count:
        of = column.outliers
        examples = ", ".join(f"{value:,.6g}" for value in of.examples[:_MOST_SHOWN])
        notes.append(
            f"{counted(of.count, 'outlier')} beyond {of.lower:,.6g} and {of.upper:,.6g}: {examples}"
        )
    notes += [f"{count:,} break the rule {rule}" for rule, count in column.broken.items()]
    notes += [f"{count:,} quarantined by {rule}" for rule, count in column.quarantined.items()]
    return "; ".join(notes)


def _share(part: int, whole: int) -> str:
    if not part or not whole:
        return "0"
    share = part / whole
    return f"{part:,} ({share:.0%})" if share >= 0.01 else f"{part:,} (<1%)"


def _end(value: object, *, number: bool) -> str | None:
    if value is None:
        return None
    return f"{value:,.6g}" if number else str(value)


def _sparkline(counts: list[int]) -> str:
    most = max(counts, default=0)
    if not most:
        return ""
    steps = len(_HEIGHTS) - 1
    return "".join(_HEIGHTS[-(-count * steps // most)] for count in counts)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
