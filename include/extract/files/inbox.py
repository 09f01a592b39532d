"""The inbox of a source: a prefix in the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from include.errors import SourceRejected, SourceUnavailable
from include.extract.files.listing import File, Received
from include.extract.files.receive import CHUNK_BYTES, Receiver
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
        """Every object, except the empty ones that stand for folders."""
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


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in ("NoSuchKey", "404"):
            raise SourceUnavailable(
                f"{doing}: it was removed since it was listed. Try again later."
            ) from error
        if status >= 500 or status == 429:
            raise SourceUnavailable(f"{doing}: {code}. Try again later.") from error
        raise SourceRejected(
            f"{doing}: {code}. Check the bucket name and this role's permissions."
        ) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise SourceUnavailable(
            f"{doing}: {type(error).__name__}. Check that S3 is reachable. Try again later."
        ) from error
