"""A large body in pieces: the same records as of the whole, with their own bytes, or an error."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.errors import UnexpectedPayload
from include.records.json import body as json_body
from include.records.json import stream as json_stream
from include.records.json.values import BodyCutShort
from include.records.read import read_chunks
from include.sources.formats import Format

INSIDE = Format(records="data.items", one_or_many=True)
TOO_LARGE = 2**40
TEXTS = st.text(st.sampled_from('ab{}[],:"\\ \n'), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
SPACES = st.sampled_from([(",", ":"), (" ,\n", " :\t"), (", ", ": "), (",\n  ", ": ")])


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(json_stream, "PIECE_BYTES", 64)
    monkeypatch.setattr(json_stream, "STEP_BYTES", 8)


def in_pieces(body: bytes, layout: Format = INSIDE) -> tuple[list[Any], list[bytes]]:
    chunks = list(read_chunks(io.BytesIO(body), TOO_LARGE, layout))
    records = [record for chunk in chunks for record in chunk.records]
    own = [
        text for chunk in chunks for text in chunk.texts(range(1, len(chunk.records) + 1)).values()
    ]
    return records, own


@given(st.lists(OBJECTS | VALUES, max_size=12), OBJECTS, OBJECTS, SPACES)
@example([{"a": [{"b": 1}, {"c": 2}] * 9}] * 3, {}, {}, (",", ":"))
@example([{"a": float("nan")}, {"a": "}, {"}] * 9, {}, {}, (", ", ": "))
def test_pieces_hold_the_records_of_the_whole_with_their_own_bytes(found, before, after, space):
    before.pop("data", None)
    after.pop("data", None)
    # Two objects of one text may not repeat a name.
    after = {name: value for name, value in after.items() if name not in before}
    texts = [json.dumps(item, separators=space).encode() for item in found]
    head, tail = (json.dumps(item, separators=space)[1:-1].encode() for item in (before, after))
    items = b'"data" : {"items": [ %b ]}' % space[0].encode().join(texts)
    body = b"{" + b",".join(part for part in (head, items, tail) if part.strip()) + b"}"

    records, own = in_pieces(body)

    assert repr(records) == repr(json_body.whole(body, INSIDE))
    assert own == texts


@given(st.lists(OBJECTS, max_size=9), SPACES, st.integers(0, 400), st.sampled_from(b'{}[],:"x'))
def test_a_damaged_body_is_read_as_the_whole_is_or_refused(found, space, place, byte):
    body = bytearray(json.dumps({"data": {"items": found}}, separators=space).encode())
    body[place % len(body)] = byte

    try:
        expected = repr(json_body.whole(bytes(body), INSIDE))
    except (BodyCutShort, UnexpectedPayload):
        expected = "refused"
    try:
        records, own = in_pieces(bytes(body))
    except (BodyCutShort, UnexpectedPayload):
        return

    assert repr(records) == expected
    assert len(own) == len(records)


@pytest.mark.parametrize("cut", range(1, 300, 7))
def test_a_body_that_is_cut_short_is_refused(cut):
    body = json.dumps({"data": {"items": [{"a": number} for number in range(40)]}, "z": 1}).encode()

    with pytest.raises((BodyCutShort, UnexpectedPayload)):
        in_pieces(body[:-cut])


def test_a_list_that_is_listed_twice_is_refused_in_a_body_of_any_size():
    body = b'{"data":{"items":[%b]},"data":{"items":[{"a":2}]}}' % b",".join([b'{"a":1}'] * 40)

    for read in (in_pieces, json_body.whole):
        with pytest.raises(UnexpectedPayload, match="an object that names 'data' more than once"):
            read(body, INSIDE)


def test_a_comma_before_the_end_is_refused():
    with pytest.raises(BodyCutShort):
        in_pieces(b"[%b]" % (b'{"a":1},' * 40), Format())


def test_several_pieces_are_made():
    body = json.dumps([{"a": number} for number in range(100)]).encode()

    assert len(list(json_stream.pieces(io.BytesIO(body), Format()))) > 10


@given(st.lists(OBJECTS | VALUES, max_size=4), OBJECTS, OBJECTS, SPACES)
@example([{"a": "]}}"}], {"b": [{"c": ["]", 1]}]}, {"d": [[]]}, (",", ":"))
def test_what_stands_around_a_list_is_the_body_without_its_records(found, before, after, space):
    names = {"data": {"items": [{"a": "x" * json_stream.TAIL_BYTES}, *found]} | after}
    body = json.dumps({**before, **names}, separators=space).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "PIECE_BYTES", 2**20)

        around = json_stream.around_list(io.BytesIO(body), len(body), Format(records="data.items"))

    assert repr(around) == repr(before | {"data": {"items": []} | after})


def test_what_stands_around_a_list_is_found_at_once_behind_many_brackets(monkeypatch):
    monkeypatch.setattr(json_stream, "PIECE_BYTES", 2**20)
    pad, brackets = [1] * 300_000, "]" * 4_000
    items = [{"a": "x" * json_stream.TAIL_BYTES}, {"a": brackets}]
    body = json.dumps({"pad": pad, "items": items, "total": 2}).encode()

    around = json_stream.around_list(io.BytesIO(body), len(body), Format(records="items"))

    assert around == {"pad": pad, "items": [], "total": 2}


# A parser in C ends the process at a whole number that Python does not read.
@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("1" * 4_301, "a number of too many digits"),
        ("-" + "9" * 100_000, "a number of too many digits"),
        ("1E99999999999999999999", "a number whose exponent is too large"),
    ],
)
@pytest.mark.parametrize("before", [0, 1_000, 2_047, 10**6])
def test_a_value_behind_a_number_that_cannot_be_read_is_refused(number, message, before):
    body = b'{"a": "%s", "b": [{"c": %s}], "total": 3}' % (b"x" * before, number.encode())

    with pytest.raises(UnexpectedPayload, match=message):
        json_body.streamed_value(io.BytesIO(body), "total")


def test_a_value_behind_a_long_text_of_digits_is_found():
    body = b'\xef\xbb\xbf{"a": "%s", "total": 3}' % (b"1" * 10_000)

    assert json_body.streamed_value(io.BytesIO(body), "total") == 3


def test_a_value_in_a_body_that_is_cut_short_is_not_absent():
    with pytest.raises(BodyCutShort, match="not complete JSON"):
        json_body.streamed_value(io.BytesIO(b'{"items": [{"a": 1}, {"a"'), "total")
