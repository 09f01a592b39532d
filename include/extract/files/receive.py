"""Receive the bytes of a file: onto a disk, hashed, within the contract's limits."""

from __future__ import annotations

import hashlib
import time
from tempfile import SpooledTemporaryFile
from typing import IO

from include.disk import disk_errors
from include.errors import BeyondLimit, SourceUnavailable
from include.extract.files.listing import Received
from include.sources.limits import Limits

CHUNK_BYTES = 1024 * 1024
# Several files of a partition are kept at once.
IN_MEMORY_BYTES = 1024 * 1024


class Receiver:
    """Takes the bytes of one file as they come.

    `expected` is how many there should be, if that is known. Raises
    `BeyondLimit` for too many bytes, and for taking too long.
    """

    def __init__(self, who: str, limits: Limits, expected: int | None = None) -> None:
        self._who, self._limits, self._expected = who, limits, expected
        self._body: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
        self._digest, self._size = hashlib.sha256(), 0
        self._ends = time.monotonic() + limits.request_seconds
        self._refuse(expected or 0)

    def add(self, chunk: bytes) -> None:
        """The next bytes."""
        self._size += len(chunk)
        self._refuse(self._size)
        self._digest.update(chunk)
        with disk_errors(f"{self._who}: keeping the file"):
            self._body.write(chunk)

    def finish(self, headers: dict[str, str]) -> Received:
        """The whole file. Raises `SourceUnavailable` unless all that was expected is there."""
        if self._expected is not None and self._size != self._expected:
            raise SourceUnavailable(
                f"{self._who}: expected {self._expected} bytes, received {self._size}: it is still "
                "being written, or the connection broke off. Try again later."
            )
        with disk_errors(f"{self._who}: keeping the file"):
            self._body.seek(0)
        return Received(self._body, self._digest.hexdigest(), self._size, headers)

    def _refuse(self, size: int) -> None:
        limit, seconds = self._limits.answer_bytes, self._limits.request_seconds
        if size > limit:
            what = f"expected a file, found more than {limit} bytes"
            raise BeyondLimit(what, "answer_bytes", limit, self._who)
        if time.monotonic() > self._ends:
            what = f"one request took more than {seconds:.12g} s"
            raise BeyondLimit(what, "request_seconds", seconds, self._who)
