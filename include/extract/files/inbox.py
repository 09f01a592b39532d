"""The inbox of a source: a prefix in the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from typing import TYPE_CHECKING, Any

from include.errors import SourceUnavailable
from include.extract.files.listing import File, Received
from include.extract.files.receive import CHUNK_BYTES, Receiver
from include.s3 import object_errors
from include.sources.extract.files import inbox_prefix
from include.sources.model import Contract

if TYPE_CHECKING:
    from botocore.client import BaseClient


class Inbox:
    """The objects below `inbox/<source>/`. S3 lists an object only once all of it is there."""

    def __init__(self, contract: Contract, s3: BaseClient, bucket: str) -> None:
        self._contract, self._s3, self._bucket = contract, s3, bucket
        self._prefix = inbox_prefix(contract.name)
        self.address = self._prefix

    def files(self) -> Iterator[File]:
        """Every object, except the empty ones that represent folders."""
        with _errors(f"{self._contract.name}: listing s3://{self._bucket}/{self._prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    if not (item["Key"].endswith("/") and item["Size"] == 0):
                        yield self._file(item)

    def _file(self, item: dict[str, Any]) -> File:
        return File(
            name=item["Key"].removeprefix(self._prefix),
            address=item["Key"],
            key=item["Key"],
            size=item["Size"],
            modified=item["LastModified"],
            etag=item.get("ETag", "").strip('"'),
        )

    def read(self, who: str, file: File) -> Received:
        """The object's bytes. Raises `SourceUnavailable` if it was replaced since it was listed."""
        with _errors(f"{who}: reading s3://{self._bucket}/{file.key}"):
            found = self._s3.get_object(Bucket=self._bucket, Key=file.key)
            with closing(found["Body"]) as arriving:
                if found.get("ETag", "").strip('"') != file.etag:
                    raise SourceUnavailable(
                        f"{who}: was replaced while it was being read. Try again later."
                    )
                receiver = Receiver(who, self._contract.limits, found["ContentLength"])
                while chunk := arriving.read(CHUNK_BYTES):
                    receiver.add(chunk)
        return receiver.finish(file.headers)


def _errors(doing: str) -> AbstractContextManager[None]:
    return object_errors(
        doing, SourceUnavailable, "it was removed since it was listed. Try again later."
    )
