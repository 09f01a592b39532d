"""The user to run PostgreSQL as: it refuses to run as root, so root drops its privileges.

Run as a program with the state folder as its argument, before anything is
installed: exits with 1 and a message if root cannot do that there.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from include.errors import PermanentError

CANDIDATES = ("postgres", "nobody")
# Of programs in a folder that is closed to others: root's, in a folder that only root writes.
COPIES = Path("/var/lib/wandle")


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
    closed = next(path for path in paths if not _open_to_others(path))
    look = ("test", "-e", str(next(path for path in (closed, *closed.parents) if path.exists())))
    for capability in ("dac_read_search", "dac_override"):
        kept = (f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}")
        if subprocess.run((*step_down, *kept, *look), capture_output=True).returncode == 0:
            return (*step_down, *kept, *command)
    raise NoAccount(
        f"postgresql: user {account.pw_name} cannot access {closed}, because a parent folder is "
        "closed to others. Move the checkout (or WANDLE_HOME) to another folder, or run as a "
        "regular user."
    )


def reachable(folder: Path, parts: tuple[str, ...], name: str) -> Path:
    """Where the unprivileged user can run programs: `folder`, or root's copy of its `parts`.

    The capability to look through folders is not enough for programs:
    `access`, by which PostgreSQL's look for each other, ignores it. `name` is
    the copy's and says which version it is. Raises `NoAccount`.
    """
    if unprivileged() is None or all(_open_to_others(folder / part) for part in parts):
        return folder
    copy = COPIES / name
    if not copy.exists():
        try:
            _copy(folder, parts, copy)
        except OSError as error:
            raise NoAccount(
                f"postgresql: {folder} is closed to others, and a copy that others can run could "
                f"not be made in {COPIES} ({error}). Move the checkout to a folder "
                "that others can enter, or run as a regular user."
            ) from error
    return copy


def _copy(folder: Path, parts: tuple[str, ...], copy: Path) -> None:
    """Whole or not at all, and readable by everybody whatever the umask."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=copy.parent, prefix=".new.") as new:
        made = Path(new) / copy.name
        for part in parts:
            shutil.copytree(folder / part, made / part, symlinks=True)
        for path in (made, *made.rglob("*")):
            if not path.is_symlink():
                runs = path.is_dir() or path.stat().st_mode & 0o100
                path.chmod(0o755 if runs else 0o644)
        try:
            made.rename(copy)
        except OSError:
            if not copy.exists():  # else another command was quicker
                raise


def _open_to_others(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents) if folder.is_dir())


def main() -> None:
    """Exit with a message if PostgreSQL could not run on a state folder of this user."""
    home = Path(sys.argv[1]).absolute()
    try:
        as_unprivileged(("true",), (home,))
    except NoAccount as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
