"""What the last publication changed in the marts: two published versions, from their files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.disk import disk_errors
from include.errors import PermanentError, UnknownName
from include.jobs.lake import Lake
from include.jobs.publish.datasets import checked
from include.publish.public import guarded
from include.publish.versions import Entry, Index, NotPublished, Published
from include.sources.model import contracts
from include.transform.diff import report
from include.transform.diff.compare import Difference, schema_changes
from include.transform.diff.parquet import Rows, compare_files
from include.transform.diff.relation import Table

SCHEMA = "marts"
_NO_VERSIONS = (
    "diff: nothing has been published yet. Run `wandle transform`, or trigger the DAG `transform`."
)


@dataclass(frozen=True)
class PublishedDiff:
    """What differs between two versions; `notes` is what a reader must know, as sentences."""

    base: Entry
    head: Entry
    marts: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def differing(self) -> list[str]:
        """The marts that differ."""
        return [mart.name for mart in self.marts if not mart.nothing]


def published_diff(
    *,
    lake: Lake,
    marts: Sequence[str] = (),
    base: str = "",
    progress: Callable[[str], None],
) -> PublishedDiff:
    """Compare marts, by default all, of the newest version with those of `base`.

    `base` is a version, by default the one before. Only what is published is
    read, and no value of a column that is not public any more is shown.

    Raises `NotPublished` if there are fewer than two versions or one is gone,
    `UnknownName` for a mart that is in neither, `PermanentError` for a file
    that is not as it was written, and `ServiceUnavailable` if S3 does not respond.
    """
    keeper = lake.as_job("transform")
    store = Published(keeper.s3, keeper.bucket)
    index = store.index()
    old, new = _two(index, base)
    wanted = _wanted(index, old, new, marts)
    described = [_described(store, entry) for entry in (old, new)]
    found = []
    for number, name in enumerate(wanted, 1):
        sides = [Side.of(version, name) for version in described]
        if is_same(*sides):
            found.append(same(name, sides))
            continue
        progress(f"Comparing {name}: {number} of {len(wanted)}")
        found.append(compared(store, sides))
    notes = [*_notes(index, old, new), *_said(described, found)]
    if marts and not base:
        notes += _earlier(index, new, found)
    return PublishedDiff(old, new, tuple(found), tuple(notes))


def _two(index: Index, base: str) -> tuple[Entry, Entry]:
    if not index.versions:
        raise NotPublished(_NO_VERSIONS)
    newest, *earlier = index.versions
    if base == newest.version:
        raise UnknownName(f"diff: {base} is the newest version itself. Choose an earlier one.")
    if base in index.withdrawn:
        raise NotPublished(
            f"diff: version {base} was withdrawn, so its files are deleted. Choose another one: "
            "see `wandle publish --list`."
        )
    if base:
        return index.entry(base), newest
    if not earlier:
        before = f" The one before, {newest.since}, was deleted." if newest.since else ""
        raise NotPublished(
            f"diff: only one version is published, {_named(newest)}, so there is none to compare "
            f"it with.{before} Run this again after the next publication."
        )
    return earlier[0], newest


def _wanted(index: Index, old: Entry, new: Entry, marts: Sequence[str]) -> list[str]:
    known = sorted({*old.datasets, *new.datasets})
    asked = [name.removeprefix(f"{SCHEMA}.") for name in marts]
    for name in asked:
        if name in known:
            continue
        elsewhere = [one.version for one in index.versions if name in one.datasets]
        if elsewhere:
            raise UnknownName(
                f"diff: {name} is in neither {old.version} nor {new.version}. The last version "
                f"with it is {elsewhere[0]}."
            )
        raise UnknownName(
            f"diff: {name} has never been published. Published are: {', '.join(known) or 'none'}. "
            "A mart is published if its YAML file says `publish: true`: see docs/open-data.md."
        )
    return list(dict.fromkeys(asked)) or known


@contextmanager
def _still_there(version: str) -> Iterator[None]:
    try:
        yield
    except NotPublished as error:
        raise NotPublished(
            f"diff: version {version} was deleted while it was read. Run the command again; "
            "`wandle publish --list` shows which versions there are."
        ) from error


def _described(store: Published, entry: Entry) -> dict[str, Any]:
    with _still_there(entry.version):
        return store.version(entry.version)


@dataclass(frozen=True)
class Side:
    """A mart as a version describes it; `sha256` is of its CSV file, which has every digit.

    `local` is its Parquet file, if the version is not published yet.
    """

    version: str
    dataset: Mapping[str, Any]
    files: Mapping[str, Mapping[str, Any]]
    local: Path | None = None

    @classmethod
    def of(cls, described: Mapping[str, Any], name: str) -> Side | None:
        """The mart in a version, by the contents of its `version.json`; None if it is not there."""
        dataset = described["datasets"].get(name)
        return cls(described["version"], dataset, described["files"]) if dataset else None

    @property
    def table(self) -> Table:
        """Its columns and key."""
        columns = {column["name"]: column["type"] for column in self.dataset["columns"]}
        return Table(SCHEMA, self.dataset["name"], columns, tuple(self.dataset["key"]))

    @property
    def sha256(self) -> str:
        """The hash of its CSV file."""
        return str(self.files[self.dataset["files"]["csv"]]["sha256"])

    def saved(self, store: Published, place: Path) -> Rows:
        """Its rows, in `place` if they must be read from S3."""
        if self.local:
            return Rows(self.table, self.local)
        path = self.dataset["files"]["parquet"]
        with _still_there(self.version):
            store.save(self.version, path, place)
        checked(place, f"{self.version}/{path}", self.files[path]["sha256"])
        return Rows(self.table, place)


def is_same(before: Side | None, after: Side | None) -> bool:
    """Whether both have the same rows, columns and key."""
    if before is None or after is None or before.sha256 != after.sha256:
        return False
    return not schema_changes(before.table, after.table)


def same(name: str, sides: Sequence[Side | None]) -> Difference:
    """The result for a mart that is the same in both."""
    rows = [side.dataset["rows"] for side in sides if side]
    key = tuple(key for side in sides[-1:] if side for key in side.table.key)
    return Difference(name, key, rows[0], rows[-1], 0, 0, 0)


def compared(store: Published, sides: Sequence[Side | None]) -> Difference:
    """What differs in a mart, before and after, by its Parquet files.

    Of a column that is not public any more, no value is shown.
    """
    with (
        tempfile.TemporaryDirectory(prefix="wandle-diff-") as folder,
        disk_errors("diff: saving published files", Path(folder)),
    ):
        rows = [
            side.saved(store, Path(folder) / name) if side else None
            for side, name in zip(sides, ("before.parquet", "after.parquet"), strict=True)
        ]
        return compare_files(rows[0], rows[1], hidden=_hidden(*sides))


def _hidden(before: Side | None, after: Side | None) -> set[str]:
    """The columns that were public and are not any more: their values stay where they are."""
    sides = [side for side in (before, after) if side]
    sources = {source["name"] for side in sides for source in side.dataset["sources"]}
    lost = {*before.table.columns} if before else set()
    return (lost - {*after.table.columns} if after else lost) | guarded(sources, contracts())


def _notes(index: Index, old: Entry, new: Entry) -> Iterator[str]:
    known = {entry.version for entry in index.versions}
    at = [entry.version for entry in index.versions].index(old.version)
    for entry in index.versions[:at]:
        if entry.since and entry.since not in known:
            yield (
                f"Version {entry.since}, between the two, was deleted: this is what more than one "
                "publication changed."
            )
    if index.pinned and index.current != new.version:
        yield (
            f"Readers see version {index.current}, which is pinned. `wandle publish --use latest` "
            f"makes {new.version} the current one."
        )
    for name, why in new.kept.items():
        yield f"{report.code(name)} kept its files in {new.version}: {report.code(why)}"


def _said(described: Sequence[Mapping[str, Any]], found: Iterable[Difference]) -> Iterator[str]:
    """The marts of which all rows are the same, but not what is said about them."""
    before, after = (one["datasets"] for one in described)
    names = [
        report.code(mart.name)
        for mart in found
        if mart.nothing and before[mart.name]["fingerprint"] != after[mart.name]["fingerprint"]
    ]
    if names:
        yield f"Other descriptions, titles or licences, but the same rows: {', '.join(names)}."


def _earlier(index: Index, new: Entry, found: Iterable[Difference]) -> Iterator[str]:
    """Where a mart that was asked for, and is the same, last changed."""
    for mart in found:
        now = new.datasets.get(mart.name, {})
        changed = [
            entry
            for entry in index.versions
            if entry.datasets.get(mart.name, now).get("sha256") != now.get("sha256")
        ]
        if mart.nothing and changed:
            yield (
                f"{report.code(mart.name)} last changed after version {_named(changed[0])}: "
                f"{report.code(f'wandle diff --published {mart.name} --base {changed[0].version}')}"
            )


def _named(entry: Entry) -> str:
    return f"{entry.version} of {entry.when:%Y-%m-%d %H:%M} UTC"


def refuse_change(found: PublishedDiff) -> None:
    """Raise `PermanentError` if a mart differs."""
    if found.differing:
        raise PermanentError(
            f"diff: {', '.join(found.differing)} changed from version {found.base.version} to "
            f"{found.head.version}."
        )


def as_json(found: PublishedDiff) -> dict[str, Any]:
    """A comparison as JSON values."""
    return {
        **{
            side: {"version": entry.version, "published_at": entry.published_at}
            for side, entry in (("base", found.base), ("head", found.head))
        },
        "marts": report.as_json(found.marts),
        "notes": found.notes,
    }


def markdown(found: PublishedDiff) -> str:
    """A comparison as Markdown."""
    intro = [f"{_named(found.head)} compared with {_named(found.base)}."]
    if not found.differing:
        intro += ["", "**No mart changed.**"]
    return report.markdown(
        found.marts,
        title="What was published: changes to the marts",
        intro=intro,
        notes=found.notes,
    )
