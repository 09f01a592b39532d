"""Another user of the machine: nothing of the state folder is open, whatever the umask."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from include.local.home import PathRefused
from include.local.lock import hold
from include.local.processes import Service, _spawn
from include.local.state import prepare
from include.settings import Settings
from tests.security.local_user import as_nobody, folder_of_nobody

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def settings(tmp_path, umask) -> Settings:
    return Settings(_env_file=None, WANDLE_HOME=tmp_path / "home", WANDLE_PORT_BASE=19230)


def open_to_others(home: Path) -> list[str]:
    """What another user could list, read or write; only passing through the top is allowed."""
    paths = [home, *home.rglob("*")]
    assert len(paths) > 5
    found = {path: stat.S_IMODE(path.stat().st_mode) & OTHERS for path in paths}
    if os.geteuid() == 0 and found[home] == stat.S_IXGRP | stat.S_IXOTH:
        del found[home]
    return [f"{path.relative_to(home)} {mode:o}" for path, mode in found.items() if mode]


def test_a_new_state_folder_is_open_to_nobody_else(settings):
    prepare(settings)

    assert open_to_others(settings.home) == []


def test_folders_that_an_earlier_version_left_open_are_closed(settings):
    for name in ("", "s3", "s3/wandle", "logs", "airflow", "run", "dbt"):
        (settings.home / name).mkdir(mode=0o755, parents=True, exist_ok=True)
        (settings.home / name).chmod(0o755)

    prepare(settings)

    assert open_to_others(settings.home) == []


def test_what_a_service_writes_is_open_to_nobody_else(settings):
    prepare(settings)
    written = settings.home / "s3" / "landing" / "page"
    script = f"mkdir -p {written.parent} && echo x > {written}"
    service = Service(
        name="s3", command=("/bin/sh", "-c", script), environment={}, address="", answers=bool
    )

    assert _spawn(settings.home, service).wait(10) == 0

    assert written.exists()
    assert open_to_others(settings.home) == []


def test_a_file_left_open_is_found(settings):
    prepare(settings)
    (settings.home / "s3" / "page").touch()
    (settings.home / "s3" / "page").chmod(0o644)

    assert open_to_others(settings.home) == ["s3/page 44"]


@pytest.fixture
def of_root(umask):
    """A state folder with something in it, where another user can come to its door."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(prefix="wandle-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        home = folder / "home"
        prepare(Settings(_env_file=None, WANDLE_HOME=home, WANDLE_PORT_BASE=19230))
        script = f"mkdir -p {home}/s3/wandle/landing {home}/dbt/target && echo personal "
        script += f"| tee {home}/s3/wandle/landing/page {home}/dbt/target/run.json >/dev/null"
        service = Service(
            name="s3", command=("/bin/sh", "-c", script), environment={}, address="", answers=bool
        )
        assert _spawn(home, service).wait(10) == 0
        # PostgreSQL's, as its own user.
        (home / "postgres").mkdir(mode=0o700)
        yield home


# Only passing through the top is allowed.
TRICKS: dict[str, Callable[[Path], Any]] = {
    "read": lambda path: path.open("rb").close(),
    "write": lambda path: path.open("ab").close(),
    "list": lambda path: list(path.iterdir()),
    "open up": lambda path: path.chmod(0o777),
    "rename": lambda path: path.rename(path.with_name("mine")),
    "remove": lambda path: path.unlink(),
    "add a folder": lambda path: (path / "mine").mkdir(),
    "add a link": lambda path: (path / "mine").symlink_to("/etc/passwd"),
    "link to": lambda path: Path(f"/tmp/wandle-{os.getpid()}").hardlink_to(path),
}


def tried(path: Path) -> list[str]:
    """What succeeds."""
    done = []
    for name, trick in TRICKS.items():
        with suppress(OSError):
            trick(path)
            done.append(name)
    return done


def test_another_user_reads_writes_and_lists_nothing_of_it(of_root):
    home = of_root
    files = [*home.rglob("*")]
    assert len(files) > 10

    def attack() -> list[str]:
        return [f"{trick} {path}" for path in (home, *files) for trick in tried(path)]

    assert as_nobody(attack) == []


def test_another_user_cannot_take_the_lock_of_a_command(of_root):
    """A user who could lock it would stop `up` and `down`."""
    home = of_root
    with hold(home, "up"):
        pass

    def lock() -> str:
        with hold(home, "attack", patience_seconds=0):
            return "locked"

    assert as_nobody(lock).startswith("PermissionError")


@pytest.mark.parametrize("kind", ["folder", "link to a folder"])
def test_a_folder_that_another_user_has_made_is_refused(kind):
    with folder_of_nobody() as folder:
        home = folder / "home"

        def prepare_trap() -> None:
            if kind == "folder":
                home.mkdir()
                return
            (folder / "theirs").mkdir()
            home.symlink_to(folder / "theirs")

        as_nobody(prepare_trap)

        with pytest.raises(PathRefused, match="belongs to another user"):
            prepare(Settings(_env_file=None, WANDLE_HOME=home, WANDLE_PORT_BASE=19230))

        assert not list(folder.rglob("*.json"))


def test_a_second_command_in_the_same_folder_waits_and_names_the_first(settings):
    """Also one of another checkout: the folder is what they share."""
    with hold(settings.home, "up", report=lambda line: None):
        code = (
            "import sys; from pathlib import Path; from include.local.lock import hold\n"
            "with hold(Path(sys.argv[1]), 'up', report=len, patience_seconds=0.2): pass"
        )
        second = subprocess.run(
            (sys.executable, "-c", code, str(settings.home)),
            cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert second.returncode
    assert f"`wandle up` (process {os.getpid()}" in second.stderr
