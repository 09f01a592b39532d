"""Another user of the machine: nothing of the state folder is open, whatever the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from include.local.processes import Service, _spawn
from include.local.state import prepare
from include.settings import Settings

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
    """What another user could list, read or write; passing through the top alone is allowed."""
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
