"""JSON as APIs send it, and what a body is that has not arrived whole."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import orjson

from include.errors import UnexpectedPayload
from include.sources.paths import parts

BOM = b"\xef\xbb\xbf"


class BodyCutShort(ValueError):
    """The body is not complete: empty, cut short, or not of this format at all."""


def without_bom(body: bytes) -> bytes:
    """The body without the mark that some servers put before UTF-8."""
    return body.removeprefix(BOM)


def parsed(text: bytes) -> Any:
    """The value of a JSON text.

    Whole numbers are exact, whatever their size. Bytes that are no UTF-8 and
    lone surrogates become lone surrogates of the value, and NaN and Infinity
    are numbers, so that they break a rule of one record instead of hiding all
    of them. Raises `BodyCutShort` if the text is not JSON to its end, and
    `UnexpectedPayload` if it is nested too deeply.
    """
    try:
        return msgspec.json.decode(text)
    except RecursionError:
        # Brackets in more brackets than Python calls in calls; large numbers are floats there.
        with suppress(ValueError):
            return orjson.loads(text)
    except ValueError as error:
        try:
            return json.loads(text.decode("utf-8", "surrogateescape"), parse_int=_whole_number)
        except RecursionError:
            pass
        except ValueError:
            raise BodyCutShort(f"it is not complete JSON: {error}") from None
    raise UnexpectedPayload("it is nested too deeply to be read")


def _whole_number(digits: str) -> int | float:
    """A float where Python refuses to read so many digits."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)


def at(found: Any, path: str) -> Any:
    """The value at a path in objects; None where there is none."""
    for name in parts(path):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def written(record: Any) -> bytes:
    """A record as JSON where its own bytes are not at hand; ASCII only."""
    try:
        return json.dumps(record, separators=(",", ":")).encode()
    except RecursionError:
        return b'"nested too deeply to be written"'
