"""A name that an object repeats never loses a value: its record becomes text, its page is refused.

A record that is text breaks the rule `object`, so that it is in quarantine with its bytes.
"""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import UnexpectedPayload
from include.records.json import stream as json_stream
from include.records.json.long_numbers import SHORT_BYTES, count_names
from include.records.json.values import has_all_names, parsed
from include.records.read import read_chunks, read_records
from include.sources.formats import Format

STREAMED = 2**40
ONCE = '{"id":1,"in":{"a":1}}'
TWICE = ['{"id":1,"id":2}', '{"id":1,"in":{"a":1,"a":2}}', '{"id":1,"in":[{"a":1,"a":2.50}]}']
LAYOUTS = {
    "list": (Format(), "[{}]", ","),
    "inside": (Format(records="items"), '{{"meta":{{"a":1}},"items":[{}],"z":1}}', ","),
    "lines": (Format(kind="jsonl"), "{}\n", "\n"),
    "below names": (Format(records="*.of"), '{{"x":{{"of":[{}]}}}}', ","),
}


def read(layout: Format, body: str, size: int | None = None) -> list[Any]:
    content = io.BytesIO(body.encode())
    return [
        record for records in read_records(content, size or len(body), layout) for record in records
    ]


@pytest.mark.parametrize("size", [None, STREAMED])
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("twice", TWICE)
def test_a_record_that_repeats_a_name_is_text_and_the_others_are_records(name, twice, size):
    layout, around, between = LAYOUTS[name]
    if size and not layout.in_place:
        size = None
    body = around.format(between.join([ONCE, twice, ONCE]))

    first, found, last = read(layout, body, size)

    assert (first, last) == (json.loads(ONCE), json.loads(ONCE))
    assert found == twice.replace("2.50", "2.5")


def test_its_text_has_the_characters_that_were_sent():
    (found,) = read(Format(), '[{"who":"Jos\\u00e9","who":"\\"Zoë\\""}]')

    assert found == '{"who":"José","who":"\\"Zoë\\""}'


@pytest.mark.parametrize("name", ["list", "inside", "lines"])
def test_its_own_bytes_are_kept(name):
    layout, around, between = LAYOUTS[name]
    spaced = '{"id": 1,  "id": 2.50}'
    body = around.format(between.join([ONCE, spaced])).encode()

    (chunk,) = read_chunks(io.BytesIO(body), len(body), layout)

    assert chunk.texts({2}) == {2: spaced.encode()}


@pytest.mark.parametrize(
    ("body", "layout", "name"),
    [
        ('{"items":[{"id":1}],"items":[{"id":2}]}', Format(records="items"), "items"),
        ('{"next":"a","next":"b","items":[{"id":1}]}', Format(records="items"), "next"),
        ('{"a":{"id":1},"a":{"id":2}}', Format(records="*"), "a"),
        ('{"a":[1,2],"a":[3,4]}', Format(kind="columnar"), "a"),
    ],
)
def test_a_page_that_repeats_a_name_around_its_records_is_refused(body, layout, name):
    with pytest.raises(UnexpectedPayload, match=f"names '{name}' more than once"):
        read(layout, body)


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text('ab":\\ {', max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab":\\', max_size=3), inner)
    ),
)


@given(
    st.lists(VALUES, max_size=6),
    st.sampled_from([(",", ":"), (", ", ": "), (",\n", " : "), (" , ", "\t:\n")]),
    st.sampled_from([0, SHORT_BYTES]),
)
def test_no_value_is_changed_where_every_name_occurs_once(values, space, length):
    text = json.dumps([*values, "x" * length], separators=space)

    assert read(Format(), text) == [*values, "x" * length]


@pytest.mark.parametrize("space", [(",", ":"), (", ", ": "), (" , ", " : ")])
def test_usual_texts_are_read_only_once(space):
    record = {"id": 1, "at": "12:30", "where": {"lat": 1.5, "road": {"id": 7}}, "tags": [{"a": 1}]}
    texts = {"id": 2, "said": '{"a":"b"}', "where": None, "tags": []}
    found = [record, texts] * 2_000

    assert has_all_names(json.dumps(found, separators=space).encode(), found)


@pytest.mark.parametrize(
    "other",
    [
        *(f'"a"{space}:1' for space in (" ", "\t", "\n", "\r\n", "  ", "\t ", "\n ", "\r ")),
        r'"a\\":1',
        r'"a":"\\\":"',
    ],
    ids=ascii,
)
@pytest.mark.parametrize("length", [0, SHORT_BYTES], ids=["short", "long"])
def test_a_repeated_name_is_found_next_to_one_that_is_counted_differently(other, length):
    record = f'{{{other},"id":1,"id":2,"more":"{"x" * length}"}}'

    (found,) = read(Format(), f"[{record}]")

    assert isinstance(found, str)
    assert '"id":1,"id":2' in found


@given(st.binary(max_size=40), st.integers(0, 3))
def test_names_are_counted_alike_in_texts_of_any_length(some, before):
    long = b" " * before + some.join([b'":'] * 3) + b"x" * SHORT_BYTES

    assert count_names(long) == long.count(b'":')


def test_pieces_of_a_large_body_are_read_as_the_whole(monkeypatch):
    monkeypatch.setattr(json_stream, "PIECE_BYTES", 64)
    body = f"[{','.join([ONCE, TWICE[0], ONCE] * 20)}]"

    assert read(Format(), body, STREAMED) == read(Format(), body)
    assert parsed(TWICE[0].encode()) == {"id": 2}
