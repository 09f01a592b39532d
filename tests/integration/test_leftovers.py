"""However pytest ends, its servers end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).parents[2]
TEST = """
import subprocess, time
from pathlib import Path
from tests.integration.conftest import sockets

def test_sleeps(sockets, tmp_path):
    others = [
        subprocess.Popen(["sleep", "300"], start_new_session=True),
        # Like Airflow's servers, whose titles overwrite command line and environment.
        subprocess.Popen(
            ["sleep", "300"],
            start_new_session=True,
            env={{"PATH": "/usr/bin:/bin"}},
            stdout=(tmp_path / "server.log").open("w"),
        ),
    ]
    Path(r"{said}").write_text(" ".join(map(str, [sockets, *(one.pid for one in others)])))
    time.sleep(300)
"""


def servers(folder: str) -> list[psutil.Process]:
    """The PostgreSQL servers of a folder."""
    return [
        p for p in psutil.process_iter(["name", "cmdline"]) if folder in (p.info["cmdline"] or ())
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_pytest_that_is_interrupted_leaves_no_server_behind(tmp_path, number):
    said = tmp_path / "said"
    (tmp_path / "test_sleeps.py").write_text(TEST.format(said=said))
    running = subprocess.Popen(
        (sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider",
         "-c", CHECKOUT / "pyproject.toml", "--basetemp", tmp_path / "base", tmp_path),
        cwd=CHECKOUT, env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: said.exists() and said.read_text(), seconds=60)
        folder, *others = said.read_text().split()
        assert servers(folder)
        assert len(others) == 2
        assert all(psutil.pid_exists(int(other)) for other in others)

        running.send_signal(number)
        running.wait(timeout=30)

        _until(
            lambda: not servers(folder) and not any(psutil.pid_exists(int(pid)) for pid in others),
            seconds=20,
        )
        _until(lambda: not Path(folder).exists(), seconds=5)
    finally:
        running.kill()
        running.wait()


def _until(done, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)
