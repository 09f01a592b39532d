"""Records cut out of a body: they are gone, and every other byte is where it was."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.errors import PermanentError
from include.records.read import read_records
from include.records.remove import cut_records
from include.sources.formats import Format, Selection

JSON, LINES, CSV = Format(), Format(kind="jsonl"), Format(kind="csv")
ITEMS = Format(records="data.items")


def of(*ids: Any) -> Any:
    """Whether a record's id is among these."""
    return lambda record: isinstance(record, dict) and record.get("id") in ids


def test_a_list_loses_its_items_with_one_separator_each():
    body = b'[ {"id": 1},\n  {"id": 2 , "a": [1, {}]} ,\n  {"id": 3} ]\n'

    assert cut_records(body, JSON, of(1)).body == (b'[ {"id": 2 , "a": [1, {}]} ,\n  {"id": 3} ]\n')
    assert cut_records(body, JSON, of(2)).body == b'[ {"id": 1},\n  {"id": 3} ]\n'
    assert cut_records(body, JSON, of(3)).body == (b'[ {"id": 1},\n  {"id": 2 , "a": [1, {}]} ]\n')
    assert cut_records(body, JSON, of(2, 3)).body == b'[ {"id": 1} ]\n'
    assert cut_records(body, JSON, of(1, 3)).body == b'[ {"id": 2 , "a": [1, {}]} ]\n'
    assert cut_records(body, JSON, of(1, 2, 3)).body == b"[  ]\n"


def test_the_message_says_how_many_were_lost_and_how_many_are_left():
    body = json.dumps([{"id": 1}, {"id": 1}, {"id": 2}]).encode()

    cut = cut_records(body, JSON, of(1))

    assert (cut.lost, cut.left) == (2, 1)


def test_a_body_that_holds_nothing_of_it_is_the_same():
    body = b'[{"id": 1}]'

    assert cut_records(body, JSON, of(2)).body is body


def test_what_is_before_the_list_may_look_like_a_record():
    body = b'\xef\xbb\xbf{"data": {"note": {"id": 1}, "items": [{"id": 1}, {"id": 2}]}, "id": 1}'

    assert cut_records(body, ITEMS, of(1)).body == (
        b'\xef\xbb\xbf{"data": {"note": {"id": 1}, "items": [{"id": 2}]}, "id": 1}'
    )


def test_a_single_record_in_place_of_a_list_is_removed():
    layout = Format(records="items", one_or_many=True)

    cut = cut_records(b'{"items": {"id": 1}, "n": 1}', layout, of(1))

    assert (cut.body, cut.left) == (b'{"items": [], "n": 1}', 0)
    assert cut_records(b'{"items": [{"id": 1}]}', layout, of(1)).body == b'{"items": []}'


def test_lines_are_removed_with_their_ends():
    body = b'\xef\xbb\xbf{"id": 1}\r\n\r\n{"id": 2}\n  {"id": 3}'

    assert cut_records(body, LINES, of(2)).body == b'\xef\xbb\xbf{"id": 1}\r\n\r\n  {"id": 3}'
    assert cut_records(body, LINES, of(1)).body == b'\xef\xbb\xbf\r\n{"id": 2}\n  {"id": 3}'
    assert cut_records(body, LINES, of(3)).body == b'\xef\xbb\xbf{"id": 1}\r\n\r\n{"id": 2}\n'
    assert cut_records(b'{"id": 1}\n', LINES, of(1)).left == 0


def test_a_line_that_cannot_be_read_is_a_record_too():
    body = b'{"id": 1}\n{"id": 1, broken}\n{"id": 2}\n'

    cut = cut_records(body, LINES, lambda record: isinstance(record, str) and "1" in record)

    assert (cut.body, cut.lost) == (b'{"id": 1}\n{"id": 2}\n', 1)


def test_rows_of_csv_are_removed_with_all_their_lines():
    body = b'id,note\r\n1,"two\r\nlines"\r\n2,x\r\n3,"a ""b"""\r\n'

    assert cut_records(body, CSV, of("1")).body == b'id,note\r\n2,x\r\n3,"a ""b"""\r\n'
    assert cut_records(body, CSV, of("3", "2")).body == b'id,note\r\n1,"two\r\nlines"\r\n'
    assert cut_records(body, CSV, of("1", "2", "3")).body == b"id,note\r\n"


def test_a_row_like_the_header_is_not_taken_for_it():
    assert cut_records(b"id,id2\nid,id2\nx,y\n", CSV, of("id")).body == b"id,id2\nx,y\n"


def test_records_of_other_partitions_are_removed_too_and_not_counted_as_the_pages():
    layout = Format(kind="csv", select=Selection(field="place", among="places"))
    body = b"id,place\n1,a\n2,a\n1,b\n"

    cut = cut_records(body, layout, of("1"), {"places": "a,c"})

    assert (cut.body, cut.lost, cut.left) == (b"id,place\n2,a\n", 2, 1)


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (b'{"id": [1, 2], "v": [3, 4]}', Format(kind="columnar")),
        (b'{"a": {"events": [{"id": 1}]}}', Format(records="*.events")),
    ],
)
def test_what_is_in_several_places_is_refused(body, layout):
    with pytest.raises(PermanentError, match="cannot be removed"):
        cut_records(body, layout, of(1))


def test_two_lists_of_records_are_refused_and_none_is_cut():
    body = b'{"items": [{"id": 1}], "items": [{"id": 1}]}'

    with pytest.raises(PermanentError, match="names 'items' more than once"):
        cut_records(body, Format(records="items"), of(1))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
RECORDS = st.lists(st.fixed_dictionaries({"id": st.integers(0, 3), "v": VALUES}), max_size=8)


@settings(max_examples=300)
@given(
    records=RECORDS,
    going=st.sets(st.integers(0, 3)),
    indent=st.sampled_from([None, 0, 3]),
    kind=st.sampled_from(["json", "jsonl", "csv"]),
    ascii_only=st.booleans(),
)
def test_whatever_a_body_holds_the_others_keep_their_bytes(
    records, going, indent, kind, ascii_only
):
    def whole(some: list[Any]) -> bytes:
        if kind == "json":
            text = json.dumps({"data": {"items": some}}, indent=indent, ensure_ascii=ascii_only)
        elif kind == "jsonl":
            text = "".join(json.dumps(one, ensure_ascii=ascii_only) + "\n" for one in some)
        else:
            quoted = [(one["id"], json.dumps(one["v"]).replace('"', '""')) for one in some]
            text = "id,v\n" + "".join(f'{number},"{value}"\n' for number, value in quoted)
        return text.encode()

    layout = ITEMS if kind == "json" else Format(kind=kind)
    gone = (str(number) for number in going) if kind == "csv" else going
    staying = [record for record in records if record["id"] not in going]

    cut = cut_records(whole(records), layout, of(*gone))

    found = [
        r for chunk in read_records(io.BytesIO(cut.body), len(cut.body), layout) for r in chunk
    ]
    expected = whole(staying)
    assert len(found) == cut.left == len(staying)
    assert cut.lost == len(records) - len(staying)
    # An emptied list keeps the space around its records, lines one line end.
    if staying or kind == "csv":
        assert cut.body == expected
