"""Set, list and remove secrets: logins of sources, URLs of alerts, hashes of API keys."""

from __future__ import annotations

import json
from typing import Any

from include.aws.secrets import Secrets
from include.errors import PermanentError, UnknownName
from include.extract.login.secret import Secret, checked
from include.jobs.alerts.channels import checked_url
from include.jobs.alerts.outbox import SMTP
from include.jobs.logins import CONNECTION_TYPE, FILE, ON_AWS, connection_of
from include.jobs.serving import api_keys
from include.local.home import make_private_folder, read_kept, refuse_foreign, write_private
from include.local.lock import hold
from include.settings import Settings
from include.sources.extract.auth import Auth, secret_name
from include.sources.model import every_contract
from include.sources.rates import http_of

_RESTORE = (
    "Nothing was changed. Restore it from a backup, or delete it and set each secret again: "
    "`wandle secrets list` names them."
)


def set_secret(settings: Settings, name: str, value: str, login: str) -> str:
    """Keep a secret; returns where. Raises `PermanentError` for what cannot be sent."""
    used = [auth for auth in _logins().values() if auth.secret == name]
    found = Secret(_checked_name(name), _one_line(value), login)
    needs_login = name == SMTP or any(auth.needs_login for auth in used)
    checked("secrets", name, found, needs_login=needs_login)
    if name in _of_alerts():
        checked_url(found)
    of_api = name == api_keys.NAME
    if of_api:
        api_keys.checked(found.password)
    if settings.environment:
        where = name if of_api else f"{ON_AWS}/{name}"
        on_aws = Secrets(settings.session("migrate"), settings.environment)
        on_aws.write(where, found.password if of_api else json.dumps(connection_of(found)))
        return f"{on_aws.prefix}/{where}"
    refuse_foreign(settings.home)
    make_private_folder(settings.home)
    with hold(settings.home, "secrets"):
        content = _read(settings)
        _write(settings, content | {name: connection_of(found)})
    return str(settings.home / FILE)


def remove_secret(settings: Settings, name: str) -> None:
    """Forget a secret. Raises `UnknownName` if it is not set."""
    if settings.environment:
        raise PermanentError(
            "secrets: on AWS, Terraform removes a secret that no contract names: remove `auth` or "
            "`alerts` from the contract, then run `terraform apply`."
        )
    with hold(settings.home, "secrets"):
        content = _read(settings)
        if name not in content:
            raise UnknownName(
                f"secrets: {name!r} is not set. Run `wandle secrets list` for those that are."
            )
        _write(settings, {key: value for key, value in content.items() if key != name})


def listed(settings: Settings) -> list[dict[str, Any]]:
    """Each secret that is set or that a contract names: its sources, and whether it is set."""
    sources: dict[str, list[str]] = {}
    for source, auth in _logins().items():
        sources.setdefault(auth.secret, []).append(source)
    for secret, named_by in _of_alerts().items():
        sources.setdefault(secret, []).extend(named_by)
    if settings.environment:
        on_aws = Secrets(settings.session("doctor"), settings.environment)
        is_set = {name for name in sources if on_aws.has_value(f"{ON_AWS}/{name}")}
    else:
        content = _read(settings)
        is_set = {name for name, item in content.items() if _is_secret(item)}
    return [
        {"secret": name, "set": name in is_set, "sources": sources.get(name, [])}
        for name in sorted({*sources, *is_set})
    ]


def lacking_secrets(settings: Settings) -> dict[str, str]:
    """The sources at live APIs whose secret is not set, and the secret."""
    if not settings.live:
        return {}
    is_set = {item["secret"] for item in listed(settings) if item["set"]}
    return {name: auth.secret for name, auth in _logins().items() if auth.secret not in is_set}


def prepare_connections(settings: Settings, platform: dict[str, Any]) -> None:
    """Write the platform's connections into the file; the secrets of sources in it stay."""
    content = _read(settings)
    secrets = {name: item for name, item in content.items() if _is_secret(item)}
    wanted = {**secrets, **platform} if platform else content
    if content != wanted or not (settings.home / FILE).exists():
        _write(settings, wanted)


def _logins() -> dict[str, Auth]:
    """The login of each source that has one."""
    found = {name: http_of(contract) for name, contract in every_contract().items()}
    return {name: extract.auth for name, extract in found.items() if extract and extract.auth}


def _of_alerts() -> dict[str, list[str]]:
    """The secrets with the URLs of alerts, and the sources that name each."""
    found: dict[str, list[str]] = {}
    for name, contract in every_contract().items():
        for secret in contract.alerts.secrets:
            found.setdefault(secret, []).append(name)
    return found


def _one_line(value: str) -> str:
    """A JSON document, such as the key of a service account, without line ends in it."""
    try:
        content = json.loads(value)
    except ValueError:
        return value
    return json.dumps(content) if isinstance(content, dict | list) else value


def _checked_name(name: str) -> str:
    try:
        return secret_name(name)
    except ValueError as error:
        raise PermanentError(f"secrets: {name!r}: {error}.") from None


def _is_secret(connection: Any) -> bool:
    return isinstance(connection, dict) and connection.get("conn_type") == CONNECTION_TYPE


def _read(settings: Settings) -> dict[str, Any]:
    return read_kept(settings.home / FILE, _RESTORE) or {}


def _write(settings: Settings, content: dict[str, Any]) -> None:
    write_private(settings.home / FILE, json.dumps(content, indent=1) + "\n")
