"""What other people made of dbt's tables, such as views on a mart: a build must not break it.

A table whose columns stay keeps its place, and gets new rows. One whose columns change, or a view,
is replaced; that is refused while something depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import psycopg

from include.transform.changes.plan import State
from include.transform.graph import Node

_DEPENDENTS = """
select
    n.nspname || '.' || target.relname,
    coalesce(
        (select v.relnamespace::regnamespace || '.' || v.relname
        from pg_rewrite as r join pg_class as v on v.oid = r.ev_class
        where d.classid = 'pg_rewrite'::regclass and r.oid = d.objid),
        pg_describe_object(d.classid, d.objid, d.objsubid)
    ),
    target.relkind = 'r',
    array(
        select array[a.attname::text, format_type(a.atttypid, a.atttypmod)]
        from pg_attribute as a
        where a.attrelid = target.oid and a.attnum > 0 and not a.attisdropped
        order by a.attnum
    )
from pg_class as target
join pg_namespace as n on n.oid = target.relnamespace
join pg_depend as d on d.refclassid = 'pg_class'::regclass and d.refobjid = target.oid
left join pg_rewrite as own on d.classid = 'pg_rewrite'::regclass and own.oid = d.objid
where n.nspname || '.' || target.relname = any(%s)
    and d.deptype = 'n' and own.ev_class is distinct from target.oid
"""
_TYPES = """
select array_agg(array[name, format_type(to_regtype(type), to_regtypemod(type))] order by no)
from unnest(%s::text[], %s::text[]) with ordinality as given (name, type, no)
"""


def refuse_replaced(
    connection: psycopg.Connection,
    nodes: Mapping[str, Node],
    whole: Iterable[str],
    states: Mapping[str, State],
) -> dict[str, Node]:
    """The nodes; one that would be replaced although others use it has an `error`.

    `whole` are the unique IDs of the models that are built whole.
    """
    by_key = {nodes[name].key: nodes[name] for name in whole if not nodes[name].is_test}
    models = {node.key for node in nodes.values()}
    found = dict(nodes)
    users: dict[str, set[str]] = {}
    for key, user, is_table, columns in connection.execute(_DEPENDENTS, ([*by_key],)):
        node = by_key[key]
        stays = (
            is_table
            and node.materialized in ("table", "incremental")
            and columns == _columns(connection, node)
            and _same_shape(node, states.get(key))
        )
        if user not in models and not stays:
            users.setdefault(key, set()).add(user)
    for key, names in users.items():
        node = by_key[key]
        found[node.unique_id] = replace(node, error=_error(key, sorted(names)))
    return found


def _same_shape(node: Node, state: State | None) -> bool:
    """Whether columns and constraints are those that it was last built with, if that is known."""
    before = state.fingerprint if state else None
    return before is None or before.partition("/")[0] == node.fingerprint.partition("/")[0]


def _columns(connection: psycopg.Connection, node: Node) -> list[list[str]] | None:
    names, types = [name for name, _ in node.columns], [kind for _, kind in node.columns]
    row = connection.execute(_TYPES, (names, types)).fetchone()
    return row[0] if row else None


def _error(key: str, users: list[str]) -> str:
    return (
        f"{key} was not replaced, because its columns or constraints changed and others use it: "
        f"{', '.join(users)}. Ask their owners to drop them, run `wandle transform`, and create "
        "them again"
    )
