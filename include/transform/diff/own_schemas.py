"""Schemas of one developer or of one run, apart from everyone's: locked while in use, dropped.

A prefix comes before their names: `dev_staging`. The lock is a table in `dev_ops`, as
`ops.build_lock` is for everyone's: it shows whether whoever made the schemas is still there.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql

from include.errors import PermanentError, ServiceUnavailable
from include.transform.history import connection
from include.transform.leftovers import SCHEMAS

# Of the schemas of a comparison; the settings keep developers from it.
RUNS = "diff_"
_KEPT = "Kept by `wandle diff --keep`."

_OWNERS = """
select nspname, pg_get_userbyid(nspowner), pg_get_userbyid(nspowner) = current_user
from pg_namespace where nspname = any(%s)
"""
_MAY_CREATE = "select has_database_privilege(current_database(), 'CREATE'), current_user"
_OF_RUNS = """
select
    substring(nspname from '^diff_[0-9a-f]{8}_') as run,
    bool_or(obj_description(oid, 'pg_namespace') is not distinct from %s)
from pg_namespace
where nspname ~ '^diff_[0-9a-f]{8}_' and pg_get_userbyid(nspowner) = current_user
group by run
order by run
"""
# Of a developer's prefix, only what is named like a schema that is there without it: `dev_` is the
# beginning of `dev_two_marts`, too.
_OWN = """
select nspname from pg_namespace
where
    pg_get_userbyid(nspowner) = current_user
    and starts_with(nspname, %(prefix)s)
    and (
        %(all)s
        or substr(nspname, length(%(prefix)s) + 1) in (select nspname from pg_namespace)
    )
"""


def names(prefix: str) -> list[str]:
    """The schemas that a build with this prefix makes."""
    return [f"{prefix}{schema}" for schema in (*SCHEMAS, "ops")]


@contextmanager
def locked(dsn: str, prefix: str) -> Iterator[None]:
    """Make the lock of a prefix and hold it: no other process builds into its schemas.

    Raises `PermanentError` if the role may not create them or does not own
    them, and `ServiceUnavailable` if something is being built there.
    """
    lock = sql.Identifier(f"{prefix}ops", "build_lock")
    with connection(dsn) as holder:
        _make(holder, prefix, lock)
        with holder.transaction():
            holder.execute("set local idle_in_transaction_session_timeout = 0")
            try:
                holder.execute(sql.SQL("lock table {} in exclusive mode nowait").format(lock))
            except psycopg.errors.LockNotAvailable as error:
                raise ServiceUnavailable(
                    f"transform: something is being built into {prefix}staging and the like. Try "
                    "again later, or choose another WANDLE_SCHEMA_PREFIX."
                ) from error
            except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
                raise ServiceUnavailable(
                    f"transform: the schemas {prefix}... were dropped just after they were made, "
                    "by another run that took them for ones left behind. Try again."
                ) from error
            yield
            holder.execute("select")  # raises if the lock was lost with its connection


def _make(opened: psycopg.Connection, prefix: str, lock: sql.Identifier) -> None:
    found = opened.execute(_OWNERS, (names(prefix),)).fetchall()
    for schema, owner, mine in found:
        if not mine:
            raise PermanentError(
                f"transform: the schema {schema} belongs to {owner}. Nothing was changed. Choose "
                "another WANDLE_SCHEMA_PREFIX."
            )
    may_create, role = opened.execute(_MAY_CREATE).fetchall()[0]
    if not may_create and len(found) < len(names(prefix)):
        raise PermanentError(
            f"transform: {role} may not create schemas in this database. Nothing was changed. "
            "Schemas of your own are for the local platform, whose WANDLE_DEVELOPER_DSN may: see "
            "docs/security.md."
        )
    opened.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(f"{prefix}ops")))
    opened.execute(sql.SQL("create table if not exists {} ()").format(lock))


def drop(dsn: str, prefix: str) -> list[str]:
    """Drop the schemas of a developer's prefix, or all of a run, with what is in them.

    Returns their names. Only what this role owns.
    """
    with connection(dsn) as opened:
        return _drop(opened, prefix)


def _drop(opened: psycopg.Connection, prefix: str) -> list[str]:
    asked = {"all": prefix.startswith(RUNS), "prefix": prefix}
    found = [row[0] for row in opened.execute(_OWN, asked).fetchall()]
    for name in found:
        opened.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
    return sorted(found)


def new_run() -> str:
    """A prefix that no other run has."""
    return f"{RUNS}{secrets.token_hex(4)}_"


def keep(dsn: str, run: str) -> None:
    """Mark the schemas of a run, so that `drop_dead` leaves them."""
    with connection(dsn) as opened:
        opened.execute(
            sql.SQL("comment on schema {} is {}").format(
                sql.Identifier(f"{run}ops"), sql.Literal(_KEPT)
            )
        )


def drop_left(dsn: str, *, kept: bool = False) -> tuple[list[str], list[str]]:
    """Drop what runs that were killed left behind, and with `kept` what others kept.

    Returns the prefixes of the runs that were dropped, and of those that were kept.
    """
    with connection(dsn) as opened:
        runs = opened.execute(_OF_RUNS, (_KEPT,)).fetchall()
        left = [run for run, is_kept in runs if (kept or not is_kept) and _drop_dead(opened, run)]
    return left, [run for run, is_kept in runs if is_kept and run not in left]


def _drop_dead(opened: psycopg.Connection, run: str) -> bool:
    """Drop the schemas of a run unless it is still there; whether it was not.

    Under its lock, so that a run that has just begun is not taken for a dead one.
    """
    lock = sql.Identifier(f"{run}ops", "build_lock")
    try:
        with opened.transaction():
            with (
                suppress(psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName),
                opened.transaction(),
            ):
                opened.execute(sql.SQL("lock table {} in exclusive mode nowait").format(lock))
            _drop(opened, run)
    except psycopg.errors.LockNotAvailable:
        return False
    return True
