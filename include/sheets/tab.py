"""Write a table into one tab of a spreadsheet, so that readers see the old rows or the new ones.

The rows are sent to a hidden tab. One last request, of which Google makes all changes or none,
then copies them over the old ones and removes the hidden tab. The visible tab stays itself:
formulas, charts and links to it keep working.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from include.errors import PermanentError, PipelineError
from include.sheets.cells import MOST_CELLS, MOST_COLUMNS, Cell
from include.sheets.client import Sheets, Uncertain

# What marks a tab as ours; its value is the table.
MARK = "wandle"
HIDDEN = "wandle writes "
ATTEMPTS = 3
_MOST_ID = 2**31 - 1


@dataclass(frozen=True)
class Shape:
    """A table: its name, the number of its rows, its columns, and the format of each, if any."""

    name: str
    rows: int
    columns: Sequence[str]
    formats: Sequence[str]

    @property
    def height(self) -> int:
        """Its rows with the heading; at least one below it, which a frozen heading needs."""
        return max(self.rows, 1) + 1


@dataclass(frozen=True)
class _Tab:
    """A tab of the spreadsheet; `mark` is the table that we wrote into it."""

    number: int
    title: str
    height: int
    width: int
    mark: str = ""


# The chunks of a table's cells, from the heading on, again at each call.
Chunks = Callable[[], Iterable[list[list[Cell]]]]


def write(
    sheets: Sheets, spreadsheet: str, title: str, shape: Shape, chunks: Chunks, *, replace: bool
) -> str:
    """Replace the tab of that title by the table, or add it; returns the spreadsheet's title.

    Raises `PermanentError` if the spreadsheet would be too large, and, without
    `replace`, if the tab contains anything other than a table with that name.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _write(sheets, spreadsheet, title, shape, chunks, replace)
        except Uncertain:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _write(
    sheets: Sheets, spreadsheet: str, title: str, shape: Shape, chunks: Chunks, replace: bool
) -> str:
    found = sheets.tabs(spreadsheet)
    tabs = [_tab(item) for item in found.get("sheets", ())]
    target = next((tab for tab in tabs if tab.title.lower() == title.lower()), None)
    if target and target.mark != shape.name and not replace:
        what = f"has {target.mark} in it" if target.mark else "was not written by Wandle"
        raise PermanentError(
            f"sheets: the tab {target.title!r} {what}. Nothing was changed. To replace all that is "
            "in it, pass `--replace`; to leave it, choose another one with `--tab`."
        )
    hidden = HIDDEN + title
    left = [tab for tab in tabs if tab.title == hidden]
    others = [tab for tab in tabs if tab not in left]
    _refuse_large(shape, target, others)
    number = secrets.randbelow(_MOST_ID) + 1
    added = {
        "sheetId": number, "title": hidden, "hidden": True,
        "gridProperties": {"rowCount": shape.height, "columnCount": len(shape.columns)},
    }  # fmt: skip
    removal = [{"deleteSheet": {"sheetId": tab.number}} for tab in left]
    sheets.change(spreadsheet, [*removal, {"addSheet": {"properties": added}}])
    try:
        first = 1
        for chunk in chunks():
            sheets.put_values(spreadsheet, f"{_quoted(hidden)}!A{first}", chunk)
            first += len(chunk)
        sheets.change(spreadsheet, _swap(shape, number, title, target))
    except Uncertain:
        raise
    except BaseException:
        with suppress(PipelineError):
            sheets.change(spreadsheet, [{"deleteSheet": {"sheetId": number}}])
        raise
    return str(found.get("properties", {}).get("title", ""))


def _refuse_large(shape: Shape, target: _Tab | None, others: list[_Tab]) -> None:
    """Raise `PermanentError` if the table, and a copy while it is written, do not fit."""
    columns = len(shape.columns)
    if columns > MOST_COLUMNS:
        raise PermanentError(
            f"sheets: {shape.name} has {columns:,} columns; Google Sheets holds {MOST_COLUMNS:,}. "
            "Nothing was written. Use the mart in PostgreSQL."
        )
    own = shape.height * columns
    used = sum(tab.height * tab.width for tab in others)
    grown = 0
    if target:
        after = max(target.height, shape.height) * max(target.width, columns)
        grown = after - target.height * target.width
    if used + own + grown > MOST_CELLS:
        raise PermanentError(
            f"sheets: {shape.name} has {shape.rows:,} rows of {columns} columns: {own:,} cells. A "
            f"spreadsheet holds {MOST_CELLS:,}, and this one has {used:,} already; a copy needs "
            "room while it is written. Nothing was written. Choose another spreadsheet or a "
            "smaller mart, or use the mart in PostgreSQL."
        )


