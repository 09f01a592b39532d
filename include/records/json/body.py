"""The positions of records in the bytes of a JSON body."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import IO, Any

import ijson

from include.errors import UnexpectedPayload
from include.records.json.records import whole
from include.records.json.values import BOM, BodyCutShort, exact, parsed, without_bom, written
from include.sources.formats import Format
from include.sources.paths import parts

# A run of so many digits may belong to a number that Python refuses: one of more than 4300.
_MANY_DIGITS = 2048


def streamed_value(body: IO[bytes], path: str) -> Any:
    """One value of a large body; None if absent.

    Raises `BodyCutShort` if the body is not complete JSON up to there, and
    `UnexpectedPayload` if a number up to there is too long to be read.
    """
    # The parser in C crashes the interpreter at a number that Python does not read.
    reader: Any = ijson.get_backend("python") if _has_many_digits(body) else ijson
    body.seek(0)
    if body.read(len(BOM)) != BOM:
        body.seek(0)
    try:
        return next(map(_number, reader.items(body, ".".join(parts(path)))), None)
    except InvalidOperation:
        raise UnexpectedPayload("it has a number whose exponent is too large to be read") from None
    except ijson.JSONError as error:
        if reader is not ijson and _LONG_NUMBER.search(str(error)):
            raise UnexpectedPayload("it has a number of too many digits to be read") from None
        raise BodyCutShort(f"it is not complete JSON: {str(error).strip():.200}") from None


def _has_many_digits(body: IO[bytes]) -> bool:
    """Whether a body has 2048 digits in a row at a multiple of 2048, as every run of 4095 has."""
    body.seek(0)
    while piece := body.read(256 * _MANY_DIGITS):
        places = range(0, len(piece) - _MANY_DIGITS + 1, _MANY_DIGITS)
        if any(piece[place : place + _MANY_DIGITS].isdigit() for place in places):
            return True
    return False


def _number(value: Any) -> Any:
    return exact(str(value)) if isinstance(value, Decimal) else value


_LONG_NUMBER = re.compile(r"[0-9]{4000}")
# Values are delimited by brackets and strings alone: any depth, any length of numbers.
# Possessive, because others keep a hundred bytes for each character in which they could go back.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{}]|[^\s\[\]{}",:]+', re.DOTALL)


def texts(body: bytes, layout: Format) -> Iterator[bytes]:
    """The bytes of each record, in order, of a body that has been read."""
    if not layout.in_place:
        yield from map(written, whole(body, layout))
        return
    body = without_bom(body)
    place = start_of_records(body, layout)
    if layout.one_or_many and body[place : place + 1] == b"{":
        start, end = _value_at(body, place)
        yield body[start:end]
        return
    place += 1
    while True:
        start, place = _value_at(body, place)
        yield body[start:place]


def start_of_list(head: bytes, layout: Format) -> int | None:
    """Where in the first bytes of a body its list of records begins, after the bracket."""
    try:
        place = start_of_records(head, layout)
    except ValueError:
        return None
    return place + 1 if head[place : place + 1] == b"[" else None


def end_of_list(text: bytes) -> int | None:
    """Where the list ends whose first value is at the start of a text."""
    depth = 1
    for token in _TOKEN.finditer(text):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if not depth:
            return token.start()
    return None


def open_brackets(head: bytes) -> bytes:
    """The brackets that are open at the end of a beginning of JSON, as a beginning themselves."""
    opened: list[bytes] = []
    for token in _TOKEN.finditer(head):
        if token[0] in (b"[", b"{"):
            opened.append(token[0])
        elif token[0] in (b"]", b"}") and opened:
            opened.pop()
    return b"".join(b"[" if bracket == b"[" else b'{"":' for bracket in opened)


def last_comma(values: bytes) -> int | None:
    """Where the last comma between values is in the beginning of a list; None if none does."""
    depth, place, end = 0, None, 0
    for token in _TOKEN.finditer(values):
        between = values[end : token.start()]
        if b'"' in between:
            # A string that has no end yet.
            break
        if not depth and end and b"," in between:
            place = values.index(b",", end)
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth < 0:
            break
        end = token.end()
    return place


# Comparing records takes some times their size.
COMPARED_BYTES = 4 * 1024 * 1024
# Between two objects of a list; elsewhere only within strings, and lists in records.
_BETWEEN = re.compile(rb"\}\s*,\s*\{")


def some_texts(
    body: bytes, layout: Format, records: Sequence[Any], numbers: Collection[int]
) -> dict[int, bytes]:
    """The bytes of some records by their number, from 1, given all records of the body."""
    found = _between_objects(body, layout, records, numbers)
    if found is None:
        all_texts = enumerate(islice(texts(body, layout), max(numbers, default=0)), start=1)
        found = {number: text for number, text in all_texts if number in numbers}
    return found


def _between_objects(
    body: bytes, layout: Format, records: Sequence[Any], numbers: Collection[int]
) -> dict[int, bytes] | None:
    """The same, if the body seems to have as many objects, and these are the records."""
    if not layout.in_place or len(body) > COMPARED_BYTES:
        return None
    body = without_bom(body)
    start = start_of_list(body, layout)
    if start is None:
        return None
    cuts = [(match.start() + 1, match.end() - 1) for match in _BETWEEN.finditer(body, start)]
    if len(cuts) != len(records) - 1:
        return None
    found = {}
    for number in numbers:
        begin = cuts[number - 2][1] if number > 1 else start
        if number == len(records):
            found[number] = slice(*_value_at(body, begin))
        else:
            found[number] = slice(begin, cuts[number - 1][0])
    given = {number: body[place].strip() for number, place in found.items()}
    same = all(
        repr(_read(text, layout)) == repr(records[number - 1]) for number, text in given.items()
    )
    return given if same else None


def _read(text: bytes, layout: Format) -> Any:
    try:
        return parsed(text, layout.as_sent)
    except BodyCutShort:
        return BodyCutShort


def start_of_records(body: bytes, layout: Format) -> int:
    """Where the list, or the single record, begins."""
    place = _bracket(body, 0)
    for wanted in layout.path:
        name = None
        place += 1
        while name != wanted:
            if name is not None:
                _, place = _value_at(body, place)
            start, place = _value_at(body, place)
            name = parsed(body[start:place])
        place = _bracket(body, place)
    return place


def _value_at(body: bytes, place: int) -> tuple[int, int]:
    """Where the next value starts and ends."""
    start, depth = -1, 0
    for token in _TOKEN.finditer(body, place):
        start = token.start() if start < 0 else start
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if not depth:
            return start, token.end()
    raise ValueError(f"no value at {place}")


def _bracket(body: bytes, place: int) -> int:
    match = _TOKEN.search(body, place)
    return match.start() if match else len(body)
