"""Everything that commands print: one function for each shape, which escapes what it prints.

Values come from APIs, databases and files; none of them is read as Rich markup, and none
reaches the terminal unescaped (`include.printable`). Only our own newlines start a line.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import ProgressColumn, Task
from rich.table import Table
from rich.text import Text

from include.printable import one_line, printable

# Tables keep their full width when piped.
console = Console() if sys.stdout.isatty() else Console(width=200)
trouble = Console(stderr=True)


def say(line: str, *, mark: str = "", style: str = "") -> None:
    """Print one line on standard output, after a `mark` in a style of Rich's."""
    _print(console, one_line(line), one_line(mark), style)


def complain(message: str, *, mark: str = "wandle:", style: str = "red") -> None:
    """Print a message on standard error; its later lines are indented."""
    _print(trouble, printable(message), one_line(mark), style)


def _print(to: Console, text: str, mark: str, style: str) -> None:
    shown = Text.assemble((f"{mark} ", style), text) if mark else Text(text)
    to.print(shown, soft_wrap=True)


def complain_of_crash() -> None:
    """Print the exception that is being handled, with its traceback, on standard error."""
    complain(traceback.format_exc().rstrip(), mark="wandle: this is a bug.")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], right: Collection[str] = ()
) -> None:
    """Print a table. A cell is a value, or a pair of a value and a style; None is left empty."""
    table = Table(box=None)
    for name in columns:
        table.add_column(Text(one_line(name)), justify="right" if name in right else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    console.print(table)


def _cell(value: Any) -> Text:
    value, style = value if isinstance(value, tuple) else (value, "")
    return Text("" if value is None else one_line(str(value)), style)


def print_json(found: Any) -> None:
    """Print a JSON document in ASCII."""
    # json leaves DEL as it is.
    say_lines(json.dumps(found, indent=1, default=str).replace("\x7f", "\\u007f"))


def say_lines(text: str) -> None:
    """Print a text that we have laid out; of values within it, no newline may be left."""
    for line in text.split("\n"):
        console.file.write(f"{one_line(line)}\n")
    console.file.flush()


def ask_hidden(prompt: str) -> str:
    """What the user types, without echo."""
    answer: str = typer.prompt(one_line(prompt), hide_input=True)
    return answer


class Line(ProgressColumn):
    """A field of a progress bar's task, as one line."""

    def __init__(self, field: str) -> None:
        super().__init__()
        self._field = field

    def render(self, task: Task) -> Text:
        """The field, or the description."""
        return Text(one_line(str(task.fields.get(self._field, task.description))))


class Messages(RichHandler):
    """Log messages and their tracebacks on standard error."""

    def __init__(self) -> None:
        super().__init__(console=trouble, show_time=False, show_path=False)

    def render_message(self, record: logging.LogRecord, message: str) -> Any:
        """The message, printable and without markup."""
        record.markup = False
        return super().render_message(record, printable(message))


def begin() -> None:
    """Print log messages, and characters that the terminal's encoding lacks as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[Messages()])


def counted(number: int, noun: str) -> str:
    """`1 landing`, `2 landings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
