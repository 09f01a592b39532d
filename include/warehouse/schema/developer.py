"""The role that builds models beside everyone's, in schemas of its own.

It reads what dbt reads and creates schemas; nobody else's relation can it change. It exists where
`wandle migrate` is given its password: on the local platform, not on AWS.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

ROLE = "wandle_developer"

# A member of `wandle_reader`: dbt takes other grants on marts back.
_GRANTS = """
grant wandle_reader to wandle_developer;
grant create, temporary on database {database} to wandle_developer;
grant usage on schema raw, ops, staging, intermediate, marts to wandle_developer;
grant select on all tables in schema raw, staging, intermediate to wandle_developer;
grant select on ops.load, ops.dbt_run to wandle_developer;
alter default privileges for role wandle_owner in schema raw
    grant select on tables to wandle_developer;
alter default privileges for role wandle_transformer in schema staging, intermediate
    grant select on tables to wandle_developer;
"""


def grant(connection: psycopg.Connection) -> None:
    """Give the role its rights, if it exists."""
    found = connection.execute("select 1 from pg_roles where rolname = %s", (ROLE,)).fetchone()
    if found:
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL(_GRANTS).format(database=database))
