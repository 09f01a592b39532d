"""Read the pages of a finished landing, verifying each against the manifest."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import IO

from include.errors import LandingDamaged
from include.landing.manifest import LandedPage, Manifest
from include.landing.store import Landings, landing_prefix, s3_errors
from include.sources.partition import Partition

IN_MEMORY_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
# Pages that are downloaded and verified ahead of the one that is being read.
AHEAD = 4


def read_pages(
    landings: Landings, partition: Partition, manifest: Manifest
) -> Iterator[tuple[LandedPage, IO[bytes]]]:
    """Yield each page and its body as received, in order; each body is closed by the next step.

    The next few are downloaded meanwhile. Raises `LandingDamaged`, naming the
    object, if one has vanished or is not what the manifest says.
    """
    prefix = landing_prefix(partition, manifest.landing_id)
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="download") as pool:
        waiting: list[tuple[LandedPage, Future[IO[bytes]]]] = []
        try:
            for page in manifest.pages:
                waiting.append((page, pool.submit(_verified, landings, prefix + page.name, page)))
                if len(waiting) > AHEAD:
                    yield from _next(waiting)
            while waiting:
                yield from _next(waiting)
        finally:
            for _, future in waiting:
                future.cancel()


def read_page(
    landings: Landings, partition: Partition, manifest: Manifest, page: LandedPage
) -> IO[bytes]:
    """One page's body. Raises `LandingDamaged`."""
    return _verified(landings, landing_prefix(partition, manifest.landing_id) + page.name, page)


def _next(
    waiting: list[tuple[LandedPage, Future[IO[bytes]]]],
) -> Iterator[tuple[LandedPage, IO[bytes]]]:
    page, future = waiting.pop(0)
    with future.result() as body:
        yield page, body


def _verified(landings: Landings, key: str, page: LandedPage) -> IO[bytes]:
    address = landings.address(key)
    digest, size = hashlib.sha256(), 0
    body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed by its reader
    with s3_errors(f"S3: reading {address}"):
        stored = landings.s3.get_object(Bucket=landings.bucket, Key=key)["Body"]
        try:
            with _unpacked(stored, address) as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += body.write(chunk)
        finally:
            stored.close()
    if (digest.hexdigest(), size) != (page.sha256, page.bytes):
        body.close()
        raise LandingDamaged(
            f"{address}: expected {page.bytes} bytes with sha256 {page.sha256[:12]}..., found "
            f"{size} bytes with {digest.hexdigest()[:12]}.... Nothing was changed. Restore this "
            "version of the object, or fetch the partition again."
        )
    body.seek(0)
    return body


@contextmanager
def _unpacked(stored: IO[bytes], address: str) -> Iterator[gzip.GzipFile]:
    try:
        with gzip.GzipFile(fileobj=stored, mode="rb") as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise LandingDamaged(
            f"{address}: not readable as gzip ({error}). Nothing was changed. Restore this "
            "version of the object, or fetch the partition again."
        ) from error
