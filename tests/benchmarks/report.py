"""What was measured, as tables and in `bench.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.bars import Bar
from tests.benchmarks.measuring import Row


def write(target: Path, rows: Sequence[Row]) -> None:
    """Add rows to those of other benchmarks; earlier ones of the same case are replaced."""
    before = json.loads(target.read_text()) if target.exists() else []
    mine = {row["case"] for row in rows}
    kept = [row for row in before if row["case"] not in mine]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([*kept, *rows], indent=1) + "\n")


def show(console: Console, rows: Sequence[Row]) -> None:
    """One line a contender."""
    table = Table("case", "contender")
    for head in (
        "records",
        "median s",
        "runs",
        "rows/s",
        "to copy",
        "peak MB",
        "CPU s",
        "all CPU s",
    ):
        table.add_column(head, justify="right")
    for row in rows:
        table.add_row(
            row["case"],
            row["contender"],
            f"{row['records']:,}",
            f"{row['seconds_median']:.2f}",
            str(len(row["runs"])),
            f"{row['records'] / row['seconds_median']:,.0f}",
            f"{row['ratio_to_copy']:.2f}" if row["ratio_to_copy"] else "",
            f"{row['peak_rss_mb']:.0f}",
            f"{row['cpu_seconds']:.1f}",
            f"{row['machine_cpu_seconds']:.1f}",
        )
    console.print(table)


def show_bars(console: Console, bars: Sequence[Bar]) -> None:
    """One line for each bar that was measured."""
    table = Table("bar", "found", "")
    for bar in bars:
        if bar.found is not None:
            table.add_row(bar.says, f"{bar.found:.2f}", "met" if bar.met else "NOT MET")
    console.print(table)
    if missing := sum(bar.found is None for bar in bars):
        console.print(f"{missing} of {len(bars)} bars were not measured")


def write_markdown(target: Path, rows: Sequence[Row], bars: Sequence[Bar]) -> None:
    """The same as tables for `docs/performance.md`: ratios, not times."""
    lines = [
        "| case | contender | rows per second, relative to copy | runs | peak MB |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = f"{row['ratio_to_copy']:.2f}" if row["ratio_to_copy"] else ""
        peak = f"{row['peak_rss_mb']:.0f}"
        cells = (row["case"], row["contender"], ratio, str(len(row["runs"])), peak)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| bar | found | |", "|---|---|---|"]
    for bar in bars:
        if bar.found is not None:
            lines.append(f"| {bar.says} | {bar.found:.2f} | {'met' if bar.met else 'not met'} |")
    target.write_text("\n".join(lines) + "\n")
