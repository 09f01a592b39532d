"""Samples that are no JSON and no CSV: spreadsheets, Parquet, XML."""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from include.errors import BeyondLimit, UnexpectedPayload
from include.jobs.author.questions import Ask, Question, answered
from include.jobs.author.samples.csv_layout import is_below, is_grouped, is_header
from include.jobs.author.samples.shapes import shapes
from include.records.archives import opened
from include.records.json.values import BodyCutShort
from include.records.spreadsheets.cells import Row, Value
from include.records.spreadsheets.package import Package
from include.records.spreadsheets.workbook import OLE2, sheet_rows, visible_sheets
from include.sources import paths
from include.sources.formats import Format
from include.sources.limits import Limits

Layout = dict[str, Any]
Read = Callable[[bytes, Layout], list[dict[str, Any]]]

_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"
_MOST_TITLES = 30
_MOST_BELOW = 20
# Of text, a declaration and comments come before the first element.
_ROOT = re.compile(rb"<(?![!?])([^\s/>]+)")


def kind_of_file(content: bytes) -> str:
    """The kind of a file that is not text: `spreadsheet` or `parquet`; else empty."""
    if content.startswith(_PARQUET):
        return "parquet"
    if content.startswith(OLE2):
        return "spreadsheet"
    if not content.startswith(_ZIP):
        return ""
    try:
        with opened(io.BytesIO(content)) as archive:
            package = Package(archive, len(content))
            is_sheet = "[Content_Types].xml" in package or "mimetype" in package
            return "spreadsheet" if is_sheet else ""
    except (BodyCutShort, UnexpectedPayload):
        return ""


def sheet_layout(content: bytes, sheet: str, ask: Ask, limits: Limits) -> tuple[Layout, list[str]]:
    """The layout of a workbook's sheet, and remarks on the rows that are left out.

    Raises `UnexpectedPayload` for a workbook that cannot be read, and
    `PermanentError` if the sheet must be chosen.
    """
    try:
        return _sheet_layout(content, sheet, ask, limits)
    except (BodyCutShort, BeyondLimit, UnexpectedPayload) as error:
        raise UnexpectedPayload(f"new-source: the workbook cannot be read: {error}.") from error


def _sheet_layout(content: bytes, sheet: str, ask: Ask, limits: Limits) -> tuple[Layout, list[str]]:
    plain = Format(kind="spreadsheet").with_limits(limits)
    names = visible_sheets(io.BytesIO(content), plain)
    chosen = sheet
    if len(names) > 1 or sheet:
        question = Question(
            "new-source: the workbook has several sheets: which one", "--sheet", names
        )
        chosen = answered(question, sheet, ask)
    words: Layout = {"kind": "spreadsheet", **({"sheet": chosen} if len(names) > 1 else {})}
    layout = Format.model_validate(words).with_limits(limits)
    first: list[Row] = []
    last: deque[Row] = deque(maxlen=_MOST_BELOW)
    for row in sheet_rows(io.BytesIO(content), layout):
        if row.cells:
            last.append(row)
            if len(first) < 2 * _MOST_TITLES:
                first.append(row)
    above, width = _above(first)
    grouped = _is_grouped(first, above)
    below = _below(last, above, width)
    above -= grouped
    remarks = [f"The rows are those of the sheet {chosen!r}."] if len(names) > 1 else []
    if grouped:
        words["header_rows"] = 2
        remarks.append("The header has two rows.")
    if above:
        words["skip_rows_before_header"] = above
        remarks.append(f"Rows skipped above the header: {above}.")
    if below:
        words["skip_rows_at_end"] = below
        remarks.append(f"Rows skipped below the records: {below}, {_shown(last[-below])}.")
    return words, remarks


def _above(rows: list[Row]) -> tuple[int, int]:
    """The rows above the header, empty ones included, and how many cells the header has."""
    width = max((len(row.cells) for row in rows), default=0)
    for row in rows[:_MOST_TITLES]:
        if is_header(len(row.cells), width):
            return row.number - 1, len(row.cells)
    return (rows[0].number - 1 if rows else 0), width


def _is_grouped(rows: list[Row], above: int) -> bool:
    """Whether the header below so many rows has a second row above it."""
    by_number = {row.number: _texts(row) for row in rows}
    return is_grouped(by_number.get(above + 1, []), by_number.get(above, []))


def _texts(row: Row) -> list[str]:
    """The texts of a row by their column, from the first."""
    return [_text(row.cells.get(place, "")) for place in range(1, max(row.cells, default=0) + 1)]


def _below(rows: deque[Row], above: int, width: int) -> int:
    count = 0
    for row in reversed(rows):
        first = next((_text(row.cells[place]) for place in sorted(row.cells)), "")
        if row.number <= above + 1 or not is_below(first, len(row.cells), width):
            break
        count += 1
    return count


def _text(value: Value) -> str:
    return bytes(value).decode() if isinstance(value, msgspec.Raw) else str(value)


def _shown(row: Row) -> str:
    texts = (_text(row.cells[place]) for place in sorted(row.cells))
    return f"`{', '.join(texts)[:60]}`"


def xml_layout(content: bytes, plain: bytes, records: str, read: Read) -> Layout:
    """The layout of an XML document: the repeated element that is most likely the record.

    Raises `UnexpectedPayload` if no element with others in it is repeated.
    """
    root = _ROOT.search(plain)
    if root is None:
        raise UnexpectedPayload("new-source: the response is XML without an element.")
    if records:
        return {"kind": "xml", "records": records}
    name = root[1].decode("utf-8", "replace")
    whole = read(content, {"kind": "xml", "records": paths.joined((name,))})
    known = [
        shape
        for shape in shapes({name: whole[0]})
        if shape.kind == "json" and "*" not in shape.path
    ]
    if not known:
        raise UnexpectedPayload(
            "new-source: no element of the XML document is repeated and has others in it. Save one "
            "with several records, or name the elements with `--records`."
        )
    return {"kind": "xml", "records": paths.joined(known[0].path)}
