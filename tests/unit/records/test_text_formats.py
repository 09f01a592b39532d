# ruff: noqa: RUF001, what is in a spending file
"""The options of a contract's `format`: encoding, compression, lines to skip, names, and shapes."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from include.errors import UnexpectedPayload
from include.records.json.values import BodyCutShort
from include.records.read import read_records, record_texts
from include.records.remove import cut_records
from include.sources.evidence import Evidence
from include.sources.formats import Format

ROWS = [{"name": "Café – £5", "n": "1"}, {"name": "O’Brien", "n": "2"}]
TEXT = "name,n\nCafé – £5,1\nO’Brien,2\n"


def csv_format(**words: Any) -> Format:
    return Format(kind="csv", **words)


def read(body: bytes, layout: Format, content_type: str = "") -> list[Any]:
    chunks = read_records(io.BytesIO(body), len(body), layout, None, content_type)
    return [record for chunk in chunks for record in chunk]


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in files.items():
            archive.writestr(f"data/{name}.csv", body)
    return file.getvalue()


# --- encoding --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words", "content_type"),
    [
        (TEXT.encode("cp1252"), {"encoding": "windows-1252"}, ""),
        (TEXT.encode("cp1252"), {}, "text/csv; charset=windows-1252"),
        (TEXT.encode("cp1252"), {}, "text/csv;charset=ISO-8859-1"),
        (TEXT.encode("utf-16"), {}, ""),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), {}, "text/csv; charset=windows-1252"),
        (TEXT.encode("utf-16-le"), {}, ""),
        (TEXT.encode("utf-32"), {}, ""),
        (TEXT.encode("utf-8-sig"), {"encoding": "windows-1252"}, ""),
        (TEXT.encode(), {}, "text/csv; charset=us-ascii"),
        (TEXT.encode(), {}, "text/csv; charset=no-such"),
        (TEXT.encode(), {}, "text/csv; charset=base64"),
    ],
    ids=["declared", "charset", "Latin-1", "UTF-16", "mark before charset", "no mark", "UTF-32",
         "mark before declared", "ASCII", "unknown charset", "no charset"],
)  # fmt: skip
def test_text_is_read_in_the_encoding_that_it_is_in(body, words, content_type):
    assert read(body, csv_format(**words), content_type) == ROWS


def test_a_charset_that_is_wrong_is_named():
    with pytest.raises(
        UnexpectedPayload, match="expected text in utf-16, found bytes that are not"
    ):
        read(b"name,n\nx,1\n", csv_format(), "text/csv; charset=utf-16")


def test_a_declared_encoding_comes_before_the_charset():
    layout = csv_format(encoding="cp1252")

    assert read(TEXT.encode("cp1252"), layout, "text/csv; charset=utf-8") == ROWS


def test_json_in_utf_16_is_read_too():
    assert read(json.dumps(ROWS).encode("utf-16"), Format()) == ROWS


def test_an_encoding_other_than_the_declared_one_is_named():
    with pytest.raises(UnexpectedPayload, match=r"text in utf-16, found bytes .* `encoding`"):
        read(b"name,n\nx,1\n\xdc", csv_format(encoding="utf-16"))


def test_a_header_in_another_encoding_is_named():
    layout = csv_format().with_evidence(Evidence(header=("price (£)",)))

    with pytest.raises(UnexpectedPayload, match=r"header in UTF-8.*`encoding`"):
        read("id,price (£)\n1,2\n".encode("cp1252"), layout)


def test_an_unknown_encoding_is_refused_in_the_contract():
    with pytest.raises(ValidationError, match="windows-1252"):
        csv_format(encoding="utf-99")


# --- compression -----------------------------------------------------------------------------

GZIPPED = gzip.compress(TEXT.encode())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (GZIPPED, {}),
        (GZIPPED, {"compression": "gzip"}),
        (gzip.compress(GZIPPED), {"compression": ["gzip", "gzip"]}),
        (zipped(rows=TEXT.encode()), {}),
        (zipped(rows=TEXT.encode(), notes=b"-"), {"zip_member": "data/rows.csv"}),
        (zipped(rows=TEXT.encode(), notes=b"-"), {"compression": "zip", "zip_member": "*/r*.csv"}),
        (gzip.compress(zipped(rows=TEXT.encode())), {"compression": ["gzip", "zip"]}),
        (gzip.compress(TEXT.encode("utf-16")), {}),
    ],
    ids=["gzip", "declared", "twice", "zip", "named", "pattern", "both", "another encoding"],
)
def test_a_compressed_body_is_unpacked(body, words):
    assert read(body, csv_format(**words)) == ROWS


@pytest.mark.parametrize(
    ("body", "words", "said"),
    [
        (gzip.compress(GZIPPED), {}, r"gzip within gzip.*`compression: \[gzip, gzip\]`"),
        (TEXT.encode(), {"compression": "gzip"}, "expected a gzip file"),
        (GZIPPED, {"compression": "zip"}, "expected a zip file"),
        (zipped(a=b"-", b=b"-"), {}, r"found 2: data/a.csv, data/b.csv.*`zip_member`"),
        (zipped(a=b"-"), {"zip_member": "rows.csv"}, r"one file like 'rows.csv'.*found 0"),
    ],
)
def test_a_compression_other_than_the_expected_one_is_named(body, words, said):
    with pytest.raises(UnexpectedPayload, match=said):
        read(body, csv_format(**words))


@pytest.mark.parametrize("body", [GZIPPED[:-9], zipped(rows=TEXT.encode())[:-9]])
def test_an_archive_without_its_end_is_cut_short(body):
    with pytest.raises(BodyCutShort, match="file that is not complete"):
        read(body, csv_format())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (GZIPPED, {}),
        (zipped(rows=TEXT.encode(), notes=b"-"), {"zip_member": "*/rows.csv"}),
        (TEXT.encode("utf-16"), {}),
        (gzip.compress(TEXT.encode("cp1252")), {"encoding": "cp1252"}),
    ],
    ids=["gzip", "zip", "UTF-16", "gzip of Windows-1252"],
)
def test_a_record_can_be_cut_out_of_a_packed_body(body, words):
    layout = csv_format(**words)

    cut = cut_records(body, layout, lambda record: record["n"] == "1")

    assert (cut.lost, cut.left) == (1, 1)
    assert read(cut.body, layout) == ROWS[1:]
    assert b"Caf" not in cut.body
    assert cut_records(body, layout, lambda record: False).body is body


# --- lines -----------------------------------------------------------------------------------

CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@given(st.lists(st.tuples(CELL, CELL), max_size=6), st.sampled_from(["\n", "\r\n", "\r"]))
def test_rows_are_read_with_any_line_ending(rows, ending):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])

    found = read(file.getvalue().encode(), csv_format())

    assert found == [dict(zip("ab", row, strict=True)) for row in rows]


def test_lines_above_the_header_and_below_the_records_are_left_out():
    body = b'Counts, "2022"\n\n"a",b\n1,x\n2,y\n\nSource: ONS, 2022, London'
    layout = csv_format(skip_rows_before_header=2, skip_rows_at_end=2)

    assert read(body, layout) == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    assert record_texts(body, layout, {2}) == {2: b"2,y"}
    assert cut_records(body, layout, lambda record: record["a"] == "2").body == body.replace(
        b"2,y\n", b""
    )


def test_a_line_below_that_looks_like_a_record_is_not_left_out_silently():
    with pytest.raises(UnexpectedPayload, match="`skip_rows_at_end` says, found one with a value"):
        read(b"a,b\n1,x\n2,y\n", csv_format(skip_rows_at_end=1))


def test_names_that_repeat_are_read_by_their_place():
    layout = csv_format().with_evidence(
        Evidence(header=("n", "n#2"), fields=frozenset({"n", "n#2"}))
    )

    assert read(b"n,x,n\n1,2,3\n", layout) == [{"n": "1", "x": "2", "n#2": "3"}]


def test_a_name_that_repeats_and_is_read_once_is_refused():
    layout = csv_format().with_evidence(Evidence(header=("n",), fields=frozenset({"n"})))

    with pytest.raises(UnexpectedPayload, match=r"'n' once, found it as fields 1, 3.*`n#2`"):
        read(b"n,x,n\n1,2,3\n", layout)


# --- JSON shapes -----------------------------------------------------------------------------


def test_arrays_below_a_first_one_of_names_are_records():
    body = json.dumps({"data": [["id", "name"], [1, "a"], [2, None], [3]]}).encode()

    found = read(body, Format(kind="rows", records="data"))

    assert found == [{"id": 1, "name": "a"}, {"id": 2, "name": None}, [3]]


@pytest.mark.parametrize("first", ["x", [1, 2], {"id": 1}])
def test_a_first_row_that_has_no_names_is_named(first):
    with pytest.raises(UnexpectedPayload, match="an array of names as the first"):
        read(json.dumps([first, [1, 2]]).encode(), Format(kind="rows"))


def test_records_by_their_ids_include_the_id():
    body = json.dumps({"data": {"A1": {"v": 1}, "B2": {"v": 2, "id": "own"}}}).encode()
    layout = Format(records="data.*", inherit={"id": "*"})

    assert read(body, layout) == [{"id": "A1", "v": 1}, {"id": "own", "v": 2}]
    assert read(b'{"data": {}}', layout) == []


def test_a_parents_field_is_inherited_under_another_name():
    body = json.dumps({"sites": [{"name": "North", "rows": [{"name": "own"}]}]}).encode()
    layout = Format(records="sites.*.rows", inherit={"site": "name"})

    assert read(body, layout) == [{"site": "North", "name": "own"}]


def test_a_name_with_dots_leads_to_the_records():
    assert read(b'{"a.b": {"c": [{"v": 1}]}}', Format(records=r"a\.b.c")) == [{"v": 1}]


@pytest.mark.parametrize(
    "words",
    [
        {"kind": "json", "skip_rows_at_end": 1},
        {"kind": "csv", "envelope": ["meta"]},
        {"kind": "json", "compression": "gzip", "zip_member": "a"},
        {"kind": "json", "records": "a..b"},
        {"kind": "json", "envelope": [""]},
        {"kind": "rows", "records": "*"},
    ],
    ids=str,
)
def test_options_that_do_not_fit_together_are_refused(words):
    with pytest.raises(ValidationError):
        Format(**words)
