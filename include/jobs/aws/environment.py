"""Make an environment on AWS ready: its secrets' values, its database's roles and tables."""

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
# By what makes one up.
GENERATED: dict[str, Callable[[], str]] = {
    "config/fernet_key": lambda: base64.urlsafe_b64encode(random.token_bytes(32)).decode(),
    "config/api_secret_key": lambda: random.token_urlsafe(48),
    "config/jwt_secret": lambda: random.token_urlsafe(48),
    "broker_password": lambda: random.token_urlsafe(48),
    "pseudonym_key": lambda: random.token_hex(32),
}
METADATA = "config/sql_alchemy_conn"
AIRFLOW_CONNECTION = f"{CONNECTIONS}/{AIRFLOW}"
ROTATED = (*LOGINS, AIRFLOW)


def migrate_environment(settings: Settings, *, rotate: Collection[str] = ()) -> list[str]:
    """Fill the secrets that have no value, make roles and tables; say what was changed.

    A role's password is the one in its secret; those named in `rotate` get a
    new one. What changed about the server's address is written down too.
    Running it again mends whatever an earlier run left half done.

    Raises `PermanentError` for a role that is not Wandle's, a missing secret
    or a missing right, and `ServiceUnavailable`.
    """
    for role in rotate:
        if role not in ROTATED:
            raise PermanentError(f"migrate: {role!r} is none of {', '.join(ROTATED)}.")
    kept = Secrets(settings.session("migrate"), settings.environment)
    admin = admin_dsn(settings, kept)
    changed: list[str] = []
    passwords = {role: _password(kept, settings, role, rotate, changed) for role in ROTATED}
    for name, make in GENERATED.items():
        _fill(kept, name, make, changed)
    _write_addresses(kept, settings, passwords[AIRFLOW], changed)
    changed += create_metadata_database(admin, passwords[AIRFLOW])
    return changed + migrate(admin, {role: passwords[role] for role in LOGINS})


def admin_dsn(settings: Settings, kept: Secrets, database: str = WAREHOUSE) -> str:
    """The address of RDS for its admin, with the password that RDS manages."""
    secret = settings.need("admin_secret")
    try:
        found = json.loads(kept.read_any(secret) or "")
        user, password = found["username"], found["password"]
    except (ValueError, KeyError, TypeError):
        raise PermanentError(
            f"migrate: the secret {secret} holds no username and password. Is WANDLE_ADMIN_SECRET "
            "the one that RDS manages?"
        ) from None
    return dsn(settings.need("database"), database, user, password, settings.database_ca)


def _password(
    kept: Secrets, settings: Settings, role: str, rotate: Collection[str], changed: list[str]
) -> str:
    """The password in a role's secret, which is written anew where it is not as it should be."""
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
    """Airflow's own database, and the bucket. TLS is set for it by libpq's own variables."""
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
