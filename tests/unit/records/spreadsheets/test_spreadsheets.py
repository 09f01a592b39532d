"""Spreadsheets as people send them: sheets, headers, cells, and files that are none."""

from __future__ import annotations

import gzip
import io
import math
import zipfile
from datetime import date, datetime, time, timedelta
from time import process_time
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from python_calamine import CalamineWorkbook

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.json.values import BodyCutShort
from include.sources.limits import Limits
from tests.spreadsheet_files import ods, parts, saved, text_rows, workbook, zipped
from tests.unit.records.reading import layout, read, read_as_sent, texts

MIB = 1024 * 1024
MAKERS = pytest.mark.parametrize("made_by", [workbook, ods], ids=["xlsx", "ods"])
ROWS = [["id", "note"], [1, "one"], [2, "two"]]
RECORDS = [{"id": 1, "note": "one"}, {"id": 2, "note": "two"}]


def sheet(*columns: str, **words: Any) -> Any:
    return layout(*(columns or ("id", "note")), kind="spreadsheet", **words)


def refused(body: bytes, form: Any, kind: type[Exception] = UnexpectedPayload) -> str:
    with pytest.raises(kind) as caught:
        read(body, form)
    return str(caught.value)


def xlsx(rows: str, **others: str) -> bytes:
    return zipped(parts(rows, **others))


