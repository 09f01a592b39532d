"""Excel workbooks (.xlsx, .xlsm), by ECMA-376: https://ecma-international.org/publications-and-standards/standards/ecma-376/"""

from __future__ import annotations

import posixpath
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from tempfile import TemporaryFile

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.spreadsheets.cells import (
    EXCEL_1900,
    EXCEL_1904,
    MOST_COLUMNS,
    Row,
    Shows,
    Value,
    grown,
    moment,
    name_of,
    number,
    shown_as,
)
from include.records.spreadsheets.package import Package
from include.records.xml.parser import parse
from include.sources.limits import VALUE_BYTES

_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_RECENT_STRINGS = 4096


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook, and the name of its part."""

    name: str
    visible: bool
    part: str


class Workbook:
    """A workbook: its sheets, and the rows of one."""

    def __init__(self, package: Package, part: str, limit: int) -> None:
        self._package, self._limit = package, limit
        self._part = part
        self._first_day = EXCEL_1900
        self._strings: _Strings | None = None
        self._shown: list[Shows] = []
        self._related = {kind: target for _, kind, target in self._relations(part)}
        self.sheets = self._read_sheets()

    def _relations(self, part: str) -> list[tuple[str, str, str]]:
        return relations(self._package, part, self._limit)

    def _read_sheets(self) -> list[Sheet]:
        targets = {id_: (kind, target) for id_, kind, target in self._relations(self._part)}
        found = []
        for name, attributes in elements(self._package, self._part, self._limit):
            if name == "workbookPr":
                is_1904 = attributes.get("date1904", "0") in ("1", "true")
                self._first_day = EXCEL_1904 if is_1904 else EXCEL_1900
            elif name == "sheet":
                id_ = next((v for k, v in attributes.items() if k.endswith("id") and ":" in k), "")
                kind, target = targets.get(id_, ("", ""))
                if kind == "worksheet":
                    visible = attributes.get("state", "visible") == "visible"
                    found.append(Sheet(attributes.get("name", ""), visible, target))
        return found

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The rows of a sheet, in order, without those that the file leaves out."""
        if "styles" in self._related:
            self._shown = _number_formats(self._package, self._related["styles"], self._limit)
        with _Strings() as strings:
            if "sharedStrings" in self._related:
                strings.read(self._package, self._related["sharedStrings"], self._limit)
            rows = _Rows(self._shown, strings, self._first_day, self._limit)
            with self._package.open(sheet.part) as body:
                yield from parse(body, rows, self._limit)


def relations(package: Package, part: str, limit: int) -> list[tuple[str, str, str]]:
    """The relations of a part: the ID, kind and target of each that is in the package."""
    folder, name = posixpath.split(part)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    if path not in package:
        return []
    return [
        (
            attributes.get("Id", ""),
            attributes.get("Type", "").rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))),
        )
        for name, attributes in elements(package, path, limit)
        if name == "Relationship" and attributes.get("TargetMode") != "External"
    ]


