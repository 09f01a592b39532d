"""Receive the bytes of a file: onto a disk, hashed, within the contract's limits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import IO

from include.disk import disk_errors
from include.errors import BeyondLimit, SourceUnavailable
from include.extract.network.deadline import Fetch
from include.sources.limits import Limits

CHUNK_BYTES = 1024 * 1024
# Several files of a partition are kept at once.
IN_MEMORY_BYTES = 1024 * 1024


def receive(
    who: str, chunks: Iterable[bytes], limits: Limits, expected: int | None
) -> tuple[IO[bytes], str, int]:
    """The body at its beginning, its SHA-256 and its size.

    Raises `BeyondLimit`, and `SourceUnavailable` unless there are as many bytes
    as `expected`.
    """
    body: IO[bytes] = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
    digest, size, limit = hashlib.sha256(), 0, limits.answer_bytes
    fetch = Fetch(limits)
    deadline = fetch.seconds_left - min(fetch.seconds_left, limits.request_seconds)
    refuse_large(who, expected or 0, limit)
    with disk_errors(f"{who}: keeping the file"):
        for chunk in chunks:
            size += len(chunk)
            refuse_large(who, size, limit)
            if fetch.seconds_left < deadline:
                seconds = limits.request_seconds
                what = f"one request took more than {seconds:.12g} s"
                raise BeyondLimit(what, "request_seconds", seconds, who)
            digest.update(chunk)
            body.write(chunk)
        body.seek(0)
    if expected is not None and size != expected:
        raise SourceUnavailable(
            f"{who}: expected {expected} bytes, received {size}: it is still being written, or "
            "the connection broke off. Try again later."
        )
    return body, digest.hexdigest(), size


def refuse_large(who: str, size: int, limit: int) -> None:
    """Raise `BeyondLimit` for a file of more bytes than `limits.answer_bytes`."""
    if size > limit:
        raise BeyondLimit(
            f"expected a file, found more than {limit} bytes", "answer_bytes", limit, who
        )