def changed(body: bytes, before: bytes, after: bytes) -> bytes:
    """An .ods file with other content."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    assert before in contents["content.xml"]
    content = contents["content.xml"].replace(before, after)
    return zipped(contents | {"content.xml": content})


# --- sheets ----------------------------------------------------------------------------------


@MAKERS
def test_the_only_sheet_is_read_by_its_header(made_by):
    assert read(made_by(ROWS), sheet()) == RECORDS


@MAKERS
@pytest.mark.parametrize("wanted", ["Payments 2026-10", "Payments *", 2])
def test_a_sheet_is_chosen_by_name_pattern_or_number(made_by, wanted):
    body = made_by([["notes"], ["read me"]], **{"Payments 2026-10": ROWS, "Totals": [["x"], [1]]})

    assert read(body, sheet(sheet=wanted)) == RECORDS


@MAKERS
@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("", "expected one visible sheet, found 2 of 'Data', 'Totals': name one as `sheet`"),
        ("Payments", "expected one sheet 'Payments' as `sheet` says, found 0 of 'Data', 'Totals'"),
        ("*", "expected one sheet '.' as `sheet` says, found 2"),
        (3, "expected one sheet 3 as `sheet` says, found 0"),
    ],
)
def test_a_sheet_that_cannot_be_chosen_is_refused_with_the_names_of_all(made_by, wanted, said):
    message = refused(made_by(ROWS, Totals=[["x"], [1]]), sheet(sheet=wanted))

    assert said.replace("'.'", "'*'") in message


def test_hidden_sheets_are_read_by_name_only():
    book = openpyxl.load_workbook(io.BytesIO(workbook([["x"], [1]], Lists=ROWS)))
    book["Lists"].sheet_state = "veryHidden"
    body = saved(book)

    assert read(body, sheet("x")) == [{"x": 1}]
    assert read(body, sheet(sheet="Lists")) == RECORDS
    assert "found 0 of" in refused(body, sheet(sheet=2))


def test_charts_on_sheets_of_their_own_are_not_sheets():
    book = openpyxl.load_workbook(io.BytesIO(workbook(ROWS)))
    book.create_chartsheet("Chart", 0)

    assert read(saved(book), sheet(sheet=1)) == RECORDS


# --- headers ---------------------------------------------------------------------------------


@MAKERS
def test_titles_above_and_totals_below_are_left_out(made_by):
    rows = [["Payments over 500 pounds"], [], *ROWS, [], ["", 3], ["Source: the council"]]
    form = sheet(skip_rows_before_header=2, skip_rows_at_end=2)

    assert read(made_by(rows), form) == RECORDS


@MAKERS
def test_a_row_below_that_looks_like_a_record_is_not_left_out(made_by):
    assert "found one with a value for each field" in refused(
        made_by(ROWS), sheet(skip_rows_at_end=1)
    )


def test_a_merged_title_is_one_row():
    book = openpyxl.load_workbook(io.BytesIO(workbook([["Spend", None], [None, None], *ROWS])))
    book["Data"].merge_cells("A1:B2")

    assert read(saved(book), sheet(skip_rows_before_header=2)) == RECORDS


@MAKERS
@pytest.mark.parametrize("rows", [[], [["title"], [], *ROWS]], ids=["empty", "above"])
def test_a_sheet_without_the_header_is_refused(made_by, rows):
    skipped = {"skip_rows_before_header": 1} if rows else {}

    assert "expected a header in row" in refused(made_by(rows), sheet(**skipped))


@MAKERS
def test_a_header_without_a_field_that_is_read_is_refused(made_by):
    assert "expected a header line with 'ward', found 'id', 'note'" in refused(
        made_by(ROWS), sheet("id", "ward")
    )


@MAKERS
def test_names_are_distinguished_and_columns_without_one_are_kept_by_letter(made_by):
    rows = [["id", "name", "name", "", "net\n(£)"], [1, "a", "b", "c", 2.5], [2, "", "", "", ""]]

    assert read(made_by(rows), sheet("id", "name", "name#2")) == [
        {"id": 1, "name": "a", "name#2": "b", "net (£)": 2.5, "#D": "c"},
        {"id": 2, "name": None, "name#2": None, "net (£)": None},
    ]


@MAKERS
def test_cells_beyond_the_header_are_kept(made_by):
    assert read(made_by([*ROWS, [3, "three", "more"]]), sheet())[2]["#C"] == "more"


@MAKERS
def test_a_header_that_is_repeated_is_one_bad_record(made_by):
    found = read(made_by([*ROWS, ["id", "note"], [3, "three"]]), sheet())

    assert [type(record) for record in found] == [dict, dict, str, dict]


@MAKERS
def test_a_sheet_with_only_a_header_has_no_records(made_by):
    assert read(made_by([["id", "note"]]), sheet()) == []


# --- cells -----------------------------------------------------------------------------------


@MAKERS
def test_dates_and_times_are_iso_text(made_by):
    values = [date(2026, 11, 1), datetime(2026, 11, 1, 14, 5, 6), time(9, 30), timedelta(hours=30)]

    assert read(made_by([["a", "b", "c", "d"], values]), sheet("a")) == [
        {"a": "2026-11-01", "b": "2026-11-01T14:05:06", "c": "09:30:00", "d": "30:00:00"}
    ]


def test_dates_count_from_1904_where_the_workbook_says_so():
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.active.append(["id"])
    book.active.append([date(2026, 11, 1)])

    assert read(saved(book), sheet("id")) == [{"id": "2026-11-01"}]


@pytest.mark.parametrize(
    ("serial", "code", "shown"),
    [
        ("1", "dd/mm/yyyy", "1900-01-01"),
        ("59", "dd/mm/yyyy", "1900-02-28"),
        ("60", "dd/mm/yyyy", "1900-02-29"),
        ("61", "dd/mm/yyyy", "1900-03-01"),
        ("46327", '[$-809]d mmmm yyyy;@"x"', "2026-11-01"),
        ("46327.5", "dd/mm/yyyy", "2026-11-01T12:00:00"),
        ("46327", "dd/mm/yyyy hh:mm", "2026-11-01T00:00:00"),
        ("46327.75000001157", "d/m/yy h:mm:ss.000", "2026-11-01T18:00:00.001"),
        ("0.75", "h:mm AM/PM", "18:00:00"),
        ("1.25", "[h]:mm", "30:00:00"),
        ("46327", '"day" 0', 46327),
        ("46327", '0.00 "days"', 46327),
        ("46327", "General", 46327),
        ("-5", "dd/mm/yyyy", -5),
        ("1e9", "dd/mm/yyyy", 1e9),
        ("46327", "mmm-yy", "2026-11-01"),
        ("46327", "[Red]#,##0;[h]", 46327),
    ],
)
def test_a_number_is_a_date_if_its_format_shows_one(serial, code, shown):
    assert read(formatted(serial, code), sheet("id")) == [{"id": shown}]


def formatted(serial: str, code: str) -> bytes:
    styles = (
        f"<styleSheet><numFmts><numFmt numFmtId='170' formatCode='{code}'/></numFmts><cellXfs>"
        "<xf numFmtId='0'/><xf numFmtId='170'/></cellXfs></styleSheet>"
    ).replace('"', "&quot;")
    return xlsx(
        f'{text_rows([["id"]])}<row><c s="1"><v>{serial}</v></c></row>',
        **{"xl/styles.xml": styles},
    )


@pytest.mark.parametrize("code", ["[" * 200_000, "[h" * 100_000], ids=["empty", "hours"])
def test_a_format_of_many_brackets_that_never_close_is_read_at_once(code):
    began = process_time()

    assert read(formatted("46327", code), sheet("id")) == [{"id": 46327}]
    assert process_time() - began < 2


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ("1.1000000000000001", b"1.1"),
        ("0.30000000000000004", b"0.30000000000000004"),
        ("1234.5599999999999", b"1234.56"),
        ("12.50", b"12.50"),
        ("12345678901234567890", b"12345678901234567890"),
        ("4.3090277777777776E-2", b"0.043090277777777776"),
        ("5.159071072237491E+24", b"5.15907107223749e+24"),
        (".5", b"0.5"),
        ("+1", b"1"),
        ("007", b"7"),
        ("1E999999999", b"1E999999999"),
        ("1E99999999999999999999", b"1E99999999999999999999"),
        ("-1E-99999999999999999999", b"-1E-99999999999999999999"),
        ("0E99999999999999999999", b"0E99999999999999999999"),
        ("1,5", b'"1,5"'),
    ],
)
def test_a_number_has_the_digits_that_the_file_stores(stored, value):
    body = xlsx(f"{text_rows([['id']])}<row><c><v>{stored}</v></c></row>")

    assert texts(body, sheet("id")) == [b'{"id":%b}' % value]


def test_a_number_beyond_every_number_of_ods_is_as_stored():
    body = changed(ods([["id"], [7]]), b'value="7"', b'value="1E99999999999999999999"')

    assert texts(body, sheet("id")) == [b'{"id":1E99999999999999999999}']
    assert read(body, sheet("id")) == [{"id": math.inf}]


def test_a_number_beyond_every_number_is_not_a_date():
    body = formatted("1E99999999999999999999", "dd/mm/yyyy")

    assert texts(body, sheet("id")) == [b'{"id":1E99999999999999999999}']


def test_many_zeros_before_a_text_are_read_at_once():
    zeros = "0" * 20_000 + "x"
    began = process_time()

    body = xlsx(f"{text_rows([['id']])}<row><c><v>{zeros}</v></c></row>")
    assert read(body, sheet("id")) == [{"id": zeros}]
    assert process_time() - began < 2


@MAKERS
def test_truth_and_spaces_and_line_breaks_are_kept(made_by):
    rows = [["a", "b", "c"], [True, False, "two\nlines"]]

    assert read(made_by(rows), sheet("a")) == [{"a": True, "b": False, "c": "two\nlines"}]


def test_spaces_and_escaped_characters_are_kept():
    body = xlsx(text_rows([["a", "b"], ["  two  spaces ", "bell _x0007_ _x005F_x0041_ _xD800_"]]))

    assert read(body, sheet("a")) == [
        {"a": "  two  spaces ", "b": "bell \x07 _x0041_ _xD800_"},
    ]


@pytest.mark.parametrize("error", ["#REF!", "#N/A", "#DIV/0!"])
def test_the_error_of_a_formula_is_its_text(error):
    assert read(workbook([["id", "note"], [1, error]]), sheet()) == [{"id": 1, "note": error}]


def test_the_result_of_a_formula_is_its_value():
    body = xlsx(
        text_rows([["id", "note"]])
        + '<row r="2"><c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>""</f><v></v></c></row>'
    )
    assert read(body, sheet()) == [{"id": 2, "note": None}]


@pytest.mark.parametrize(
    "body",
    [
        workbook([*ROWS, [3, "=A2&A3"]]),
        ods(ROWS)
        and zipped(
            {
                "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
                "content.xml": '<o:d xmlns:o="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
                'xmlns:t="urn:oasis:names:tc:opendocument:xmlns:table:1.0" '
                'xmlns:x="urn:oasis:names:tc:opendocument:xmlns:text:1.0"><o:spreadsheet>'
                '<t:table t:name="Data"><t:table-row>'
                '<t:table-cell o:value-type="string"><x:p>id</x:p></t:table-cell>'
                '<t:table-cell o:value-type="string"><x:p>note</x:p></t:table-cell>'
                "</t:table-row>"
                '<t:table-row t:number-rows-repeated="2">'
                '<t:table-cell o:value-type="float" o:value="1"/></t:table-row>'
                '<t:table-row><t:table-cell o:value-type="float" o:value="3"/>'
                '<t:table-cell t:formula="of:=[.A2]"/></t:table-row>'
                "</t:table></o:spreadsheet></o:d>",
            }
        ),
    ],
    ids=["xlsx", "ods"],
)
def test_a_formula_without_a_value_is_one_bad_record(body):
    first, second, third = read(body, sheet())

    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert third.startswith("the value of the formula in B4 is missing: ")


def test_texts_in_runs_and_their_pronunciation():
    shared = (
        "<sst><si><r><t>id</t></r></si><si><r><t>東</t></r><r><t xml:space='preserve'> 京</t></r>"
        "<rPh sb='0' eb='1'><t>トウ</t></rPh></si></sst>"
    )
    rows = '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'

    assert read(xlsx(rows, **{"xl/sharedStrings.xml": shared}), sheet("id")) == [{"id": "東 京"}]


def test_a_note_on_a_cell_of_ods_is_not_part_of_its_text():
    note = b"<office:annotation><text:p>a note</text:p></office:annotation><text:p>x<"
    body = changed(ods([["id"], ["x"]]), b"<text:p>x<", note)

    assert read(body, sheet("id")) == [{"id": "x"}]


# --- files that are none ----------------------------------------------------------------------


OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
NOT_ONE = {
    "xls": (OLE2 + b"Workbook", "old Office document, such as .xls: save it as .xlsx"),
    "a password": (OLE2 + "EncryptedPackage".encode("utf-16-le"), "with a password"),
    "a Word document": (
        zipped({"[Content_Types].xml": "<Types/>", "_rels/.rels": parts("")["_rels/.rels"].replace(
            "xl/workbook.xml", "word/document.xml")}),
        "another Office document ('word/document.xml')",
    ),
    "xlsb": (
        zipped({"[Content_Types].xml": "<Types/>", "_rels/.rels": parts("")["_rels/.rels"].replace(
            "workbook.xml", "workbook.bin")}),
        "binary workbook (.xlsb)",
    ),
    "an empty package": (zipped({"[Content_Types].xml": "<Types/>"}), "a zip file that is no"),
    "two files": (zipped({"a.csv": "x", "b.csv": "x"}), "expected one file in a zip file, found 2"),
    "no sheet": (zipped(parts("") | {"xl/workbook.xml": "<workbook/>"}), "expected one visible"),
    "no part": (
        zipped({k: v for k, v in parts("").items() if "sheet1" not in k}), "without '/xl/worksh",
    ),
    "odt": (
        zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "<a/>"}),
        "of the type 'application/vnd.oasis.opendocument.text'",
    ),
    "ods with a password": (
        zipped({
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": "x",
            "META-INF/manifest.xml": "<m:manifest><m:encryption-data/></m:manifest>",
        }),
        "with a password",
    ),
    "rows out of order": (xlsx('<row r="2"/><row r="1"/>'), "row 1 after 2"),
    "cells out of order": (
        xlsx('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'), "A1 after B1",
    ),
    "a text that is not there": (xlsx('<row><c t="s"><v>7</v></c></row>'), "text 7 of 0"),
    "a column that is none": (xlsx('<row><c r="ZZZZ1"><v>1</v></c></row>'), "at most 16384"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "said"), NOT_ONE.values(), ids=NOT_ONE)
def test_a_file_that_is_not_a_spreadsheet_is_named(body, said):
    assert said in refused(body, sheet())


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@MAKERS
def test_a_file_that_is_cut_short_is_not_complete(made_by, share):
    body = made_by(ROWS)

    assert refused(body[: int(len(body) * share)], sheet(), BodyCutShort)


def test_a_sheet_that_is_cut_short_in_a_file_that_is_not():
    broken = parts(text_rows([["id", "note"], ["1", "n"]]))
    broken["xl/worksheets/sheet1.xml"] = broken["xl/worksheets/sheet1.xml"][:-30]

    assert "not complete XML" in refused(zipped(broken), sheet(), BodyCutShort)


# --- compression and limits ------------------------------------------------------------------


@MAKERS
def test_a_file_within_another_is_unpacked_once(made_by):
    body = made_by(ROWS)

    assert read(gzip.compress(body), sheet()) == RECORDS
    assert read(zipped({"spend.xlsx": body}), sheet()) == RECORDS
    two = zipped({"readme.txt": "x", "spend.xlsx": body})
    assert read(two, sheet(zip_member="*.xlsx")) == RECORDS
    assert read(gzip.compress(two), sheet(compression=["gzip", "zip"], zip_member="spend*")) == (
        RECORDS
    )


def limited(form: Any, **limits: int) -> Any:
    return form.with_limits(Limits(**limits))


def test_a_bomb_is_refused_before_it_is_unpacked():
    body = xlsx(text_rows([["id", "note"]]) + " " * (64 * MIB))
    form = limited(sheet(), answer_bytes=2 * MIB)
    assert len(body) < MIB

    assert "more than 2097152 uncompressed bytes" in refused(body, form, BeyondLimit)


def test_texts_that_every_cell_shares_are_counted_each_time():
    form = limited(sheet("id"), answer_bytes=2 * MIB)

    message = refused(shared_cells(*[1] * 100), form, BeyondLimit)
    assert "records of more than 2097152 bytes" in message


def shared_cells(*counts: int) -> bytes:
    """A header and rows with so many cells of one text of 100,000 characters."""
    shared = f"<sst><si><t>id</t></si><si><t>{'n' * 100_000}</t></si></sst>"
    cell = '<c t="s"><v>{}</v></c>'
    rows = "".join(f"<row>{cell.format(1) * count}</row>" for count in counts)
    return xlsx(f"<row>{cell.format(0)}</row>{rows}", **{"xl/sharedStrings.xml": shared})


def test_a_row_that_repeats_a_shared_text_is_refused_before_it_is_read():
    form = limited(sheet("id"), record_bytes=MIB)

    message = refused(shared_cells(1500), form, BeyondLimit)
    assert "expected rows, found one of more than 1048576 bytes" in message


def test_a_shared_text_counts_in_each_row_anew():
    form = limited(sheet("id"), record_bytes=MIB)

    found = read(shared_cells(10, 10, 10), form)
    assert [sum(map(len, record.values())) for record in found] == [MIB - 48_576] * 3


def test_a_workbook_of_too_many_number_formats_is_refused():
    formats = "".join(f'<numFmt numFmtId="{n}" formatCode="{n:01000}"/>' for n in range(1_100))
    styles = f"<styleSheet><numFmts>{formats}</numFmts></styleSheet>"
    body = xlsx(text_rows([["id"]]), **{"xl/styles.xml": styles})

    assert "too many styles" in refused(body, limited(sheet("id"), record_bytes=MIB), BeyondLimit)


def test_rows_and_cells_that_ods_repeats_are_counted_each_time():
    body = ods([["id"], ["n" * 1000]])
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    content = contents["content.xml"]
    before, row, after = content.rpartition(b"<table:table-row>")
    many = before + row.replace(b">", b' table:number-rows-repeated="1000000">') + after
    form = limited(sheet("id"), answer_bytes=2 * MIB)

    assert "records of more than" in refused(
        zipped(contents | {"content.xml": many}), form, BeyondLimit
    )
    wide = (
        before
        + row
        + after.replace(
            b"<table:table-cell", b'<table:table-cell table:number-columns-repeated="20000"'
        )
    )
    assert "at most 16384 columns" in refused(zipped(contents | {"content.xml": wide}), form)


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "_rels/.rels"]
)
def test_no_part_may_have_a_document_type(part):
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">'
        '<!ENTITY c SYSTEM "file:///etc/passwd">]><x>&b;&c;</x>'
    )
    body = xlsx(text_rows([["id", "note"], ["1", "n"]]), **{part: bomb})

    assert "without a document type" in refused(body, sheet())


# --- the same as other readers ---------------------------------------------------------------


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    # openpyxl writes 16 digits, and other readers read 1.8E308 as infinity.
    st.floats(-1e300, 1e300).map(lambda number: float(f"{number:.15g}")),
    TEXTS.filter(lambda text: not text.startswith("=") and "_x" not in text),
    st.dates(date(1900, 3, 1), date(9999, 12, 31)),
    st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)).map(
        lambda found: found.replace(microsecond=0)
    ),
)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8)


def shown(value: Any) -> Any:
    """What a value of another reader is as JSON."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return None if value == "" else value


@MAKERS
@settings(max_examples=30, deadline=None)
@given(TABLES)
def test_every_value_is_read_as_it_was_written(made_by, rows):
    names = ["a", "b", "c"]
    body = made_by([names, *rows])
    expected = [
        {name: shown(value) for name, value in zip(names, row, strict=True)}
        for row in rows
        if any(value not in (None, "") for value in row)
    ]

    assert read_as_sent(body, sheet("a")) == expected


def _as_calamine(value: Any) -> Any:
    """It reads a midnight as a day, whatever the cell shows."""
    return value.removesuffix("T00:00:00") if isinstance(value, str) else value


@MAKERS
@settings(max_examples=30, deadline=None)
@given(TABLES)
def test_every_value_is_read_as_calamine_reads_it(made_by, rows):
    body = made_by([["a", "b", "c"], *rows])
    other = CalamineWorkbook.from_filelike(io.BytesIO(body)).get_sheet_by_index(0)
    found = [[_as_calamine(shown(value)) for value in row] for row in other.to_python()[1:]]
    ours = [
        [_as_calamine(record[name]) for name in ("a", "b", "c")]
        for record in read(body, sheet("a"))
    ]

    assert ours == [row for row in found if any(value is not None for value in row)]
