"""The values of rows, and what they are as JSON and as text."""

from __future__ import annotations

import math
import struct
from datetime import date, time
from typing import Any

import orjson


def as_text(value: Any) -> str:
    """Values without a JSON type as text: dates in ISO format, numeric and others as written."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    return value.isoformat() if isinstance(value, date | time) else str(value)


class JsonText:
    """JSON as its text."""

    def __init__(self, text: bytes) -> None:
        # Between values, JSON keeps line breaks; within texts, they are escaped.
        self.text = text.replace(b"\n", b" ").replace(b"\r", b" ")

    def __str__(self) -> str:
        return self.text.decode()


def as_json(value: Any) -> Any:
    """A text that is JSON as such; any other value as it is."""
    if not isinstance(value, str):
        return value
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return JsonText(value.encode())


def value_for_json(value: Any) -> Any:
    """The value for JSON, including in arrays; NaN and infinity as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, time) and value.tzinfo:
        return as_text(value)
    if isinstance(value, list | tuple):
        return [value_for_json(item) for item in value]
    return value


def json_of(value: Any) -> Any:
    """What has no type in JSON: JSON as it is, anything else as text."""
    return orjson.Fragment(value.text) if isinstance(value, JsonText) else as_text(value)


def single(value: float | str | bytes | None) -> float | None:
    """A number of single precision, given as a double, with the digits that it needs."""
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        return number
    for digits in range(6, 9):
        short = float(f"{number:.{digits}g}")
        try:
            if struct.unpack("f", struct.pack("f", short))[0] == number:
                return short
        except OverflowError:
            continue
    return float(f"{number:.9g}")
