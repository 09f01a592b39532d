"""dbt, as a child process: takes commands and gives answers as JSON lines on its pipes.

A process of its own keeps dbt's global state, threads and memory out of
Airflow's tasks, and the password out of their environment; one process for
several commands pays for dbt's start, most of its time, once. It ends when its
parent closes the pipe or dies, and has dbt cancel its queries before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TextIO

# To cancel queries and roll back, once nobody listens any more.
GRACE_SECONDS = 10

# dbt's events that say how a node ended.
_PROGRESS = {
    "LogModelResult",
    "LogSeedResult",
    "LogSnapshotResult",
    "LogTestResult",
}
# Without unit tests: their input is constant, so the project's own tests run them.
_BUILD = ("build", "--no-write-json", "--exclude-resource-type", "unit_test")


class Session:
    """One dbt project, parsed once."""

    def __init__(self, options: list[str], progress: Callable[[str], None]) -> None:
        from dbt.cli.main import dbtRunner

        self._runner_class = dbtRunner
        self._options = options
        self._callbacks = [
            lambda event: progress(event.info.msg) if event.info.name in _PROGRESS else None
        ]
        self._manifest: Any = None

    def nodes(self) -> list[dict[str, Any]]:
        """Every node that a build makes or checks, unit tests left out."""
        self._manifest = self._invoke("parse")
        return [
            {
                "unique_id": node.unique_id,
                "resource_type": str(node.resource_type),
                "path": node.original_file_path,
                "selector": "fqn:" + ".".join(node.fqn),
                "depends_on": list(node.depends_on.nodes),
            }
            for node in self._manifest.nodes.values()
            # A test of a model that is switched off stays in the manifest, switched off too.
            if node.config.enabled and getattr(node.config, "materialized", None) != "ephemeral"
        ]

    def build(self, selectors: list[str]) -> list[dict[str, Any]]:
        """Build exactly what the selectors name, and say how each node ended."""
        run = self._invoke(
            *_BUILD, "--indirect-selection", "empty", "--select", *selectors, may_fail=True
        )
        return [
            {
                "unique_id": result.node.unique_id,
                "resource_type": str(result.node.resource_type),
                "status": str(result.status),
                "execution_seconds": result.execution_time,
                "rows_affected": result.adapter_response.get("rows_affected"),
                "failures": result.failures,
                "message": result.message,
            }
            for result in run.results
        ]

    def docs(self) -> None:
        """Write the site of the documentation, one file, below the target path."""
        self._invoke("docs", "generate", "--static")

    def _invoke(self, *arguments: str, may_fail: bool = False) -> Any:
        runner = self._runner_class(manifest=self._manifest, callbacks=self._callbacks)
        done = runner.invoke([*arguments, *self._options])
        if done.exception is not None:
            raise done.exception
        if not done.success and not may_fail:
            raise RuntimeError(f"dbt {arguments[0]} failed without saying why")
        return done.result


def main(options: list[str]) -> None:
    """Answer commands until the parent closes the pipe."""
    commands, answers = _pipes()
    queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(commands, queue), daemon=True).start()

    def say(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        session = Session(options, lambda line: say(progress=line))
        while True:
            command = queue.get()
            try:
                method = getattr(session, command.pop("command"))
                say(answer=method(**command))
            except Exception as error:
                say(error=str(error) or type(error).__name__)
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(1)  # dbt's threads may still wait for the server


def _pipes() -> tuple[TextIO, TextIO]:
    """Keep the pipes for the protocol; whatever dbt or a driver prints goes to stderr."""
    commands, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return commands, answers


def _listen(commands: TextIO, queue: SimpleQueue[dict[str, Any]]) -> None:
    for line in commands:
        queue.put(json.loads(line))
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
