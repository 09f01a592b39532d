"""`wandle doctor`: find problems on this machine, and how to fix them."""

from __future__ import annotations

import locale
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psutil
import psycopg

from include.disk import described, warning
from include.errors import PermanentError
from include.local.account import as_unprivileged
from include.local.database_roles import database_problems
from include.local.home import PathRefused, refuse_path
from include.local.services import postgres
from include.local.state import Addresses, with_addresses
from include.local.status import status
from include.settings import CHECKOUT, Settings

PYTHONS = ((3, 11), (3, 14))
DISK_BYTES = 3_000_000_000
MEMORY_BYTES = 2_000_000_000
SHARED_MEMORY_BYTES = 32_000_000
CLOCK_SECONDS = 300


@dataclass(frozen=True)
class Finding:
    """A problem and how to fix it."""

    what: str
    fix: str


def doctor(settings: Settings) -> list[Finding]:
    """All problems that would stop the platform from running here."""
    return [finding for check in CHECKS for finding in check(settings)]


def _python(_: Settings) -> Iterator[Finding]:
    if not PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
        yield Finding(
            f"Python is {sys.version.split()[0]}; expected 3.11, 3.12 or 3.13.",
            "Install one of them, delete .venv and run `make demo`.",
        )


def _programs(_: Settings) -> Iterator[Finding]:
    missing = [
        program
        for program in ("rclone", "airflow", "dbt")
        if not (Path(sys.executable).parent / program).exists()
    ]
    if missing:
        yield Finding(
            f"{', '.join(missing)}: not installed next to {sys.executable}.",
            "Delete .venv and run `make demo`.",
        )


def _paths(settings: Settings) -> Iterator[Finding]:
    for path in (CHECKOUT, settings.home):
        try:
            refuse_path(path)
        except PathRefused as error:
            what, _, fix = str(error).rstrip(".").rpartition(". ")
            yield Finding(f"{what}.", f"{fix}.")


def _postgres(settings: Settings) -> Iterator[Finding]:
    data = postgres.data_folder(settings)
    reached = next(path for path in (data, *data.parents) if path.exists())
    try:
        as_unprivileged(("true",), (postgres.binaries(), reached))
    except PermanentError as error:
        what, _, fix = str(error).rpartition(". ")
        yield Finding(what + ".", fix)
    version = data / "PG_VERSION"
    if version.exists() and (found := version.read_text().strip()) != "18":
        yield Finding(
            f"{data} was created by PostgreSQL {found}; expected 18.",
            "Move it away and run `wandle up`, then `wandle reload --all`.",
        )


def _space(settings: Settings) -> Iterator[Finding]:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    if not os.access(folder, os.W_OK):
        yield Finding(f"{folder} is not writable.", "Set WANDLE_HOME to a folder you can write to.")
    if (free := shutil.disk_usage(folder).free) < DISK_BYTES:
        yield Finding(
            f"{described(folder)} Expected {DISK_BYTES / 1e9:.0f} GB free.",
            "Free some space, or set WANDLE_HOME to a folder on another disk.",
        )
    temporary = Path(tempfile.gettempdir())
    if told := warning(temporary):
        yield Finding(told, "Delete files from it, or set TMPDIR to a folder on another disk.")
    shared = Path("/dev/shm")  # noqa: S108 # used by PostgreSQL's parallel queries
    if shared.exists() and (free := shutil.disk_usage(shared).free) < SHARED_MEMORY_BYTES:
        yield Finding(
            f"{shared} has {free / 1e6:.0f} MB free; expected {SHARED_MEMORY_BYTES / 1e6:.0f} MB.",
            "Delete files from it, or start the container with `--shm-size=256m`.",
        )


def _memory(settings: Settings) -> Iterator[Finding]:
    running = any(service.state == "running" for service in status(settings))
    if not running and (free := psutil.virtual_memory().available) < MEMORY_BYTES:
        yield Finding(
            f"{free / 1e9:.1f} GB of memory is free; expected {MEMORY_BYTES / 1e9:.0f} GB.",
            "Close other programs.",
        )


def _services(settings: Settings) -> Iterator[Finding]:
    for service in status(settings):
        if service.state == "port in use":
            yield Finding(
                f"{service.name}: {service.address} is in use by {service.owner}.",
                f"Stop it, or change WANDLE_PORT_BASE (now {settings.port_base}).",
            )
        if service.state == "dead":
            yield Finding(
                f"{service.name} has exited; see its log, {service.log}.",
                "Run `wandle up` to start it again.",
            )


def _database_roles(settings: Settings) -> Iterator[Finding]:
    if not any(one.name == "postgresql" and one.state == "running" for one in status(settings)):
        return
    local = with_addresses(settings, Addresses.of_this_machine(settings.port_base))
    try:
        for what, fix in database_problems(local):
            yield Finding(what, fix)
    except psycopg.OperationalError as error:
        yield Finding(
            f"postgresql: its administrator cannot log in: {str(error).strip().splitlines()[0]}.",
            "See its log; `wandle status` names it.",
        )


def _payloads(settings: Settings) -> Iterator[Finding]:
    if settings.payloads:
        from sandbox.app import recorded_apis

        try:
            recorded_apis(settings.payloads)
        except PermanentError as error:
            yield Finding(
                str(error), "Set WANDLE_PAYLOADS to a folder of recorded responses, or unset it."
            )


def _time_and_text(settings: Settings) -> Iterator[Finding]:
    try:
        ZoneInfo("Europe/London")
    except ZoneInfoNotFoundError:
        yield Finding("The time zone Europe/London is not installed.", "Install tzdata.")
    if locale.getpreferredencoding(False).replace("-", "").lower() != "utf8":
        yield Finding(
            f"The default text encoding is {locale.getpreferredencoding(False)}; expected UTF-8.",
            "Set LANG=C.UTF-8.",
        )
    made = settings.home / "secrets.json"
    if made.exists() and made.stat().st_mtime > time.time() + CLOCK_SECONDS:
        yield Finding(
            f"The system clock says {time.strftime('%Y-%m-%d %H:%M')}, before {made} was written.",
            "Correct the system clock.",
        )


CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    *(_python, _paths, _programs, _postgres, _space, _memory, _services, _database_roles),
    *(_payloads, _time_and_text),
)
