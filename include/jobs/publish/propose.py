"""The question whether a publication may go out: what it would change, for a person to approve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from include.jobs.lake import Lake
from include.jobs.publish.datasets import Prepared, dataset_files
from include.jobs.publish.diff import Side, compared, is_same, same
from include.jobs.publish.prepare import Ready, prepare
from include.jobs.publish.state import state_of
from include.publish.versions import Index, Published
from include.transform.diff import report
from include.transform.diff.compare import Difference
from include.transform.history import History
from include.transform.process import Dbt


@dataclass(frozen=True)
class Proposal:
    """The version that would be published, and what it would change, as Markdown."""

    version: str
    markdown: str


def propose(
    dbt: Dbt, history: History, *, publisher_dsn: str, lake: Lake, built_nothing: bool = False
) -> Proposal | None:
    """What publishing the marts would change, compared with the newest version; else None.

    Nothing is written to S3. `built_nothing` as for `publish_marts`, which alone says
    what is wrong with marts that cannot be published. Raises
    `ServiceUnavailable` if the database or S3 does not respond.
    """
    store = Published(lake.as_job("transform").s3, lake.bucket)
    index = store.index()
    if built_nothing and index.unchanged(state_of(history, dbt.project)):
        return None
    with prepare(dbt, history, store=store, index=index, publisher_dsn=publisher_dsn) as ready:
        nothing = not (ready.prepared or index.versions)
        if nothing or ready.version in (index.newest, *index.withdrawn):
            return None
        found = tuple(_differences(store, ready))
        return Proposal(ready.version, _markdown(ready, index, found))


def _differences(store: Published, ready: Ready) -> Iterator[Difference]:
    before = ready.latest.get("datasets", {})
    for name in sorted({*before, *ready.prepared}):
        old = Side.of(ready.latest, name) if before else None
        new = _side(ready.version, ready.prepared[name]) if name in ready.prepared else None
        sides = (old, new)
        yield same(name, sides) if is_same(*sides) else compared(store, sides)


def _side(version: str, one: Prepared) -> Side:
    listed = dict(dataset_files(one))
    dataset = asdict(one.dataset) | {"files": dict(zip(one.files, listed, strict=True))}
    files = {path: asdict(file) for path, file in listed.items()}
    return Side(version, dataset, files, one.folder / f"{one.dataset.name}.parquet")


def _markdown(ready: Ready, index: Index, found: tuple[Difference, ...]) -> str:
    newest = ready.latest.get("version", "")
    intro = [
        f"Version {ready.version} compared with {newest}, the newest one."
        if newest
        else f"Version {ready.version} would be the first one."
    ]
    if all(mart.nothing for mart in found):
        intro += ["", "**No row changes**: only descriptions, pages or the councils do."]
    notes = [
        f"{report.code(name)} keeps its last published files: {report.code(why)}"
        for name, why in ready.found.kept.items()
        if name in ready.prepared
    ]
    notes += [
        f"{report.code(name)} is not published: {report.code(why)}"
        for name, why in ready.found.refused.items()
    ]
    if index.pinned:
        notes.append(f"Readers keep seeing version {index.current}, which is pinned.")
    return report.markdown(
        found, title="What the publication would change", intro=intro, notes=notes
    )
