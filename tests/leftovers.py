"""Ends the servers of a pytest that was killed before it could.

Run next to pytest by `tests/conftest.py`. Once pytest is gone, however it ended, every process
whose command line, environment or open files name one of its folders is ended, and the short
folders are removed. Servers that pytest has stopped are not there any more, so nothing is left to
do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

POLL_SECONDS = 0.5
STOP_SECONDS = 5.0
# Children inherit it. The pid makes it unique among the runs on a machine.
VARIABLE = "PYTEST_LEFTOVERS"


def prefix(pid: int) -> str:
    """What the names of the short folders of a pytest begin with."""
    return f"wandle-{pid}-"


@contextmanager
def short_folder() -> Iterator[str]:
    """A folder for a server whose sockets need a short path, unlike those below pytest's own."""
    with tempfile.TemporaryDirectory(
        prefix=prefix(os.getpid()), ignore_cleanup_errors=True
    ) as folder:
        yield folder


def watch(folder: Path) -> None:
    """End what this process leaves behind; `folder` is pytest's own."""
    os.environ[VARIABLE] = prefix(os.getpid())
    subprocess.Popen(
        [sys.executable, "-P", __file__, str(os.getpid()), prefix(os.getpid()), str(folder)],
        env={"PATH": os.defpath},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for(pid: int) -> set[int]:
    """Wait until a process is gone; those that started it, which are not its leftovers."""
    spared = {os.getpid(), pid}
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        spared |= {parent.pid for parent in process.parents()}
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(POLL_SECONDS)
    return spared


def _left(names: list[str], spared: set[int]) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid not in spared and any(
                name in text for text in _names(process) for name in names
            ):
                found.append(process)
    return found


def _names(process: psutil.Process) -> Iterator[str]:
    """What shows where a process belongs; a title, such as Airflow's, overwrites the first two."""
    yield from process.cmdline()
    yield from process.environ().values()
    yield from (file.path for file in process.open_files())


def _end(names: list[str], spared: set[int]) -> None:
    end = time.monotonic() + STOP_SECONDS
    while left := _left(names, spared):
        for process in left:
            with suppress(psutil.Error):
                if time.monotonic() < end:
                    process.terminate()
                else:
                    process.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    _spared = _wait_for(int(sys.argv[1]))
    _end(sys.argv[2:], _spared)
    for _folder in Path(tempfile.gettempdir()).glob(f"{sys.argv[2]}*"):
        shutil.rmtree(_folder, ignore_errors=True)
