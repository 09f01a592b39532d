"""Airflow's metadata database, on the server of the warehouse."""

from __future__ import annotations

import psycopg
from psycopg import sql

from include.errors import ServiceUnavailable
from include.warehouse.schema.migrate import set_password

NAME = "airflow"


def create_metadata_database(admin_dsn: str, password: str) -> list[str]:
    """Create the role `airflow` and its database; returns what was created.

    `airflow db migrate` creates the tables. Raises `ServiceUnavailable` if the
    server does not answer.
    """
    name = sql.Identifier(NAME)
    changed = []
    try:
        with psycopg.connect(
            admin_dsn, autocommit=True, application_name="wandle migrate"
        ) as connection:
            if not _there(connection, "select 1 from pg_roles where rolname = %s"):
                connection.execute(sql.SQL("create role {} login").format(name))
                changed.append(f"created role {NAME}")
            set_password(connection, NAME, password)
            if not _there(connection, "select 1 from pg_database where datname = %s"):
                connection.execute(sql.SQL("grant {} to current_user").format(name))
                connection.execute(sql.SQL("create database {0} owner {0}").format(name))
                changed.append(f"created database {NAME}")
            connection.execute(sql.SQL("revoke connect on database {} from public").format(name))
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"wandle migrate: PostgreSQL did not answer: {str(error).strip()}. Can this host reach "
            "it, and does WANDLE_DATABASE_CA match the server's certificate?"
        ) from error
    return changed


def _there(connection: psycopg.Connection, query: str) -> bool:
    return connection.execute(query, (NAME,)).fetchone() is not None
