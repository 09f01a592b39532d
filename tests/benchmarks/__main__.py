"""`make bench`: loading against COPY and others, in one run on one machine."""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from include.settings import Settings
from tests.benchmarks import readings
from tests.benchmarks.cases import CASES, Bench
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.measuring import Entry, measure
from tests.benchmarks.platform import platform
from tests.benchmarks.report import Row, show, write

WIDTH = 130  # where no terminal says
app = typer.Typer(add_completion=False)
EPILOG = (
    'Examples: `make bench`; `make bench CASES="first_load" RUNS=5`; `make bench RECORDS=100000`.'
)


@app.command(epilog=EPILOG)
def bench(
    cases: Annotated[list[str] | None, typer.Argument(help=f"Any of: {', '.join(CASES)}.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="How often each contender runs.")] = 3,
    records: Annotated[int, typer.Option(min=100, help="Generated readings.")] = 1_000_000,
) -> None:
    """Measure CASES (all, if none is named), print a table and write `bench.json`."""
    chosen = cases or list(CASES)
    if unknown := set(chosen) - set(CASES):
        raise typer.BadParameter(f"{', '.join(unknown)}: choose from {', '.join(CASES)}")
    target = Settings.read().home / "bench.json"
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory(prefix="wandle-bench-data-") as folder,
        platform([contract_of(readings.SOURCE)]) as settings,
        console.status("starting") as status,
    ):
        for case in chosen:
            status.update(f"{case}: making its data")
            entries = CASES[case](Bench(settings, Path(folder), records, runs))
            measure(entries, lambda text, case=case: status.update(f"{case}: {text}"))  # type: ignore[misc]
            rows += _rows(case, entries)
            show(console, rows)
            write(target, rows)
    console.print(f"written to {target}")


def _rows(case: str, entries: list[Entry]) -> list[Row]:
    copy = next((entry for entry in entries if entry.task.contender == "copy"), None)
    seconds = copy and statistics.median(each.seconds for each in copy.measured) / copy.records
    return [entry.row(case, seconds) for entry in entries]


if __name__ == "__main__":
    app()
