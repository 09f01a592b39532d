"""The login of a source, with its secret from where this deployment keeps it.

On one machine that is `connections.json` in the state folder, which Airflow
reads as its connections; on AWS it is Secrets Manager, read with the role of
the source. `wandle secrets set` writes both.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.aws.secrets import Secrets
from include.errors import PermanentError
from include.extract.login.login import Login
from include.extract.login.secret import Secret
from include.settings import Settings
from include.sources.extract.auth import of_sandbox
from include.sources.model import Contract
from include.sources.rates import http_of

# An Airflow Connection of this type; others are of databases and buckets.
CONNECTION_TYPE = "http"
# In the state folder; in Secrets Manager, below `wandle/<environment>/`.
FILE = "connections.json"
ON_AWS = "sources"

SecretOf = Callable[[str], Secret | None]


def login_of(
    contract: Contract, settings: Settings, way: str, secret_of: SecretOf | None = None
) -> Login | None:
    """The login that a source is requested with; None if it needs none.

    `secret_of` finds a secret outside AWS; by default, in the state folder.
    The sandbox is given its own secret, and only if it refuses that, the
    source's. What replays a sample asks for none.
    """
    extract = http_of(contract)
    if extract is None or extract.auth is None:
        return None
    base_url = extract.base_url_of(way)
    if settings.sample(contract.name, base_url).is_file() and not settings.live:
        return None
    auth = extract.auth
    made_up = settings.in_sandbox(base_url, contract.name)
    if settings.environment:
        read = _on_aws(contract.name, settings)
    else:
        read = secret_of or (lambda name: kept(settings.home, name))
    user, value = of_sandbox(auth.secret)
    first = [Secret(auth.secret, value, user, made_up=True)] if made_up else []
    token_url = auth.access_token_url
    return Login(
        auth,
        lambda: first.pop() if first else read(auth.secret),
        token_url=settings.api_url(token_url, contract.name) if made_up and token_url else "",
        timeout_seconds=extract.timeout_seconds,
    )


def _on_aws(source: str, settings: Settings) -> SecretOf:
    def read(name: str) -> Secret | None:
        secrets = Secrets(settings.session(f"extract-{source}"), settings.environment)
        text = secrets.read(f"{ON_AWS}/{name}")
        return None if text is None else secret_in(name, parsed(name, text))

    return read


def kept(home: Path, name: str) -> Secret | None:
    """A secret in the state folder; None if it is not set."""
    path = home / FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, OSError):
        raise PermanentError(
            f"secrets: {path} cannot be read. Restore it from a backup, or delete it and set each "
            "secret again: `wandle secrets list`."
        ) from None
    found = content.get(name) if isinstance(content, dict) else None
    return None if found is None else secret_in(name, found)


def parsed(name: str, text: str) -> Any:
    """The connection in a secret of Secrets Manager. Raises `PermanentError`, without it."""
    try:
        return json.loads(text)
    except ValueError:
        raise _no_secret(name) from None


def secret_in(name: str, connection: Any) -> Secret:
    """The secret in an Airflow Connection. Raises `PermanentError` for one of another type."""
    if not isinstance(connection, dict) or connection.get("conn_type") != CONNECTION_TYPE:
        raise _no_secret(name)
    login, password = connection.get("login") or "", connection.get("password") or ""
    if not isinstance(login, str) or not isinstance(password, str):
        raise _no_secret(name)
    return Secret(name, password, login)


def connection_of(secret: Secret) -> dict[str, str]:
    """The Airflow Connection that holds a secret."""
    return {"conn_type": CONNECTION_TYPE, "login": secret.login, "password": secret.password}


def _no_secret(name: str) -> PermanentError:
    return PermanentError(
        f"secrets: {name!r} is not a source's secret: expected an Airflow Connection of the "
        f"type {CONNECTION_TYPE}, with the secret as its password. Set it with "
        f"`wandle secrets set {name}`."
    )
