"""The layout of the local platform's state folder."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"

PORT_OFFSETS = {"airflow": 0, "s3": 1, "sandbox": 2, "postgresql": 3}


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
    path.parent.mkdir(parents=True, exist_ok=True)
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


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if the file is missing or incomplete."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None
