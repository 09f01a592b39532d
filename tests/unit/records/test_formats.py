"""Bodies of every format: records, the bytes of single ones, and those that are selected."""

from __future__ import annotations

import csv
import io
import json
import math
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import UnexpectedPayload
from include.records import chunks as chunked
from include.records import read as reading
from include.records.json import stream as json_stream
from include.records.json.values import BOM, BodyCutShort
from include.records.read import count_records, read_records, record_texts, value_in
from include.sources.formats import Format

CSV = Format(kind="csv")
LINES = Format(kind="jsonl")
COLUMNAR = Format(kind="columnar", records="hourly")
ONE_OR_MANY = Format(records="meta.items", one_or_many=True)
ABOVE = reading.STREAM_ABOVE_BYTES + 1
SIZES = pytest.mark.parametrize("size", [1, ABOVE], ids=["whole", "streamed"])


def read(
    body: bytes, layout: Format, context: dict[str, str] | None = None, size: int = 1
) -> list[Any]:
    chunks = read_records(io.BytesIO(body), size, layout, context)
    return [record for chunk in chunks for record in chunk]


def texts(body: bytes, layout: Format, context: dict[str, str] | None = None) -> list[bytes]:
    count = len(read(body, layout, context))
    return list(record_texts(body, layout, range(1, count + 1), context).values())


# --- JSON ------------------------------------------------------------------------------------


@SIZES
@pytest.mark.parametrize(
    ("items", "found"),
    [
        ('"items": [{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        ('"items": {"a": 1}', [{"a": 1}]),
        ('"items": null', []),
        ('"items": []', []),
        ("", []),
    ],
    ids=["a list", "an object", "null", "an empty list", "nothing"],
)
def test_one_or_many_records_are_read_however_they_are_written(items, found, size):
    body = b'{"meta": {%s}}' % items.encode()

    assert read(body, ONE_OR_MANY, size=size) == found
    assert [json.loads(text) for text in texts(body, ONE_OR_MANY)] == found


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": 1}',
        b'{"meta": {"items": 3}}',
        b'{"meta": [1]}',
        b'{"meta": {"n": 0}}',
        b"{}",
    ],
)
def test_one_or_many_is_not_a_licence_for_anything_else(body):
    with pytest.raises(UnexpectedPayload, match=r"expected a list of records at 'meta\.items'"):
        read(body, ONE_OR_MANY)


def test_an_object_is_not_a_list_unless_the_contract_says_so():
    with pytest.raises(UnexpectedPayload, match="found an object with a"):
        read(b'{"items": {"a": 1}}', Format(records="items"))


@SIZES
def test_a_byte_order_mark_is_not_part_of_the_body(size):
    body = BOM + b'{"meta": {"items": [{"a": 1}]}}'

    assert read(body, ONE_OR_MANY, size=size) == [{"a": 1}]
    assert texts(body, ONE_OR_MANY) == [b'{"a": 1}']


@SIZES
def test_an_empty_list_in_a_large_body_holds_no_records(size):
    assert read(b'{"items": [], "more": [1]}', Format(records="items"), size=size) == []


@pytest.mark.parametrize(
    ("body", "is_so"),
    [
        (b'[{"a": "\\ud800"}, 2]', lambda found: found[0]["a"] == "\ud800"),
        (b'[{"a": "\xff"}, 2]', lambda found: found[0]["a"] == "\udcff"),
        (b'[{"a": NaN}, 2]', lambda found: math.isnan(found[0]["a"])),
        (
            b'[{"a": "\\ud800", "b": 99999999999999999999999}, 2]',
            lambda found: found[0]["b"] > 9e22,
        ),
    ],
    ids=["a lone surrogate", "no UTF-8", "NaN", "a huge number beside one"],
)
def test_one_odd_value_does_not_hide_the_other_records(body, is_so):
    found = read(body, Format())

    assert is_so(found)
    assert found[1] == 2
    assert texts(body, Format())[1] == b"2"


