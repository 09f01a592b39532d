"""A spreadsheet -> its records: the rows of one sheet, by its header."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import IO, Any

import msgspec

from include.errors import UnexpectedPayload
from include.records.archives import opened
from include.records.header import field_names, names_of_rows
from include.records.json.values import parsed
from include.records.lines import HeldBack
from include.records.spreadsheets import ods, xlsx
from include.records.spreadsheets.cells import Row, Value, letters_of
from include.records.spreadsheets.package import Package
from include.sources.formats import Format

OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SCANNED_BYTES = 1024 * 1024
_NAMES_SHOWN = 12
_ODS = "application/vnd.oasis.opendocument.spreadsheet"

# A record and its bytes, written as JSON.
Line = tuple[Any, bytes]


def spreadsheet_lines(body: IO[bytes], layout: Format) -> Iterator[Line]:
    """The rows of the contract's sheet as objects by its header, each written as JSON too.

    A row with a formula whose value the file does not contain is returned as
    text, and so is the header where it is repeated. Rows without values are
    left out. Raises `UnexpectedPayload` for a file that is not a spreadsheet, has
    a password, or lacks the sheet or a field of the header, `BodyCutShort` for
    one that is not complete, and `BeyondLimit`.
    """
    _refuse_old(body)
    with opened(body) as archive:
        package = Package(archive, layout.limits.answer_bytes)
        yield from _records(_rows(package, layout), layout)


def visible_sheets(body: IO[bytes], layout: Format) -> list[str]:
    """The names of the sheets that are not hidden. Raises as `spreadsheet_lines` does."""
    _refuse_old(body)
    limit = layout.limits.record_bytes
    found: list[str] = []

    def noted(name: str, visible: bool) -> bool:
        if visible:
            found.append(name)
        return False

    with opened(body) as archive:
        package = Package(archive, layout.limits.answer_bytes)
        if "mimetype" in package:
            for _ in ods.rows(package, noted, limit):
                pass
        else:
            for sheet in _book(package, limit).sheets:
                noted(sheet.name, sheet.visible)
    return found


def sheet_rows(body: IO[bytes], layout: Format) -> Iterator[Row]:
    """All rows of the contract's sheet, also those around the records."""
    _refuse_old(body)
    with opened(body) as archive:
        yield from _rows(Package(archive, layout.limits.answer_bytes), layout)


def _refuse_old(body: IO[bytes]) -> None:
    body.seek(0)
    head = body.read(len(OLE2))
    if head != OLE2:
        return
    rest = b""
    while chunk := body.read(_SCANNED_BYTES):
        if _ENCRYPTED in rest + chunk:
            raise UnexpectedPayload(
                "expected a spreadsheet, found a workbook with a password: save it without one"
            )
        rest = chunk[-len(_ENCRYPTED) :]
    raise UnexpectedPayload(
        "expected a spreadsheet as .xlsx or .ods, found an old Office document, such as .xls: "
        "save it as .xlsx"
    )


def _rows(package: Package, layout: Format) -> Iterator[Row]:
    limit = layout.limits.record_bytes
    if "mimetype" in package:
        yield from _rows_of_ods(package, layout, limit)
        return
    book = _book(package, limit)
    choice = _Choice(layout)
    chosen = [sheet for sheet in book.sheets if choice.takes(sheet.name, sheet.visible)]
    choice.check()
    yield from book.rows(chosen[0])


def _book(package: Package, limit: int) -> xlsx.Workbook:
    main = next(
        (
            target
            for _, kind, target in xlsx.relations(package, "", limit)
            if kind == "officeDocument"
        ),
        "",
    )
    if not main.lower().endswith(".xml") or "/xl/" not in main.lower():
        raise UnexpectedPayload(f"expected a spreadsheet, found {_instead(package, main)}")
    return xlsx.Workbook(package, main, limit)


def _instead(package: Package, main: str) -> str:
    if main.lower().endswith(".bin"):
        return "a binary workbook (.xlsb): save it as .xlsx"
    if main:
        return f"another Office document ({main.strip('/')[:80]!r})"
    return "a zip file that is not a workbook"


def _rows_of_ods(package: Package, layout: Format, limit: int) -> Iterator[Row]:
    with package.open("mimetype") as part:
        found = part.read(200).decode("latin-1").strip()
    if found != _ODS:
        raise UnexpectedPayload(f"expected a spreadsheet, found a file of the type {found!r}")
    manifest = "META-INF/manifest.xml"
    if manifest in package and any(
        name == "encryption-data" for name, _ in xlsx.elements(package, manifest, limit)
    ):
        raise UnexpectedPayload(
            "expected a spreadsheet, found one with a password: save it without one"
        )
    choice = _Choice(layout)
    yield from ods.rows(package, choice.takes, limit)
    choice.check()


