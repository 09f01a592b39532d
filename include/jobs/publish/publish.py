"""Publish a version: what is public and good of the marts, as files and pages."""

from __future__ import annotations

import hashlib
import json
import logging
import mimetypes
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from include.councils.model import council_titles
from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.publish.datasets import (
    Prepared,
    carried,
    dataset_files,
    fingerprint,
    from_mart,
    layout_hash,
)
from include.jobs.publish.green import not_green
from include.publish.about import About
from include.publish.changes import changes
from include.publish.describe.csvw import csvw
from include.publish.describe.datapackage import datapackage
from include.publish.describe.dcat import catalogue
from include.publish.public import PublicMart, public_marts
from include.publish.read import built_columns, grant, read
from include.publish.site import pages
from include.publish.versions import Entry, Index, Published, with_version
from include.settings import Settings
from include.sources.model import contracts
from include.transform.history import History, building
from include.transform.process import Dbt

log = logging.getLogger(__name__)

Report = Callable[[str], None]


class NotPublic(PermanentError):
    """Marts declare that they are published, and must not be; all others are published."""


@dataclass
class Found:
    """The marts that declare to be published: those to read, those to keep, those refused.

    `kept` and `refused` say why.
    """

    ready: list[PublicMart] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def publish(
    *,
    dsn: str,
    publisher_dsn: str,
    lake: Lake,
    home: Path | None = None,
    report: Report = log.info,
) -> dict[str, Any]:
    """Publish the marts as they are now, without building them; returns a summary.

    `dsn` is of the role that builds, `publisher_dsn` of the one that reads
    what is public. Raises as `publish_marts` does.
    """
    with (
        Dbt(dsn=dsn, home=home or Settings.read().home / "dbt", progress=report) as dbt,
        building(dsn) as history,
    ):
        return publish_marts(dbt, history, publisher_dsn=publisher_dsn, lake=lake, report=report)


def publish_marts(
    dbt: Dbt, history: History, *, publisher_dsn: str, lake: Lake, report: Report = log.info
) -> dict[str, Any]:
    """Publish the marts, under the lock of `history`.

    A mart that is not built as described, or whose latest build or tests
    failed, keeps its last published files. The same content is not published
    twice. Returns the `version` with its `rows` and `changes`, whether it is
    `new`, and what was `kept` and why. Without any public mart that was ever
    good, `version` is empty.

    Raises `NotPublic` naming the marts that must not be published, after all
    others are; `PermanentError` for content that was withdrawn, and
    `ServiceUnavailable` if the database or S3 does not respond.
    """
    found = _found(dbt, history)
    store = Published(lake.as_job("transform").s3, lake.bucket)
    index = store.index()
    columns = {mart.name: tuple(mart.columns) for mart in found.ready}
    grant(history.connection, columns)
    marts = read(publisher_dsn, columns)
    for name, why in found.kept.items():
        log.warning("publish: %s keeps its last published files: %s", name, why)
    with tempfile.TemporaryDirectory(prefix="wandle-publish-") as folder:
        latest = _version(store, index)
        prepared = {
            mart.name: from_mart(mart, marts[mart.name], contracts(), Path(folder), latest)
            for mart in found.ready
        }
        for name in found.kept:
            if name in latest.get("datasets", {}):
                prepared[name] = carried(name, latest, store, Path(folder))
        if prepared or index.versions:
            entry, new = _published(store, index, latest, dict(sorted(prepared.items())), found)
        else:
            entry, new = Entry("", "", {}), False
    if found.refused:
        raise NotPublic("publish: " + " ".join(found.refused.values()))
    done = "published" if new else "has this content already"
    report(f"Open data: version {entry.version} {done}" if entry.version else _nothing(found))
    return {
        "version": entry.version,
        "new": new,
        "published_at": entry.published_at,
        "rows": {name: one["rows"] for name, one in entry.datasets.items()},
        "changes": entry.changes if new else {},
        "kept": found.kept,
    }


def _found(dbt: Dbt, history: History) -> Found:
    nodes = {node.unique_id: node for node in dbt.nodes()}
    latest = history.latest()
    found = Found()
    for mart in public_marts(dbt.published(), contracts()):
        if mart.refused:
            found.refused[mart.name] = mart.refused
        elif why := _behind(history, mart) or not_green(mart.unique_id, nodes, latest):
            found.kept[mart.name] = why
        else:
            found.ready.append(mart)
    # A model that does not parse declares nothing that is known.
    for node in nodes.values():
        if node.error and node.path.startswith("models/marts/"):
            found.kept.setdefault(node.short_name, "its file does not parse")
    return found


def _behind(history: History, mart: PublicMart) -> str:
    built = built_columns(history.connection, mart.name)
    if not built:
        return "it is not built yet"
    missing = sorted(mart.columns.keys() - built.keys())
    return f"it was built without {', '.join(missing)}" if missing else ""


def _nothing(found: Found) -> str:
    reasons = "; ".join(f"{name}: {why}" for name, why in (found.kept | found.refused).items())
    return (
        f"Open data: nothing to publish{f': {reasons}' if reasons else ''}. A mart is published if "
        "its YAML file says `publish: true` in `config.meta` and `wandle transform` has built it."
    )


