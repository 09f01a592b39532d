"""The user that PostgreSQL runs as: it refuses to run as root, so root steps down first."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from include.errors import PermanentError

CANDIDATES = ("postgres", "nobody")


class NoAccount(PermanentError):
    """Root found no unprivileged user, or no way to become it."""


def unprivileged() -> pwd.struct_passwd | None:
    """The user to step down to; None when this process is not root and need not.

    Raises `NoAccount` naming the users that were looked for.
    """
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoAccount(
        f"postgresql: it refuses to run as root, and none of the users {', '.join(CANDIDATES)} "
        "exists. Run as an ordinary user, or create one of them."
    )


def as_unprivileged(command: tuple[str, ...], paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The command that runs `command` stepped down from root; itself for other users.

    `paths` are what it must reach. Below a folder that is closed to others (as
    /root and temporary folders are) it keeps the one capability to look
    through folders, rather than these being opened to everybody.
    """
    account = unprivileged()
    if account is None:
        return command
    if shutil.which("setpriv") is None:
        raise NoAccount(
            f"postgresql: it refuses to run as root, and `setpriv` (package util-linux), which "
            f"would run it as {account.pw_name}, is not installed. Install it, or run as an "
            "ordinary user."
        )
    ids = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
    step_down = ("setpriv", *ids)
    if all(_open_to_others(path) for path in paths):
        return (*step_down, *command)
    for capability in ("dac_read_search", "dac_override"):
        kept = (f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}")
        if subprocess.run((*step_down, *kept, "true"), capture_output=True).returncode == 0:
            return (*step_down, *kept, *command)
    closed = next(path for path in paths if not _open_to_others(path))
    raise NoAccount(
        f"postgresql: running as {account.pw_name} it cannot reach {closed}, because a folder "
        "above it is closed to others. Move the checkout (or WANDLE_HOME) to another folder, or "
        "run as an ordinary user."
    )


def _open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents) if folder.is_dir())