def test_a_body_that_is_nested_too_deeply_is_distinguished_from_one_that_is_cut_short():
    with pytest.raises(UnexpectedPayload, match="nested too deeply"):
        read(b"[" * 100_000 + b"]" * 100_000, Format())


@pytest.mark.parametrize(
    ("layout", "head", "row", "tail"),
    [
        (Format(), b"[", b'{"id": 1, "x": "%s"},', b"0]"),
        (LINES, b"", b'{"id": 1, "x": "%s"}\n', b""),
        (CSV, b"id,x\n", b"1,%s\n", b""),
    ],
    ids=["json", "jsonl", "csv"],
)
def test_memory_stays_flat_however_large_a_body_is(monkeypatch, layout, head, row, tail):
    monkeypatch.setattr(chunked, "CHUNK_RECORDS", 1000)
    monkeypatch.setattr(json_stream, "PIECE_BYTES", 64 * 1024)
    body = io.BytesIO(head + row % (b"y" * 200) * 100_000 + tail)
    tracemalloc.start()

    counted = sum(len(chunk) for chunk in read_records(body, ABOVE, layout))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert counted == 100_000 + len(tail) // 2
    assert peak < len(body.getbuffer()) / 8


@SIZES
def test_a_value_next_to_the_records_can_be_read(size):
    body = io.BytesIO(BOM + b'{"items": [1], "meta": {"total": 7, "next": null}}')

    assert value_in(body, size, "meta.total") == 7
    assert value_in(body, size, "meta.next") is None
    assert value_in(body, size, "links.next") is None


# --- columnar --------------------------------------------------------------------------------


def test_arrays_become_records_by_position():
    body = b'{"hourly": {"time": ["00:00", "01:00"], "rain": [0.1, null]}, "elevation": 3}'

    found = read(body, COLUMNAR)

    assert found == [{"time": "00:00", "rain": 0.1}, {"time": "01:00", "rain": None}]
    assert texts(body, COLUMNAR) == [orjson.dumps(record) for record in found]


@pytest.mark.parametrize(
    ("hourly", "said"),
    [
        (
            b'{"time": [1, 2], "rain": [1]}',
            "arrays of one length at 'hourly', found time 2, rain 1",
        ),
        (b'{"time": [1], "rain": 2}', "an array for each field at 'hourly', found rain without"),
        (b"{}", "an array for each field at 'hourly', found none"),
        (b"[1]", "an object of arrays at 'hourly', found list"),
    ],
)
def test_arrays_that_do_not_fit_together_are_unexpected(hourly, said):
    with pytest.raises(UnexpectedPayload, match=said):
        read(b'{"hourly": %s}' % hourly, COLUMNAR)


def test_fields_next_to_arrays_are_left_out_where_the_whole_body_holds_them():
    layout = Format(kind="columnar")

    assert read(b'{"zone": "GMT", "time": [1, 2]}', layout) == [{"time": 1}, {"time": 2}]


# --- CSV -------------------------------------------------------------------------------------

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=8)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_csv_is_read_as_it_was_written(rows, ending):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b", "c"), *rows])
    body = file.getvalue().encode()

    found = read(body, CSV)

    assert found == [dict(zip("abc", row, strict=True)) for row in rows]
    again = [next(csv.reader(io.StringIO(text.decode(), newline=""))) for text in texts(body, CSV)]
    assert again == [list(row) for row in rows]


