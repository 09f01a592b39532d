"""Health check of one platform process, run inside its container.

`python -m include.local.health scheduler`; without a name, checks the
container's first process. Prints the problem and exits with code 1 if unhealthy.
"""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.printable import one_line

TIMEOUT_SECONDS = 10
# The scheduler's heartbeat is due every 5 seconds, the others' every 10.
MOST_SECONDS_SILENT = 45

HOME = Path("/wandle")
AIRFLOW = "http://{host}:8080/api/v2/monitor/health"
# The first request to the execution API builds it, which takes seconds.
FOR_TASKS = "http://127.0.0.1:8080/execution/health"
# Well if they answer.
ANSWERING = {
    "sandbox": "http://127.0.0.1:8082/health",
    "flower": "http://127.0.0.1:5555/healthcheck",
    "api": "http://127.0.0.1:8000/healthz",
}
JOBS = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}


def trouble(process: str) -> str:
    """The problem of a process; empty if it is healthy."""
    try:
        if process == "api-server":
            _asked(FOR_TASKS)
            return _database(json.loads(_asked(AIRFLOW.format(host="127.0.0.1"))))
        if process in ANSWERING:
            _asked(ANSWERING[process])
            return ""
        if process in JOBS:
            health = json.loads(_asked(AIRFLOW.format(host="api-server")))
            return _silent(health, JOBS[process])
        if process == "worker":
            return _worker()
    except (OSError, ValueError, KeyError) as error:
        return f"{process}: {type(error).__name__}: {error}"
    return f"unknown process {process!r}"


def _asked(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        body: bytes = answer.read()
        return body


def _database(health: Any) -> str:
    status = health["metadatabase"]["status"]
    return "" if status == "healthy" else f"api-server: its database is {status}"


def _silent(health: Any, job: str) -> str:
    """These processes do not listen on a port; they write heartbeats to the database."""
    beat = health[job][f"latest_{job}_heartbeat"]
    if beat is None:
        return f"{job}: no heartbeat yet"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(beat)).total_seconds()
    return "" if seconds < MOST_SECONDS_SILENT else f"{job}: silent for {seconds:.0f} s"


def _worker() -> str:
    """Ping the worker through the broker, without the seconds it takes to import Airflow."""
    from celery import Celery

    name = f"celery@{socket.gethostname()}"
    app = Celery(broker=(HOME / "broker_url").read_text(encoding="utf-8"))
    answers = app.control.ping(destination=[name], timeout=TIMEOUT_SECONDS / 2)
    return "" if answers else f"{name}: no answer"


def _first_process() -> str:
    words = Path("/proc/1/cmdline").read_text(encoding="utf-8").split("\0")
    words = ["sandbox" if word == "sandbox.serve" else word for word in words]
    known = (*JOBS, "api-server", "worker", "flower", "sandbox")
    return next((name for name in known if name in words), "")


def main() -> int:
    """The exit code of a health check."""
    process = sys.argv[1] if len(sys.argv) > 1 else _first_process()
    found = trouble(process)
    if found:
        sys.stderr.write(f"{one_line(found)}\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
