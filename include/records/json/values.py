"""JSON as APIs send it, and the error for incomplete bodies."""

from __future__ import annotations

import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import chain
from typing import Any

import ijson
import msgspec
import orjson

from include.errors import UnexpectedPayload
from include.records.json.long_numbers import (
    count_names,
    has_spaced_names,
    may_hold_long_numbers,
)
from include.sources.paths import parts

BOM = b"\xef\xbb\xbf"


class BodyCutShort(ValueError):
    """The body is not complete: empty, cut short, or not of this format at all."""


def without_bom(body: bytes) -> bytes:
    """The body without the byte order mark that some servers put before UTF-8."""
    return body.removeprefix(BOM)


class ExactNumber(Decimal):
    """A JSON number that no Python number represents exactly; its text as sent."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> ExactNumber:
        """Raises `decimal.InvalidOperation` for an exponent beyond 10^18."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


# Up to this length, a double distinguishes all numbers that are not tiny.
_SURELY_EXACT = 16
# The whole number -0, which parsers make 0.
_MINUS_ZERO = re.compile(rb"-0(?![0-9.eE])(?<=[\s:,\[]-0)")


def parsed(text: bytes, as_sent: bool = False) -> Any:
    """The value of a JSON text.

    Every number keeps exactly the value that was sent: it is an int, a float
    whose shortest form has that value, or an `ExactNumber`. This is slower,
    so only texts with long numbers are read this way. With `as_sent`, numbers
    that Python would format differently, such as 12.50, are `ExactNumber` too.

    Invalid UTF-8 and lone surrogates become lone surrogates, and NaN and
    Infinity are numbers, so that they break a rule of one record instead of
    failing all of them. Raises `BodyCutShort` if the text is not complete
    JSON, and `UnexpectedPayload` if it is nested too deeply.
    """
    long = may_hold_long_numbers(text)
    try:
        if as_sent:
            return (
                _by_the_library(text, True) if _MINUS_ZERO.search(text) else _AS_SENT.decode(text)
            )
        return _EXACT.decode(text) if long else msgspec.json.decode(text)
    except RecursionError:
        # Brackets nested deeper than Python allows calls; the other parser rounds long numbers.
        with suppress(ValueError):
            found = orjson.loads(text)
            return _token_by_token(text, as_sent) if long or as_sent else found
    except ValueError as error:
        try:
            return _by_the_library(text, as_sent)
        except RecursionError:
            pass
        except ValueError:
            raise BodyCutShort(f"it is not complete JSON: {error}") from None
    raise UnexpectedPayload("it is nested too deeply to be read")


