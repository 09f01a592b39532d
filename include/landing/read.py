"""Read the pages of a finished landing, verifying each against the manifest."""

from __future__ import annotations

import gzip
import hashlib
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from tempfile import TemporaryFile
from typing import IO, TypeAlias, cast

from isal import isal_zlib

from include.disk import disk_errors
from include.errors import LandingDamaged, ServiceUnavailable
from include.landing.manifest import LandedPage, Manifest
from include.landing.store import Landings, page_prefix, s3_errors
from include.sources.page import PageFacts
from include.sources.partition import Partition

IN_MEMORY_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
# Stored size. For larger pages the overhead of boto3 is small, and it needs less memory.
SMALL_BYTES = 1024 * 1024
# Accept a gzip header and trailer.
GZIP = 16 + isal_zlib.MAX_WBITS
NO_GZIP = (gzip.BadGzipFile, EOFError, cast(type[Exception], isal_zlib.error))
# Concurrent downloads, and the number of pages or bytes to prefetch.
AHEAD = 4
PAGES_READY = 128
BYTES_READY = 8 * 1024 * 1024
# Decompressing so few bytes is faster than switching threads.
VERIFIED_BY_READER_BYTES = 512 * 1024
# Small pages that one thread downloads in turn.
GROUP_PAGES = 16

# Returns the verified body of a page, or raises.
Verified: TypeAlias = Callable[[], IO[bytes]]
# Pages, and what is downloaded of them.
Group: TypeAlias = tuple[list[LandedPage], Future[list[Verified]]]


def read_pages(
    landings: Landings, partition: Partition, manifest: Manifest
) -> Iterator[tuple[LandedPage, IO[bytes]]]:
    """Yield each page and its body, in order; a body is closed when the next one is requested.

    The next few are downloaded in the background. Raises `LandingDamaged`,
    naming the object, if one is missing or does not match the manifest.
    """
    prefix = page_prefix(partition, manifest)
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="download") as pool:
        waiting: deque[Group] = deque()
        count = size = 0
        try:
            for pages in _groups(manifest.pages):
                waiting.append((pages, pool.submit(_fetched, landings, prefix, pages)))
                count += len(pages)
                size += _bytes_of(pages)
                while len(waiting) > AHEAD and (count > PAGES_READY or size > BYTES_READY):
                    count -= len(waiting[0][0])
                    size -= _bytes_of(waiting[0][0])
                    yield from _next(waiting)
            while waiting:
                yield from _next(waiting)
        finally:
            for _, future in waiting:
                future.cancel()


def _groups(pages: Iterable[LandedPage]) -> Iterator[list[LandedPage]]:
    """Consecutive pages for one thread: handing over small ones singly takes longer than they."""
    group: list[LandedPage] = []
    for page in pages:
        full = len(group) == GROUP_PAGES or page.bytes > VERIFIED_BY_READER_BYTES
        if group and full:
            yield group
            group = []
        group.append(page)
        if page.bytes > VERIFIED_BY_READER_BYTES:
            yield group
            group = []
    if group:
        yield group


def _bytes_of(pages: Iterable[LandedPage]) -> int:
    return sum(page.bytes for page in pages)


def read_page(
    landings: Landings, partition: Partition, manifest: Manifest, page: LandedPage
) -> IO[bytes]:
    """One page's body. Raises `LandingDamaged`."""
    key = page_prefix(partition, manifest) + page.name
    return open_page(landings, key, page, page.stored_bytes)


def open_page(landings: Landings, key: str, facts: PageFacts, stored_bytes: int) -> IO[bytes]:
    """The body of a page of any landing, finished or not. Raises `LandingDamaged`."""
    return _verified(facts, *_opened(landings, key, stored_bytes))


def _next(waiting: deque[Group]) -> Iterator[tuple[LandedPage, IO[bytes]]]:
    pages, future = waiting.popleft()
    for page, verified in zip(pages, future.result(), strict=False):
        with verified() as body:
            yield page, body


def _fetched(landings: Landings, prefix: str, pages: list[LandedPage]) -> list[Verified]:
    """Up to the first page that fails, which raises its error when it is read."""
    found: list[Verified] = []
    for page in pages:
        try:
            found.append(_fetched_page(landings, prefix + page.name, page))
        except Exception as error:
            return [*found, partial(_raise, error)]
    return found


