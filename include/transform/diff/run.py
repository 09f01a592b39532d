"""Build two projects apart from everyone's schemas, and compare every mart that may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from include.transform.diff.compare import Difference, compare
from include.transform.diff.own_schemas import locked
from include.transform.diff.relation import read_table
from include.transform.diff.sides import Chosen, Revision, Side, at_once, choose, existing
from include.transform.history import connection
from include.transform.process import Dbt

_LOADS = """
select source, count(*), max(load_id) from ops.load
where status in ('loaded', 'expired')
group by source
"""
_BUILDS = "select count(*) from ops.dbt_run where status = 'success' and nodes > 0"


@dataclass(frozen=True)
class Compared:
    """What differs between the marts of two projects.

    `built` are the models that differ or are below one that does, as
    `schema.name`; `failures` says why some were not built, by revision and
    name; `notes` what a reader must know to trust the figures.
    """

    marts: tuple[Difference, ...]
    built: tuple[str, ...]
    failures: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def anything(self) -> bool:
        """Whether a mart differs."""
        return any(not mart.nothing for mart in self.marts)


def compare_projects(
    *, dsn: str, base: Path, head: Path, run: str, home: Path, progress: Callable[[str], None]
) -> Compared:
    """Build what differs between two project folders, and compare their marts.

    The schemas begin with `run`, and stay. `home` is a folder for dbt's files.
    Raises `PermanentError`s if a project does not parse or the role may not
    create schemas, and the errors of the database.
    """

    def dbt(name: str, project: Path, prefix: str) -> Dbt:
        said = partial(_said, progress, name)
        return Dbt(dsn=dsn, home=home / name, progress=said, project=project, schema_prefix=prefix)

    prefixes = {name: f"{run}{name}_" for name in ("base", "head")}
    with (
        locked(dsn, run),
        dbt("state", base, "") as state,
        dbt("base", base, prefixes["base"]) as dbt_base,
        dbt("head", head, prefixes["head"]) as dbt_head,
        connection(dsn) as opened,
    ):
        before = _Moment.of(opened)
        progress("Parsing both revisions")
        of_base, of_head, _ = at_once(dbt_base.relations, dbt_head.relations, state.relations)
        sides = (Side("base", dbt_base, prefixes["base"]), Side("head", dbt_head, prefixes["head"]))
        revisions = (
            Revision.of(of_base, prefixes["base"]),
            Revision.of(of_head, prefixes["head"]),
        )
        modified = dbt_head.modified(state.target)
        chosen = choose(*revisions, modified, existing(opened, revisions))
        progress(f"Building {len(chosen.base)} models of the base and {len(chosen.head)} of yours")
        failed = at_once(
            partial(sides[0].build, revisions[0], chosen.base, state.target),
            partial(sides[1].build, revisions[1], chosen.head, state.target),
        )
        progress("Comparing the marts")
        marts = [*_marts(opened, sides, revisions, chosen, failed)]
        notes = [
            *_notes(before, _Moment.of(opened)),
            *_note_of_unchanged(revisions, chosen),
        ]
    return Compared(
        tuple(marts),
        tuple(sorted({_label(revisions, name) for name in chosen.changed})),
        tuple(_failures(sides, revisions, failed)),
        tuple(notes),
    )


def _said(progress: Callable[[str], None], name: str, line: str) -> None:
    progress(f"{name}: {line}")


Pair = tuple[Revision, Revision]


def _label(revisions: Pair, name: str) -> str:
    relation = revisions[1].relations.get(name) or revisions[0].relations[name]
    return f"{relation.schema}.{relation.name}"


def _marts(
    opened: psycopg.Connection,
    sides: tuple[Side, Side],
    revisions: Pair,
    chosen: Chosen,
    failed: Iterable[Mapping[str, str]],
) -> Iterable[Difference]:
    """The differences of the marts that both revisions could build, by name."""
    unbuilt = {name for some in failed for name in some}
    hidden = revisions[0].personal | revisions[1].personal
    broken = {path for revision in revisions for path in revision.broken}
    for name in sorted(chosen.changed, key=lambda name: _label(revisions, name)):
        known = [revision.relations.get(name) for revision in revisions]
        found = [relation for relation in known if relation]
        if not found[-1].is_mart or name in unbuilt or found[-1].path in broken:
            continue
        tables = [
            read_table(opened, side.prefix + relation.schema, relation.name) if relation else None
            for side, relation in zip(sides, known, strict=True)
        ]
        yield compare(opened, *tables, hidden=hidden)


def _failures(
    sides: Iterable[Side], revisions: Pair, failed: Iterable[Mapping[str, str]]
) -> Iterable[str]:
    for side, revision, some in zip(sides, revisions, failed, strict=True):
        for path, error in revision.broken.items():
            yield f"{side.name}: {path}: {error or 'selects from a file that does not parse'}"
        for name, error in sorted(some.items()):
            yield f"{side.name}: {revision.relations[name].path}: {error}"


@dataclass(frozen=True)
class _Moment:
    """What was loaded and built so far: dbt's queries share no snapshot of the database."""

    loads: Mapping[str, tuple[int, int]]
    builds: int

    @classmethod
    def of(cls, opened: psycopg.Connection) -> _Moment:
        loads = {row[0]: (row[1], row[2]) for row in opened.execute(_LOADS)}
        return cls(loads, opened.execute(_BUILDS).fetchall()[0][0])


def _notes(before: _Moment, after: _Moment) -> Iterable[str]:
    sources = {
        source
        for source in before.loads.keys() | after.loads.keys()
        if before.loads.get(source) != after.loads.get(source)
    }
    if sources:
        yield (
            f"While this ran, data of {', '.join(sorted(sources))} were loaded: some differences "
            "can come from that. Run it again."
        )
    if before.builds != after.builds:
        yield (
            "While this ran, `wandle transform` rebuilt models that were read unchanged: some "
            "differences can come from that. Run it again."
        )


def _note_of_unchanged(revisions: Pair, chosen: Chosen) -> Iterable[str]:
    """What both revisions read although it was not built for them."""
    read = {
        _label(revisions, parent)
        for revision, names in zip(revisions, (chosen.base, chosen.head), strict=True)
        for name in names
        for parent in revision.relations[name].depends_on
        if parent in revision.relations and parent not in names
    }
    if read:
        yield f"Unchanged, and read as they are in the database: {', '.join(sorted(read))}."
