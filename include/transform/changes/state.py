"""What each node was last built from, in `ops.dbt_state`, and the plan that dbt follows.

A model's row changes in the transaction that changes its rows, by the hook `record_build`: however
a build ends, both agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

from include.transform.changes.loads import TABLE, Inputs, Loads, unknown
from include.transform.changes.plan import State, Step
from include.transform.graph import Node, Result

# A table that was truncated or rebuilt by hand has another file than the one that was recorded.
_EXISTS = "state.relation is null or state.relation = ops.relation_state(state.name)"
_STATES = f"""
select name, fingerprint, loads, {_EXISTS}, warning from ops.dbt_state as state
"""  # noqa: S608, no value
_LOADS = """
select hash, loads from ops.dbt_loads
where hash = any(select value from ops.dbt_state as state, jsonb_each_text(state.loads))
"""
_OF_LAYER = f"""
select name, fingerprint is not null and ({_EXISTS}), loads, warning
from ops.dbt_state as state
where layer = %s
"""  # noqa: S608, no value
_PLAN = """
insert into ops.dbt_state
    (name, layer, loads, planned_by, planned_fingerprint, planned_loads, partitions)
values (%(name)s, %(layer)s, '{}', %(by)s, %(fingerprint)s, %(loads)s, %(partitions)s)
on conflict (name) do update set
    layer = excluded.layer, planned_by = excluded.planned_by,
    planned_fingerprint = excluded.planned_fingerprint, planned_loads = excluded.planned_loads,
    partitions = excluded.partitions
"""
_LOADED = "insert into ops.dbt_loads (hash, loads) values (%s, %s) on conflict do nothing"
_HOLD = "update ops.dbt_state set loads = %(loads)s where name = %(name)s"
_DONE = """
update ops.dbt_state
set fingerprint = planned_fingerprint, loads = planned_loads, warning = %(warning)s,
    relation = case when not %(is_test)s then ops.relation_state(name) end,
    built_at = clock_timestamp()
where name = %(name)s and planned_by = %(by)s
"""
_FAILED_TEST = "update ops.dbt_state set fingerprint = null where name = %s"
_BUILT = """
select
    name, layer, fingerprint, loads::text, extract(epoch from built_at)::text, relation,
    ops.relation_state(name)
from ops.dbt_state
order by name
"""
_TIDY = """
delete from ops.dbt_loads
where not exists (
    select from ops.dbt_state as state, unnest(array[state.loads, state.planned_loads]) as inputs,
        jsonb_each_text(inputs) as held
    where held.value = dbt_loads.hash
)
"""


class States:
    """The table, over a connection that holds the build lock."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def read(self) -> dict[str, State]:
        """The state of every node, by key."""
        known = {hashed: Loads(by_place) for hashed, by_place in self._connection.execute(_LOADS)}
        lost = Loads({TABLE: unknown()})
        return {
            name: State(
                fingerprint,
                {source: known.get(hashed, lost) for source, hashed in loads.items()},
                exists,
                warning,
            )
            for name, fingerprint, loads, exists, warning in self._connection.execute(_STATES)
        }

    def unchanged(self, layer: str, nodes: int, raw: Inputs) -> list[str] | None:
        """The warnings of a layer whose `nodes` are all as built from what raw holds; else None."""
        found = self._connection.execute(_OF_LAYER, (layer,)).fetchall()
        if len(found) != nodes:
            return None
        hashes = {source: loads.hash for source, loads in raw.items()}
        for _, good, loads, _ in found:
            if not good or any(hashes.get(source) != held for source, held in loads.items()):
                return None
        return [warning for *_, warning in found if warning]

    def built(self) -> list[list[Any]]:
        """What was built of what, and when, and the files of the tables as they are now."""
        return [[*row] for row in self._connection.execute(_BUILT)]

    def plan(self, layer: str, by: str, steps: Iterable[tuple[Node, Step]]) -> None:
        """Write down what dbt shall build, for the attempt `by`."""
        steps = list(steps)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(_LOADED, _sets_of_loads(steps))
            cursor.executemany(_PLAN, [_planned(layer, by, *step) for step in steps])

    def hold(self, views: Iterable[tuple[Node, Step]]) -> None:
        """Record what views hold now, which change with raw although nothing builds them."""
        steps = list(views)
        values = [{"name": node.key, "loads": _hashes(step)} for node, step in steps]
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(_LOADED, _sets_of_loads(steps))
            cursor.executemany(_HOLD, values)

    def finish(
        self,
        by: str,
        nodes: Mapping[str, Node],
        results: Iterable[Result],
        warnings: Mapping[str, str],
    ) -> None:
        """Record what was built and tested; a test that failed is run again, whole."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for result in results:
                node = nodes.get(result.unique_id)
                if node is None or not node.key:
                    continue
                if result.good:
                    values: dict[str, Any] = {"name": node.key, "by": by, "is_test": node.is_test}
                    cursor.execute(_DONE, values | {"warning": warnings.get(result.unique_id)})
                elif node.is_test:
                    cursor.execute(_FAILED_TEST, (node.key,))
            cursor.execute(_TIDY)

    def forget(self) -> None:
        """Let the next build build everything."""
        self._connection.execute("update ops.dbt_state set fingerprint = null")

    def keep_only(self, layer: str, names: Iterable[str]) -> None:
        """Delete the rows of nodes that left a layer."""
        self._connection.execute(
            "delete from ops.dbt_state where layer = %s and name <> all(%s)", (layer, [*names])
        )


def _sets_of_loads(steps: Iterable[tuple[Node, Step]]) -> list[tuple[str, str]]:
    loads = {held.hash: held for _, step in steps for held in step.inputs.values()}
    return [(hashed, json.dumps(held.by_place)) for hashed, held in loads.items()]


def _hashes(step: Step) -> str:
    return json.dumps({source: held.hash for source, held in step.inputs.items()})


def _planned(layer: str, by: str, node: Node, step: Step) -> dict[str, Any]:
    columns = list(node.partition_by)
    only = {"columns": columns, "values": [*map(list, step.partitions)]}
    return {
        "name": node.key,
        "layer": layer,
        "by": by,
        "fingerprint": node.fingerprint,
        "loads": _hashes(step),
        "partitions": json.dumps(only) if step.how == "partitions" else None,
    }
