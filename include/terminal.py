"""Everything that commands print: one function for each shape, which escapes what it prints.

Values come from APIs, databases and files; none of them is read as Rich markup, and none
reaches the terminal unescaped (`include.printable`). Only our own newlines start a line.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import ProgressColumn, Task
from rich.text import Text

from include.printable import one_line, printable

console = Console()
trouble = Console(stderr=True)

# A command in backticks is one word: it stays whole, to be copied.
_WORD = re.compile(r"( *)((?:`[^`]*`|[^ ])+)")


def say(line: str, *, mark: str = "", style: str = "") -> None:
    """Print one line on standard output, after a `mark` in a style of Rich's."""
    _print(console, one_line(line), one_line(mark), style)


def note(line: str) -> None:
    """Print one line on standard error: progress, which is not part of the result."""
    _print(trouble, one_line(line), "", "")


def complain(message: str, *, mark: str = "wandle:", style: str = "red") -> None:
    """Print a message on standard error; its later lines are indented."""
    _print(trouble, printable(message), one_line(mark), style)


def _print(to: Console, text: str, mark: str, style: str) -> None:
    # In files and pipes a message stays one line, for grep.
    line = f"{mark} {text}" if mark else text
    shown = Text(wrapped(line, to.width) if to.is_terminal else line)
    shown.stylize(style, 0, len(mark))
    to.print(shown, soft_wrap=True)


def wrapped(text: str, width: int, indent: str = "  ") -> str:
    """The text in lines of at most `width`, broken between words; later lines are indented.

    A longer word, such as a path or a command in backticks, stays whole.
    """
    lines = []
    for line in text.split("\n"):
        begin = line[: len(line) - len(line.lstrip(" "))]
        shown = ""
        for gap, word in _WORD.findall(line):
            if shown and cell_len(shown + gap + word) > width:
                lines.append(shown)
                shown = f"{begin}{indent}{word}"
            else:
                shown += gap + word
        lines.append(shown)
    return "\n".join(lines)


def complain_of_crash() -> None:
    """Print the exception that is being handled, with its traceback, on standard error."""
    complain(traceback.format_exc().rstrip(), mark="wandle: this is a bug.")


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Collection[str] = (),
    notes: Iterable[str] = (),
) -> None:
    """Print a table whose cells are never cut, with the `notes` of a row in lines below it.

    A cell is a value, or a pair of a value and a style; None is left empty.
    """
    lines = [[Text(one_line(name), "bold") for name in columns]]
    lines += [[_cell(value) for value in row] for row in rows]
    widths = [max(cell.cell_len for cell in column) for column in zip(*lines, strict=True)]
    below = ["", *notes]
    below += [""] * (len(lines) - len(below))
    for cells, text in zip(lines, below, strict=True):
        for name, cell, width in zip(columns, cells, widths, strict=True):
            padding = width - cell.cell_len
            cell.pad_left(padding) if name in right else cell.pad_right(padding)
        line = Text("  ").join(cells)
        line.rstrip()
        console.print(line, soft_wrap=True)
        if text:
            shown = wrapped(f"    {one_line(text)}", console.width, "")
            console.print(Text(shown, "dim"), soft_wrap=True)


def _cell(value: Any) -> Text:
    value, style = value if isinstance(value, tuple) else (value, "")
    return Text("" if value is None else one_line(str(value)), style)


def print_json(found: Any) -> None:
    """Print a JSON document in ASCII: with `--json`, all that a command prints as its result."""
    # json leaves DEL as it is.
    say_lines(json.dumps(found, indent=1, default=str).replace("\x7f", "\\u007f"))


def say_lines(text: str) -> None:
    """Print a text that we have laid out; of values within it, no newline may be left."""
    for line in text.split("\n"):
        console.file.write(f"{one_line(line)}\n")
    console.file.flush()


def ask_hidden(prompt: str) -> str:
    """What the user types, without echo."""
    answer: str = typer.prompt(one_line(prompt), hide_input=True, err=True)
    return answer


def ask_shown(prompt: str, suggestion: str = "") -> str:
    """What the user types; the suggestion, if that is nothing."""
    answer: str = typer.prompt(one_line(prompt), default=one_line(suggestion) or None, err=True)
    return answer.strip()


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
