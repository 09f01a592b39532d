"""The floor: psql's `\\copy` of a ready CSV of the typed rows into the same table."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from include.local.services.postgres import binaries
from include.settings import Settings
from tests.benchmarks.contenders import Task


def ready(task: Task) -> Callable[[], None]:
    """Start psql, copy, commit, end psql."""
    table = task.contract.partition("/")[0]
    copy = f"\\copy raw.{table} from '{task.csv}' with (format csv)"
    dsn = Settings.read().need("loader_dsn")
    command = [str(binaries() / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", copy, dsn]

    def work() -> None:
        subprocess.run(command, check=True)

    return work
