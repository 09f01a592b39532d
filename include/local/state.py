"""Create the state folder: generated secrets, the settings file, the sandbox's seed and date."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from include.local.account import unprivileged
from include.local.home import (
    HOST,
    PORT_OFFSETS,
    SANDBOX_HOSTS,
    StateDamaged,
    make_private_folder,
    port,
    read_kept,
    refuse_foreign,
    write_private,
)
from include.local.source_secrets import prepare_connections
from include.settings import ORIGIN, Settings, connection_variable
from include.sources.extract.database import DatabaseExtract
from include.sources.model import every_contract

DATABASE = "warehouse"
# A placeholder for the source databases of contracts.
CASES_DATABASE, CASES_ROLE = "council_services", "council_services_reader"
AIRFLOW_USER = "admin"

ROLES = {
    "loader_dsn": "wandle_loader",
    "transformer_dsn": "wandle_transformer",
    "portal_dsn": "wandle_portal",
    "reader_dsn": "wandle_reader",
    "publisher_dsn": "wandle_publisher",
    "developer_dsn": "wandle_developer",
}
SUPERUSER = "wandle_admin"

# The OpenLineage events, if no server gets them.
LINEAGE = "lineage.jsonl"
SECRETS, SECRETS_COPY = "secrets.json", "secrets.copy.json"
_RESTORE = (
    f"Nothing was changed. Restore {SECRETS} from {SECRETS_COPY} beside it, or from a backup, and "
    "try again: the database, Airflow and the pseudonyms need these very secrets."
)


@dataclass(frozen=True)
class Addresses:
    """The addresses of a platform's services."""

    airflow: str
    s3: str
    sandbox: str
    postgresql: str

    @classmethod
    def of_this_machine(cls, port_base: int) -> Addresses:
        """The addresses of the local platform without containers."""
        server = {name: f"{HOST}:{port(port_base, name)}" for name in PORT_OFFSETS}
        return cls(
            airflow=f"http://{server['airflow']}",
            s3=f"http://{server['s3']}",
            sandbox=f"http://{server['sandbox']}",
            postgresql=server["postgresql"],
        )


def generated_password() -> str:
    """A random password of 192 bits."""
    return secrets.token_urlsafe(24)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


GENERATED: dict[str, Callable[[], str]] = {
    SUPERUSER: generated_password,
    **dict.fromkeys(ROLES.values(), generated_password),
    CASES_ROLE: generated_password,
    "pseudonym_key": lambda: secrets.token_hex(32),
    "airflow_database": generated_password,
    "airflow_admin": lambda: secrets.token_urlsafe(12),
    "airflow_fernet_key": _fernet_key,
    "airflow_api_secret_key": generated_password,
    "airflow_jwt_secret": lambda: secrets.token_urlsafe(48),
    "s3_access_key": lambda: f"WANDLE{secrets.token_hex(7).upper()}",
    "s3_secret_key": lambda: secrets.token_urlsafe(30),
}


def prepare(settings: Settings) -> Settings:
    """Create what the state folder lacks, and return the settings of its platform.

    Addresses and credentials come from the folder, not from the environment,
    so that personal AWS keys or DSNs never reach the platform. Secrets are
    generated once; the settings file follows the port base.

    Raises `WrongSetting` if the folder's data come from another origin.
    """
    settings.refuse_other_origin()
    home = settings.home
    refuse_foreign(home)
    # PostgreSQL may run as another user, in a folder of its own below: it passes through.
    make_private_folder(home, 0o700 if unprivileged() is None else 0o711)
    for folder in ("run", "logs", "s3", "airflow", "dbt"):
        make_private_folder(home / folder)
    make_private_folder(home / "s3" / settings.bucket)
    make_secrets(home, GENERATED)
    local = with_addresses(settings, Addresses.of_this_machine(settings.port_base))
    if not local.lineage_url:
        local = local.model_copy(update={"lineage_url": (home / LINEAGE).as_uri()})
    write_settings_file(local, home, IN_SETTINGS_FILE)
    # Its own connections are in the environment of Airflow's processes.
    prepare_connections(local, {})
    begin_sandbox(home)
    return local


def make_secrets(home: Path, wanted: Mapping[str, Callable[[], str]]) -> None:
    """Generate the secrets that a state folder lacks; those that it has stay.

    A second copy is kept, `secrets.copy.json`; whichever is written, the other
    one is intact. Raises `StateDamaged` if `secrets.json` is damaged, or gone
    although its copy or the database made with it is there.
    """
    generated = read_secrets(home)
    copy = _copied(home)
    missing = {name: make() for name, make in wanted.items() if name not in generated}
    if missing:
        write_private(home / SECRETS, json.dumps(generated | missing, indent=1) + "\n")
    if copy != generated | missing:
        write_private(home / SECRETS_COPY, json.dumps(generated | missing, indent=1) + "\n")


def begin_sandbox(home: Path) -> None:
    """Give the sandbox a seed and today's date, if it has none yet."""
    if _read_sandbox(home) is None:
        today = datetime.now(UTC).date()
        _write_sandbox(home, {"seed": secrets.randbelow(2**31), "as_of": today.isoformat()})


