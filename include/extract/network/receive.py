"""The body of an answer as it comes: counted, hashed, and in a temporary file if it is large."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO

import requests
from urllib3.exceptions import HTTPError

from include.disk import disk_errors, is_full
from include.errors import BeyondLimit, SourceUnavailable
from include.extract.network.deadline import Deadline
from include.redact import Scrub

log = logging.getLogger(__name__)

# Bodies up to this size stay in memory; larger ones go to a temporary file.
IN_MEMORY_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Received:
    """A whole body, at its start, without its content encoding."""

    body: IO[bytes]
    sha256: str
    size: int


def receive(
    who: str,
    address: str,
    response: requests.Response,
    deadline: Deadline,
    limit: int,
    *,
    scrubs: bool = False,
) -> Received:
    """Read a body to its end; neither its packed nor its unpacked bytes may exceed `limit`.

    With `scrubs`, secrets of this process are replaced by asterisks: some APIs
    repeat the key that they were sent.

    Raises `SourceUnavailable` if it breaks off, and `BeyondLimit` if it is too
    large or takes too long.
    """
    body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed by its reader
    digest, size, scrub = hashlib.sha256(), 0, Scrub() if scrubs else None
    with disk_errors(f"{who}: keeping the answer from {address}"):
        try:
            # Not `iter_content`, which reads a line of any length before a chunk.
            while chunk := response.raw.read(CHUNK_BYTES, decode_content=True):
                chunk = scrub.feed(chunk) if scrub else chunk
                digest.update(chunk)
                size += body.write(chunk)
                if max(size, response.raw.tell()) > limit:
                    body.close()
                    what = f"the answer has more than {limit} bytes"
                    raise BeyondLimit(what, "answer_bytes", limit, f"{who}, {address}")
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # `ValueError`: of the standard library, for a chunk of a negative size.
            if is_full(error):
                raise
            raise SourceUnavailable(
                f"{who}: the answer from {address} broke off after {size} bytes "
                f"({type(error).__name__}). Try again later."
            ) from error
        if scrub:
            rest = scrub.end()
            digest.update(rest)
            size += body.write(rest)
            if scrub.found:
                log.warning("%s: the answer from %s repeats a secret: replaced", who, address)
        body.seek(0)
    # A body that ends with its connection looks complete where that was cut.
    deadline.check(f"{who}, {address}")
    return Received(body, digest.hexdigest(), size)
