"""JSON as APIs send it, and the error for incomplete bodies."""

from __future__ import annotations

import io
import json
import math
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import ijson
import msgspec
import orjson

from include.errors import UnexpectedPayload
from include.records.long_numbers import may_hold_long_numbers
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
            return _AS_SENT.decode(text)
        return _EXACT.decode(text) if long else msgspec.json.decode(text)
    except RecursionError:
        # Brackets nested deeper than Python allows calls; the other parser rounds long numbers.
        with suppress(ValueError):
            found = orjson.loads(text)
            return _token_by_token(text) if long else found
    except ValueError as error:
        try:
            return json.loads(
                text.decode("utf-8", "surrogateescape"),
                parse_int=_whole_number,
                parse_float=_as_sent if as_sent else exact,
            )
        except RecursionError:
            pass
        except ValueError:
            raise BodyCutShort(f"it is not complete JSON: {error}") from None
    raise UnexpectedPayload("it is nested too deeply to be read")


def _token_by_token(text: bytes) -> Any:
    builder = ijson.ObjectBuilder()
    for event, value in ijson.basic_parse(io.BytesIO(text)):
        builder.event(event, exact(str(value)) if isinstance(value, Decimal) else value)
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
