"""What roles that only read may use of the server, so that they cannot stop it for others."""

from __future__ import annotations

import psycopg
from psycopg import sql

READERS = ("wandle_portal", "wandle_reader", "wandle_publisher")
CONNECTION_LIMIT = 30
# Defaults that a session can change, except the limit of temporary files.
SETTINGS = {
    "statement_timeout": "30min",
    "idle_in_transaction_session_timeout": "5min",
}
# Only a superuser may set it, on RDS nobody.
TEMPORARY_FILES = ("temp_file_limit", "4GB")

# Functions that everybody may call by default, and that fill the disk or the server's lock table.
_TOO_PUBLIC = """
select function.oid::regprocedure::text
from pg_proc as function
where
    function.pronamespace = 'pg_catalog'::regnamespace
    and (
        function.proname in ('lo_creat', 'lo_create', 'lo_from_bytea', 'pg_logical_emit_message')
        or function.proname ~ '^pg_(try_)?advisory_'
    )
    and has_function_privilege('public', function.oid, 'execute')
order by 1
"""
# Every role can connect to these, make temporary tables and take advisory locks there.
_OTHER_DATABASES = """
select datname from pg_database
where
    datname in ('postgres', 'template1')
    and datname <> current_database()
    and has_database_privilege('public', oid, 'CONNECT')
    and pg_has_role(current_user, datdba, 'usage')
"""
# By default, a schema with the name of a role comes first: whoever may create schemas could put
# functions of their own into the queries of that role. Nobody may create anything in `public`.
_SEARCH_PATH = "search_path=public"
_SEARCHES_MORE = """
select true
from pg_database as d
left join pg_db_role_setting as s on s.setdatabase = d.oid and s.setrole = 0
where
    d.datname = current_database()
    and pg_has_role(current_user, d.datdba, 'usage')
    and not coalesce(%s = any(s.setconfig), false)
"""
_SETTINGS = """
select
    rolconnlimit,
    coalesce((
        select setconfig from pg_db_role_setting where setrole = r.oid and setdatabase = 0
    ), array[]::text[]),
    exists (select from pg_db_role_setting where setrole = r.oid and setdatabase <> 0)
from pg_roles as r
where rolname = %s
"""


def limit(connection: psycopg.Connection, changed: list[str]) -> None:
    """Set the limits, as far as this role may, adding to `changed` what was done.

    RDS lets nobody revoke functions of PostgreSQL itself or limit temporary files.
    """
    for role in READERS:
        if unlimited(connection, role) or _lacks_temporary_limit(connection, role):
            _limit_role(connection, role, changed)
    database = sql.Identifier(connection.info.dbname)
    if connection.execute(_SEARCHES_MORE, (_SEARCH_PATH,)).fetchone():
        connection.execute(sql.SQL("alter database {} set search_path = public").format(database))
    connection.execute(sql.SQL("revoke temporary on database {} from public").format(database))
    connection.execute(
        sql.SQL("grant temporary on database {} to wandle_loader, wandle_transformer").format(
            database
        )
    )
    for (name,) in connection.execute(_OTHER_DATABASES).fetchall():
        connection.execute(
            sql.SQL("revoke connect on database {} from public").format(sql.Identifier(name))
        )
        changed.append(f"revoked connect on database {name} from everyone")
    if is_superuser(connection):
        for name in too_public(connection):
            # As PostgreSQL writes it: quoted, with its argument types.
            statement = sql.SQL("revoke execute on function {} from public")
            connection.execute(statement.format(sql.SQL(name)))
            changed.append(f"revoked {name} from everyone")


def too_public(connection: psycopg.Connection) -> list[str]:
    """PostgreSQL's own functions that every role may call, and should not."""
    return [str(row[0]) for row in connection.execute(_TOO_PUBLIC).fetchall()]


def unlimited(connection: psycopg.Connection, role: str) -> list[str]:
    """Which limits of a reading role are missing or changed; a role can change its own settings."""
    connections, settings, elsewhere = _found(connection, role)
    wrong = []
    if connections != CONNECTION_LIMIT:
        wrong.append(f"its connection limit is {connections}, expected {CONNECTION_LIMIT}")
    expected = {f"{name}={value}" for name, value in SETTINGS.items()}
    if elsewhere or _without_temporary(settings) != expected:
        wrong.append(f"its settings are not exactly {', '.join(sorted(expected))}")
    return wrong


def is_superuser(connection: psycopg.Connection) -> bool:
    """Whether this session may do everything."""
    return connection.info.parameter_status("is_superuser") == "on"


def _found(connection: psycopg.Connection, role: str) -> tuple[int, list[str], bool]:
    row = connection.execute(_SETTINGS, (role,)).fetchone()
    return row if row else (-1, [], False)


def _without_temporary(settings: list[str]) -> set[str]:
    return {item for item in settings if not item.startswith(f"{TEMPORARY_FILES[0]}=")}


def _lacks_temporary_limit(connection: psycopg.Connection, role: str) -> bool:
    return is_superuser(connection) and "=".join(TEMPORARY_FILES) not in _found(connection, role)[1]


def _limit_role(connection: psycopg.Connection, role: str, changed: list[str]) -> None:
    name = sql.Identifier(role)
    connection.execute(
        sql.SQL("alter role {} connection limit {}").format(name, sql.Literal(CONNECTION_LIMIT))
    )
    connection.execute(sql.SQL("alter role {} reset all").format(name))
    for (database,) in connection.execute(
        "select d.datname from pg_db_role_setting as s join pg_database as d on d.oid = "
        "s.setdatabase where s.setrole = to_regrole(%s)",
        (role,),
    ).fetchall():
        connection.execute(
            sql.SQL("alter role {} in database {} reset all").format(name, sql.Identifier(database))
        )
    wanted = list(SETTINGS.items())
    if is_superuser(connection):
        wanted.append(TEMPORARY_FILES)
    for setting, value in wanted:
        connection.execute(
            sql.SQL("alter role {} set {} = {}").format(
                name, sql.Identifier(setting), sql.Literal(value)
            )
        )
    changed.append(f"limited role {role}")
