"""The layout of the local platform's state folder."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from include.errors import PermanentError
from include.printable import one_line

HOST = "127.0.0.1"

# The APIs that the sandbox plays, as `sandbox/app.py` mounts them.
SANDBOX_HOSTS = (
    "data.police.uk",
    "environment.data.gov.uk",
    "archive-api.open-meteo.com",
    "www.gov.uk",
    "www.planning.data.gov.uk",
    "breathe-london-7x54d7qf.ew.gateway.dev",
    "api.waste-contractor.example",
    "login.waste-contractor.example",
)

PORT_OFFSETS = {"airflow": 0, "s3": 1, "sandbox": 2, "postgresql": 3}


class PathRefused(PermanentError):
    """A path that not every service can be given."""


class StateDamaged(PermanentError):
    """A file of the state folder that nothing can replace is not what it must be."""


def refuse_path(path: Path) -> None:
    """Raise `PathRefused` for a path that services would read as another one."""
    if "$" in str(path):
        raise PathRefused(
            f"{path}: Airflow replaces $NAME in paths. Move the checkout, or set WANDLE_HOME, to a "
            "path without a dollar sign."
        )
    if one_line(str(path)) != str(path):
        raise PathRefused(
            f"{path}: it holds control characters. Move the checkout, or set WANDLE_HOME, to "
            "another path."
        )


def refuse_foreign(path: Path) -> None:
    """Raise `PathRefused` for a folder of another user, who could read what is in it."""
    if path.exists() and path.stat().st_uid != os.geteuid():
        raise PathRefused(
            f"{path}: it belongs to another user (uid {path.stat().st_uid}), who could read the "
            "secrets in it. Run as that user, or set WANDLE_HOME to a folder of your own."
        )


def port(port_base: int, service: str) -> int:
    """The port of a service: `WANDLE_PORT_BASE` plus its fixed offset."""
    return port_base + PORT_OFFSETS[service]


def record_path(home: Path, service: str) -> Path:
    """The record of a service's last start: process, port, time."""
    return home / "run" / f"{service}.json"


def log_path(home: Path, service: str) -> Path:
    """The log of a service; rotated when the service starts."""
    return home / "logs" / f"{service}.log"


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically, readable only by its owner."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def make_private_folder(path: Path, mode: int = 0o700) -> None:
    """A folder that other users of the machine cannot list, whatever the umask; old ones too."""
    path.mkdir(mode=mode, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o777 != mode:
        path.chmod(mode)


def read_kept(path: Path, restore: str) -> dict[str, Any] | None:
    """The object in a JSON file that nothing can replace; None when there is no such file.

    Raises `StateDamaged`, which ends in `restore`, if there is a file and it
    holds anything else: damaged is not missing.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise StateDamaged(f"state: {path} is damaged: {_where(error)}. {restore}") from None
    except OSError as error:
        raise StateDamaged(f"state: {path} cannot be read: {error.strerror}. {restore}") from None
    if not isinstance(content, dict):
        raise StateDamaged(
            f"state: {path} is damaged: expected an object, found {type(content).__name__}. "
            f"{restore}"
        )
    return content


def _where(error: ValueError | RecursionError) -> str:
    """What is wrong with a JSON text, without any of it: it may be a secret."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON at line {error.lineno}, column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else "not UTF-8"


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if the file is missing or incomplete."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
