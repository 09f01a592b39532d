"""Drop the views on a table and recreate them unchanged, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from include.errors import PermanentError

DEPENDENTS = """
with recursive dependents (oid, depth) as (
    select r.ev_class, 1
    from pg_catalog.pg_depend d
    join pg_catalog.pg_rewrite r on r.oid = d.objid
    where d.classid = 'pg_catalog.pg_rewrite'::regclass
        and d.refclassid = 'pg_catalog.pg_class'::regclass
        and d.refobjid = %s::regclass and r.ev_class <> d.refobjid
    union
    select r.ev_class, below.depth + 1
    from dependents below
    join pg_catalog.pg_depend d on d.refobjid = below.oid
    join pg_catalog.pg_rewrite r on r.oid = d.objid
    where d.classid = 'pg_catalog.pg_rewrite'::regclass
        and d.refclassid = 'pg_catalog.pg_class'::regclass
        and r.ev_class <> below.oid
)
select c.oid, n.nspname as schema, c.relname as name, c.relkind::text as kind,
    pg_get_userbyid(c.relowner) as owner, pg_get_viewdef(c.oid) as definition,
    c.reloptions as options,
    exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid)
        or exists (
            select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.rulename <> '_RETURN'
        ) as has_rules
from (select oid, max(depth) as depth from dependents group by oid) found
join pg_catalog.pg_class c using (oid)
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
order by found.depth, schema, name
"""

GRANTS = """
select coalesce(r.rolname, '') as grantee, item.privilege_type as privilege,
    item.is_grantable as grantable, granted.attname as column
from (
    select c.relacl as acl, null as attname, c.relowner
    from pg_catalog.pg_class c where c.oid = %(oid)s
    union all
    select a.attacl, a.attname, c.relowner
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    where a.attrelid = %(oid)s
) granted, aclexplode(granted.acl) item
left join pg_catalog.pg_roles r on r.oid = item.grantee
where item.grantee <> granted.relowner
order by 1, 2, 4
"""

COMMENTS = """
select a.attname as column, d.description
from pg_catalog.pg_description d
left join pg_catalog.pg_attribute a
    on a.attrelid = d.objoid and a.attnum = d.objsubid and d.objsubid > 0
where d.classoid = 'pg_catalog.pg_class'::regclass and d.objoid = %s
"""


@dataclass(frozen=True)
class View:
    """A view: its definition, owner, grants and comments."""

    name: sql.Identifier
    label: str
    owner: str
    definition: str
    options: tuple[str, ...]
    grants: tuple[dict[str, Any], ...]
    comments: tuple[dict[str, Any], ...]


def take_down(connection: psycopg.Connection, table: str) -> list[View]:
    """Drop every view on a table, whether direct or through another view.

    Returns them in the order in which to recreate them. Raises
    `PermanentError`, naming it, for one that could not be recreated unchanged.
    """
    # So that the definitions name every schema.
    connection.execute("select set_config('search_path', '', true)")
    cursor = connection.cursor(row_factory=dict_row)
    views = []
    for row in cursor.execute(DEPENDENTS, (table,)).fetchall():
        label = f"{row['schema']}.{row['name']}"
        if row["kind"] != "v" or row["has_rules"]:
            what = "a view with triggers or rules" if row["kind"] == "v" else "a materialized view"
            raise PermanentError(
                f"wandle migrate: {table}: {label} depends on it, {what}, which cannot be "
                "recreated unchanged. The table was not changed. Drop it, migrate, and create it "
                "again."
            )
        views.append(
            View(
                name=sql.Identifier(row["schema"], row["name"]),
                label=label,
                owner=row["owner"],
                definition=row["definition"],
                options=tuple(row["options"] or ()),
                grants=tuple(cursor.execute(GRANTS, {"oid": row["oid"]}).fetchall()),
                comments=tuple(cursor.execute(COMMENTS, (row["oid"],)).fetchall()),
            )
        )
    for view in reversed(views):
        connection.execute(sql.SQL("drop view {}").format(view.name))
    return views


def put_up(connection: psycopg.Connection, view: View) -> None:
    """Create a view with its owner, grants and comments."""
    options = sql.SQL(", ").join(_option(option) for option in view.options)
    connection.execute(
        sql.SQL("create view {} {} as {}").format(
            view.name,
            sql.SQL("with ({})").format(options) if view.options else sql.SQL(""),
            sql.SQL(view.definition.rstrip().rstrip(";")),
        )
    )
    connection.execute(
        sql.SQL("alter view {} owner to {}").format(view.name, sql.Identifier(view.owner))
    )
    for grant in view.grants:
        connection.execute(_grant(view, grant))
    for comment in view.comments:
        on = sql.SQL("view {}").format(view.name)
        if comment["column"]:
            column = sql.SQL(".").join([view.name, sql.Identifier(comment["column"])])
            on = sql.SQL("column {}").format(column)
        connection.execute(
            sql.SQL("comment on {} is {}").format(on, sql.Literal(comment["description"]))
        )


def _option(option: str) -> sql.Composable:
    name, _, value = option.partition("=")
    return sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value))


def _grant(view: View, grant: dict[str, Any]) -> sql.Composed:
    columns = sql.SQL("({})").format(sql.Identifier(grant["column"])) if grant["column"] else None
    return sql.SQL("grant {}{} on {} to {}{}").format(
        sql.SQL(grant["privilege"]),
        columns or sql.SQL(""),
        view.name,
        sql.Identifier(grant["grantee"]) if grant["grantee"] else sql.SQL("public"),
        sql.SQL(" with grant option" if grant["grantable"] else ""),
    )
