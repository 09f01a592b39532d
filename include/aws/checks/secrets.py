"""Check the secrets: present and well formed. Values are never shown."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from include.aws.checks import Check
from include.aws.secrets import Secrets
from include.errors import PipelineError

MIGRATE = "Run `wandle migrate` in the environment: it fills empty secrets."


def check_secrets(
    kept: Secrets,
    logins: Mapping[str, str],
    server: str,
    bucket: str,
    filled_by_hand: Iterable[str],
) -> Iterator[Check]:
    """One check per secret of an environment.

    `logins` maps database roles to the database each one uses on `server`,
    `<host>:<port>`; `filled_by_hand` are the names that a person fills.
    """
    for role, database in logins.items():
        yield _check(
            kept,
            f"connections/{role}",
            lambda value, role=role, database=database: _connection(  # type: ignore[misc]
                value, role, database, server
            ),
        )
    yield _check(kept, "connections/wandle_s3", lambda value: _bucket(value, bucket))
    for name, look in LOOKS.items():
        yield _check(kept, name, look)
    yield _check(
        kept,
        "config/sql_alchemy_conn",
        lambda value: "" if f"@{server}/" in value else f"it is not an address on {server}.",
    )
    for name in filled_by_hand:
        yield _check(
            kept,
            name,
            lambda value: "" if value.strip() else "it is empty.",
            "Fill it by hand; see docs/deploy.md.",
        )


def _check(kept: Secrets, name: str, look: Callable[[str], str], fix: str = MIGRATE) -> Check:
    label = f"secret: {kept.prefix}/{name}"
    try:
        value = kept.read(name)
    except PipelineError as error:
        return Check(label, str(error), "Run `terraform apply`: the module `secrets` creates it.")
    problem = "it has no value." if value is None else look(value)
    return Check(label, problem, fix if problem else "")


def _connection(value: str, role: str, database: str, server: str) -> str:
    try:
        found = json.loads(value)
        is_for = f"{found['host']}:{found['port']}"
        mode = found["extra"]["sqlalchemy_query"].get("sslmode", "none")
        login, schema, password = found["login"], found["schema"], found["password"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "it is not a PostgreSQL connection in JSON."
    if is_for != server:
        return f"it is for {is_for}; WANDLE_DATABASE is {server}."
    if (login, schema) != (role, database):
        return f"it is for {login} in {schema}; expected {role} in {database}."
    if mode != "verify-full":
        return f"sslmode is {mode}; expected verify-full. Is WANDLE_DATABASE_CA set?"
    return "" if len(password) >= 24 else "its password is shorter than 24 characters."


def _bucket(value: str, bucket: str) -> str:
    try:
        found = json.loads(value)
        name = found["extra"]["service_config"]["s3"]["bucket_name"]
    except (ValueError, KeyError, TypeError):
        return "it is not an S3 connection in JSON."
    if found.get("login") or found.get("password"):
        return "it contains an access key; use roles instead."
    return "" if name == bucket else f"it is for {name}; WANDLE_BUCKET is {bucket}."


def _fernet_key(value: str) -> str:
    try:
        return "" if len(base64.urlsafe_b64decode(value)) == 32 else "it is not 32 bytes long."
    except ValueError:
        return "it is not base64."


def _long(value: str) -> str:
    return "" if len(value) >= 48 else "it is shorter than 48 characters."


def _hex(value: str) -> str:
    return "" if re.fullmatch(r"[0-9a-f]{64}", value) else "it is not 64 hexadecimal digits."


LOOKS: dict[str, Callable[[str], str]] = {
    "config/fernet_key": _fernet_key,
    "config/api_secret_key": _long,
    "config/jwt_secret": _long,
    "broker_password": _long,
    "pseudonym_key": _hex,
}
