"""List landings in S3, and delete them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

from include.errors import PermanentError, UnknownName
from include.landing.store import MANIFEST, ROOT, Landings, landing_prefix, s3_errors
from include.sources.model import every_contract
from include.sources.partition import Grain, Partition, Period

# The limit of one DeleteObjects request.
MOST_AT_ONCE = 1_000
_KEY = re.compile(
    rf"{ROOT}(?P<source>[^/]+)/(?P<council>[^/]+)/(?P<period>[^/]+)/"
    r"(?P<landing_id>\d{8}T\d{12}Z-[^/]+)/(?P<name>.+)"
)
# Source, council, period, landing ID.
Ref = tuple[str, str, str, str]


@dataclass(frozen=True)
class Stored:
    """A landing in S3; unfinished while it has no manifest. `bytes` are the stored bytes."""

    partition: Partition
    landing_id: str
    finished: bool
    objects: int
    bytes: int

    @property
    def ref(self) -> Ref:
        """What names it among all landings."""
        return reference(self.partition, self.landing_id)


def reference(partition: Partition, landing_id: str) -> Ref:
    """What names a landing among all landings."""
    return (partition.source, partition.council, str(partition.period), landing_id)


def stored_landings(landings: Landings, source: str | None = None) -> list[Stored]:
    """Every landing, finished or not, of one source or of all, in key order.

    Other objects are skipped.
    """
    found: dict[Ref, tuple[bool, int, int]] = {}
    prefix = f"{ROOT}{source}/" if source else ROOT
    for key, size in _objects(landings, prefix):
        match = _KEY.fullmatch(key)
        if match:
            ref = (match["source"], match["council"], match["period"], match["landing_id"])
            finished, objects, total = found.get(ref, (False, 0, 0))
            finished |= match["name"] == MANIFEST
            found[ref] = (finished, objects + 1, total + size)
    return [
        Stored(Partition(ref[0], ref[1], period), ref[3], *counted)
        for ref, counted in found.items()
        if (period := _period(ref[2], _grain(ref[0]))) is not None
    ]


def other_objects(landings: Landings, source: str) -> list[str]:
    """The keys below a source's prefix that belong to no landing."""
    listed = {item.ref for item in stored_landings(landings, source)}
    return [
        key
        for key, _ in _objects(landings, f"{ROOT}{source}/")
        if not (match := _KEY.fullmatch(key))
        or (match["source"], match["council"], match["period"], match["landing_id"]) not in listed
    ]


def _grain(source: str) -> Grain:
    """The grain of the source's contract, for what has two meanings; a month without one."""
    known = every_contract().get(source)
    return known.period if known else "month"


def _period(text: str, likely: Grain) -> Period | None:
    try:
        return Period.read(text, likely)
    except UnknownName:
        return None


def _objects(landings: Landings, prefix: str) -> Iterator[tuple[str, int]]:
    with s3_errors(f"S3: listing {landings.address(prefix)}"):
        pages = landings.s3.get_paginator("list_objects_v2").paginate(
            Bucket=landings.bucket, Prefix=prefix
        )
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"], item["Size"]


def remove(
    landings: Landings, partition: Partition, landing_id: str, *, every_version: bool
) -> None:
    """Delete a landing, the manifest first, so that a partially deleted one is never loaded.

    Without `every_version`, a versioned bucket keeps the old versions. If
    interrupted, call it again. Raises `PermanentError` without permission, and
    `ServiceUnavailable` (retryable).
    """
    prefix = landing_prefix(partition, landing_id)
    present = [{"Key": key} for key in landings.keys(prefix)]
    if every_version:
        remove_old_versions(landings, prefix)
        # By version, so that no delete marker hides what is left after an interruption.
        present = _versions(landings, prefix)[0] or present
    _delete(landings, prefix, sorted(present, key=lambda item: item["Key"] != prefix + MANIFEST))


def remove_others(landings: Landings, source: str, *, every_version: bool) -> None:
    """Delete what is below a source's prefix and belongs to no landing."""
    prefix = f"{ROOT}{source}/"
    _delete(landings, prefix, [{"Key": key} for key in other_objects(landings, source)])
    if every_version:
        remove_old_versions(landings, prefix)


def remove_old_versions(landings: Landings, prefix: str) -> int:
    """Delete every noncurrent version below `prefix`; returns how many.

    Delete markers go last: without its marker, an old version would become
    current again. Unversioned stores have none.
    """
    _, old, markers = _versions(landings, prefix)
    _delete(landings, prefix, old)
    _delete(landings, prefix, markers)
    return len(old)


_Versions = list[dict[str, str]]


def _versions(landings: Landings, prefix: str) -> tuple[_Versions, _Versions, _Versions]:
    """Current versions, noncurrent versions and delete markers."""
    now: _Versions = []
    old: _Versions = []
    markers: _Versions = []
    with s3_errors(f"S3: listing versions of {landings.address(prefix)}"):
        try:
            pages = landings.s3.get_paginator("list_object_versions").paginate(
                Bucket=landings.bucket, Prefix=prefix
            )
            for page in pages:
                for item in page.get("Versions", ()):
                    (now if item["IsLatest"] else old).append(_version(item))
                markers += map(_version, page.get("DeleteMarkers", ()))
        except ClientError as error:
            # `rclone serve s3`, for example, does not support versions.
            if error.response.get("Error", {}).get("Code") != "NotImplemented":
                raise
    return now, old, markers


def _version(item: dict[str, Any]) -> dict[str, str]:
    return {"Key": item["Key"], "VersionId": item["VersionId"]}


def _delete(landings: Landings, prefix: str, objects: Iterable[dict[str, str]]) -> None:
    doing = f"S3: deleting below {landings.address(prefix)}"
    waiting = iter(objects)
    while some := list(islice(waiting, MOST_AT_ONCE)):
        with s3_errors(doing):
            answer = landings.s3.delete_objects(
                Bucket=landings.bucket, Delete={"Objects": some, "Quiet": True}
            )
        for error in answer.get("Errors", ()):
            raise PermanentError(
                f"{doing}: {error['Key']}: {error['Code']}. Check this role's permission to delete "
                "objects and their versions, then run it again."
            )
