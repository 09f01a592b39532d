"""Publish a version: what is public and good of the marts, as files and pages."""

from __future__ import annotations

import hashlib
import json
import logging
import mimetypes
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from include.councils.model import council_titles
from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.lineage.runs import tell_published
from include.jobs.publish.datasets import Prepared, dataset_files, fingerprint
from include.jobs.publish.found import Found, exposing, not_shown
from include.jobs.publish.prepare import prepare, version_of
from include.jobs.publish.state import state_of
from include.publish.about import About, Change
from include.publish.changes import changes
from include.publish.describe.csvw import csvw
from include.publish.describe.datapackage import datapackage
from include.publish.describe.dcat import catalogue
from include.publish.versions import Entry, Index, Published, with_version
from include.settings import Settings
from include.sources.model import contracts
from include.transform.history import History, building
from include.transform.process import Dbt

log = logging.getLogger(__name__)

Report = Callable[[str], None]


class NotPublic(PermanentError):
    """Marts declare that they are published, and must not be; all others are published."""


class NotApproved(PermanentError):
    """What would be published is not what a person approved."""


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
    dbt: Dbt,
    history: History,
    *,
    publisher_dsn: str,
    lake: Lake,
    report: Report = log.info,
    built_nothing: bool = False,
    approved: str | None = None,
    dbt_is_free: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Publish the marts, under the lock of `history`.

    With `built_nothing`, after a run that found all of them up to date, nothing is
    read if the newest version is made from the same state (`state_of`). With
    `approved`, only the version with that name may be published; empty: no new one.
    `dbt_is_free` is called once the rest needs no dbt: files and pages take a while.

    A mart that is not built as described, has a value that no file can hold,
    or whose latest build or tests failed, keeps its last published files. The
    same content is not published twice. Returns the `version` with its `rows`
    and `changes`, whether it is `new`, and what was `kept` and why. Without any
    public mart that was ever good, `version` is empty.

    Raises `NotPublic` naming the marts that must not be published and the
    earlier versions with what is no longer public, and `PermanentError` for
    values that no file can hold, both after all others are published; before
    anything is written `NotApproved`, and `PermanentError` for content that was
    withdrawn; and `ServiceUnavailable` if the database or S3 does not respond.
    """
    store = Published(lake.as_job("transform").s3, lake.bucket)
    index = store.index()
    state = state_of(history, dbt.project)
    if built_nothing and (same := index.unchanged(state)):
        report(f"Open data: version {same.version} is up to date; nothing was published")
        return _summary(same, new=False, kept={})
    with prepare(dbt, history, store=store, index=index, publisher_dsn=publisher_dsn) as ready:
        dbt_is_free()
        found, prepared = ready.found, ready.prepared
        if prepared or index.versions:
            _refuse_unapproved(ready.version, index, approved)
            entry, new = _published(store, index, ready.latest, prepared, found)
        else:
            entry, new = Entry("", "", {}), False
    _tell(entry, new, prepared.values(), lake, publisher_dsn)
    not_public = [*found.refused.values(), *exposing(store, entry, found, contracts())]
    # What is not as the marts declare is looked at again by the next run.
    if entry.version:
        store.remember(("", "") if not_public or found.kept else (entry.version, state))
    _raise(not_public, [*ready.unfit.values()])
    report(_said(entry, new) if entry.version else _nothing(found))
    return _summary(entry, new=new, kept=found.kept)


def _refuse_unapproved(version: str, index: Index, approved: str | None) -> None:
    if approved in (None, version) or version in (index.newest, *index.withdrawn):
        return
    raise NotApproved(
        f"publish: the marts make version {version}, but "
        f"{f'version {approved}' if approved else 'no new version'} was approved: they have "
        "changed in the meantime. Nothing was published. Start a new run of `transform` to be "
        "asked again."
    )


def _tell(entry: Entry, new: bool, prepared: Iterable[Prepared], lake: Lake, dsn: str) -> None:
    if new:
        tell_published(entry, [one.dataset for one in prepared], lake=lake, dsn=dsn)


def _summary(entry: Entry, *, new: bool, kept: Mapping[str, str]) -> dict[str, Any]:
    return {
        "version": entry.version,
        "new": new,
        "published_at": entry.published_at,
        "rows": {name: one["rows"] for name, one in entry.datasets.items()},
        "changes": entry.changes if new else {},
        "kept": kept,
    }


def _raise(not_public: list[str], unfit: list[str]) -> None:
    if not_public:
        raise NotPublic("\n".join(["publish: " + " ".join(not_public), *unfit]))
    if unfit:
        raise PermanentError("\n".join(unfit))


def _said(entry: Entry, new: bool) -> str:
    done = "published" if new else "has this content already"
    return f"Open data: version {entry.version} {done}"


def _nothing(found: Found) -> str:
    reasons = "; ".join(f"{name}: {why}" for name, why in (found.kept | found.refused).items())
    return (
        f"Open data: nothing to publish{f': {reasons}' if reasons else ''}. A mart is published if "
        "its YAML file says `publish: true` in `config.meta` and `wandle transform` has built it."
    )


def _published(
    store: Published,
    index: Index,
    latest: Mapping[str, Any],
    prepared: Mapping[str, Prepared],
    found: Found,
) -> tuple[Entry, bool]:
    """The entry of this content in the index, and whether it was written now."""
    version = version_of(prepared)
    if version in index.withdrawn:
        raise PermanentError(
            f"publish: this content was withdrawn as version {version}, so it is not published "
            "again. Change the data or the models; the current version stays."
        )
    since = latest.get("version", "")
    known = next((entry for entry in index.versions if entry.version == version), None)
    if known and store.holds(version):
        # What it says it changed, it changed in another version.
        if version not in (since, index.newest):
            known = replace(known, since=since, changes=_changes(store, since, latest, prepared))
        if (now_listed := with_version(index, known)) != index:
            store.write_index(now_listed)
        store.lead_to(now_listed.current)
        return known, False
    now = datetime.now(UTC)
    changed = _changes(store, since, latest, prepared)
    about = About(
        now,
        council_titles(),
        {name: one.dataset for name, one in prepared.items()},
        history=[
            Change(version, now, changed, since),
            *(Change(one.version, one.when, one.changes, one.since) for one in index.versions),
        ],
        api=Settings.read().read_api,
    )
    files = list(_files(about, version, prepared, found))
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
        since=since,
        changes=changed,
        kept={name: why for name, why in found.kept.items() if name in prepared},
    )
    store.write_index(with_version(index, entry))
    return entry, True


def _bodies(files: Sequence[tuple[str, bytes | Path, str]]) -> Iterator[tuple[str, bytes, str]]:
    for path, body, media_type in files:
        yield path, body if isinstance(body, bytes) else body.read_bytes(), media_type


def _files(
    about: About, version: str, prepared: Mapping[str, Prepared], found: Found
) -> Iterator[tuple[str, bytes | Path, str]]:
    """Path below the version, body and media type of each file: data, descriptions, pages."""
    # Imports the library that draws charts, which takes longer than to find nothing to publish.
    from include.publish.site.build import pages

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
    tables: dict[str, pa.Table] = {
        name: one.rows for name, one in prepared.items() if name not in not_shown(found)
    }
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
