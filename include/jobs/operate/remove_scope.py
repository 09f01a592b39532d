"""What `wandle remove` would remove: found from the data, with or without a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from include.councils.model import UK
from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.operate import remove_files
from include.jobs.pipeline.known_sources import (
    known_contracts,
    known_names,
    partition_at,
    sources_with_data,
)
from include.jobs.pipeline.selection import Selection
from include.landing.inventory import Stored, other_objects, stored_landings
from include.sources.followers import followers
from include.sources.model import Contract, contracts, every_contract
from include.sources.partition import Partition
from include.transform.leftovers import Relation, built_without_model
from include.warehouse.books import removals, stored
from include.warehouse.books.stored import Counts
from include.warehouse.connection import Cursor, connect


class DagHistory(Protocol):
    """What Airflow has of a DAG."""

    @property
    def dag_id(self) -> str:
        """Its ID."""

    @property
    def runs(self) -> int:
        """The number of its runs."""

    @property
    def active(self) -> Sequence[str]:
        """The IDs of the runs that have not finished."""


class Dags(Protocol):
    """A running Airflow."""

    def history(self, dag_id: str) -> DagHistory | None:
        """What Airflow has of the DAG; None if it does not know it."""

    def pause(self, dag_id: str) -> None:
        """Start no further scheduled runs."""

    def delete(self, dag_id: str) -> None:
        """Delete a DAG whose definition is gone, with its history."""


@dataclass
class Part:
    """The data of one partition."""

    partition: Partition
    landings: list[Stored] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)

    @property
    def listed(self) -> dict[str, Any]:
        """Names and numbers, for people and scripts."""
        where = self.partition
        return {
            "source": where.source,
            "council": where.council,
            "period": str(where.period),
            "rows": self.counts.rows,
            "landings": len(self.landings),
            "objects": sum(item.objects for item in self.landings),
            "bytes": sum(item.bytes for item in self.landings),
            "entries": self.counts.entries,
            "quarantined": self.counts.quarantined,
        }


@dataclass
class Scope:
    """What would be removed. Of `dataset` and `whole_councils`, the definitions go, too.

    `blockers` must go or change first. `removed` is the last removal of the
    same sources or councils: when and by whom.
    """

    parts: list[Part]
    contracts: Mapping[str, Contract]
    dataset: str = ""
    whole_councils: tuple[str, ...] = ()
    table: bool = False
    files: list[Path] = field(default_factory=list)
    dbt_source: bool = False
    other_objects: int = 0
    built: list[Relation] = field(default_factory=list)
    dag: DagHistory | None = None
    blockers: list[str] = field(default_factory=list)
    removed: Mapping[str, Any] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remove."""
        return not self.parts and not self.definitions

    @property
    def definitions(self) -> list[str]:
        """What goes besides the data of partitions, in words."""
        found = [remove_files.shown(path) for path in self.files]
        if self.dbt_source:
            found.append(f"raw.{self.dataset} in {remove_files.shown(remove_files.DBT_SOURCES)}")
        if self.table:
            found.append(f"the table raw.{self.dataset}")
        found += [f"{schema}.{name}, which no model builds" for schema, name, _ in self.built]
        if self.other_objects:
            found.append(f"other objects below landing/{self.dataset}/: {self.other_objects}")
        if self.dag:
            runs = "its run" if self.dag.runs == 1 else f"its {self.dag.runs} runs"
            found.append(f"the DAG {self.dag.dag_id} and {runs}")
        return found


