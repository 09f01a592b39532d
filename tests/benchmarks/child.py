"""Run one contender in a process of its own, so that its peak memory is its own.

Reads a `Task` as JSON from its argument and prints what was measured as JSON.
Imports and clients are made before the clock starts, connections after.
"""

from __future__ import annotations

import importlib
import json
import re
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.contenders import Task


@dataclass(frozen=True)
class Measured:
    """One load: wall-clock and processor seconds, and peak resident memory in MB."""

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


def run(task: Task) -> Measured:
    """Measure in a new process. Raises `SystemExit` with what it wrote if it failed."""
    command = [sys.executable, "-m", "tests.benchmarks.child", json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"bench: {task.contender} failed:\n{done.stdout}{done.stderr}")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Load once, here."""
    task = Task(**json.loads(sys.argv[1]))
    work = importlib.import_module(f"tests.benchmarks.contenders.{task.contender}").ready(task)
    cpu, began = _cpu_seconds(), time.perf_counter()
    work()
    seconds, cpu = time.perf_counter() - began, _cpu_seconds() - cpu
    sys.stdout.write(json.dumps(asdict(Measured(seconds, cpu, _peak_rss_mb()))) + "\n")


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
