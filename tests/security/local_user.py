"""Another user of the machine, who tries what its rights allow."""

from __future__ import annotations

import json
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def as_nobody(steps: Callable[[], Any]) -> Any:
    """What `steps` returns in a process of the user `nobody`; its error as text."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    account = pwd.getpwnam("nobody")
    receiving, sending = os.pipe()
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups([])
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
            try:
                found = steps()
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
            os.write(sending, json.dumps(found).encode()[:60_000])
            status = 0
        finally:
            os._exit(status)
    os.close(sending)
    with os.fdopen(receiving, "rb") as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return json.loads(told)


@contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """A folder that `nobody` can reach, unlike those of pytest, and write to."""
    with tempfile.TemporaryDirectory(prefix="wandle-") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to another user")
        account = pwd.getpwnam("nobody")
        os.chown(folder, account.pw_uid, account.pw_gid)
        folder.chmod(0o755)
        yield folder
