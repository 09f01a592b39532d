"""A checkout in a folder whose name is more than letters: it works, or is refused at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from include.local import platform
from include.local.doctor import doctor
from include.local.home import PathRefused
from include.settings import CHECKOUT, Settings

UV = shutil.which("uv", path=str(Path(sys.executable).parent)) or ""


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ("/usr/bin/make", *arguments),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
        capture_output=True,
        text=True,
        errors="replace",
    )


def checkout(folder: Path) -> Path:
    """What an installation reads, in a folder of its own."""
    folder.mkdir(parents=True)
    for name in ("Makefile", "README.md", "pyproject.toml", "requirements.txt"):
        shutil.copy(CHECKOUT / name, folder)
    shutil.copy(CHECKOUT / "requirements-local.txt", folder)
    shutil.copytree(CHECKOUT / "include", folder / "include")
    return folder


@pytest.mark.parametrize("name", ["a$HOME", "$(id)", "cost in $"])
def test_a_dollar_in_the_path_is_refused_before_anything_is_installed(tmp_path, name):
    folder = checkout(tmp_path / name)

    done = make(folder, "install", f"PYTHON={sys.executable}")

    assert done.returncode != 0
    assert "Move the checkout to a path without a dollar sign" in done.stdout
    assert not (folder / ".venv").exists()


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
@pytest.mark.parametrize("name", ["Ystâd", "it's", "two words", "l'été à 1 €"])
def test_the_command_starts_in_any_other_folder_whatever_the_locale(tmp_path, name, locale):
    folder = checkout(tmp_path / name)
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder / ".venv"), check=True)
    (site,) = (folder / ".venv" / "lib").glob("python3*/site-packages")
    (site / "packages.pth").write_text(next(p for p in sys.path if p.endswith("site-packages")))

    installed = make(folder, "editable", f"UV={UV}", LC_ALL=locale)
    found = subprocess.run(
        (
            folder / ".venv" / "bin" / "python",
            "-c",
            "import include; print(ascii(include.__file__))",
        ),
        env={"LC_ALL": locale},
        cwd="/",
        capture_output=True,
        text=True,
    )

    assert installed.returncode == 0, installed.stderr
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().strip("\"'").endswith("/include/__init__.py")
    assert str(CHECKOUT) not in found.stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a$HOME", r"Airflow replaces \$NAME in paths"),
        ("line\nbreak", "it holds control characters"),
        ("\x1b[2J", "it holds control characters"),
    ],
)
def test_a_state_folder_that_airflow_would_misread_is_refused_and_found_by_doctor(
    tmp_path, name, said
):
    settings = Settings(_env_file=None, WANDLE_HOME=tmp_path / name, WANDLE_PORT_BASE=23350)

    with pytest.raises(PathRefused, match=f"{said}.*set WANDLE_HOME"):
        platform.up(settings)

    assert not settings.home.exists()
    assert any("set WANDLE_HOME" in finding.fix for finding in doctor(settings))