def _raise(error: Exception) -> IO[bytes]:
    raise error


def _fetched_page(landings: Landings, key: str, page: LandedPage) -> Verified:
    verified = partial(_verified, page, *_opened(landings, key, page.stored_bytes))
    if page.bytes <= VERIFIED_BY_READER_BYTES:
        return verified
    body = verified()
    return lambda: body


def _opened(landings: Landings, key: str, stored_bytes: int) -> tuple[str, IO[bytes], int | None]:
    """Its address, its stored bytes, and the length that S3 declared."""
    small = stored_bytes <= SMALL_BYTES
    opened = landings.stored(key) if small else landings.arriving(key)
    return landings.address(key), *opened


def _verified(page: PageFacts, address: str, opened: IO[bytes], length: int | None) -> IO[bytes]:
    unpack = _in_memory if page.bytes <= IN_MEMORY_BYTES else _on_disk
    with s3_errors(f"S3: reading {address}"):
        stored = _Arriving(opened)
        try:
            body, size, digest = unpack(stored, page.bytes)
        except NO_GZIP as error:
            _refuse_if_cut(stored, length, address)
            raise LandingDamaged(
                f"{address}: not readable as gzip ({error}). Nothing was changed. Restore this "
                "version of the object, or fetch the partition again."
            ) from error
        finally:
            stored.close()
    if (digest, size) != (page.sha256, page.bytes):
        body.close()
        raise LandingDamaged(
            f"{address}: expected {page.bytes} bytes with sha256 {page.sha256[:12]}..., found "
            f"{size} bytes with {digest[:12]}.... Nothing was changed. Restore this "
            "version of the object, or fetch the partition again."
        )
    return body


def _in_memory(stored: _Arriving, expected: int) -> tuple[IO[bytes], int, str]:
    """The body, its size and SHA-256; only the beginning of a body that is too large."""
    unpacker = isal_zlib.decompressobj(GZIP)
    body = unpacker.decompress(stored.read(), expected + 1)
    if len(body) <= expected and not unpacker.eof:
        raise EOFError("truncated")
    if unpacker.unused_data:
        raise gzip.BadGzipFile("trailing data")
    return io.BytesIO(body), len(body), hashlib.sha256(body).hexdigest()


def _on_disk(stored: _Arriving, expected: int) -> tuple[IO[bytes], int, str]:
    """The same, through a temporary file."""
    unpacker, digest, size = isal_zlib.decompressobj(GZIP), hashlib.sha256(), 0
    body = TemporaryFile()  # noqa: SIM115, closed by its reader
    try:
        with disk_errors("unpacking a page"):
            while size <= expected and not unpacker.eof:
                packed = unpacker.unconsumed_tail or stored.read(CHUNK_BYTES)
                if not packed:
                    raise EOFError("truncated")
                chunk = unpacker.decompress(packed, CHUNK_BYTES)
                digest.update(chunk)
                size += body.write(chunk)
            body.seek(0)
        if unpacker.eof and (unpacker.unused_data or stored.read(1)):
            raise gzip.BadGzipFile("trailing data")
    except BaseException:
        body.close()
        raise
    return body, size, digest.hexdigest()


class _Arriving(io.RawIOBase):
    """A body stream that counts the bytes received."""

    def __init__(self, stored: IO[bytes]) -> None:
        self.arrived = 0
        self._stored = stored

    def read(self, size: int = -1) -> bytes:
        """The next bytes; empty at the end."""
        data = self._stored.read(None if size < 0 else size)  # type: ignore[arg-type]
        self.arrived += len(data)
        return data

    def close(self) -> None:
        """Close the connection or return it to the pool."""
        self._stored.close()
        super().close()


def _refuse_if_cut(stored: _Arriving, length: int | None, address: str) -> None:
    """Raise `ServiceUnavailable` if fewer bytes arrive than the `length` S3 declared."""
    while stored.read(CHUNK_BYTES):
        pass
    if length is None or stored.arrived < length:
        raise ServiceUnavailable(
            f"S3: reading {address}: the response ended after {stored.arrived} of "
            f"{length or 'unknown'} bytes. Try again later."
        )