def _by_the_library(
    text: bytes, as_sent: bool, object_of: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """The same by the standard library, which is slow and accepts what others do not."""
    return json.loads(
        text.decode("utf-8", "surrogateescape"),
        parse_int=_whole_as_sent if as_sent else _whole_number,
        parse_float=_as_sent if as_sent else exact,
        object_pairs_hook=object_of,
    )


def _token_by_token(text: bytes, as_sent: bool) -> Any:
    number = _as_sent if as_sent else exact
    builder = ijson.ObjectBuilder()
    for event, value in ijson.basic_parse(io.BytesIO(text)):
        builder.event(event, number(str(value)) if isinstance(value, Decimal) else value)
    return builder.value


def exact(text: str) -> float | ExactNumber:
    """A JSON number as a float, if the float's shortest form has exactly its value."""
    number = float(text)
    if len(text) <= _SURELY_EXACT and "-" not in text[1:] and math.isfinite(number):
        return number
    return number if repr(number) == text or _has_value(number, text) else _exact_number(text)


def _as_sent(text: str) -> float | ExactNumber:
    number = float(text)
    return number if repr(number) == text and text[-2:] != ".0" else _exact_number(text)


def _has_value(number: float, text: str) -> bool:
    try:
        return Decimal(repr(number)) == Decimal(text)
    except InvalidOperation:
        return False


def _exact_number(text: str) -> float | ExactNumber:
    """Infinity, which no column accepts, for an exponent that no column accepts either."""
    try:
        return ExactNumber(text)
    except InvalidOperation:
        return math.inf


def _whole_number(digits: str) -> int | float | ExactNumber:
    """An exact number if it has more digits than Python accepts."""
    try:
        return int(digits)
    except ValueError:
        return _exact_number(digits)


def _whole_as_sent(digits: str) -> int | float | ExactNumber:
    """The same; the only whole number that Python would write differently is -0."""
    return _exact_number(digits) if digits == "-0" else _whole_number(digits)


class RepeatedNames:
    """A JSON object that has a name more than once, so that parsers would lose a value."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs

    @property
    def name(self) -> str:
        """One of those names."""
        ((name, _),) = Counter(name for name, _ in self.pairs).most_common(1)
        return name


def without_loss(text: bytes, found: Any, as_sent: bool = False) -> Any:
    """The value of a text, `found` by `parsed`, with `RepeatedNames` where it has such objects.

    Names are counted in the text and in the value: only if the numbers differ
    is the text parsed again.
    """
    if has_all_names(text, found):
        return found
    repeated = False

    def object_of(pairs: list[tuple[str, Any]]) -> Any:
        nonlocal repeated
        item = dict(pairs)
        if len(item) == len(pairs):
            return item
        repeated = True
        return RepeatedNames(pairs)

    with suppress(ValueError, RecursionError):
        again = _by_the_library(text, as_sent, object_of)
        return again if repeated else found
    return found


# With one of these in a text, its names cannot be counted by what follows them: anything but one
# space before a colon, or a backslash at the end of a name.
_UNUSUAL = (b"\t:", b"\n:", b"\r:", b"  :", b"\t :", b"\n :", b"\r :", b'\\\\"')


def has_all_names(text: bytes, found: Any) -> bool:
    """Whether the value of a text has as many names as the text; False if that is not certain."""
    names = count_names(text)
    if names == count_members(found, exactly=False) and not has_spaced_names(text):
        return True
    if any(unusual in text for unusual in _UNUSUAL):
        return False
    names += text.count(b'" :') - text.count(b'\\":') - text.count(b'\\" :')
    return names == count_members(found, exactly=True)


# Of a list, those whose fields are inspected for objects and lists in them.
_INSPECTED = 8


def count_members(found: Any, *, exactly: bool) -> int:
    """The fields of all objects in a value, level by level; if not exactly, maybe too few."""
    level, count = [found], 0
    while level:
        try:
            count += sum(map(dict.__len__, level))
            objects, level = level, []
        except TypeError:  # not only objects
            objects = [item for item in level if type(item) is dict]
            count += sum(map(len, objects))
            level = list(chain.from_iterable(item for item in level if type(item) is list))
        if exactly or len(objects) <= _INSPECTED:
            values = chain.from_iterable(map(dict.values, objects))
            level += [value for value in values if type(value) in (dict, list)]
            continue
        some = objects[:: len(objects) // _INSPECTED]
        inner = {name for item in some for name in item if type(item[name]) in (dict, list)}
        for name in inner:
            level += filter(None, [item.get(name) for item in objects])
    return count


def records_without_loss(records: list[Any]) -> list[Any]:
    """The records, as text those in which an object repeats a name."""
    return [as_text(record) if _repeats(record) else record for record in records]


def _repeats(value: Any) -> bool:
    level = [value]
    while level:
        if RepeatedNames in set(map(type, level)):
            return True
        inner = (
            item.values() if isinstance(item, dict) else item
            for item in level
            if isinstance(item, dict | list)
        )
        level = list(chain.from_iterable(inner))
    return False


def as_text(record: Any) -> str:
    """A record as JSON text, with characters as they are, so that values are found in it."""
    try:
        return _with_all_names(record)
    except RecursionError:
        return "nested too deeply to be written"


def _with_all_names(value: Any) -> str:
    if isinstance(value, dict | RepeatedNames):
        pairs = value.items() if isinstance(value, dict) else value.pairs
        members = (f"{_with_all_names(name)}:{_with_all_names(item)}" for name, item in pairs)
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_with_all_names, value))}]"
    # Text as it is, so that it is found in the record.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else json_text(value)


_EXACT = msgspec.json.Decoder(float_hook=exact)
_AS_SENT = msgspec.json.Decoder(float_hook=_as_sent)


def at(found: Any, path: str) -> Any:
    """The value at a path in objects; None if absent."""
    for name in parts(path):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def written(record: Any) -> bytes:
    """A record written as JSON, if its original bytes are not available; ASCII only."""
    try:
        return json_text(record, (",", ":")).encode()
    except RecursionError:
        return b'"nested too deeply to be written"'


def json_text(
    value: Any,
    separators: tuple[str, str] = (", ", ": "),
    sort: bool = False,
    allow_nan: bool = True,
) -> str:
    """JSON of a value that `parsed` returned: ASCII only, every number as sent.

    Raises `RecursionError` for a value that is nested too deeply, and
    `ValueError` for NaN and Infinity unless `allow_nan`.
    """
    encoder = json.JSONEncoder(separators=separators, sort_keys=sort, allow_nan=allow_nan)
    try:
        return encoder.encode(value)
    except TypeError:
        return _json_of(value, encoder)


def _json_of(value: Any, encoder: json.JSONEncoder) -> str:
    """The same piece by piece: the standard library cannot write a number as given text."""
    between, colon = encoder.item_separator, encoder.key_separator
    if isinstance(value, dict):
        items = sorted(value.items()) if encoder.sort_keys else value.items()
        members = (f"{json.dumps(name)}{colon}{_json_of(item, encoder)}" for name, item in items)
        return f"{{{between.join(members)}}}"
    if isinstance(value, list):
        return f"[{between.join(_json_of(item, encoder) for item in value)}]"
    return value.text if isinstance(value, ExactNumber) else encoder.encode(value)
