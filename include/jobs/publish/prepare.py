"""What the next publication holds, before anything of it is written."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.councils.model import council_titles
from include.jobs.publish.datasets import Prepared, carried, fingerprint, from_mart, layout_hash
from include.jobs.publish.found import Found, carry, find, not_shown
from include.publish.read import grant, read
from include.publish.versions import Index, NotPublished, Published
from include.settings import Settings
from include.sources.model import contracts
from include.transform.history import History
from include.transform.process import Dbt

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """The datasets of the next version by name, and what `version.json` says of the newest one.

    `unfit` says why marts have values that no file can hold.
    """

    latest: Mapping[str, Any]
    prepared: Mapping[str, Prepared]
    found: Found
    unfit: Mapping[str, str]

    @property
    def version(self) -> str:
        """The name of the version that this content makes."""
        return version_of(self.prepared)


@contextmanager
def prepare(
    dbt: Dbt, history: History, *, store: Published, index: Index, publisher_dsn: str
) -> Iterator[Ready]:
    """Read the marts, under the lock of `history`; their files exist until this ends.

    Raises `ServiceUnavailable` if the database or S3 does not respond.
    """
    found = find(dbt, history, contracts())
    columns = {mart.name: tuple(mart.columns) for mart in found.ready}
    grant(history.connection, columns)
    unfit: dict[str, str] = {}
    marts = read(publisher_dsn, columns, unfit)
    found.kept |= unfit
    _warn(found)
    with tempfile.TemporaryDirectory(prefix="wandle-publish-") as folder:
        latest = _newest(store, index)
        prepared = {
            mart.name: from_mart(mart, marts[mart.name], contracts(), Path(folder), latest)
            for mart in found.ready
            if mart.name in marts
        }
        for name in carry(found, latest, contracts()):
            prepared[name] = carried(name, latest, store, Path(folder))
        yield Ready(latest, dict(sorted(prepared.items())), found, unfit)


def version_of(prepared: Mapping[str, Prepared]) -> str:
    """The name of a version: the same for the same content, code and address of the read API."""
    content = {name: fingerprint(one) for name, one in prepared.items()}
    parts = {"datasets": content, "layout": layout_hash(), "councils": council_titles()}
    if api := Settings.read().read_api:
        parts["read_api"] = api
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _warn(found: Found) -> None:
    for name, why in found.kept.items():
        log.warning("publish: %s keeps its last published files: %s", name, why)
    for name, hidden in not_shown(found).items():
        log.warning("publish: no page shows %s: %s is not public", name, ", ".join(hidden))


def _newest(store: Published, index: Index) -> dict[str, Any]:
    """The description of the newest version; of an older one if somebody deleted its files.

    What is current may be an older one that was pinned.
    """
    for entry in index.versions:
        try:
            return store.version(entry.version)
        except NotPublished as error:
            log.warning("%s Somebody deleted it.", error)
    return {}
