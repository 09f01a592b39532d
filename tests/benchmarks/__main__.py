"""`make bench`: loading against COPY and others, in one run on one machine."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status

from include.settings import CHECKOUT, Settings
from tests.benchmarks import (
    crime_cases,
    extract_cases,
    extraction,
    file_formats,
    limits,
    main_job,
    parallel_cases,
    reading_cases,
    transform_cases,
)
from tests.benchmarks.bars import bars
from tests.benchmarks.bench import Bench
from tests.benchmarks.measuring import Entry, Row, measure, rows_of
from tests.benchmarks.platform import platform
from tests.benchmarks.report import show, show_bars, write, write_markdown

WIDTH = 140  # where no terminal says
LOADING = {
    **reading_cases.CASES,
    **crime_cases.CASES,
    **parallel_cases.CASES,
    **extract_cases.CASES,
}
CASES = {
    **LOADING,
    "extraction": "extraction from the sandbox, by source",
    "formats": "readings as JSON, CSV, Parquet and Delta: size and read time; only if named",
    "limits": "memory that extreme answers take, with the contract's limits; only if named",
    "main_job": "the main job through Airflow and without it; only if named",
    "transform": "dbt builds where nothing, a partition or all changed; only if named",
}
IF_NAMED = ("formats", "limits", "main_job", "transform")
OTHERS = list(reading_cases.OTHERS)
EPILOG = """
Examples:

make bench  (all but the main job, about 25 minutes on two cores)

make bench CASES="first_load replace" RUNS=5

make bench CASES="first_load" RECORDS=100000 CHECK=1

.venv-bench/bin/python -m tests.benchmarks first_load --against "pg-bulk-ingest"

.venv-bench/bin/python -m tests.benchmarks replace reload_volatile --against nobody
"""

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command(
    epilog=EPILOG,
    help="Measure CASES (all but `formats`, `limits`, `main_job` and `transform`, if none is "
    "named), print tables and write `bench.json` into the state folder.\n\n"
    + "\n".join(f"- `{name}`: {says}" for name, says in CASES.items()),
)
def bench(
    cases: Annotated[list[str] | None, typer.Argument(show_default=False)] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often; slow ones a third of it.")] = 3,
    records: Annotated[int, typer.Option(min=1_000, help="Generated readings.")] = 1_000_000,
    against: Annotated[
        list[str], typer.Option(help=f"Whom else in `first_load`: {', '.join(OTHERS)}; `nobody`.")
    ] = OTHERS,
    payloads: Annotated[
        Path | None, typer.Option(envvar="RECORDED_PAYLOADS", help="The recorded payloads.")
    ] = None,
    check: Annotated[
        bool, typer.Option(help="Fail if a bar is not met, or none measured.")
    ] = False,
) -> None:
    """Measure, report and judge."""
    # Ended from outside, it takes its services along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended from outside"))
    chosen = cases or [case for case in CASES if case not in IF_NAMED]
    if unknown := set(chosen) - set(CASES):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(CASES)}")
    if unknown := set(against) - {*OTHERS, "nobody"}:
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(OTHERS)}, nobody")
    target = Settings.read().home / "bench.json"
    began = time.monotonic()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    payloads = payloads or CHECKOUT.parent / "shared" / "payloads"
    rows: list[Row] = []
    with console.status("starting") as status:
        if set(chosen) & set(LOADING):
            for entries in _measured(chosen, runs, records, against, payloads, status):
                rows += rows_of(entries)
                write(target, rows)
    if rows:
        show(console, rows)
    on_their_own: dict[str, Callable[[], list[Row]]] = {
        "extraction": extraction.main,
        "formats": lambda: file_formats.main(records, runs),
        "limits": limits.main,
        "main_job": lambda: main_job.main(max(1, runs // 3), payloads),
        "transform": lambda: transform_cases.main(runs),
    }
    others: list[Row] = []
    for name in on_their_own.keys() & set(chosen):
        measured = on_their_own[name]()
        write(target, measured)
        others += measured
    judged = bars([*rows, *others])
    if rows or others:
        show_bars(console, judged)
    if rows:
        write_markdown(target.with_suffix(".md"), rows, judged)
    console.print(f"written to {target}, and as tables to {target.with_suffix('.md')}")
    console.print(f"took {(time.monotonic() - began) / 60:.1f} minutes")
    met = [bar.met for bar in judged if bar.met is not None]
    if check and not (met and all(met)):
        raise typer.Exit(1)


def _measured(
    chosen: list[str],
    runs: int,
    records: int,
    against: list[str],
    payloads: Path,
    status: Status,
) -> Iterator[list[Entry]]:
    """Yield what was measured, by kind of data."""
    with (
        tempfile.TemporaryDirectory(prefix="wandle-bench-data-") as folder,
        platform([reading_cases.CONTRACT, crime_cases.CONTRACT]) as settings,
    ):
        here = Bench(settings, Path(folder), records, runs)
        made = {
            reading_cases: lambda: reading_cases.ReadingCases(here, against).entries(chosen),
            crime_cases: lambda: crime_cases.entries(here, payloads),
            parallel_cases: lambda: parallel_cases.entries(here),
            extract_cases: lambda: extract_cases.entries(here),
        }
        for kind, make in made.items():
            if not set(chosen) & set(kind.CASES):
                continue
            status.update(f"{', '.join(kind.CASES)}: making the data")
            entries = make()
            if not entries:
                status.console.print(
                    f"crimes: not measured: no {crime_cases.ARCHIVE} in {payloads}"
                )
                continue
            measure(entries, status.update)
            yield entries


if __name__ == "__main__":
    app()
