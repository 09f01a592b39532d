"""Whether the database roles can log in, and can do their jobs and no more."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from include.local.state import ROLES
from include.settings import Settings
from include.warehouse.schema.grants_check import problems
from include.warehouse.schema.limits import too_public

LOGIN_SECONDS = 10
RESTORE = "Run `wandle up`: it resets passwords, grants and limits."


def database_problems(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong with the roles of a running warehouse, and how to fix it.

    `settings` has the addresses of the platform. A role can change its own
    password, and then only `wandle migrate` lets the pipeline in again.
    """
    for field, role in ROLES.items():
        if not getattr(settings, field):
            yield f"postgresql: {role} has no password yet.", RESTORE
            continue
        try:
            psycopg.connect(settings.need(field), connect_timeout=LOGIN_SECONDS).close()
        except psycopg.OperationalError as error:
            # Without the address, which names the password's user again.
            reason = str(error).strip().splitlines()[0].rpartition("FATAL:")[2].strip()
            yield f"postgresql: {role} cannot log in: {reason}.", RESTORE
    with psycopg.connect(settings.need("admin_dsn"), connect_timeout=LOGIN_SECONDS) as connection:
        for role, problem in problems(connection):
            if problem:
                yield f"postgresql: {role}: {problem}", f"{RESTORE} Revoke what remains by hand."
        if names := too_public(connection):
            yield f"postgresql: every role may call {', '.join(names)}.", RESTORE
