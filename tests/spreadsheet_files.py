"""Spreadsheet files for tests: by libraries that write them, and part by part."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.sax.saxutils import escape

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def workbook(rows: Iterable[Sequence[Any]], **sheets: Iterable[Sequence[Any]]) -> bytes:
    """An .xlsx file by openpyxl: rows of the first sheet, `Data`, and of others by their name."""
    import openpyxl

    book = openpyxl.Workbook()
    for number, (name, some) in enumerate({"Data": rows, **sheets}.items()):
        sheet = book.active if not number else book.create_sheet()
        sheet.title = name
        for row in some:
            sheet.append(list(row))
    return saved(book)


def saved(book: Any) -> bytes:
    """A workbook of openpyxl, or a document of odfpy, as a file."""
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def ods(rows: Iterable[Sequence[Any]], **sheets: Iterable[Sequence[Any]]) -> bytes:
    """The same as an .ods file by odfpy."""
    from odf.opendocument import OpenDocumentSpreadsheet
    from odf.table import Table, TableCell, TableRow
    from odf.text import P

    document = OpenDocumentSpreadsheet()
    for name, some in {"Data": rows, **sheets}.items():
        table = Table(name=name)
        for row in some:
            written = TableRow()
            for value in row:
                cell = TableCell(**_of_ods(value))
                for line in str(value).split("\n") if isinstance(value, str) and value else ():
                    cell.addElement(P(text=line))
                written.addElement(cell)
            table.addElement(written)
        document.spreadsheet.addElement(table)
    return saved(document)


def _of_ods(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"valuetype": "boolean", "booleanvalue": str(value).lower()}
    if isinstance(value, int | float):
        return {"valuetype": "float", "value": repr(value)}
    if isinstance(value, date | datetime):
        return {"valuetype": "date", "datevalue": value.isoformat()}
    if isinstance(value, time):
        return {"valuetype": "time", "timevalue": value.strftime("PT%HH%MM%SS")}
    if isinstance(value, timedelta):
        hours, rest = divmod(int(value.total_seconds()), 3600)
        return {"valuetype": "time", "timevalue": f"PT{hours}H{rest // 60}M{rest % 60}S"}
    return {"valuetype": "string"} if value else {}


def parts(sheet: str, **others: str) -> dict[str, str]:
    """The parts of a small .xlsx file, its only sheet's rows as XML."""
    return {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r1" '
        f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
        f'<Relationship Id="r1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/>'
        f'<Relationship Id="r3" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{sheet}</sheetData>'
        "</worksheet>",
        "xl/sharedStrings.xml": "<sst/>",
        "xl/styles.xml": "<styleSheet/>",
        **others,
    }


def text_rows(rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts as XML of a sheet."""
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    written = ("".join(cell.format(escape(text)) for text in row) for row in rows)
    return "".join(f"<row>{cells}</row>" for cells in written)


def zipped(contents: Mapping[str, str | bytes], *, deflated: bool = True) -> bytes:
    """A zip file of these."""
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return file.getvalue()
