"""Migrate the database to the contracts: roles, schemas, tables, grants. The only place for DDL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import psycopg
from psycopg import sql

from include.errors import PermanentError, ServiceUnavailable
from include.sources.model import Contract
from include.sources.raw_table import SCHEMA
from include.warehouse.schema import developer, leftovers, limits, locks, ops_tables
from include.warehouse.schema.evolve import evolve
from include.warehouse.schema.locks import OWNER

LOGINS = (
    "wandle_loader",
    "wandle_transformer",
    "wandle_portal",
    "wandle_reader",
    "wandle_publisher",
)
DBT_SCHEMAS = ("staging", "intermediate", "marts", "test_failures")
LOCK_TIMEOUT_SECONDS = 30

# Changes a raw table before it follows its contract, in the same transaction; returns the changes.
Before = Callable[[psycopg.Connection, Contract], list[str]]


def migrate(
    admin_dsn: str,
    contracts: Iterable[Contract],
    passwords: Mapping[str, str],
    *,
    before: Before = lambda connection, contract: [],
    files: Collection[str] | None = None,
) -> list[str]:
    """Change roles and tables to match the contracts; returns what was changed.

    `passwords` maps login roles to their passwords; other roles keep theirs.
    `wandle_developer`, which creates schemas, is made only with a password.
    With the names of all contract `files`, empty raw tables of other names
    are dropped: of datasets that were removed, or never loaded.
    A second run changes nothing. Raises `ServiceUnavailable` if the database
    does not answer or a lock times out. A table that cannot follow its
    contract without data loss is not changed; after all others are done,
    `MigrationRefused` names it.
    """
    refused: dict[str, PermanentError] = {}
    try:
        with psycopg.connect(admin_dsn, application_name="wandle migrate") as connection:
            changed = _migrate(connection, list(contracts), passwords, before, refused)
            if files is not None:
                leftovers.drop_empty(connection, files, changed)
    except psycopg.errors.LockNotAvailable as error:
        users = locks.users_of_tables(admin_dsn)
        raise ServiceUnavailable(
            f"wandle migrate: a table was in use for {LOCK_TIMEOUT_SECONDS} s. Nothing was "
            f"changed. Sessions that use tables now: {users or 'none'}. Run it again when they "
            "have finished, or end one with `select pg_terminate_backend(<process>)`."
        ) from error
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"wandle migrate: PostgreSQL did not answer: {str(error).strip()}. "
            "Is it running (`wandle status`)?"
        ) from error
    if refused:
        raise MigrationRefused(changed, refused)
    return changed


class MigrationRefused(PermanentError):
    """Some tables cannot follow their contracts; everything else is done and in `changed`.

    `reasons` says why, by source.
    """

    def __init__(self, changed: list[str], refused: Mapping[str, PermanentError]) -> None:
        done = f"All other tables are up to date ({'; '.join(changed) or 'nothing to change'})."
        super().__init__("\n".join([*map(str, refused.values()), done]))
        self.changed = changed
        self.reasons = {source: str(error) for source, error in refused.items()}


def _migrate(
    connection: psycopg.Connection,
    contracts: list[Contract],
    passwords: Mapping[str, str],
    before: Before,
    refused: dict[str, PermanentError],
) -> list[str]:
    changed: list[str] = []
    connection.execute(sql.SQL("set local lock_timeout = {}").format(f"{LOCK_TIMEOUT_SECONDS}s"))
    locks.lock_for_migration(connection, changed, LOCK_TIMEOUT_SECONDS)
    _roles(connection, passwords, changed)
    limits.limit(connection, changed)
    _schemas(connection)
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
    ops_tables.make(connection, changed)
    for contract in contracts:
        done: list[str] = []
        try:
            with connection.transaction():
                done += before(connection, contract)
                evolve(connection, contract, OWNER, done)
        except PermanentError as error:
            refused[contract.name] = error
        except (psycopg.ProgrammingError, psycopg.DataError) as error:
            reason = str(error).strip().splitlines()[0]
            refused[contract.name] = PermanentError(
                f"wandle migrate: raw.{contract.name}: {reason}."
            )
        else:
            changed += done
            ops_tables.record_contract(connection, contract)
    connection.execute(ops_tables.GRANTS)
    connection.execute("reset role")
    developer.grant(connection)
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
    record(connection, changed)
    return changed


def record(connection: psycopg.Connection, changed: Iterable[str]) -> None:
    """Add changes to `ops.migration`."""
    for change in changed:
        connection.execute(
            sql.SQL("insert into ops.migration (change) values ({})").format(sql.Literal(change))
        )


def _roles(
    connection: psycopg.Connection, passwords: Mapping[str, str], changed: list[str]
) -> None:
    found = {row[0] for row in connection.execute("select rolname from pg_roles")}
    developers = [developer.ROLE] if developer.ROLE in passwords else []
    for role in (OWNER, *LOGINS, *developers):
        name = sql.Identifier(role)
        login = sql.SQL("nologin" if role == OWNER else "login")
        if role not in found:
            connection.execute(sql.SQL("create role {} {}").format(name, login))
            changed.append(f"created role {role}")
        if role in passwords:
            set_password(connection, role, passwords[role])
    for role in (OWNER, "wandle_transformer"):
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))
    # `ops.end_readers` runs as the owner, who can end the sessions of roles that it belongs to.
    for role in limits.READERS:
        connection.execute(
            sql.SQL("grant {} to {}").format(sql.Identifier(role), sql.Identifier(OWNER))
        )


def set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Set the password of a role. Only its hash is sent, since statements can be logged."""
    hashed = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(hashed))
    )


def _schemas(connection: psycopg.Connection) -> None:
    connection.execute("revoke create on schema public from public")
    for schema, owner in (
        *((name, OWNER) for name in (SCHEMA, "ops")),
        *((name, "wandle_transformer") for name in DBT_SCHEMAS),
    ):
        connection.execute(
            sql.SQL("create schema if not exists {} authorization {}").format(
                sql.Identifier(schema), sql.Identifier(owner)
            )
        )
    # Each publication grants the publisher the columns that are public.
    connection.execute(
        "grant usage on schema marts to wandle_reader, wandle_portal, wandle_publisher"
    )
    # So that a mart is readable as soon as dbt has swapped it in.
    connection.execute(
        "alter default privileges for role wandle_transformer in schema marts "
        "grant select on tables to wandle_reader, wandle_portal"
    )