class _Choice:
    """Chooses the contract's sheet: by name or pattern, by number, or the only visible one."""

    def __init__(self, layout: Format) -> None:
        self._wanted = layout.sheet
        self._names: list[str] = []
        self._visible: list[str] = []
        self._taken: list[str] = []

    def takes(self, name: str, visible: bool) -> bool:
        """Whether it is the next sheet. Raises `UnexpectedPayload` for a second one."""
        self._names.append(name)
        if visible:
            self._visible.append(name)
        wanted = self._wanted
        if isinstance(wanted, int):
            taken = visible and len(self._visible) == wanted
        elif wanted:
            taken = fnmatchcase(name, wanted) or name == wanted
        else:
            taken = visible
        if taken:
            self._taken.append(name)
        return taken and len(self._taken) == 1

    def check(self) -> None:
        """Raise `UnexpectedPayload` unless one sheet was taken."""
        if len(self._taken) == 1:
            return
        names = ", ".join(f"{name[:80]!r}" for name in self._names[:_NAMES_SHOWN]) or "none"
        if len(self._names) > _NAMES_SHOWN:
            names += f" and {len(self._names) - _NAMES_SHOWN} more"
        if self._wanted:
            raise UnexpectedPayload(
                f"expected one sheet {self._wanted!r} as `sheet` says, found {len(self._taken)} of "
                f"{names}"
            )
        raise UnexpectedPayload(
            f"expected one visible sheet, found {len(self._visible)} of {names}: name one as "
            "`sheet` under `format`"
        )


def _records(rows: Iterator[Row], layout: Format) -> Iterator[Line]:
    header = _Header(rows, layout)
    filled = (row for row in rows for _ in range(row.times) if row.cells or row.lacking)
    footer = HeldBack(filled, layout.skip_rows_at_end)
    yield from map(header.record, footer)
    _check_footer(footer, header, layout)


def _check_footer(footer: HeldBack[Row], header: _Header, layout: Format) -> None:
    held = footer.held
    if len(held) < layout.skip_rows_at_end:
        raise UnexpectedPayload(f"expected rows below the records, found {len(held)}")
    if len(header.names) > 1 and any(header.names.keys() <= row.cells.keys() for row in held):
        raise UnexpectedPayload(
            f"expected {layout.skip_rows_at_end} rows below the records as `skip_rows_at_end` "
            "says, found one with a value for each field"
        )


class _Header:
    """The names of the columns that have one, by their number."""

    def __init__(self, rows: Iterator[Row], layout: Format) -> None:
        first = layout.skip_rows_before_header + 1
        cells = _cells(rows, range(first, first + layout.header_rows))
        if not cells[-1]:
            raise UnexpectedPayload(
                f"expected a header in row {first + layout.header_rows - 1} of the sheet, found no "
                "value in it. Rows above it, empty ones too, are left out by "
                "`skip_rows_before_header`"
            )
        texts = [{place: _as_text(value) for place, value in row.items()} for row in cells]
        names = {place: text for place, text in names_of_rows(texts).items() if text}
        found = field_names(list(names.values()), layout.evidence)
        self.names = dict(zip(names, found, strict=True))
        self._again = cells[-1] if layout.evidence.header else None
        self._nothing = dict.fromkeys(found)
        self._as_sent = layout.as_sent

    def record(self, row: Row) -> Line:
        """A row by the names; a value in a column without one is named by its letters: `#C`."""
        names = self.names
        found: dict[str, Value | None] = self._nothing.copy()
        for place, value in row.cells.items():
            found[names.get(place) or f"#{letters_of(place)}"] = value
        text = msgspec.json.encode(found)
        if row.lacking:
            shown = f"the value of the formula in {row.lacking} is missing: {text.decode()}"
            return shown, json.dumps(shown).encode()
        if row.cells == self._again:
            return text.decode(), text
        return parsed(text, self._as_sent), text


def _cells(rows: Iterator[Row], numbers: range) -> list[dict[int, Value]]:
    """The cells of the rows with these numbers, which follow each other; none of a missing row."""
    found: dict[int, dict[int, Value]] = {}
    while numbers[-1] not in found:
        row = next(rows, None)
        if row is None or row.number > numbers[-1]:
            break
        ends = row.number + row.times
        found |= {number: row.cells for number in numbers if row.number <= number < ends}
    return [found.get(number, {}) for number in numbers]


def _as_text(value: Value) -> str:
    if isinstance(value, msgspec.Raw):
        return bytes(value).decode()
    return " ".join(str(value).split())
