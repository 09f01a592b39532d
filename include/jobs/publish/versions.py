"""Choose, withdraw and delete published versions."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from include.aws.cache import forget_copies
from include.errors import PermanentError
from include.jobs.lake import Lake
from include.landing.inventory import remove_old_versions
from include.publish.versions import ROOT, Index, Published, past_retention, used, without
from include.settings import Settings
from include.transform.history import building

log = logging.getLogger(__name__)


def listed(lake: Lake) -> list[dict[str, Any]]:
    """The versions, newest first, with what changed in each, and which is `current`."""
    index = _store(lake, "transform").index()
    return [
        {**asdict(entry), "current": entry.version == index.current, "pinned": index.pinned}
        for entry in index.versions
    ]


def use(version: str, *, dsn: str, lake: Lake) -> str:
    """Make a version the current one, until `latest` is chosen; returns which is current.

    New versions are published meanwhile, but do not become current. Raises
    `NotPublished` if there is no such version.
    """
    store = _store(lake, "transform")
    with building(dsn):
        index = used(store.index(), version)
        store.write_index(index)
    return index.current


def withdraw(version: str, *, dsn: str, lake: Lake) -> Index:
    """Delete a version, and never publish its content again; returns the index without it.

    If it was current, the newest of the others is. Finishes a withdrawal that
    was interrupted. Raises `NotPublished` if there is no such version,
    `PermanentError` if it is the only one, and the errors of `forget_copies`.
    """
    with building(dsn):
        index = _store(lake, "transform").index()
        if version not in index.withdrawn:
            index.entry(version)
        left = without(index, [version], withdrawn=True)
        if not left.versions:
            raise PermanentError(
                f"publish: {version} is the only version, so readers would find nothing. Publish "
                "another one first: change the models, then run `wandle transform`."
            )
        _delete(lake, left, [version], every_version=True)
    return left


def expire(*, dsn: str, lake: Lake, delete: bool, now: datetime | None = None) -> list[str]:
    """The versions past retention, and what interrupted publications left; deletes them if asked.

    The current version and the newest are always kept. Raises the errors of
    `forget_copies`; what is not finished then is found again.
    """
    now = now or datetime.now(UTC)
    store = _store(lake, "housekeeping")
    with building(dsn):
        index = store.index()
        gone = [entry.version for entry in past_retention(index, now)]
        left = store.unfinished(index, now)
        if delete and (gone or left):
            _delete(lake, without(index, gone), [*gone, *left])
    return [*gone, *left]


def forget(sources: Collection[str], *, dsn: str, lake: Lake) -> list[str]:
    """Delete all versions but the newest that hold a dataset made of one of these sources.

    After an erasure, which has published what is left as the newest version:
    the others may still show what was erased. Objects' old versions go, too.
    Raises `PermanentError` if the newest holds a dataset of theirs that could
    not be built again, and the errors of `forget_copies`; then run it again.
    """
    store = _store(lake, "housekeeping")
    with building(dsn):
        index = store.index()
        gone = []
        for entry in index.versions:
            described = store.version(entry.version)
            of_source = _made_of(described, sources)
            if entry.version != index.newest:
                gone += [entry.version] if of_source else []
            elif stale := sorted(of_source & described["kept"].keys()):
                raise PermanentError(
                    f"publish: {', '.join(stale)} could not be built again, so its published files "
                    "are still the old ones. Fix the model, then run the same command again."
                )
        left = store.unfinished(index, datetime.max.replace(tzinfo=UTC))
        if gone or left:
            _delete(lake, without(index, gone), [*gone, *left])
        # Of versions that retention has deleted, too.
        remove_old_versions(lake.as_job("housekeeping").landings, ROOT)
    return gone


def holding(sources: Collection[str], *, lake: Lake) -> list[str]:
    """The versions that hold a dataset made of one of these sources."""
    store = _store(lake, "transform")
    return [
        entry.version
        for entry in store.index().versions
        if _made_of(store.version(entry.version), sources)
    ]


def _made_of(described: dict[str, Any], sources: Collection[str]) -> set[str]:
    return {
        name
        for name, dataset in described["datasets"].items()
        if any(source["name"] in sources for source in dataset["sources"])
    }


def _delete(lake: Lake, index: Index, gone: Iterable[str], *, every_version: bool = False) -> None:
    """Take versions out of the index, then delete their objects, then CloudFront's copies.

    A version counts as deleted, by the last of its objects, after its copies are.
    """
    keeper = lake.as_job("housekeeping")
    store = Published(keeper.s3, keeper.bucket)
    versions = list(gone)
    store.write_index(index)
    for version in versions:
        log.info("publish: deleted version %s: %d files", version, store.delete(version))
    if distribution := Settings.read().distribution:
        forget_copies(keeper.session, distribution)
    for version in versions:
        store.delete_description(version)
        if every_version:
            remove_old_versions(keeper.landings, f"{ROOT}{version}/")


def _store(lake: Lake, job: str) -> Published:
    keeper = lake.as_job(job)
    return Published(keeper.s3, keeper.bucket)
