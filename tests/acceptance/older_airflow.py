"""Take the metadata of a stopped platform back to an older version of Airflow.

`python older_airflow.py 3.2.0`, with the environment of the platform.
"""

from __future__ import annotations

import subprocess
import sys

from include.local import processes
from include.local.services import airflow, postgres
from include.local.services.object_store import python_environment
from include.local.state import prepare
from include.settings import Settings


def downgrade(settings: Settings, version: str) -> None:
    """As that version would have left it: its schema, and its name in the comment."""
    command = (sys.executable, "-m", "airflow", "db", "downgrade", "--yes", "--to-version", version)
    processes.start(settings.home, postgres.service(settings))
    try:
        environment = python_environment() | airflow.airflow_environment(settings)
        subprocess.run(command, env=environment, cwd="/", check=True)
        postgres.note_airflow_migrated(settings, version)
    finally:
        postgres.stop(settings)


if __name__ == "__main__":
    downgrade(prepare(Settings.read()), sys.argv[1])
