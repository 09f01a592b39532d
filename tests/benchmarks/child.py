"""Run contenders in processes of their own, so that peak memory is a contender's own.

A child reads `Task`s as JSON from its argument, makes them ready, says so, and
waits for a line before it does them. Imports and clients are made before the
clock starts, connections after.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import psutil

from tests.benchmarks.contenders import Task

READY = "ready"
# Of the tasks of a child that failed.
SHOWN_CHARACTERS = 300

Child: TypeAlias = "subprocess.Popen[str]"


@dataclass(frozen=True)
class Measured:
    """What children took: wall-clock and processor seconds, and peak resident memory in MB.

    `machine_cpu_seconds` is what the whole machine spent during the run: PostgreSQL
    and S3, too, and whatever else ran.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    machine_cpu_seconds: float = 0.0


def run(task: Task) -> Measured:
    """Measure one task in a new process. Raises `SystemExit` with what it wrote if it failed."""
    return run_at_once([[task]])


def run_at_once(shares: Sequence[Sequence[Task]]) -> Measured:
    """Measure from the start to the end of all; each share in a process of its own."""
    children = [_start(share) for share in shares]
    try:
        return _measured(children)
    finally:
        for child in children:
            child.kill()
            child.communicate()


def _measured(children: Sequence[Child]) -> Measured:
    for child in children:
        _answer(child, READY)
    spent, began = _machine_cpu_seconds(), time.perf_counter()
    for child in children:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
    answers = [json.loads(_answer(child, "{")) for child in children]
    seconds, spent = time.perf_counter() - began, _machine_cpu_seconds() - spent
    return Measured(
        seconds if len(answers) > 1 else answers[0]["seconds"],
        sum(answer["cpu_seconds"] for answer in answers),
        max(answer["peak_rss_mb"] for answer in answers),
        spent,
    )


def _start(tasks: Sequence[Task]) -> Child:
    command = [sys.executable, "-m", "tests.benchmarks.child"]
    return subprocess.Popen(
        [*command, json.dumps([asdict(task) for task in tasks])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _answer(child: Child, opening: str) -> str:
    """Its next line that opens so. Raises `SystemExit` with what it wrote if it ends before."""
    written = []
    assert child.stdout
    for line in child.stdout:
        if line.startswith(opening):
            return line
        written.append(line)
    tasks = str(child.args[-1])[:SHOWN_CHARACTERS]  # type: ignore[index]
    raise SystemExit(f"bench: {tasks} failed:\n{''.join(written)}")


def main() -> None:
    """Do the tasks, here."""
    works = [
        importlib.import_module(f"tests.benchmarks.contenders.{task.contender}").ready(task)
        for task in (Task(**fields) for fields in json.loads(sys.argv[1]))
    ]
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    sys.stdin.readline()
    cpu, began = _cpu_seconds(), time.perf_counter()
    for work in works:
        work()
    seconds, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    sys.stdout.write("\n" + json.dumps(asdict(Measured(seconds, cpu, _peak_rss_mb()))) + "\n")


def _machine_cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _cpu_seconds() -> float:
    spent = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def _peak_rss_mb() -> float:
    """Of this process or a child of it, whichever took more.

    On Linux `ru_maxrss` of a new program still holds its parent's; VmHWM does not.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    status = Path("/proc/self/status")
    if status.exists():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return max(int(found.group(1)) if found else 0, children) / 1024
    per_mb = 1024 * 1024 if sys.platform == "darwin" else 1024
    return max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children) / per_mb


if __name__ == "__main__":
    main()