def _swap(shape: Shape, hidden: int, title: str, target: _Tab | None) -> list[dict[str, Any]]:
    """The changes that make the hidden rows the visible ones."""
    if target is None:
        shown = {
            "sheetId": hidden, "title": title, "hidden": False,
            "gridProperties": {"frozenRowCount": 1},
        }  # fmt: skip
        fields = "title,hidden,gridProperties.frozenRowCount"
        rename = {"updateSheetProperties": {"properties": shown, "fields": fields}}
        return [rename, *_formats(shape, hidden), _marked(shape, hidden)]
    grid = {
        "rowCount": max(target.height, shape.height),
        "columnCount": max(target.width, len(shape.columns)),
        "frozenRowCount": 1,
    }
    resize = {
        "updateSheetProperties": {
            "properties": {"sheetId": target.number, "gridProperties": grid},
            "fields": "gridProperties(rowCount,columnCount,frozenRowCount)",
        }
    }
    clear = {"updateCells": {"range": {"sheetId": target.number}, "fields": "userEnteredValue"}}
    # Cells are copied as they are: pasting values alone would leave it to Google whether a text
    # that looks like a formula stays one.
    copy = {
        "copyPaste": {
            "source": _range(hidden, shape, 0),
            "destination": _range(target.number, shape, 0),
            "pasteType": "PASTE_NORMAL",
        }
    }
    changes = [resize, clear, copy, *_formats(shape, target.number)]
    changes.append({"deleteSheet": {"sheetId": hidden}})
    if target.mark != shape.name:
        changes += [_unmarked(target.number)] if target.mark else []
        changes.append(_marked(shape, target.number))
    return changes


def _formats(shape: Shape, number: int) -> list[dict[str, Any]]:
    """A bold heading, and days shown as days."""
    heading = _range(number, shape, 0) | {"endRowIndex": 1}
    found = [_formatted(heading, "textFormat.bold", {"textFormat": {"bold": True}})]
    for place, pattern in enumerate(shape.formats):
        if pattern:
            column = {"startColumnIndex": place, "endColumnIndex": place + 1}
            kind = "DATE_TIME" if "h" in pattern else "DATE"
            shown = {"numberFormat": {"type": kind, "pattern": pattern}}
            found.append(_formatted(_range(number, shape, 1) | column, "numberFormat", shown))
    return found


def _formatted(place: dict[str, int], field: str, shown: dict[str, Any]) -> dict[str, Any]:
    return {
        "repeatCell": {
            "range": place,
            "cell": {"userEnteredFormat": shown},
            "fields": f"userEnteredFormat.{field}",
        }
    }


def _range(number: int, shape: Shape, first_row: int) -> dict[str, int]:
    return {
        "sheetId": number,
        "startRowIndex": first_row,
        "endRowIndex": shape.height,
        "startColumnIndex": 0,
        "endColumnIndex": len(shape.columns),
    }


def _marked(shape: Shape, number: int) -> dict[str, Any]:
    return {
        "createDeveloperMetadata": {
            "developerMetadata": {
                "metadataKey": MARK,
                "metadataValue": shape.name,
                "visibility": "DOCUMENT",
                "location": {"sheetId": number},
            }
        }
    }


def _unmarked(number: int) -> dict[str, Any]:
    lookup = {"metadataKey": MARK, "metadataLocation": {"sheetId": number}}
    return {"deleteDeveloperMetadata": {"dataFilter": {"developerMetadataLookup": lookup}}}


def _tab(found: dict[str, Any]) -> _Tab:
    properties = found["properties"]
    grid = properties.get("gridProperties", {})
    marks = {
        item.get("metadataKey"): item.get("metadataValue", "")
        for item in found.get("developerMetadata", ())
    }
    return _Tab(
        # The first tab has the number 0, which an answer may leave out.
        int(properties.get("sheetId", 0)),
        str(properties.get("title", "")),
        int(grid.get("rowCount", 0)),
        int(grid.get("columnCount", 0)),
        str(marks.get(MARK, "")),
    )


def _quoted(title: str) -> str:
    return "'" + title.replace("'", "''") + "'"