@pytest.mark.parametrize("mark", [b"", BOM], ids=["plain", "marked"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("last", [True, False], ids=["ended", "open"])
def test_marks_and_line_endings_make_no_difference(mark, ending, last):
    body = mark + ending.join([b"a,b", b"1,", b"2,x"]) + (ending if last else b"")

    assert read(body, CSV) == [{"a": "1", "b": ""}, {"a": "2", "b": "x"}]
    assert texts(body, CSV) == [b"1,", b"2,x"]


def test_a_line_of_more_or_fewer_fields_is_a_record_as_it_is():
    body = b'a,b\n1,2\n3\n4,5,6\n\n7,"x"y\n8,9\n'

    found = read(body, CSV)

    assert found == [{"a": "1", "b": "2"}, "3", "4,5,6", '7,"x"y', {"a": "8", "b": "9"}]
    assert texts(body, CSV) == [b"1,2", b"3", b"4,5,6", b'7,"x"y', b"8,9"]


def test_a_field_over_two_lines_is_one_record():
    body = b'a,b\n1,"x\ny"\n2,z\n'

    assert read(body, CSV) == [{"a": "1", "b": "x\ny"}, {"a": "2", "b": "z"}]
    assert texts(body, CSV)[0] == b'1,"x\ny"'


def test_a_field_may_be_as_long_as_memory_allows():
    text = "2,fake\n" * 300_000

    found = read(f'a,b\n1,"{text}"\n3,y\n'.encode(), CSV)

    assert found == [{"a": "1", "b": text}, {"a": "3", "b": "y"}]


@pytest.mark.parametrize(
    "body",
    [b'a,b\n1,"x"y,"p\n2,fake\n3,fake"\n4,z\n', b'a,b\n1,"x\n2,fake\n3,fake" y\n4,z\n'],
    ids=["in the line of the mistake", "before the mistake"],
)
def test_text_within_quotes_that_do_not_match_is_never_read_as_rows(body):
    found = read(body, CSV)

    assert found[-1] == {"a": "4", "b": "z"}
    assert [type(record) for record in found[:-1]] == [str, str, str]
    assert texts(body, CSV) == body.splitlines()[1:]


def test_a_quote_that_never_closes_is_named_by_its_line():
    with pytest.raises(UnexpectedPayload, match="from line 3 on that never do"):
        read(b'a,b\n1,2\n7,"x\n8,9\n', CSV)


def test_quotes_that_mean_nothing_are_text():
    layout = Format(kind="csv", quote="")

    assert read(b'a,b\n7,"x\n8,9\n', layout) == [{"a": "7", "b": '"x'}, {"a": "8", "b": "9"}]


def test_bytes_that_are_not_utf_8_stay_distinct():
    assert read(b"a\n\xff\nx\n", CSV) == [{"a": "\udcff"}, {"a": "x"}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no header"),
        (b"<html>Sorry</html>", "HTML"),
        (b"a,b\n1,2\n3", "last line has no line end"),
        (b"a,b\n1,117", "last line has no line end"),
        (b'a,b\n1,"2\n', "quotes that open in line 2"),
        (b"a,b", "header line has no end"),
    ],
)
def test_csv_whose_end_nobody_declared_may_be_cut_short(body, said):
    with pytest.raises(BodyCutShort, match=said):
        list(read_records(io.BytesIO(body), len(body), CSV, complete=False))


def test_the_last_line_of_a_complete_csv_needs_no_ending():
    assert read(b"a,b\n1,2\n3", CSV) == [{"a": "1", "b": "2"}, "3"]


def test_fields_whose_name_repeats_are_numbered():
    assert read(b"a,b,a,\n1,2,3,\n", CSV) == [{"a": "1", "b": "2", "a#2": "3", "": ""}]


def test_names_that_cannot_be_distinguished_are_unexpected():
    with pytest.raises(UnexpectedPayload, match="found 'a#2' twice"):
        read(b"a,a#2,a\n1,2,3\n", CSV)


def test_a_body_of_only_a_header_holds_no_records():
    assert read(b"a,b\n", CSV) == []


def test_another_delimiter_is_the_contracts():
    assert read(b"a;b\n1,0;2\n", Format(kind="csv", delimiter=";")) == [{"a": "1,0", "b": "2"}]


def test_csv_comes_in_chunks(monkeypatch):
    monkeypatch.setattr(chunked, "CHUNK_RECORDS", 2)
    body = io.BytesIO(b"a\n1\n2\n3\n")

    assert [len(chunk) for chunk in read_records(body, 1, CSV)] == [2, 1]


# --- JSON lines ------------------------------------------------------------------------------


def test_each_line_is_a_record_and_a_broken_one_is_text():
    body = BOM + b'{"a": 1}\r\n\n{"a": oops}\n[2]\n{"a": 3}'

    assert read(body, LINES) == [{"a": 1}, '{"a": oops}', [2], {"a": 3}]
    assert texts(body, LINES) == [b'{"a": 1}', b'{"a": oops}', b"[2]", b'{"a": 3}']


def test_a_last_line_that_breaks_off_is_cut_short():
    with pytest.raises(BodyCutShort, match="last line is cut short"):
        read(b'{"a": 1}\n{"a": ', LINES)


# --- selected records ------------------------------------------------------------------------

OF_US = {"stations": "A1,B2"}


def selecting(field: str, **layout: Any) -> Format:
    return Format(**layout, select={"field": field, "among": "stations"})


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (b'[{"s":{"r":"A1"}},{"s":{"r":"A"}},{"s":{"r":["x","B2"]}},{}]', selecting("s.r")),
        (b's,v\nA1,1\nA,2\n"B2",3\n,4\n', selecting("s", kind="csv")),
        (b'{"s":"A1"}\n{"s":"A1x"}\n{"s":"B2"}\n', selecting("s", kind="jsonl")),
        (b'{"s":["A1","C3","B2"],"v":[1,2,3]}', selecting("s", kind="columnar")),
    ],
    ids=["json", "csv", "jsonl", "columnar"],
)
def test_only_the_records_that_are_wanted_count(body, layout):
    found = read(body, layout, OF_US)

    assert len(found) == 2
    assert "A1" in str(found[0])
    assert "B2" in str(found[1])
    assert len(texts(body, layout, OF_US)) == 2
    assert b"B2" in record_texts(body, layout, {2}, OF_US)[2]
    assert count_records(io.BytesIO(body), 1, layout) in (3, 4)


