"""The user to run PostgreSQL as: it refuses to run as root, so root drops its privileges."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from include.errors import PermanentError

CANDIDATES = ("postgres", "nobody")


class NoAccount(PermanentError):
    """There is no unprivileged user to run as, or no way to switch to it."""


def unprivileged() -> pwd.struct_passwd | None:
    """The user to switch to; None if this process is not root.

    Raises `NoAccount` naming the candidates.
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
        "exists. Run as a regular user, or create one of them."
    )


def as_unprivileged(command: tuple[str, ...], paths: tuple[Path, ...]) -> tuple[str, ...]:
    """The command that runs `command` without root privileges; unchanged for other users.

    `paths` must be accessible to it. If a parent folder is closed to others
    (like /root), the process keeps the capability to traverse folders, so that
    these need not be opened to everyone.
    """
    account = unprivileged()
    if account is None:
        return command
    if shutil.which("setpriv") is None:
        raise NoAccount(
            f"postgresql: it refuses to run as root, and `setpriv` (package util-linux), which "
            f"would run it as {account.pw_name}, is not installed. Install it, or run as a "
            "regular user."
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
        f"postgresql: user {account.pw_name} cannot access {closed}, because a parent folder is "
        "closed to others. Move the checkout (or WANDLE_HOME) to another folder, or run as a "
        "regular user."
    )


def _open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents) if folder.is_dir())
