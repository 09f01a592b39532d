"""OpenDocument spreadsheets (.ods): https://docs.oasis-open.org/office/OpenDocument/v1.3/"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from include.errors import UnexpectedPayload
from include.records.spreadsheets.cells import MOST_COLUMNS, Row, Value, grown, name_of, number
from include.records.spreadsheets.package import Package
from include.records.xml.parser import parse
from include.sources.limits import VALUE_BYTES

_URI = "urn:oasis:names:tc:opendocument:xmlns:"
TABLE, OFFICE, TEXT, STYLE = (f"{_URI}{name}:1.0 " for name in ("table", "office", "text", "style"))
_CALC = "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0 "
_CELLS = (f"{TABLE}table-cell", f"{TABLE}covered-table-cell")
# Rows of the largest sheets: https://help.libreoffice.org/latest/en-US/text/scalc/guide/calc_large_sheets.html
MOST_ROWS = 2**24
_DURATION = re.compile(r"(-?)PT(\d{1,9})H(\d{1,9})M(\d{1,9}(?:[.,]\d{1,9})?)S", re.ASCII)


def rows(package: Package, wanted: Callable[[str, bool], bool], limit: int) -> Iterator[Row]:
    """The rows of those sheets that are wanted, by their name and whether they are visible."""
    with package.open("content.xml") as body:
        yield from parse(body, _Tables(wanted, limit), limit, namespaces=True)


class _Tables:
    """The rows of tables that stand directly in the spreadsheet."""

    def __init__(self, wanted: Callable[[str, bool], bool], limit: int) -> None:
        self.found: list[Row] = []
        self._wanted, self._limit = wanted, limit
        self._names: list[str] = []
        self._style = ""
        self._hidden: set[str] = set()
        self._reading = False
        self._number = self._times = self._place = self._size = 0
        self._row: Row | None = None
        self._cell: Mapping[str, str] | None = None
        self._spans = 1
        self._paragraphs: list[list[str]] = []
        # The depth of an element in a cell whose text is not part of the value, such as a note.
        self._beside = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        above = self._names[-1] if self._names else ""
        self._names.append(name)
        if self._cell is not None:
            self._start_in_cell(name, attributes)
        elif name == f"{TABLE}table" and above == f"{OFFICE}spreadsheet":
            visible = attributes.get(f"{TABLE}style-name", "") not in self._hidden
            self._reading = self._wanted(attributes.get(f"{TABLE}name", ""), visible)
            self._number = 0
        elif self._reading and name == f"{TABLE}table-row":
            self._times = _repeated(attributes, f"{TABLE}number-rows-repeated", MOST_ROWS)
            self._row = Row(self._number + 1)
            self._place = self._size = 0
        elif self._row is not None and name in _CELLS:
            self._cell, self._paragraphs = attributes, []
            self._spans = _repeated(attributes, f"{TABLE}number-columns-repeated", MOST_ROWS)
        elif name == f"{STYLE}style":
            self._style = attributes.get(f"{STYLE}name", "")
        elif name == f"{STYLE}table-properties" and attributes.get(f"{TABLE}display") == "false":
            self._hidden.add(self._style)

    def _start_in_cell(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._beside:
            return
        if name in (f"{OFFICE}annotation", f"{TABLE}table") or not name.startswith(TEXT):
            self._beside = len(self._names)
        elif name == f"{TEXT}p":
            self._paragraphs.append([])
        elif name == f"{TEXT}s":
            self._add(" " * _repeated(attributes, f"{TEXT}c", self._limit))
        elif name == f"{TEXT}tab":
            self._add("\t")
        elif name == f"{TEXT}line-break":
            self._add("\n")

    def _add(self, text: str) -> None:
        self._grow(len(text))
        if self._paragraphs:
            self._paragraphs[-1].append(text)

    def text(self, text: str) -> None:
        """A part of a text."""
        if self._cell is not None and not self._beside and self._paragraphs:
            self._add(text)

    def end(self, name: str) -> None:
        """An element ends."""
        if self._cell is not None and self._beside == len(self._names):
            self._beside = 0
        self._names.pop()
        if self._cell is not None and self._row and name in _CELLS and not self._beside:
            self._end_cell(self._cell, self._row)
            self._cell = None
        elif self._row is not None and self._cell is None and name == f"{TABLE}table-row":
            self._end_row(self._row)
            self._row = None
        elif name == f"{TABLE}table" and self._names[-1:] == [f"{OFFICE}spreadsheet"]:
            self._reading = False

    def _end_row(self, row: Row) -> None:
        self._number += self._times
        if not row.cells and not row.lacking:
            return
        if self._number > MOST_ROWS:
            raise UnexpectedPayload(f"expected at most {MOST_ROWS} rows, found more")
        row.times = self._times
        self.found.append(row)

    def _end_cell(self, cell: Mapping[str, str], row: Row) -> None:
        first, self._place = self._place + 1, self._place + self._spans
        text = "\n".join(map("".join, self._paragraphs))
        value = _value(cell, text)
        if value == "" and f"{TABLE}formula" in cell and f"{OFFICE}value-type" not in cell:
            row.lacking = row.lacking or name_of(first, row.number)
            return
        if value == "":
            return
        if self._place > MOST_COLUMNS:
            raise UnexpectedPayload(f"expected at most {MOST_COLUMNS} columns, found more")
        self._grow(self._spans * (len(value) if isinstance(value, str) else 0) + VALUE_BYTES)
        for place in range(first, self._place + 1):
            row.cells[place] = value

    def _grow(self, more: int) -> None:
        self._size = grown(self._size, more, self._limit)


def _value(cell: Mapping[str, str], text: str) -> Value:
    """The value of a cell with this text."""
    kind = cell.get(f"{OFFICE}value-type", "")
    if cell.get(f"{_CALC}value-type") == "error":
        return text
    if kind in ("float", "percentage", "currency"):
        return number(cell.get(f"{OFFICE}value", ""))
    if kind == "date":
        return cell.get(f"{OFFICE}date-value", "")
    if kind == "time":
        return _clock(cell.get(f"{OFFICE}time-value", ""))
    if kind == "boolean":
        return {"true": True, "false": False}.get(cell.get(f"{OFFICE}boolean-value", ""), text)
    return cell.get(f"{OFFICE}string-value") or text


def _clock(duration: str) -> str:
    """A duration of hours, minutes and seconds as 12:30:00; any other as it is."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        return duration
    seconds, _, fraction = match[4].replace(",", ".").partition(".")
    fraction = fraction.rstrip("0")
    clock = f"{match[1]}{int(match[2]):02d}:{int(match[3]):02d}:{int(seconds):02d}"
    return f"{clock}.{fraction}" if fraction else clock


def _repeated(attributes: Mapping[str, str], name: str, most: int) -> int:
    """How often something is repeated, 1 by default."""
    text = attributes.get(name, "1")
    count = int(text) if text.isdecimal() and len(text) < 10 else most + 1
    if count > most:
        raise UnexpectedPayload(f"expected at most {most} in a row, found {text[:20]}")
    return count
