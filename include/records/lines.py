"""A body -> its lines as bytes, for any line ending."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import chain, islice
from typing import IO, Generic, TypeVar

from include.errors import BeyondLimit
from include.records.json.values import BOM

Line = TypeVar("Line")

LF, CR = b"\n", b"\r"
CHUNK_BYTES = 256 * 1024


def lines(body: IO[bytes], limit: int, *, skip: int = 0) -> Iterator[bytes]:
    """Each line with its ending, without a byte order mark; the first `skip` lines are left out.

    A line ends with LF or CR LF; or with CR, if the first line of the body does.
    Raises `BeyondLimit` for one of more than `limit` bytes.
    """
    body.seek(0)
    ending = _ending(body)
    body.seek(0)
    if body.read(len(BOM)) != BOM:
        body.seek(0)
    return islice(chain.from_iterable(_some(body, ending, limit)), skip, None)


def is_ended(line: bytes) -> bool:
    """Whether a line has an ending."""
    return line.endswith((LF, CR))


def without_ending(line: bytes) -> bytes:
    """The line itself."""
    return line.rstrip(b"\r\n")


class HeldBack(Generic[Line]):
    """All lines except the last few, which are in `held` at the end."""

    def __init__(self, source: Iterator[Line], count: int) -> None:
        self._source = source
        self._count = count
        self.held: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
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


def _some(body: IO[bytes], ending: bytes, limit: int) -> Iterator[Iterable[bytes]]:
    """Lines, together with others that end in the same chunk."""
    rest = b""
    while chunk := body.read(CHUNK_BYTES):
        end = chunk.rfind(ending) + 1
        if end:
            first = chunk.index(ending) + 1
            _refuse_long(len(rest) + first, limit)
            yield [rest + chunk[:first]]
            yield _split(chunk[first:end], ending)
            rest = chunk[end:]
        else:
            rest += chunk
            _refuse_long(len(rest), limit)
    if rest:
        yield [rest]


def _split(whole: bytes, ending: bytes) -> Iterable[bytes]:
    # Reading splits at LF alone.
    return BytesIO(whole) if ending == LF else [line + CR for line in whole.split(CR)[:-1]]


def _refuse_long(size: int, limit: int) -> None:
    if size > limit:
        raise BeyondLimit(
            f"expected lines, found one of more than {limit} bytes", "record_bytes", limit
        )
