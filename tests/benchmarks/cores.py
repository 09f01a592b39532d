"""Let the platform, and what this process starts, use some of the machine's cores only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from include.local import processes
from tests.benchmarks.platform import API

_ALL = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []
_PLATFORM = ("postgresql", "s3", API)


def tried() -> list[tuple[int, int]]:
    """Cores and processes: one of these, as many as cores, and twice as many.

    Where cores cannot be chosen (macOS), only all of them.
    """
    every = len(_ALL) or os.cpu_count() or 1
    cores = {every} | {count for count in (1, 2, 4, 8) if _ALL and count < every}
    return [(count, many) for count in sorted(cores) for many in sorted({1, count, 2 * count})]


def named(contender: str, cores: int, at_once: int) -> str:
    """How such an entry is called."""
    return f"{contender}, {at_once} at once on {cores} core{'s' if cores > 1 else ''}"


def use(home: Path, count: int | None = None) -> None:
    """Use so many cores; all of them, if no number is given. The same thread by thread."""
    if not _ALL:
        return
    for thread in _threads(home):
        os.sched_setaffinity(thread, _ALL[:count])


def _threads(home: Path) -> Iterator[int]:
    yield from _threads_of(psutil.Process())
    for name in _PLATFORM:
        started = processes.recorded(home, name)
        process = started and started.process()
        if process:
            for each in (process, *process.children(recursive=True)):
                yield from _threads_of(each)


def _threads_of(process: psutil.Process) -> list[int]:
    try:
        return [thread.id for thread in process.threads()]
    except psutil.NoSuchProcess:
        return []
