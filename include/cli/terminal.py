"""Terminal output and options shared by all commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from include.local.tables import entries_table
from include.sources.model import contract as source_named

# Tables keep their full width when piped.
console = Console() if sys.stdout.isatty() else Console(width=200)
trouble = Console(stderr=True)

CouncilOption = Annotated[
    list[str] | None,
    typer.Option("--council", "-c", help="Only this council. Repeatable. Default: all."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Load even if nothing changed or a check fails.")
]


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar; yields a function of (current item, its number, total)."""
    columns = (
        *(SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TimeElapsedColumn(), TimeRemainingColumn()),
    )
    with Progress(
        *columns, console=trouble, transient=True, disable=not trouble.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def advance(doing: str, number: int, total: int) -> None:
            bar.update(task, description=doing, completed=number - 1, total=total)

        yield advance


def check_names(source: str | None, council: str | None, period: str | None) -> None:
    from include.councils.model import UK
    from include.councils.model import council as council_named

    if source:
        contract = source_named(source)
        if period:
            contract.parse_period(period)
    if council and council != UK:
        council_named(council)


def print_entries(entries: list[dict[str, Any]]) -> None:
    if not entries:
        say("The ledger is empty.")
        return
    console.print(entries_table(entries))


def print_json(found: Any) -> None:
    typer.echo(json.dumps(found, indent=1, default=str))


def counted(number: int, noun: str) -> str:
    """`1 landing`, `2 landings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def say(message: str) -> None:
    console.print(message, highlight=False, soft_wrap=True)