def test_a_broken_line_is_wanted_if_it_names_one_of_ours():
    body = b"s,v\nA1,1,9\nC3,1,9\nA1,2\n"
    layout = selecting("s", kind="csv")

    assert read(body, layout, OF_US) == ["A1,1,9", {"s": "A1", "v": "2"}]
    assert texts(body, layout, OF_US) == [b"A1,1,9", b"A1,2"]


ROWS = b'[{"s":"A1"},{"s":"C3"},{"s":null},{},{"s":""},{"s":["A1","C3"]},{"s":[]},{"s":"None"}]'


@pytest.mark.parametrize(
    ("select", "found"),
    [
        ({"among": "stations"}, [0, 5]),
        ({"among": None}, [2, 3, 4, 6]),
        ({"among": ["stations", None]}, [0, 2, 3, 4, 5, 6]),
        ({"not": "stations"}, [1, 2, 3, 4, 6, 7]),
        ({"not": None}, [0, 1, 5, 7]),
        ({"not": ["stations", None]}, [1, 7]),
        ({"among": ["stations", "other"]}, [0, 1, 5]),
    ],
    ids=str,
)
def test_null_is_a_value_to_select_by_and_not_the_text_none(select, found):
    layout = Format(null_values=[""], select={"field": "s", **select})

    selected = read(ROWS, layout, {**OF_US, "other": "C3"})

    assert selected == [read(ROWS, Format(), {})[place] for place in found]


def test_a_row_without_a_value_is_null_if_the_layout_says_so():
    body = b"s,v\nA1,1\n,2\nA,1,9\n"
    null = {"field": "s", "among": None}

    assert read(body, Format(kind="csv", null_values=[""], select=null), {}) == [
        {"s": "", "v": "2"},
        "A,1,9",
    ]
    assert read(body, Format(kind="csv", select=null), {}) == ["A,1,9"]


def test_the_name_of_a_place_is_not_a_list():
    layout = Format(select={"field": "s", "among": "council.names.air"})
    named = {"council.names.air": "Kingston, Royal"}

    assert read(b'[{"s":"Kingston, Royal"},{"s":"Kingston"}]', layout, named) == [
        {"s": "Kingston, Royal"}
    ]


def test_a_selection_without_the_requests_value_is_refused():
    with pytest.raises(UnexpectedPayload, match=r"the request's value 'stations'.*found none"):
        read(b"[]", selecting("s"))
