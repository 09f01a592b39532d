"""The layout of landings in S3: `landing/<source>/<council>/<period>/<landing id>/`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING

from include.disk import DiskFull, warning
from include.errors import LandingDamaged, ServiceUnavailable
from include.landing.manifest import Manifest, read_manifest
from include.landing.object_reader import FastReader
from include.s3 import object_errors
from include.sources.partition import Partition

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient

ROOT = "landing/"
MANIFEST = "manifest.json"
# Marks an unfinished landing whose fetch failed permanently: its pages are not resumed.
GIVEN_UP = "given-up"
TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
# Older interrupted landings are not resumed.
RESUMED_WITHIN = timedelta(days=1)


def partition_prefix(partition: Partition) -> str:
    """The prefix of a partition's landings."""
    return f"{ROOT}{partition.source}/{partition.council}/{partition.period}/"


def landing_prefix(partition: Partition, landing_id: str) -> str:
    """The prefix of one landing."""
    return f"{partition_prefix(partition)}{landing_id}/"


def page_prefix(partition: Partition, manifest: Manifest) -> str:
    """The prefix of a landing's pages, which another source's landing may have."""
    has = manifest.pages_in
    if has is None:
        return landing_prefix(partition, manifest.landing_id)
    return f"{ROOT}{has.source}/{has.council}/{has.period}/{has.landing_id}/"


def new_landing_id(run_id: str, now: datetime) -> str:
    """`<time the fetch began, UTC>-<short hash of the run id>`: sorts by time."""
    return f"{now.astimezone(UTC).strftime(TIME_FORMAT)}-{run_hash(run_id)}"


def run_hash(run_id: str) -> str:
    """The part of a landing ID that identifies its run."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:10]


def began_at(landing_id: str) -> datetime:
    """When the fetch of a landing started."""
    return datetime.strptime(landing_id.partition("-")[0], TIME_FORMAT).replace(tzinfo=UTC)


def s3_errors(doing: str) -> AbstractContextManager[None]:
    """The errors of `object_errors`; an object that is missing is `LandingDamaged`."""
    return object_errors(doing, LandingDamaged)


class Landings:
    """The landings in one bucket, as a client and the session that made it may use them."""

    def __init__(
        self, s3: BaseClient, bucket: str, session: boto3.Session, folder: Path | None = None
    ) -> None:
        """`folder`: where an S3 server of this machine keeps its objects."""
        self.s3 = s3
        self._session = session
        self.bucket = bucket
        self._folder = folder
        self._fast: FastReader | None = None
        self._making_fast = Lock()

    def address(self, key: str) -> str:
        """The `s3://` URI of a key."""
        return f"s3://{self.bucket}/{key}"

    def manifest_address(self, partition: Partition, landing_id: str) -> str:
        """The `s3://` URI of a landing's manifest."""
        return self.address(landing_prefix(partition, landing_id) + MANIFEST)

    @contextmanager
    def writing(self, key: str, size: int = 0) -> Iterator[None]:
        """`s3_errors` around a write of `size` bytes; a local server's full disk is named."""
        try:
            with s3_errors(f"S3: writing {self.address(key)}"):
                yield
        except ServiceUnavailable as error:
            # The server itself answers 500, and has removed what it could not finish.
            told = warning(self._folder, size) if self._folder else ""
            if not told:
                raise
            raise DiskFull(
                f"S3: writing {self.address(key)}: {told} Free some space, then try again."
            ) from error

    def stored(self, key: str) -> tuple[IO[bytes], int | None]:
        """The stored bytes of a small object, and the length that S3 declared.

        There may be fewer bytes, if the response was cut off. Raises as `s3_errors` does.
        """
        with self._making_fast:  # once, because it loads the system's certificates
            self._fast = self._fast or FastReader(self.s3, self.bucket, self._session)
        if (body := self._fast.read(key)) is not None:
            return io.BytesIO(body), len(body)
        arriving, length = self.arriving(key)
        with s3_errors(f"S3: reading {self.address(key)}"), closing(arriving):
            return io.BytesIO(arriving.read()), length

    def arriving(self, key: str) -> tuple[IO[bytes], int | None]:
        """The same as a stream, for objects of any size."""
        with s3_errors(f"S3: reading {self.address(key)}"):
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        # A response cut off in its headers has no length.
        return answer["Body"], answer.get("ContentLength")

    def keys(self, prefix: str) -> Iterator[str]:
        """Every key below `prefix`, in order."""
        with s3_errors(f"S3: listing {self.address(prefix)}"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield item["Key"]

    def ids(self, partition: Partition) -> dict[str, bool]:
        """Every landing ID of a partition, oldest first, and whether it is finished."""
        found: dict[str, bool] = {}
        prefix = partition_prefix(partition)
        for key in self.keys(prefix):
            landing_id, _, name = key.removeprefix(prefix).partition("/")
            found[landing_id] = found.get(landing_id, False) or name == MANIFEST
        return dict(sorted(found.items()))

    def finished(self, partition: Partition) -> list[str]:
        """The IDs of the finished landings of a partition, newest first."""
        return [name for name, finished in reversed(self.ids(partition).items()) if finished]

    def unfinished(self, partition: Partition, run_id: str, now: datetime) -> str | None:
        """The ID of an interrupted landing of this run, less than a day old and not given up."""
        mine = f"-{run_hash(run_id)}"
        for name, finished in reversed(self.ids(partition).items()):
            if not finished and name.endswith(mine) and now - began_at(name) < RESUMED_WITHIN:
                given_up = landing_prefix(partition, name) + GIVEN_UP
                return None if given_up in self.keys(given_up) else name
        return None

    def manifest(self, partition: Partition, landing_id: str) -> Manifest:
        """The manifest of one landing. Raises `LandingDamaged` if it belongs to another."""
        key = landing_prefix(partition, landing_id) + MANIFEST
        with s3_errors(f"S3: reading {self.address(key)}"):
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        manifest = read_manifest(self.address(key), body)
        found = (manifest.source, manifest.council, manifest.period, manifest.landing_id)
        expected = (partition.source, partition.council, str(partition.period), landing_id)
        if found != expected:
            raise LandingDamaged(
                f"{self.address(key)}: expected the manifest of {' '.join(expected)}, "
                f"found {' '.join(found)}. Fetch the partition again."
            )
        return manifest

    def newest_complete(self, partition: Partition) -> Manifest | None:
        """The newest landing with data, or None."""
        for landing_id in self.finished(partition):
            manifest = self.manifest(partition, landing_id)
            if manifest.outcome == "complete":
                return manifest
        return None

    def folders(self, prefix: str) -> list[str]:
        """The names one level below `prefix`, in order."""
        with s3_errors(f"S3: listing {self.address(prefix)}"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=prefix, Delimiter="/"
            )
            return [
                item["Prefix"].removeprefix(prefix).rstrip("/")
                for page in pages
                for item in page.get("CommonPrefixes", ())
            ]
