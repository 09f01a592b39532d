"""Make the state folder: generated secrets, the settings file, the sandbox's seed and date."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from include.local.home import HOST, port, read_json, write_private
from include.settings import Settings, connection_variable
from include.sources.asking import DatabaseExtract
from include.sources.model import every_contract

DATABASE = "warehouse"
# Stands for the databases that contracts read.
CASES_DATABASE, CASES_ROLE = "council_services", "council_services_reader"
AIRFLOW_USER = "admin"

ROLES = {
    "loader_dsn": "wandle_loader",
    "transformer_dsn": "wandle_transformer",
    "portal_dsn": "wandle_portal",
    "reader_dsn": "wandle_reader",
}
SUPERUSER = "wandle_admin"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


GENERATED: dict[str, Callable[[], str]] = {
    SUPERUSER: _password,
    **dict.fromkeys(ROLES.values(), _password),
    CASES_ROLE: _password,
    "pseudonym_key": lambda: secrets.token_hex(32),
    "airflow_database": _password,
    "airflow_admin": lambda: secrets.token_urlsafe(12),
    "airflow_fernet_key": _fernet_key,
    "airflow_api_secret_key": _password,
    "airflow_jwt_secret": lambda: secrets.token_urlsafe(48),
    "s3_access_key": lambda: f"WANDLE{secrets.token_hex(7).upper()}",
    "s3_secret_key": lambda: secrets.token_urlsafe(30),
}


def prepare(settings: Settings) -> Settings:
    """Make what the state folder lacks and return the settings of the platform in it.

    Addresses and credentials are the folder's own, whatever the environment
    holds: a person's own AWS keys or DSNs never reach the platform. Secrets
    are generated once; the settings file follows the port base.
    """
    home = settings.home
    home.mkdir(parents=True, exist_ok=True)
    for folder in ("run", "logs", "s3", "airflow"):
        (home / folder).mkdir(exist_ok=True)
    (home / "s3" / settings.bucket).mkdir(exist_ok=True)
    generated = read_secrets(home)
    missing = {name: make() for name, make in GENERATED.items() if name not in generated}
    if missing:
        generated |= missing
        write_private(home / "secrets.json", json.dumps(generated, indent=1) + "\n")
    local = _with_addresses(settings, generated)
    _write_settings_file(local)
    if read_json(home / "sandbox.json") is None:
        today = datetime.now(UTC).date()
        _write_sandbox(home, {"seed": secrets.randbelow(2**31), "as_of": today.isoformat()})
    return local


def read_secrets(home: Path) -> dict[str, str]:
    """The generated secrets of a state folder; empty before it is made."""
    return read_json(home / "secrets.json") or {}


def set_as_of(settings: Settings, as_of: date) -> None:
    """Move the date up to which the sandbox has data; its seed stays."""
    home = settings.home
    sandbox = read_json(home / "sandbox.json") or {"seed": secrets.randbelow(2**31)}
    _write_sandbox(home, sandbox | {"as_of": as_of.isoformat()})


def _write_sandbox(home: Path, sandbox: dict[str, Any]) -> None:
    write_private(home / "sandbox.json", json.dumps(sandbox) + "\n")


def _with_addresses(settings: Settings, generated: dict[str, str]) -> Settings:
    base = settings.port_base
    server = f"{HOST}:{port(base, 'postgresql')}/{DATABASE}"
    roles = {"admin_dsn": SUPERUSER} | ROLES
    return settings.model_copy(
        update={field: f"postgresql://{r}:{generated[r]}@{server}" for field, r in roles.items()}
        | {
            "sandbox_url": "" if settings.live else f"http://{HOST}:{port(base, 'sandbox')}",
            "s3_endpoint": f"http://{HOST}:{port(base, 's3')}",
            "s3_access_key": generated["s3_access_key"],
            "s3_secret_key": generated["s3_secret_key"],
            "airflow_url": f"http://{HOST}:{port(base, 'airflow')}",
            "airflow_user": AIRFLOW_USER,
            "airflow_password": generated["airflow_admin"],
            "pseudonym_key": generated["pseudonym_key"],
        }
    )


def source_connections(settings: Settings) -> dict[str, str]:
    """The DSN of each database that a contract reads, by the connection's name."""
    password = read_secrets(settings.home)[CASES_ROLE]
    server = f"{HOST}:{port(settings.port_base, 'postgresql')}"
    return {
        contract.extract.connection: f"postgresql://{CASES_ROLE}:{password}@{server}/{CASES_DATABASE}"
        for contract in every_contract().values()
        if isinstance(contract.extract, DatabaseExtract)
    }


IN_SETTINGS_FILE = (
    "port_base",
    "sandbox_url",
    "bucket",
    "s3_endpoint",
    "s3_access_key",
    "s3_secret_key",
    "region",
    "admin_dsn",
    "loader_dsn",
    "transformer_dsn",
    "portal_dsn",
    "reader_dsn",
    "airflow_url",
    "airflow_user",
    "airflow_password",
    "pseudonym_key",
)


def as_variables(settings: Settings, fields: tuple[str, ...]) -> dict[str, str]:
    """Settings as the environment variables that they are read from."""
    return {
        str(Settings.model_fields[field].alias): str(getattr(settings, field)) for field in fields
    }


def _write_settings_file(local: Settings) -> None:
    path = local.home / "wandle.env"
    variables = as_variables(local, IN_SETTINGS_FILE)
    for name, dsn in source_connections(local).items():
        variables[connection_variable(name)] = dsn
    lines = [f"{name}={value}" for name, value in variables.items()]
    text = "# Written by `wandle up`; the environment overrides it.\n" + "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)