def read_secrets(home: Path) -> dict[str, str]:
    """The generated secrets of a state folder; empty before it is made.

    Raises `StateDamaged` if they are damaged, or lost.
    """
    found = read_kept(home / SECRETS, _RESTORE)
    if found is None:
        for trace in (SECRETS_COPY, "postgres"):
            if (home / trace).exists():
                raise StateDamaged(
                    f"state: {home / SECRETS} is gone, but {home / trace}, made with it, is there. "
                    f"{_RESTORE}"
                )
        return {}
    if not found:
        raise StateDamaged(f"state: {home / SECRETS} is damaged: it is empty. {_RESTORE}")
    wrong = sorted(name for name, value in found.items() if not (value and isinstance(value, str)))
    if wrong:
        raise StateDamaged(
            f"state: {home / SECRETS} is damaged: no text for {', '.join(wrong)}. {_RESTORE}"
        )
    copy = _copied(home)
    if lost := sorted(set(copy) - set(found)):
        raise StateDamaged(
            f"state: {home / SECRETS} is damaged: its copy holds {', '.join(lost)} too. {_RESTORE}"
        )
    # Nothing changes a secret, so one of the two files is another platform's, or damaged.
    if other := sorted(name for name in copy if copy[name] != found[name]):
        raise StateDamaged(
            f"state: {home / SECRETS} and {SECRETS_COPY} differ in {', '.join(other)}. Nothing was "
            "changed. Keep both, restore the right one from a backup, copy it over the other, and "
            "try again."
        )
    return found


def _copied(home: Path) -> dict[str, Any]:
    """What the second copy holds; nothing if it is damaged, for then it is made again."""
    try:
        return read_kept(home / SECRETS_COPY, "") or {}
    except StateDamaged:
        return {}


def _read_sandbox(home: Path) -> dict[str, Any] | None:
    path = home / "sandbox.json"
    restore = (
        "Restore it from a backup, or delete it to start with a new seed: generated data changes."
    )
    found = read_kept(path, restore)
    if found is None:
        return None
    try:
        date.fromisoformat(found["as_of"])
        whole = type(found["seed"]) is int
    except (KeyError, TypeError, ValueError):
        whole = False
    if not whole:
        raise StateDamaged(
            f"state: {path} is damaged: expected the number `seed` and the date `as_of`. {restore}"
        )
    return found


def set_as_of(settings: Settings, as_of: date) -> None:
    """Set the date up to which the sandbox has data; keeps its seed."""
    home = settings.home
    sandbox = _read_sandbox(home) or {"seed": secrets.randbelow(2**31)}
    _write_sandbox(home, sandbox | {"as_of": as_of.isoformat()})


def _write_sandbox(home: Path, sandbox: dict[str, Any]) -> None:
    write_private(home / "sandbox.json", json.dumps(sandbox) + "\n")


def with_addresses(settings: Settings, addresses: Addresses) -> Settings:
    """The settings of the platform at `addresses`, with the secrets of its state folder."""
    generated = read_secrets(settings.home)
    server = f"{addresses.postgresql}/{DATABASE}"
    roles = {"admin_dsn": SUPERUSER} | ROLES
    return settings.model_copy(
        # A folder of an earlier version lacks roles that have been added, until the next `up`.
        update={
            field: f"postgresql://{r}:{generated[r]}@{server}" if r in generated else ""
            for field, r in roles.items()
        }
        | {
            "sandbox_url": "" if settings.live else addresses.sandbox,
            "sandbox_hosts": "" if settings.live else ",".join(SANDBOX_HOSTS),
            "s3_endpoint": addresses.s3,
            "s3_access_key": generated["s3_access_key"],
            "s3_secret_key": generated["s3_secret_key"],
            "airflow_url": addresses.airflow,
            "airflow_user": AIRFLOW_USER,
            "airflow_password": generated["airflow_admin"],
            "pseudonym_key": generated["pseudonym_key"],
        }
    )


def source_connections(settings: Settings) -> dict[str, str]:
    """The address of each source database that the platform stands in for, by connection name."""
    password = read_secrets(settings.home)[CASES_ROLE]
    server = server_of(settings)
    cases = f"postgresql://{CASES_ROLE}:{password}@{server}/{CASES_DATABASE}"
    own = own_connections(settings)
    return {name: cases for name in _databases() if name not in own}


def own_connections(settings: Settings) -> dict[str, str]:
    """The address of each source database that the environment names, by connection name."""
    found = {name: settings.own_connection(name) for name in _databases()}
    return {name: url for name, url in found.items() if url}


def _databases() -> list[str]:
    """The connections of the sources that are databases."""
    return [
        contract.extract.connection
        for contract in every_contract().values()
        if isinstance(contract.extract, DatabaseExtract)
    ]


def server_of(settings: Settings) -> str:
    """Host and port of the platform's PostgreSQL."""
    return urlsplit(settings.need("admin_dsn")).netloc.rpartition("@")[2]


IN_SETTINGS_FILE = (
    "port_base",
    "sandbox_url",
    "sandbox_hosts",
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
    "publisher_dsn",
    "developer_dsn",
    "airflow_url",
    "airflow_user",
    "airflow_password",
    "pseudonym_key",
    "publish_approval_hours",
    "smtp",
    "smtp_from",
    "lineage_url",
    "lineage_api_key",
)


def as_variables(settings: Settings, fields: tuple[str, ...]) -> dict[str, str]:
    """Settings as environment variables."""
    return {
        str(Settings.model_fields[field].alias): str(getattr(settings, field)) for field in fields
    }


def write_settings_file(local: Settings, home: Path, fields: tuple[str, ...]) -> None:
    """Write changed settings to the file that every process with this `WANDLE_HOME` reads.

    It also says where the folder's data come from, for good.
    """
    path = home / "wandle.env"
    variables = as_variables(local, fields) | {ORIGIN: local.origin}
    if local.payloads:
        written = str(local.payloads).replace("\\", "\\\\").replace("'", "\\'")
        variables["WANDLE_PAYLOADS"] = f"'{written}'"
    for name, dsn in source_connections(local).items():
        variables[connection_variable(name)] = dsn
    lines = [f"{name}={value}" for name, value in variables.items()]
    text = "# Written by `wandle up`; the environment overrides it.\n" + "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)