def _version(store: Published, index: Index) -> dict[str, Any]:
    """The newest version's description; what is current may be an older one that was pinned."""
    return store.version(index.newest) if index.newest else {}


def _published(
    store: Published,
    index: Index,
    latest: Mapping[str, Any],
    prepared: Mapping[str, Prepared],
    found: Found,
) -> tuple[Entry, bool]:
    """The entry of this content in the index, and whether it was written now."""
    content = {name: fingerprint(one) for name, one in prepared.items()}
    parts = {"datasets": content, "layout": layout_hash(), "councils": council_titles()}
    version = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
    if version in index.withdrawn:
        raise PermanentError(
            f"publish: this content was withdrawn as version {version}, so it is not published "
            "again. Change the data or the models; the current version stays."
        )
    for entry in index.versions:
        if entry.version == version:
            if not index.pinned and index.current != version:
                index = _again(index, entry)
                store.write_index(index)
            store.lead_to(index.current)
            return entry, False
    now = datetime.now(UTC)
    about = About(now, council_titles(), {name: one.dataset for name, one in prepared.items()})
    files = list(_files(about, version, prepared))
    listed = {
        path: {
            "sha256": hashlib.sha256(body).hexdigest(),
            "bytes": len(body),
            "media_type": media_type,
        }
        for path, body, media_type in _bodies(files)
    }
    store.write_version(version, _description(version, about, prepared, listed, found), files)
    entry = Entry(
        version=version,
        published_at=now.isoformat(timespec="seconds"),
        datasets={
            name: {"rows": one.dataset.rows, "sha256": one.files["csv"].sha256}
            for name, one in prepared.items()
        },
        since=index.newest,
        changes=_changes(store, index.newest, latest, prepared),
        kept={name: why for name, why in found.kept.items() if name in prepared},
    )
    store.write_index(with_version(index, entry))
    return entry, True


def _again(index: Index, entry: Entry) -> Index:
    others = tuple(one for one in index.versions if one.version != entry.version)
    return Index(entry.version, (entry, *others), withdrawn=index.withdrawn)


def _bodies(files: Sequence[tuple[str, bytes | Path, str]]) -> Iterator[tuple[str, bytes, str]]:
    for path, body, media_type in files:
        yield path, body if isinstance(body, bytes) else body.read_bytes(), media_type


def _files(
    about: About, version: str, prepared: Mapping[str, Prepared]
) -> Iterator[tuple[str, bytes | Path, str]]:
    """Path below the version, body and media type of each file: data, descriptions, pages."""
    for name, one in prepared.items():
        for path, file in dataset_files(one):
            yield path, one.folder / Path(path).name, file.media_type
        yield (
            f"data/{name}/{name}.csv-metadata.json",
            _json(csvw(one.dataset)),
            "application/csvm+json",
        )
    csv_files = {name: one.files["csv"] for name, one in prepared.items()}
    yield (
        "data/datapackage.json",
        _json(datapackage(about, version, csv_files)),
        "application/json",
    )
    all_files = {name: one.files for name, one in prepared.items()}
    yield "data/catalog.jsonld", _json(catalogue(about, all_files)), "application/ld+json"
    tables: dict[str, pa.Table] = {name: one.rows for name, one in prepared.items()}
    for path, body in pages(tables, about):
        yield f"site/{path}", body, _media_type(path)


def _media_type(path: str) -> str:
    found = mimetypes.guess_type(path)[0] or "application/octet-stream"
    is_text = found.startswith("text/") or found in ("image/svg+xml",)
    return f"{found}; charset=utf-8" if is_text else found


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _description(
    version: str,
    about: About,
    prepared: Mapping[str, Prepared],
    files: Mapping[str, Any],
    found: Found,
) -> dict[str, Any]:
    """What `version.json` holds: every dataset as described, and every file with its hash."""
    return {
        "version": version,
        "published_at": about.as_of.isoformat(timespec="seconds"),
        "code_version": Settings.read().code_version,
        "datasets": {
            name: {
                **asdict(one.dataset),
                "updated": one.dataset.updated.isoformat(timespec="seconds"),
                "fingerprint": fingerprint(one),
                "files": {kind: f"data/{name}/{name}.{kind}" for kind in one.files},
            }
            for name, one in prepared.items()
        },
        "kept": found.kept,
        "files": files,
    }


def _changes(
    store: Published, since: str, latest: Mapping[str, Any], prepared: Mapping[str, Prepared]
) -> dict[str, dict[str, Any]]:
    """What differs from the version `since`, by dataset; equal datasets are left out."""
    if not since:
        return {}
    before = latest["datasets"]
    found: dict[str, dict[str, Any]] = {}
    for name, one in prepared.items():
        if name not in before:
            found[name] = {"added": one.dataset.rows, "removed": 0, "changed": 0, "new": True}
        elif before[name]["fingerprint"] != fingerprint(one):
            old = one.before(store, since)
            found[name] = changes(old, one.rows, one.dataset.key)
    for name in before.keys() - prepared.keys():
        found[name] = {"added": 0, "removed": before[name]["rows"], "changed": 0, "gone": True}
    return found