def find_scope(selection: Selection, *, lake: Lake, dsn: str, dags: Dags | None) -> Scope:
    """List what would be removed; changes nothing.

    A source alone stands for the whole dataset, a council alone for the whole
    council: then their definitions go, too. Raises `UnknownName` and
    `PermanentError` for an invalid selection.
    """
    _refuse_wrong(selection)
    lake = lake.as_job("housekeeping")
    timeless = not (selection.periods or selection.first or selection.last)
    with connect(dsn) as connection, connection.cursor() as cursor:
        names = sources_with_data(lake, cursor)
        known = known_contracts(cursor)
        sources = selection.sources or tuple(sorted(names))
        parts = [part for name in sources for part in _parts(cursor, name, lake, known)]
        scope = Scope([part for part in parts if selection.has(part.partition)], known)
        scope.removed = removals.removed_before(cursor, selection.sources, selection.councils)
        if selection.sources and timeless and not selection.councils:
            (scope.dataset,) = selection.sources
            scope.table = stored.has_table(cursor, scope.dataset)
    scope.blockers += _followed(scope, lake)
    if scope.dataset:
        _add_definitions(scope, lake, dsn, dags)
    elif timeless and not selection.sources:
        scope.whole_councils = selection.councils
        for council in selection.councils:
            scope.files += remove_files.files_of_council(council)
        scope.blockers += remove_files.depends_on_councils(selection.councils)
    changed = [*scope.files, *([remove_files.DBT_SOURCES] if scope.dbt_source else [])]
    scope.blockers += remove_files.cannot_be_deleted(changed)
    if scope.empty and not scope.removed:
        known_too = names | every_contract().keys() - contracts()
        selection.check(known_names(known_too, {part.partition.council for part in parts}))
    return scope


def _parts(
    cursor: Cursor, source: str, lake: Lake, contracts: Mapping[str, Contract]
) -> list[Part]:
    """Every partition of a source that S3 or the database has, in order."""
    found: dict[Partition, Part] = {}
    for item in stored_landings(lake.landings, source):
        found.setdefault(item.partition, Part(item.partition)).landings.append(item)
    for (council, begin), counts in stored.places(cursor, source).items():
        where = partition_at(source, council, begin, contracts)
        # The folder in S3 knows the size of the period, even if no contract is known.
        same = [one for one in found if (one.council, one.period.starts_at) == (council, begin)]
        where = where if where in same or not same else same[0]
        found.setdefault(where, Part(where)).counts = counts
    return [found[where] for where in sorted(found, key=str)]


def _followed(scope: Scope, lake: Lake) -> Iterator[str]:
    """The sources whose landings have their pages in what would go."""
    going = {part.partition for part in scope.parts if part.landings}
    for source in sorted({where.source for where in going}):
        for other in followers(source, scope.contracts):
            theirs = {item.partition for item in stored_landings(lake.landings, other.name)}
            for where in sorted(theirs - going):
                if Partition(source, where.council, where.period) in going:
                    yield (
                        f"{other.name} reads the landings of {source}. Remove its partitions "
                        f"first: `wandle remove {other.name}` with the same options."
                    )
                    break


def _refuse_wrong(selection: Selection) -> None:
    if not selection.sources and not selection.councils:
        raise PermanentError("remove: nothing selected. Name a source, or a council (--council).")
    if len(selection.sources) > 1 and selection == Selection(selection.sources):
        raise PermanentError(
            f"remove: {' and '.join(selection.sources)}: remove one dataset at a time."
        )
    if not selection.sources and UK in selection.councils:
        raise PermanentError(f"remove: {UK!r} is not a council. Name the source, too.")
    Selection(periods=selection.periods, first=selection.first, last=selection.last).check()


def _add_definitions(scope: Scope, lake: Lake, dsn: str, dags: Dags | None) -> None:
    scope.files = remove_files.files_of_source(scope.dataset)
    scope.built = built_without_model(dsn, scope.files)
    scope.dbt_source = remove_files.is_dbt_source(scope.dataset)
    scope.blockers += remove_files.depends_on_source(scope.dataset)
    scope.other_objects = len(other_objects(lake.landings, scope.dataset))
    scope.dag = dags.history(f"ingest_{scope.dataset}") if dags else None
    if scope.dag and scope.dag.active:
        scope.blockers.append(
            f"{scope.dag.dag_id} is running: {', '.join(scope.dag.active)}. Wait until it has "
            "finished, or mark the run as failed in Airflow."
        )
