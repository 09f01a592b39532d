"""Two revisions of the project, each built into schemas of its own: what differs, and below."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import psycopg

from include.errors import PermanentError
from include.transform.failures import without_values
from include.transform.process import Dbt

SideName = Literal["base", "head"]

_EXISTING = """
select n.nspname, c.relname
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where (n.nspname, c.relname) in (select * from unnest(%s::text[], %s::text[]))
"""


@dataclass(frozen=True)
class Relation:
    """A model, seed or snapshot: where a project builds it, without the prefix of the schema."""

    unique_id: str
    schema: str
    name: str
    path: str
    selector: str
    depends_on: tuple[str, ...]

    @property
    def is_mart(self) -> bool:
        """Whether it is in the folder of the marts."""
        return PurePosixPath(self.path).parts[:2] == ("models", "marts")


@dataclass(frozen=True)
class Revision:
    """What a project builds, names of columns with personal values, and why files do not parse."""

    relations: Mapping[str, Relation]
    personal: frozenset[str]
    broken: Mapping[str, str]

    @classmethod
    def of(cls, described: Mapping[str, Any], prefix: str) -> Revision:
        """Parse what the child process reports.

        Raises `PermanentError` if a relation would be built without the prefix.
        """
        found = {}
        for item in described["relations"]:
            if not item["schema"].startswith(prefix):
                raise PermanentError(
                    f"diff: {item['path']} would be built into the schema {item['schema']}, beside "
                    f"{prefix}.... Nothing was built. dbt_project/macros/generate_schema_name.sql "
                    "must begin each schema with WANDLE_SCHEMA_PREFIX."
                )
            own = {"depends_on": tuple(item["depends_on"])}
            own["schema"] = item["schema"].removeprefix(prefix)
            found[item["unique_id"]] = Relation(**{**item, **own})
        return cls(found, frozenset(described["personal"]), described["broken"])

    def below(self, names: Iterable[str]) -> set[str]:
        """These relations and everything that is built from them."""
        children = defaultdict(list)
        for name, relation in self.relations.items():
            for parent in relation.depends_on:
                children[parent].append(name)
        found: set[str] = set()
        waiting = [name for name in names if name in self.relations]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += children[name]
        return found

    def with_missing(self, names: Collection[str], existing: Collection[str]) -> set[str]:
        """These relations, and what they are built from as far as it does not exist already."""
        found: set[str] = set()
        waiting = [*names]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += [
                    parent
                    for parent in self.relations[name].depends_on
                    if parent in self.relations and parent not in existing
                ]
        return found


@dataclass(frozen=True)
class Chosen:
    """What must be built of each revision; `changed` differs, or is below what does."""

    base: frozenset[str]
    head: frozenset[str]
    changed: frozenset[str]


def choose(
    base: Revision, head: Revision, modified: Collection[str], existing: Collection[str]
) -> Chosen:
    """What differs between two revisions and everything below it, and what that is built from.

    `modified` are the relations of `head` that dbt finds changed, or below a
    change. Unchanged relations are read where they are, if they exist.
    """
    gone = base.relations.keys() - head.relations.keys()
    of_base = base.below({*modified, *gone})
    of_head = head.below({*modified, *of_base})
    of_base |= of_head & base.relations.keys()
    return Chosen(
        frozenset(base.with_missing(of_base, existing)),
        frozenset(head.with_missing(of_head, existing)),
        frozenset(of_base | of_head),
    )


def existing(connection: psycopg.Connection, revisions: Iterable[Revision]) -> set[str]:
    """The unique IDs of the relations that exist in everyone's schemas."""
    places = {
        (relation.schema, relation.name): name
        for revision in revisions
        for name, relation in revision.relations.items()
    }
    schemas, names = [place[0] for place in places], [place[1] for place in places]
    return {
        places[schema, name]
        for schema, name in connection.execute(_EXISTING, (schemas, names)).fetchall()
    }


@dataclass(frozen=True)
class Side:
    """One revision with its dbt process and the prefix of its schemas."""

    name: SideName
    dbt: Dbt
    prefix: str

    def build(self, revision: Revision, chosen: Collection[str], state: Path) -> dict[str, str]:
        """Build the relations; returns why some of them were not built, by unique ID."""
        wanted = [revision.relations[name] for name in chosen]
        if not wanted:
            return {}
        results = {result.unique_id: result for result in self.dbt.build(wanted, defer_to=state)}
        return {
            name: without_values(results[name].message) or results[name].status
            if name in results
            else "dbt did not report it"
            for name in chosen
            if name not in results or not results[name].good
        }


def at_once(*calls: Any) -> list[Any]:
    """The results of functions without arguments, called at the same time.

    An interruption does not wait for them: they end with their processes.
    """
    pool = ThreadPoolExecutor(len(calls))
    try:
        return [future.result() for future in [pool.submit(call) for call in calls]]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