class _Starts:
    """Every element that begins: its name without prefix, and its attributes."""

    def __init__(self) -> None:
        self.found: list[tuple[str, dict[str, str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self.found.append((name.rpartition(":")[2], attributes))

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Text is not needed."""


def elements(package: Package, part: str, limit: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The elements of a part in order of their beginning. Raises `UnexpectedPayload` if absent."""
    with package.open(part) as body:
        yield from parse(body, _Starts(), limit)


def _number_formats(package: Package, part: str, limit: int) -> list[Shows]:
    """What the cells of each style show."""
    codes: dict[str, str] = {}
    found: list[Shows] = []
    in_cells, size = False, 0
    for name, attributes in elements(package, part, limit):
        if name == "numFmt":
            code = attributes.get("formatCode", "")
            codes[attributes.get("numFmtId", "")] = code
            size += VALUE_BYTES + len(code)
        elif name in ("cellXfs", "cellStyles", "cellStyleXfs", "dxfs"):
            in_cells = name == "cellXfs"
        elif name == "xf" and in_cells:
            code = attributes.get("numFmtId", "0")
            found.append(shown_as(_whole(code, 0), codes.get(code)))
            size += VALUE_BYTES
        if size > limit:
            raise BeyondLimit("a workbook has too many styles", "record_bytes", limit)
    return found


class _Strings:
    """The texts that cells share, in a temporary file: there can be millions."""

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115, closed on leaving
        self._ends = array("Q", [0])
        self._recent = lru_cache(maxsize=_RECENT_STRINGS)(self._read)

    def __enter__(self) -> _Strings:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, package: Package, part: str, limit: int) -> None:
        """Read them from a part of the workbook."""
        with package.open(part) as body:
            end = 0
            for text in parse(body, _Texts(limit), limit):
                content = text.encode("utf-8", "surrogatepass")
                self._file.write(content)
                end += len(content)
                self._ends.append(end)
        self._file.flush()

    def __getitem__(self, place: int) -> str:
        if not 0 <= place < len(self._ends) - 1:
            raise UnexpectedPayload(
                f"expected a workbook, found a cell with text {place} of {len(self._ends) - 1}"
            )
        return self._recent(place)

    def _read(self, place: int) -> str:
        start, end = self._ends[place], self._ends[place + 1]
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "surrogatepass")


def _unescaped(text: str) -> str:
    """Characters that XML cannot hold are written as _x000D_."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return match[0] if 0xD800 <= code <= 0xDFFF else chr(code)


class _Texts:
    """The texts of `si` elements: of all their runs, without how they are pronounced."""

    def __init__(self, limit: int) -> None:
        self.found: list[str] = []
        self._text: list[str] = []
        self._size, self._limit = 0, limit
        self._inside = self._pronounced = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        local = name.rpartition(":")[2]
        if local == "si":
            self._text, self._size = [], 0
        elif local == "rPh":
            self._pronounced = True
        self._inside = local == "t" and not self._pronounced

    def end(self, name: str) -> None:
        """An element ends."""
        local = name.rpartition(":")[2]
        self._inside = False
        if local == "rPh":
            self._pronounced = False
        elif local == "si":
            self.found.append(_unescaped("".join(self._text)))

    def text(self, text: str) -> None:
        """A part of a text."""
        if self._inside:
            self._size = grown(self._size, len(text), self._limit)
            self._text.append(text)


def _whole(text: str, other: int) -> int:
    """A whole number that is not too large; else another."""
    return int(text) if text.isdecimal() and len(text) < 10 else other


@lru_cache(maxsize=MOST_COLUMNS)
def _column(letters: str) -> int:
    """The number of a column, from 1. Raises `UnexpectedPayload`."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - 64
    if not 1 <= found <= MOST_COLUMNS or not letters.isupper():
        raise UnexpectedPayload(f"expected at most {MOST_COLUMNS} columns, found {letters[:20]!r}")
    return found


class _Rows:
    """The rows of a sheet."""

    def __init__(self, shown: list[Shows], strings: _Strings, first_day: date, limit: int) -> None:
        self.found: list[Row] = []
        self._shown, self._strings, self._first_day = shown, strings, first_day
        self._limit = limit
        self._row: Row | None = None
        self._number = self._place = self._size = 0
        self._cell: dict[str, str] | None = None
        self._text: list[str] = []
        self._formula = self._valued = self._takes = self._pronounced = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        local = name.rpartition(":")[2]
        if local == "c":
            self._begin_cell(attributes)
        elif local == "row":
            self._begin_row(attributes.get("r", ""))
        elif self._cell is not None:
            self._takes = local == "v" or (local == "t" and not self._pronounced)
            self._valued = self._valued or local in ("v", "is")
            self._formula = self._formula or local == "f"
            self._pronounced = self._pronounced or local == "rPh"

    def _begin_row(self, place: str) -> None:
        before = self._number
        self._number = _whole(place, before + 1)
        if self._number <= before:
            raise UnexpectedPayload(
                f"expected the rows of a sheet in order, found row {self._number} after {before}"
            )
        self._row = Row(self._number)
        self._place = self._size = 0

    def _begin_cell(self, attributes: dict[str, str]) -> None:
        letters = attributes.get("r", "").rstrip("0123456789")
        before = self._place
        self._place = _column(letters) if letters else before + 1
        if not before < self._place <= MOST_COLUMNS:
            raise UnexpectedPayload(
                f"expected at most {MOST_COLUMNS} cells of a row in order, found "
                f"{name_of(self._place, self._number)} after {name_of(before, self._number)}"
            )
        self._cell = attributes
        self._text = []
        self._formula = self._valued = self._takes = self._pronounced = False
        self._size = grown(self._size, VALUE_BYTES, self._limit)

    def text(self, text: str) -> None:
        """A part of a value."""
        if self._takes:
            self._size = grown(self._size, len(text), self._limit)
            self._text.append(text)

    def end(self, name: str) -> None:
        """An element ends."""
        local = name.rpartition(":")[2]
        self._takes = False
        if local == "c":
            self._end_cell()
        elif local == "row" and self._row is not None:
            self.found.append(self._row)
            self._row = None
        elif local == "rPh":
            self._pronounced = False

    def _end_cell(self) -> None:
        cell, row = self._cell, self._row
        self._cell = None
        if cell is None or row is None:
            return
        text = "".join(self._text)
        if text == "" and self._formula and cell.get("t") != "str":
            row.lacking = row.lacking or name_of(self._place, row.number)
            return
        if text or self._valued:
            value = self._value(text, cell)
            if value != "":
                row.cells[self._place] = value

    def _value(self, text: str, cell: dict[str, str]) -> Value:
        kind = cell.get("t", "n")
        if kind == "s":
            shared = self._strings[_whole(text, -1)]
            self._size = grown(self._size, len(shared), self._limit)
            return shared
        if kind == "b":
            return {"1": True, "0": False, "true": True, "false": False}.get(text, text)
        if kind != "n":
            # Text of a formula or of the cell itself, an error such as #N/A, or a date in ISO 8601.
            return _unescaped(text) if kind in ("str", "inlineStr") else text
        shows = self._shows(cell.get("s", ""))
        return moment(text, shows, self._first_day) if shows and text else number(text)

    def _shows(self, style: str) -> Shows:
        place = _whole(style, 0)
        return self._shown[place] if 0 <= place < len(self._shown) else ""
