"""How a CSV file is laid out: delimiter, title rows above the header, lines below the records."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import median
from typing import Any

DELIMITERS = ",;\t|"
_HEAD_LINES = 200
_MOST_TITLES = 30
_MOST_BELOW = 20
# Of the cells that rows usually have, a header has most; a title has one or two.
_SHARE_OF_HEADER = 0.6
_SHOWN = 60
# Below it, a number may be the name of a day, an hour or an age.
_MOST_SMALL = 100
_YEARS = range(1900, 2101)
# A longer number is none of these, and Python refuses to read one of thousands of digits.
_LONGEST_NAME = 20
# What is rather a value than the name of a column.
_VALUE = re.compile(r"[-+]?[.,:/ -]*\d[\d.,:/TZ -]*|#\d+|", re.ASCII)
_BELOW = re.compile(r"(?i)(grand |sub-?)?totals?\b|sum\b|source\b|notes?\b|©|end of\b|\*")

Row = list[str]


@dataclass(frozen=True)
class Layout:
    """The words of a `format`, and remarks on what is left out or made up."""

    format: dict[str, Any]
    remarks: list[str] = field(default_factory=list)


def layout_of(text: str) -> Layout | None:
    """The layout of a text; None if it has no column more than one."""
    lines = _lines(text)
    head = [line for line in lines[:_HEAD_LINES] if line.strip()]
    counts = {delimiter: _usual_width(head, delimiter) for delimiter in DELIMITERS}
    delimiter = max(counts, key=lambda each: counts[each])
    _, width = counts[delimiter]
    if width < 2:
        return None
    above, header = _header(lines, delimiter, width)
    grouped = bool(above) and is_grouped(header, _rows([lines[above - 1]], delimiter)[0])
    above -= grouped
    below, said = _below(lines, delimiter, width)
    remarks = []
    if grouped:
        remarks.append(f"The header has two lines; the first is {_shown(lines[above])}.")
    if above:
        shown = next((each for each in lines[:above] if each.strip()), "")
        remarks.append(f"Lines skipped above the header: {above}, {_shown(shown)}.")
    if below:
        remarks.append(f"Lines skipped below the records: {below}, {_shown(said)}.")
    names: list[str] = []
    first = above + 1 + grouped
    if not _has_names(header, _rows(lines[first : above + _HEAD_LINES], delimiter)):
        names = [f"field_{number}" for number in range(1, len(header) + 1)]
        remarks.append(
            f"The file has no header: its first record is {_shown(lines[above])}. Put the "
            "publisher's names into `format.header`, and into `path` of the columns."
        )
    words = {
        "delimiter": delimiter,
        "null_values": [""],
        **({"header": names} if names else {}),
        **({"header_rows": 2} if grouped else {}),
        **({"skip_rows_before_header": above} if above else {}),
        **({"skip_rows_at_end": below} if below else {}),
    }
    return Layout({"kind": "csv", **words}, remarks)


def is_header(filled: int, usual: float) -> bool:
    """Whether a row with so many cells may be the header, where rows usually have `usual`."""
    return filled >= max(2, _SHARE_OF_HEADER * usual)


def is_grouped(header: Row, above: Row) -> bool:
    """Whether a header repeats names that the row above it, which has several, tells apart.

    A text in that row also counts for the cells to the right of it that have none.
    """
    groups = accumulate(above, lambda last, cell: cell.strip() or last, initial="")
    wide = [*groups][1:]
    wide += [wide[-1] if wide else ""] * (len(header) - len(wide))
    names = [(group, cell.strip()) for group, cell in zip(wide, header, strict=False)]
    named = [(group, name) for group, name in names if name]
    repeated = len({name for _, name in named})
    return _filled(above) > 1 and repeated < len(set(named))


def is_below(first: str, filled: int, width: int) -> bool:
    """Whether a row is a total or a note, by its first text and how many cells it has."""
    return bool(_BELOW.match(first)) and filled < width


def _lines(text: str) -> list[str]:
    """The lines as a load counts them: by LF or CR LF, or by CR if that ends the first one."""
    first = re.search(r"\r\n|\n|\r", text)
    ending = "\r" if first and first[0] == "\r" else "\n"
    lines = text.split(ending)
    return lines[:-1] if lines and not lines[-1] else lines


def _usual_width(lines: list[str], delimiter: str) -> tuple[int, int]:
    """How many lines have the most usual number of cells, other than one, and that number."""
    widths = Counter(len(row) for row in _rows(lines, delimiter) if len(row) > 1)
    return max(((count, width) for width, count in widths.items()), default=(0, 0))


def _rows(lines: list[str], delimiter: str) -> list[Row]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return [line.split(delimiter) for line in lines]


def _has_names(header: Row, rows: list[Row]) -> bool:
    """Whether a row has names rather than values.

    It has values if it has no text, or a value of a form that all others of
    its column have: E09000021 above E09000029. Years, months such as 202610 and small numbers
    may be names.
    """
    if all(map(_VALUE.fullmatch, header)):
        return False
    below = [row for row in rows if len(row) == len(header)]
    alike = 0
    for place, cell in enumerate(header):
        text = cell.strip()
        form = _form(text)
        may_be_a_name = "9" not in form or _is_year_or_small(text)
        alike += not may_be_a_name and {_form(row[place]) for row in below} == {form}
    # A single row below may be like a name by chance.
    return alike < (1 if len(below) > 1 else 2)


def _form(cell: str) -> str:
    """A text with 9 for each number and A for each word."""
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", cell.strip()))


def _is_year_or_small(text: str) -> bool:
    if len(text) > _LONGEST_NAME or not text.isdecimal():
        return False
    number = int(text)
    year, month = divmod(number, 100)
    is_month = year in _YEARS and month in range(1, 13)
    return number < _MOST_SMALL or number in _YEARS or is_month


def _header(lines: list[str], delimiter: str, width: int) -> tuple[int, Row]:
    """The number of lines above the header, and its cells."""
    reader = csv.reader(lines[:_HEAD_LINES], delimiter=delimiter)
    found: list[tuple[int, Row]] = []
    try:
        before = 0
        for row in reader:
            found.append((before, row))
            before = reader.line_num
    except csv.Error:
        pass
    found = found or [(0, lines[0].split(delimiter))]
    usual = median(_filled(row) for _, row in found if len(row) == width) if found else 0
    for number, row in found[:_MOST_TITLES]:
        if len(row) == width and is_header(_filled(row), usual):
            return number, row
    return next(((number, row) for number, row in found if any(row)), found[0])


def _below(lines: list[str], delimiter: str, width: int) -> tuple[int, str]:
    """The number of lines below the last record, and the first of them that says something."""
    count, said = 0, ""
    blank: list[str] = []
    for line in reversed(lines[-_MOST_BELOW:]):
        if line.count('"') % 2:
            # A part of a row that goes over several lines.
            break
        row = _rows([line], delimiter)[0] if line.strip() else []
        first = next((cell.strip() for cell in row if cell.strip()), "")
        if not first:
            blank.append(line)
        elif len(row) != width or is_below(first, _filled(row), width):
            count += len(blank) + 1
            said, blank = line, []
        else:
            break
    # Above a line of another kind, blank ones are not records either.
    count += len(blank) if count else 0
    return (count, said) if count < len(lines) - 1 else (0, "")


def _filled(row: Row) -> int:
    return sum(bool(cell.strip()) for cell in row)


def _shown(line: str) -> str:
    return f"`{line.strip()[:_SHOWN]}`"
