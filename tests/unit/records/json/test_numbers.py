"""Numbers of JSON arrive with their exact value, however long they are and wherever they are."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.extract.identity import content_digest
from include.records.json import long_numbers
from include.records.json.long_numbers import SHORT_BYTES, may_hold_long_numbers
from include.records.json.values import ExactNumber, json_text, parsed, written
from include.records.read import STREAM_ABOVE_BYTES, read_records, record_texts, value_in
from include.sources.formats import Format

LONG = "1234567890123456.78"
DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,59})(\.[0-9]{1,60})?", fullmatch=True)
NUMBERS = DIGITS | st.builds("{}{}{}".format, DIGITS, st.sampled_from("eE"), st.integers(-420, 420))
# What comes before a number, so that it falls into, between and onto the pieces that are read.
BEFORE = st.integers(0, 40) | st.integers(64 * 1024 - 90, 64 * 1024 + 40)


def value_of(number: Any) -> Decimal:
    return Decimal(repr(number)) if isinstance(number, float) else Decimal(number)


@given(NUMBERS, BEFORE)
@example("1e-400", 0)
@example("2.5E-310", 65_530)
@example("1234567890123456e3", 65_535)
@example("-1e309", 0)
@example("0.1234567890123456789", 65_500)
@example("-9007199254740993.5", 65_535)
def test_any_number_of_a_large_text_has_the_value_that_was_sent(text, before):
    body = f'["{"x" * before}",{text},"{"y" * SHORT_BYTES}"]'.encode()

    found = parsed(body)[1]

    assert value_of(found) == Decimal(text)


@given(NUMBERS)
def test_any_number_of_a_small_text_has_the_value_that_was_sent(text):
    assert value_of(parsed(f'{{"a":{text}}}'.encode())["a"]) == Decimal(text)


@given(NUMBERS)
def test_numbers_as_sent_keep_their_text(text):
    (found,) = parsed(f"[{text}]".encode(), as_sent=True)

    assert str(found) == text or (isinstance(found, int) and Decimal(text) == 0)
    assert value_of(found) == Decimal(text)


@pytest.mark.parametrize("text", ["12.5", "0.1", "-1e-05", "0.30000000000000004", "1e+16", "7"])
def test_what_python_writes_the_same_way_stays_a_plain_number(text):
    (found,) = parsed(f"[{text}]".encode(), as_sent=True)

    assert type(found) in (int, float)


@pytest.mark.parametrize(
    "item",
    [
        '{"id":12345678901234567890}',
        '{"at":"12345678901234567.5"}',
        '{"at":1767225600000}',
        '{"at":51.1234567890123}',
        '{"at":1e-30}',
        '{"uuid":"0e-4121-1e-312345678.90123456789"}',
    ],
)
def test_only_long_numbers_take_the_slower_way(item):
    text = f"[{','.join([item] * 2_000)}]".encode()

    assert may_hold_long_numbers(text) == ("uuid" in item)


def test_without_numpy_every_text_is_read_in_the_exact_way(monkeypatch):
    monkeypatch.setattr(long_numbers, "_numpy", lambda: None)

    assert may_hold_long_numbers(b"[" + b"1," * SHORT_BYTES + b"1]")


@pytest.mark.parametrize("odd", [b'"\\ud800"', b'"\xff"', b"NaN", b"[" * 700 + b"1" + b"]" * 700])
def test_a_long_number_is_exact_whatever_is_next_to_it(odd):
    found = parsed(b"[%b,%b]" % (LONG.encode(), odd))[0]

    assert (found, str(found)) == (Decimal(LONG), LONG)


@pytest.mark.parametrize("size", [1, STREAM_ABOVE_BYTES + 1])
@pytest.mark.parametrize("kind", ["json", "jsonl", "columnar"])
def test_records_of_every_format_have_exact_numbers(kind, size):
    bodies = {
        "json": f'[{{"a":{LONG}}}]',
        "jsonl": f'{{"a":{LONG}}}\n',
        "columnar": f'{{"a":[{LONG}]}}',
    }
    body = io.BytesIO(bodies[kind].encode())

    ((record,),) = read_records(body, size, Format(kind=kind))

    assert record == {"a": Decimal(LONG)}


def test_a_record_that_is_written_again_keeps_its_digits():
    texts = record_texts(f'{{"a":[12.50,{LONG}]}}'.encode(), Format(kind="columnar"), {2})

    assert texts == {2: f'{{"a":{LONG}}}'.encode()}


@pytest.mark.parametrize("size", [1, STREAM_ABOVE_BYTES + 1])
def test_a_value_outside_of_the_records_is_exact(size):
    body = io.BytesIO(f'{{"next":{LONG},"total":7.5,"items":[]}}'.encode())

    assert str(value_in(body, size, "next")) == LONG
    assert value_in(body, size, "total") == 7.5


def test_json_with_exact_numbers_is_written_as_the_standard_library_writes_it():
    value = {"é": [1, 2.5, None, True, {"b": "x\n", "a": []}], "a": {}}

    for separators in ((",", ":"), (", ", ": ")):
        for sort in (False, True):
            expected = json.dumps(value | {"n": 1}, separators=separators, sort_keys=sort)
            found = json_text(value | {"n": ExactNumber("1")}, separators, sort)
            assert found == expected
    assert written({"a": ExactNumber("1E+2")}) == b'{"a":1E+2}'
    with pytest.raises(ValueError, match="JSON compliant"):
        json_text([ExactNumber("1"), float("nan")], allow_nan=False)


def test_two_passes_that_differ_in_the_last_digit_differ():
    one, other = (content_digest([parsed(f'{{"a":{LONG}{digit}}}'.encode())]) for digit in "12")

    assert one != other
