"""A process that is about to stop ignores new connections."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from include.api import draining

OPEN = Path("/proc/self/fd")


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
def test_only_new_connections_are_ignored_and_no_file_stays_open(monkeypatch, tmp_path):
    monkeypatch.setattr(draining, "_OPEN_FILES", tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        (tmp_path / str(listening.fileno())).touch()
        with socket.create_connection(address) as before:
            (tmp_path / str(before.fileno())).touch()
            opened = sorted(OPEN.iterdir())

            assert draining.ignore_new_connections() == 1

            assert sorted(OPEN.iterdir()) == opened
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.1)
            accepted, _ = listening.accept()
            with accepted:
                before.sendall(b"asked")
                assert accepted.recv(5) == b"asked"
                accepted.sendall(b"answered")
                assert before.recv(8) == b"answered"


def test_without_proc_nothing_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setattr(draining, "_OPEN_FILES", tmp_path / "absent")

    assert draining.ignore_new_connections() == 0
