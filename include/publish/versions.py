"""Published versions in S3: `published/index.json`, and `published/<version>/...`.

A version never changes. It is written completely, its `version.json` last, before the index
points to it, so readers never see a partial one. The files of `front`, for a web server in front
of the bucket, follow the index.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.errors import PermanentError, PipelineError
from include.publish.front import CURRENT, front
from include.s3 import object_errors

if TYPE_CHECKING:
    from botocore.client import BaseClient

ROOT = "published/"
INDEX = f"{ROOT}index.json"
VERSION = "version.json"
FORMAT = 1
# How many versions are kept, and for how long at least.
KEPT = 10
KEPT_FOR = timedelta(days=7)
# Objects of an interrupted publication are kept for so long: it may still be running.
UNFINISHED_FOR = timedelta(days=1)
_PIECE_BYTES = 1 << 20


class NotPublished(PipelineError):
    """Nothing has been published to this bucket yet, or not this."""


@dataclass(frozen=True)
class Entry:
    """A complete version, as the index lists it.

    `datasets` has the rows and hashes of each dataset; `changes` what is
    different, by dataset, from the version `since`; `kept` the datasets that
    are as they were in `since`, because they could not be built, and why.
    """

    version: str
    published_at: str
    datasets: dict[str, dict[str, Any]]
    since: str = ""
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def when(self) -> datetime:
        """When it was published."""
        return datetime.fromisoformat(self.published_at)


@dataclass(frozen=True)
class Index:
    """The complete versions, newest first, and which is current.

    `pinned`: a person chose the current one, and new versions do not replace
    it. `withdrawn`: versions that must not be published again. `made_from`: a
    version, and the state of the database that it was last found to be made
    from; empty if it is not known.
    """

    current: str = ""
    versions: tuple[Entry, ...] = ()
    pinned: bool = False
    withdrawn: tuple[str, ...] = ()
    made_from: tuple[str, str] = ("", "")

    def unchanged(self, state: str) -> Entry | None:
        """The version that this state makes, if readers see it, or another one that is pinned."""
        version, known = self.made_from
        if known != state or not (self.pinned or self.current == version):
            return None
        return next((entry for entry in self.versions if entry.version == version), None)

    def entry(self, version: str) -> Entry:
        """A version. Raises `NotPublished` naming those that there are."""
        for entry in self.versions:
            if entry.version == version:
                return entry
        known = ", ".join(entry.version for entry in self.versions[:5]) or "none"
        raise NotPublished(
            f"publish: there is no version {version!r}. The newest: {known}. See `wandle publish "
            "--list`."
        )

    @property
    def newest(self) -> str:
        """The version that was published last; empty without versions."""
        return self.versions[0].version if self.versions else ""


class Published:
    """The published versions in a bucket.

    Every method raises `ServiceUnavailable` if S3 does not respond, and
    `PermanentError` if it refuses. Who changes the index must hold the lock on
    building, because not every S3 has conditional writes.
    """

    def __init__(self, s3: BaseClient, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def index(self) -> Index:
        """The index; empty before the first publication."""
        try:
            found = json.loads(self._get(INDEX))
        except NotPublished:
            return Index()
        if found["format"] != FORMAT:
            raise PermanentError(
                f"publish: s3://{self._bucket}/{INDEX} has format {found['format']}, expected "
                f"{FORMAT}. Use the version of the code that wrote it, or a newer one."
            )
        return Index(
            current=found["current"],
            versions=tuple(Entry(**entry) for entry in found["versions"]),
            pinned=found["pinned"],
            withdrawn=tuple(found["withdrawn"]),
            made_from=tuple(found.get("made_from", ("", ""))),
        )

    def write_index(self, index: Index) -> None:
        """Replace the index, at once, then what leads readers to its current version."""
        self._put_index(index)
        self.lead_to(index.current)

    def lead_to(self, version: str) -> None:
        """Lead readers to this version, unless they are led there already."""
        try:
            if not version or json.loads(self._get(f"{ROOT}{CURRENT}"))["version"] == version:
                return
        except NotPublished:
            pass
        for name, (body, media_type) in front(version).items():
            self._put(f"{ROOT}{name}", body, media_type, cache="no-cache")

    def remember(self, made_from: tuple[str, str]) -> None:
        """Note which state of the database makes which version; see `Index`."""
        index = self.index()
        if index.made_from != made_from:
            self._put_index(replace(index, made_from=made_from))

    def _put_index(self, index: Index) -> None:
        body = json.dumps({"format": FORMAT, **asdict(index)}, indent=1, ensure_ascii=False)
        self._put(INDEX, body.encode(), "application/json", cache="no-cache")

    def version(self, version: str) -> dict[str, Any]:
        """The contents of a version's `version.json`. Raises `NotPublished`."""
        found: dict[str, Any] = json.loads(self._get(f"{ROOT}{version}/{VERSION}"))
        return found

    def holds(self, version: str) -> bool:
        """Whether the description of a version, which is written last, is still there."""
        try:
            self.version(version)
        except NotPublished:
            return False
        return True

    def write_version(
        self,
        version: str,
        description: Mapping[str, Any],
        files: Iterable[tuple[str, bytes | Path, str]],
    ) -> None:
        """Write all of a version but its place in the index: path, body and media type of each."""
        for path, body, media_type in files:
            content = body if isinstance(body, bytes) else body.read_bytes()
            self._put(f"{ROOT}{version}/{path}", content, media_type)
        text = json.dumps(description, indent=1, ensure_ascii=False)
        self._put(f"{ROOT}{version}/{VERSION}", text.encode(), "application/json")

    def read(self, version: str, path: str) -> bytes:
        """A file of a version. Raises `NotPublished`."""
        return self._get(f"{ROOT}{version}/{path}")

    def save(self, version: str, path: str, place: Path) -> None:
        """Write a file of a version to `place`, in pieces. Raises `NotPublished`."""
        key = f"{ROOT}{version}/{path}"
        with self._errors(f"reading s3://{self._bucket}/{key}"), place.open("wb") as file:
            body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
            for piece in body.iter_chunks(_PIECE_BYTES):
                file.write(piece)

    def delete(self, version: str) -> int:
        """Delete the files of a version that is in the index no longer; returns how many.

        Its description stays: until `delete_description`, the deletion is `unfinished`.
        """
        description = f"{ROOT}{version}/{VERSION}"
        keys = [key for key in self._keys(f"{ROOT}{version}/") if key != description]
        for key in keys:
            self._delete(key)
        return len(keys)

    def delete_description(self, version: str) -> None:
        """Finish the deletion of a version."""
        self._delete(f"{ROOT}{version}/{VERSION}")

    def unfinished(self, index: Index, now: datetime) -> list[str]:
        """The versions that the index does not know and nobody has written to for a day."""
        newest: dict[str, datetime] = {}
        for item in self._listed(ROOT):
            version, slash, _ = item["Key"].removeprefix(ROOT).partition("/")
            if slash:
                modified = item["LastModified"]
                newest[version] = max(modified, newest.get(version, modified))
        known = {entry.version for entry in index.versions}
        return sorted(
            version
            for version, modified in newest.items()
            if version not in known and now - modified >= UNFINISHED_FOR
        )

    def _get(self, key: str) -> bytes:
        with self._errors(f"reading s3://{self._bucket}/{key}"):
            body: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        return body

    def _put(self, key: str, body: bytes, media_type: str, cache: str = "") -> None:
        # What is below a version never changes.
        control = cache or "public, max-age=31536000, immutable"
        with self._errors(f"writing s3://{self._bucket}/{key}"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=body,
                ContentType=media_type,
                CacheControl=control,
            )

    def _delete(self, key: str) -> None:
        with self._errors(f"deleting s3://{self._bucket}/{key}"):
            self._s3.delete_object(Bucket=self._bucket, Key=key)

    def _keys(self, prefix: str) -> Iterator[str]:
        return (item["Key"] for item in self._listed(prefix))

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        with self._errors(f"listing s3://{self._bucket}/{prefix}"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                yield from page.get("Contents", ())

    def _errors(self, doing: str) -> Any:
        return object_errors(
            f"publish: {doing}",
            NotPublished,
            "does not exist. Run `wandle publish`, or trigger the DAG `transform`.",
        )


def with_version(index: Index, entry: Entry) -> Index:
    """The index with a complete version as the newest, and current unless another is pinned."""
    others = tuple(one for one in index.versions if one.version != entry.version)
    return replace(
        index,
        current=index.current if index.pinned else entry.version,
        versions=(entry, *others),
    )


def used(index: Index, version: str) -> Index:
    """The index with this version as current and pinned; `latest` is the newest, not pinned."""
    latest = version == "latest"
    chosen = index.newest if latest else index.entry(version).version
    if not chosen:
        raise NotPublished("publish: nothing has been published yet. Run `wandle publish`.")
    return replace(index, current=chosen, pinned=not latest)


def without(index: Index, gone: Iterable[str], *, withdrawn: bool = False) -> Index:
    """The index without these versions; if the current one goes, the newest left is current."""
    names = set(gone)
    left = tuple(entry for entry in index.versions if entry.version not in names)
    stays = index.current not in names
    return replace(
        index,
        current=index.current if stays else (left[0].version if left else ""),
        versions=left,
        pinned=index.pinned and stays,
        withdrawn=tuple(sorted({*index.withdrawn, *(names if withdrawn else ())})),
    )


def past_retention(index: Index, now: datetime) -> list[Entry]:
    """The versions to delete: neither current, nor among the newest, nor a few days old."""
    return [
        entry
        for entry in index.versions[KEPT:]
        if entry.version != index.current and now.astimezone(UTC) - entry.when >= KEPT_FOR
    ]
