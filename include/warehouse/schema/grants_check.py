"""Check the privileges of each database role: those that it needs, and may have at most.

The developer's role is checked only where it exists: not on AWS.
"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from include.warehouse.schema import developer
from include.warehouse.schema.limits import READERS, unlimited
from include.warehouse.schema.locks import OWNER
from include.warehouse.schema.migrate import DBT_SCHEMAS, LOGINS

READ = frozenset({"SELECT"})
KEEP = frozenset({"SELECT", "INSERT", "DELETE"})
WRITE = KEEP | {"UPDATE"}
NOTHING: frozenset[str] = frozenset()

# role -> schema -> on each table there: what it must have, what it may have beside that.
# Where nothing is listed, it may have nothing. dbt's role owns what dbt created.
RIGHTS: dict[str, dict[str, tuple[frozenset[str], frozenset[str]]]] = {
    "wandle_loader": {"raw": (KEEP, NOTHING), "ops": (NOTHING, WRITE)},
    "wandle_transformer": {"raw": (READ, NOTHING), "ops": (NOTHING, WRITE)},
    "wandle_portal": {"ops": (NOTHING, READ), "marts": (READ, NOTHING)},
    "wandle_reader": {"marts": (READ, NOTHING)},
    "wandle_publisher": {},
    developer.ROLE: {
        "raw": (READ, NOTHING),
        "ops": (NOTHING, READ),
        **dict.fromkeys(DBT_SCHEMAS, (NOTHING, READ)),
    },
}
# Where a role may read single columns.
COLUMNS_OF = {"wandle_publisher": {"marts"}}
MAKES = {"wandle_transformer": set(DBT_SCHEMAS)}
# So that the owner's function `ops.end_readers` can end their sessions.
MEMBER_OF = {OWNER: set(READERS), developer.ROLE: {"wandle_reader"}}
SCHEMAS = ("raw", "ops", *DBT_SCHEMAS, "public")

_ROLES = """
select rolname, rolcanlogin,
    rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls as strong,
    array(select b.rolname::text from pg_auth_members as m join pg_roles as b on b.oid = m.roleid
          where m.member = r.oid and b.rolname <> r.rolname) as member_of
from pg_roles as r where rolname = any(%s)
"""
_TABLES = """
select n.nspname, c.relname, pg_get_userbyid(c.relowner),
    array(select p from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',
                                     'REFERENCES', 'TRIGGER']) as p
          where has_table_privilege(%(role)s, c.oid, p)) as rights,
    has_any_column_privilege(%(role)s, c.oid, 'SELECT') as reads_columns
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any(%(schemas)s) and c.relkind in ('r', 'p', 'v', 'm', 'f')
order by 1, 2
"""
_MAKES = """
select n.nspname from pg_namespace as n
where n.nspname = any(%(schemas)s) and has_schema_privilege(%(role)s, n.oid, 'CREATE')
"""


def problems(connection: psycopg.Connection) -> Iterator[tuple[str, str]]:
    """Each role of the design with what is wrong with it; an empty text if nothing is.

    Asks the catalogue, as any role can.
    """
    found = {
        str(row[0]): row[1:]
        for row in connection.execute(_ROLES, ([OWNER, *LOGINS, developer.ROLE],)).fetchall()
    }
    for role in (OWNER, *LOGINS, *({developer.ROLE} & found.keys())):
        if role not in found:
            yield role, "the role does not exist."
            continue
        wrong = list(_of_role(role, *found[role]))
        if role != OWNER:
            wrong += _too_much_or_too_little(connection, role)
        if role in READERS:
            wrong += _without_limits(connection, role)
        yield role, "; ".join(wrong) + ("." if wrong else "")


def _of_role(role: str, logs_in: bool, strong: bool, member_of: list[str]) -> Iterator[str]:
    if logs_in == (role == OWNER):
        yield "it can log in" if logs_in else "it cannot log in"
    if strong:
        yield "it may create roles or databases, or is a superuser"
    if beyond := sorted(set(member_of) - MEMBER_OF.get(role, set())):
        yield f"it is a member of {', '.join(beyond)}"


def _without_limits(connection: psycopg.Connection, role: str) -> Iterator[str]:
    yield from unlimited(connection, role)
    makes_temporary = connection.execute(
        "select has_database_privilege(%s, current_database(), 'TEMPORARY')", (role,)
    ).fetchone()
    if makes_temporary and makes_temporary[0]:
        yield "it may create temporary tables"


def _too_much_or_too_little(connection: psycopg.Connection, role: str) -> Iterator[str]:
    asked = {"role": role, "schemas": list(SCHEMAS)}
    missing: list[str] = []
    for schema, table, owner, rights, reads_columns in connection.execute(
        _TABLES, asked
    ).fetchall():
        if owner == role and schema in MAKES.get(role, ()):
            continue
        must, may = RIGHTS[role].get(schema, (NOTHING, NOTHING))
        if owner == role:
            yield f"it owns {schema}.{table}"
        elif beyond := set(rights) - must - may:
            yield f"it may {', '.join(sorted(beyond))} {schema}.{table}"
        elif reads_columns and not rights and schema not in COLUMNS_OF.get(role, ()):
            yield f"it may read columns of {schema}.{table}"
        elif lacking := must - set(rights):
            missing.append(f"it may not {', '.join(sorted(lacking))} {schema}.{table}")
    yield from missing
    for (schema,) in connection.execute(_MAKES, asked).fetchall():
        if schema not in MAKES.get(role, ()):
            yield f"it may create tables in {schema}"
