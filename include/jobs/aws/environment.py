"""Prepare an AWS environment: fill its secrets, create its database roles and tables."""

from __future__ import annotations

import base64
import json
import secrets as random
from collections.abc import Callable, Collection
from typing import Any

from include.aws.secrets import CONNECTIONS, Secrets, connection, dsn
from include.errors import PermanentError
from include.jobs.migrate import migrate
from include.settings import Settings
from include.warehouse.schema.airflow_database import NAME as AIRFLOW
from include.warehouse.schema.airflow_database import create_metadata_database
from include.warehouse.schema.migrate import LOGINS

WAREHOUSE = "warehouse"
S3_CONNECTION = f"{CONNECTIONS}/wandle_s3"
# How each generated secret is made.
GENERATED: dict[str, Callable[[], str]] = {
    "config/fernet_key": lambda: base64.urlsafe_b64encode(random.token_bytes(32)).decode(),
    "config/api_secret_key": lambda: random.token_urlsafe(48),
    "config/jwt_secret": lambda: random.token_urlsafe(48),
    "broker_password": lambda: random.token_urlsafe(48),
    "pseudonym_key": lambda: random.token_hex(32),
}
METADATA = "config/sql_alchemy_conn"
ROTATED = (*LOGINS, AIRFLOW)


def migrate_environment(settings: Settings, *, rotate: Collection[str] = ()) -> list[str]:
    """Fill empty secrets and create roles and tables; returns what was changed.

    A role's password comes from its secret; roles named in `rotate` get a new
    one. A changed server address is updated too. Idempotent: run it again to
    finish an interrupted run.

    Raises `PermanentError` for an unknown role, a missing secret or missing
    permission, and `ServiceUnavailable`.
    """
    for role in rotate:
        if role not in ROTATED:
            raise PermanentError(f"migrate: unknown role {role!r}. Known: {', '.join(ROTATED)}.")
    kept = Secrets(settings.session("migrate"), settings.environment)
    admin = admin_dsn(settings, kept)
    changed: list[str] = []
    passwords = {role: _password(kept, settings, role, rotate, changed) for role in ROTATED}
    for name, make in GENERATED.items():
        _fill(kept, name, make, changed)
    _write_addresses(kept, settings, passwords[AIRFLOW], changed)
    changed += create_metadata_database(admin, passwords[AIRFLOW])
    return changed + migrate(admin, {role: passwords[role] for role in LOGINS}, settings)


def admin_dsn_of(settings: Settings) -> str:
    """The admin DSN of this deployment. Raises `WrongSetting`."""
    if not settings.environment:
        return settings.need("admin_dsn")
    return admin_dsn(settings, Secrets(settings.session("migrate"), settings.environment))


def admin_dsn(settings: Settings, kept: Secrets, database: str = WAREHOUSE) -> str:
    """The admin DSN of the RDS instance, with the password that RDS manages."""
    secret = settings.need("admin_secret")
    try:
        found = json.loads(kept.read_any(secret) or "")
        user, password = found["username"], found["password"]
    except (ValueError, KeyError, TypeError):
        raise PermanentError(
            f"migrate: the secret {secret} has no username and password. Set WANDLE_ADMIN_SECRET "
            "to the secret that RDS manages."
        ) from None
    return dsn(settings.need("database"), database, user, password, settings.database_ca)


def _password(
    kept: Secrets, settings: Settings, role: str, rotate: Collection[str], changed: list[str]
) -> str:
    """The password of a role; its secret is rewritten if it is missing or out of date."""
    name = f"{CONNECTIONS}/{role}"
    before = kept.read(name)
    password = None if role in rotate else _password_in(before)
    database = AIRFLOW if role == AIRFLOW else WAREHOUSE
    after = connection(
        settings.need("database"),
        database,
        role,
        password or random.token_urlsafe(32),
        settings.database_ca,
    )
    _write(kept, name, before, after, changed)
    return str(after["password"])


def _password_in(value: str | None) -> str | None:
    try:
        return str(json.loads(value or "")["password"])
    except (ValueError, KeyError, TypeError):
        return None


def _write_addresses(kept: Secrets, settings: Settings, password: str, changed: list[str]) -> None:
    """Write the addresses of Airflow's database and the bucket. libpq variables set TLS."""
    address = dsn(
        settings.need("database"), AIRFLOW, AIRFLOW, password, scheme="postgresql+psycopg2"
    )
    if kept.read(METADATA) != address:
        kept.write(METADATA, address)
        changed.append(f"wrote secret {METADATA}")
    s3 = {
        "conn_type": "aws",
        "extra": {
            "region_name": settings.region,
            "service_config": {"s3": {"bucket_name": settings.bucket}},
        },
    }
    _write(kept, S3_CONNECTION, kept.read(S3_CONNECTION), s3, changed)


def _write(
    kept: Secrets, name: str, before: str | None, after: dict[str, Any], changed: list[str]
) -> None:
    value = json.dumps(after)
    if before != value:
        kept.write(name, value)
        changed.append(f"wrote secret {name}")


def _fill(kept: Secrets, name: str, make: Callable[[], str], changed: list[str]) -> None:
    if kept.read(name) is None:
        kept.write(name, make())
        changed.append(f"wrote secret {name}")
