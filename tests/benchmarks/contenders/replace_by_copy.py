"""The floor of replacing: psql deletes the partition and copies a ready CSV, in one transaction."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from include.local.services.postgres import binaries
from include.settings import Settings
from tests.benchmarks.contenders import Task


def ready(task: Task) -> Callable[[], None]:
    """Start psql, delete, copy, commit, end psql."""
    table = f"raw.{task.contract.partition('/')[0]}"
    psql = [str(binaries() / "psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1"]
    psql += ["-v", f"council={task.council}", "-v", f"period={task.period}"]
    script = (
        f"delete from {table} where _council = :'council' and _period = :'period';\n"
        f"\\copy {table} from '{task.csv}' with (format csv)\n"
    )
    dsn = Settings.read().need("loader_dsn")

    def work() -> None:
        subprocess.run([*psql, "-f", "-", dsn], input=script, text=True, check=True)

    return work
