"""Options and output shared by all commands; `include/terminal.py` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from include.local.tables import print_ledger
from include.sources.model import contract as source_named
from include.terminal import Line, say, trouble

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
        *(SpinnerColumn(), Line("description"), BarColumn(), MofNCompleteColumn()),
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
    print_ledger(entries)
