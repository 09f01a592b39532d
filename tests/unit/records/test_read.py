"""From a body to its records: whole or as a stream, and each record's own bytes."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import UnexpectedPayload
from include.records import chunks as chunked
from include.records import read as reading
from include.records.json.values import BodyCutShort
from include.records.read import read_records, record_texts
from include.sources.formats import Format

TOP = Format()
INSIDE = Format(records="data.items")
STREAMED = {"size": reading.STREAM_ABOVE_BYTES + 1}
WHOLE: dict[str, int] = {}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
ODD_SPACE = st.sampled_from([(",", ":"), (" ,\n", " :\t"), (", ", ": ")])


def read(body: bytes, layout: Format = TOP, size: int | None = None) -> list[Any]:
    chunks = read_records(io.BytesIO(body), len(body) if size is None else size, layout)
    return [record for chunk in chunks for record in chunk]


@given(st.lists(JSON, min_size=1, max_size=6), ODD_SPACE)
def test_reading_whole_and_as_a_stream_give_the_same(found, separators):
    body = json.dumps(found, separators=separators).encode()

    assert repr(read(body)) == repr(read(body, **STREAMED))


@given(st.lists(JSON, min_size=1, max_size=6), ODD_SPACE, st.booleans())
def test_each_record_is_returned_as_its_own_bytes(found, separators, ascii_only):
    texts = [json.dumps(item, ensure_ascii=ascii_only, separators=separators) for item in found]
    body = f" [ {' , '.join(texts)} ]\n".encode()

    given_back = record_texts(body, TOP, range(1, len(found) + 1))

    assert given_back == {number: text.encode() for number, text in enumerate(texts, start=1)}


def test_only_the_records_requested_are_returned():
    assert record_texts(b'[{"a":1},{"a":2},{"a":3}]', TOP, {2}) == {2: b'{"a":2}'}


def test_records_below_a_path_are_found_whatever_comes_before_them():
    body = b'{"meta": {"items": [9]}, "data": {"n": [], "items": [1, {"b" : 2}]}, "z": 0}'

    assert read(body, INSIDE) == [1, {"b": 2}] == read(body, INSIDE, **STREAMED)
    assert record_texts(body, INSIDE, {2}) == {2: b'{"b" : 2}'}


def test_a_stream_comes_in_chunks(monkeypatch):
    monkeypatch.setattr(chunked, "CHUNK_RECORDS", 2)
    body = io.BytesIO(b"[1,2,3,4,5]")

    chunks = list(read_records(body, STREAMED["size"], TOP))

    assert [len(chunk) for chunk in chunks] == [2, 2, 1]


@pytest.mark.parametrize("how", [WHOLE, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    "body",
    [b"", b"[", b'[{"a":1}', b'[{"a":1},', b'[{"a":"x', b"<html></html>", b"[1] 2"],
)
def test_a_body_that_is_not_complete_is_distinguished(body, how):
    with pytest.raises(BodyCutShort):
        read(body, **how)


@pytest.mark.parametrize("body", [b'{"a":1}', b"3", b"null", b'"text"'])
def test_a_body_that_is_not_a_list_is_unexpected(body):
    with pytest.raises(UnexpectedPayload, match="expected a list of records as the whole body"):
        read(body)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"items":[1]}', "found an object with items"),
        (b'{"data":{"items":{"a":1}}}', "found an object with a"),
        (b'{"data":[1]}', "found list"),
        (b"{}", "found an object with no fields"),
    ],
)
def test_a_list_that_is_not_where_it_should_be_is_named_with_what_is_there(body, found):
    with pytest.raises(UnexpectedPayload, match=r"at 'data\.items'") as caught:
        read(body, INSIDE)

    assert found in str(caught.value)


def test_an_empty_list_holds_no_records():
    assert read(b"[]") == []
