"""A body -> its lines as bytes, for any line ending."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, islice
from typing import IO

from include.records.json_values import BOM

LF, CR = b"\n", b"\r"
CHUNK_BYTES = 1024 * 1024


def lines(body: IO[bytes], *, skip: int = 0) -> Iterator[bytes]:
    """Each line with its ending, without a byte order mark; the first `skip` lines are left out.

    A line ends with LF or CR LF; or with CR, if the first line of the body does.
    """
    body.seek(0)
    ending = _ending(body)
    body.seek(0)
    if body.read(len(BOM)) != BOM:
        body.seek(0)
    # Not the body itself: closing an abandoned generator would close it.
    found = chain(body) if ending == LF else _ended_by_cr(body)
    return islice(found, skip, None)


def is_ended(line: bytes) -> bool:
    """Whether a line has an ending."""
    return line.endswith((LF, CR))


def without_ending(line: bytes) -> bytes:
    """The line itself."""
    return line.rstrip(b"\r\n")


class HeldBack:
    """All lines except the last few, which are in `held` at the end."""

    def __init__(self, source: Iterator[bytes], count: int) -> None:
        self._source = source
        self._count = count
        self.held: deque[bytes] = deque()

    def __iter__(self) -> Iterator[bytes]:
        for line in self._source:
            self.held.append(line)
            if len(self.held) > self._count:
                yield self.held.popleft()


def _ending(body: IO[bytes]) -> bytes:
    while chunk := body.read(CHUNK_BYTES):
        first_lf, first_cr = chunk.find(LF), chunk.find(CR)
        if first_lf >= 0 and (first_cr < 0 or first_lf <= first_cr + 1):
            return LF
        if first_cr >= 0:
            at_end = first_cr == len(chunk) - 1
            return LF if at_end and body.read(1) == LF else CR
    return LF


def _ended_by_cr(body: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := body.read(CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(CR)
        for line in whole:
            yield line + CR
    if rest:
        yield rest
