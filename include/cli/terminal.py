"""Arguments, options and output shared by all commands; `include/terminal.py` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from include.errors import PermanentError
from include.jobs.author.questions import Question, refuse
from include.jobs.pipeline.selection import Selection
from include.local.status import refuse_stopped
from include.local.tables import print_ledger
from include.settings import Settings
from include.terminal import Line, ask_hidden, ask_shown, say, trouble

if TYPE_CHECKING:
    from include.jobs.author.draft_files import Drafted

# The same word means the same in every command; tests/unit/cli/test_grammar.py compares them.
SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="Name of a source; see `wandle sources`.")
]
SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", help="Only these sources. Default: all."),
]
TableArgument = Annotated[
    str, typer.Argument(metavar="TABLE", help="A table: `raw.<source>` or `marts.<mart>`.")
]
CouncilOption = Annotated[
    list[str] | None,
    typer.Option("--council", "-c", help="Only this council. Repeatable. Default: all."),
]
PeriodOption = Annotated[
    list[str] | None,
    typer.Option(
        "--period",
        "-p",
        help="Only this period: 2026-10-05, 2026-10, 2026, 2026-W41, 2026-Q4, 2026-27 (April to "
        "March), 2026-10-05T09 (UTC). Repeatable.",
    ),
]
FromOption = Annotated[
    str, typer.Option("--from", help="First period of a range, inclusive. Default: the earliest.")
]
ToOption = Annotated[
    str, typer.Option("--to", help="Last period of a range, inclusive. Default: the latest.")
]
KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        "-k",
        help="NAME=VALUE of a column; with NAME alone, prompts for the value. Repeatable.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Load even if nothing changed or a check fails.")
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Only list the partitions, what is loaded already, and how many requests they cost.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it. Default: dry run.")]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name: a-z, 0-9 and underscores.")
]
UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        help="URL of one API request, with its query string. May have placeholders, such as "
        "{council.gss_code} and {period:%Y-%m-%d}.",
    ),
]


def selected(
    sources: Iterable[str] | None,
    council: list[str] | None,
    period: list[str] | None,
    first: str = "",
    last: str = "",
) -> Selection:
    """What these arguments and options select."""
    return Selection(
        tuple(dict.fromkeys(sources or ())),
        tuple(dict.fromkeys(council or ())),
        tuple(dict.fromkeys(period or ())),
        first,
        last,
    )


def settings_for(*services: str) -> Settings:
    """The settings. Raises `PlatformStopped` if this machine runs these services, but not now."""
    settings = Settings.read()
    refuse_stopped(settings, services)
    return settings


def key_values(command: str, given: Iterable[str] | None) -> dict[str, str]:
    """The names and values of `--key`, with those that are asked for."""
    key: dict[str, str] = {}
    for item in given or ():
        name, equals, value = item.partition("=")
        if name in key:
            raise PermanentError(
                f"{command}: `--key {name}` is given twice. A row must match every key."
            )
        key[name] = value if equals else ask_hidden(name)
    return key


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


def print_entries(entries: list[dict[str, Any]], nothing: str) -> None:
    """Print ledger entries as a table, or `nothing` if there are none."""
    if entries:
        print_ledger(entries)
    else:
        say(nothing)


def ask(question: Question) -> str:
    """What a person answers; without a terminal, `PermanentError` that names the option."""
    if not sys.stdin.isatty():
        refuse(question)
    for choice in question.choices:
        say(f"  {choice}")
    return ask_shown(question.what.partition(": ")[2], question.suggestion)


def print_drafted(drafted: Drafted) -> None:
    """Print the files of a draft, the remarks on it, and what to do next."""
    for path in drafted.files:
        say(f"Wrote {path}")
    for remark in drafted.remarks:
        say(f"Note: {remark}")
    name = drafted.files[0].stem
    say(
        "Review the contract, then run `wandle sync && wandle migrate && wandle ingest "
        f"{name} --period ...`, for a snapshot without `--period`."
    )
