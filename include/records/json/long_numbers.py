"""What parsers lose of a JSON text, found in a fraction of the time that parsing takes: digits of
numbers that do not fit a float, and values of names that an object repeats."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# For a shorter text, exact reading is faster than this search.
SHORT_BYTES = 16 * 1024
# They fit into a processor's cache.
_PIECE_BYTES = 64 * 1024
_OVERLAP_BYTES = 32
# A double distinguishes all numbers of up to 15 digits, unless they are tiny. So a longer number
# has 16 digits and a dot or an exponent, and a tiny one an exponent of three digits.
_LONG = re.compile(rb"(?:^|[\s:,\[])-?(?=[0-9]+[.eE])(?:[0-9.]{17}|[0-9]{16}[eE])")
_TINY = re.compile(rb"[0-9][eE]-[0-9]{3}")
# Every run of 16 bytes contains this many aligned words of four bytes.
_WORDS = 3
_FURTHEST_BACK = 64
_IN_NUMBER = frozenset(b"0123456789.")
_FOUR_TRUE = 0x01010101
_LOWER_CASE = 0x20


def may_hold_long_numbers(text: bytes, at_a_time: int = _PIECE_BYTES) -> bool:
    """False only if every number of a JSON text has the value of its nearest float's shortest
    form; whole numbers are ignored. True if numpy is not installed.

    `at_a_time` is how many bytes are searched by each step, about.
    """
    if len(text) < SHORT_BYTES:
        return True
    numpy = _numpy()
    if numpy is None:
        return True
    pieces = max(1, round(len(text) / at_a_time))
    size = -(-len(text) // pieces)
    return any(_in_piece(numpy, text, start, size) for start in range(0, len(text), size))


# A quote and a colon as a 16-bit number in the byte order of most processors.
_END_OF_NAME = b'":'


def count_names(text: bytes) -> int:
    """How often a JSON text has a quote and a colon: its names, unless spaces stand between."""
    numpy = _numpy()
    if len(text) < SHORT_BYTES or numpy is None:
        return text.count(_END_OF_NAME)
    (wanted,) = numpy.frombuffer(_END_OF_NAME, numpy.uint16)
    views = (numpy.frombuffer(text, numpy.uint16, (len(text) - odd) // 2, odd) for odd in (0, 1))
    return sum(int(numpy.count_nonzero(view == wanted)) for view in views)


# What JSON allows between a name and its colon.
_SPACES = (b" ", b"\t", b"\n", b"\r")


def has_spaced_names(text: bytes) -> bool:
    """False only if no name of a JSON text has a space before its colon."""
    numpy = _numpy()
    if len(text) < SHORT_BYTES or numpy is None:
        return any(space + b":" in text for space in _SPACES)
    view = numpy.frombuffer(text, numpy.uint8)
    found = view[1:] == numpy.uint8(ord(":"))
    found &= view[:-1] <= numpy.uint8(ord(" "))
    return bool(found.any())


@cache
def _numpy() -> Any:
    """numpy; None in the extract function, whose image does not have it."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _in_piece(numpy: Any, text: bytes, start: int, size: int) -> bool:
    size = min(size + _OVERLAP_BYTES, len(text) - start)
    piece = numpy.frombuffer(text, numpy.uint8, size, start)
    # From "." to "9"; the slash between them is harmless.
    digits = piece - numpy.uint8(ord(".")) < numpy.uint8(12)
    words = digits[: size // 4 * 4].view(numpy.uint32) == numpy.uint32(_FOUR_TRUE)
    runs = words[: 1 - _WORDS] & words[1 : 2 - _WORDS] & words[_WORDS - 1 :]
    if runs.any() and any(_is_long(text, start + 4 * int(at)) for at in numpy.flatnonzero(runs)):
        return True
    exponents = piece[1:-3] == numpy.uint8(ord("-"))
    exponents &= piece[:-4] | numpy.uint8(_LOWER_CASE) == numpy.uint8(ord("e"))
    if not exponents.any():
        return False
    exponents &= digits[2:-2]
    exponents &= digits[3:-1] & digits[4:]
    places = numpy.flatnonzero(exponents)
    return any(_TINY.match(text, max(0, start + int(at) - 1)) for at in places)


def _is_long(text: bytes, place: int) -> bool:
    """Whether a run of digits there has a fraction or an exponent."""
    first = max(0, place - _FURTHEST_BACK)
    while place > first and text[place - 1] in _IN_NUMBER:
        place -= 1
    if place and text[place - 1] == ord("-"):
        place -= 1
    return place == first or _LONG.match(text, max(0, place - 1)) is not None
