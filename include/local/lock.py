"""Lock a state folder, so that only one command at a time changes its platform."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from include.errors import RetryableError
from include.terminal import say

POLL_SECONDS = 0.1

_held: dict[Path, int] = {}


class PlatformBusy(RetryableError):
    """Another command, named in the message, is using this state folder."""


@contextmanager
def hold(
    home: Path,
    command: str,
    *,
    report: Callable[[str], None] = say,
    patience_seconds: float = 20.0,
) -> Iterator[None]:
    """Lock the state folder for a command; reentrant within one process.

    The kernel releases the lock when its process ends, so it cannot be stale.
    Waits `patience_seconds`, and reports it, then raises `PlatformBusy` with
    the command and process that hold it.
    """
    path = home.resolve() / "lock"
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _opened(path)
    try:
        _wait(descriptor, path, report, patience_seconds)
        _note(descriptor, json.dumps({"pid": os.getpid(), "command": command, "since": _now()}))
        _held[path] = 1
        try:
            yield
        finally:
            del _held[path]
            _note(descriptor, "")
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        if not path.exists():
            raise
        # On a read-only disk; reading is enough to lock it.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _note(descriptor: int, holder: str) -> None:
    """Write who holds the lock, if the disk has room: the lock itself needs none."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)


def _wait(descriptor: int, path: Path, report: Callable[[str], None], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise PlatformBusy(
                    f"{path.parent}: {_holder(path)} is using it, and did not finish within "
                    f"{seconds:.0f} s. Wait for it or stop it, then try again."
                ) from None
            if not said:
                report(f"Waiting up to {seconds:.0f} s for {_holder(path)} to finish.")
                said = True
            time.sleep(POLL_SECONDS)


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        return f"`wandle {holder['command']}` (process {holder['pid']}, since {holder['since']})"
    except (OSError, ValueError, KeyError):
        return "another command"


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
