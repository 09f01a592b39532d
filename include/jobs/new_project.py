"""A new pipeline repository, from the one in `template/`."""

from __future__ import annotations

import importlib.util
import keyword
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from include.definitions import NAME_PATTERN
from include.errors import PermanentError, UnknownName

TEMPLATE = Path(__file__).parents[2] / "template"
# Names of buckets are made of it: at most 63 characters with environment and account.
LONGEST_NAME = 30
# What running the template leaves behind.
_LEFT_BEHIND = shutil.ignore_patterns(
    "__pycache__", ".*_cache", ".venv", ".local", ".terraform*", "target", "logs", "*.egg-info"
)


def new_project(name: str, into: Path) -> Path:
    """Write the project `name` to a folder of its name in `into`; that folder.

    Raises `UnknownName` for a name that no Python package can have, and `PermanentError` if the
    folder is in use or the template is not there.
    """
    _require_usable(name)
    target = into / name
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise PermanentError(
            f"new-project: {target} exists and is not an empty folder. Choose another name, or "
            "another folder with --into."
        )
    if not TEMPLATE.is_dir():
        raise PermanentError(
            f"new-project: {TEMPLATE} is missing. Run the command from a checkout of Wandle."
        )
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=into) as temporary:
        made = Path(temporary, "project")
        shutil.copytree(TEMPLATE, made, ignore=_LEFT_BEHIND)
        _rename(made, name)
        _format(made)
        # Onto an empty folder, too; of an interrupted run, nothing is left.
        made.rename(target)
    return target


def _require_usable(name: str) -> None:
    if not NAME_PATTERN.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UnknownName(
            f"new-project: {name!r} is not a valid name. Use up to {LONGEST_NAME} of a-z, 0-9 and "
            "underscores, with a letter first."
        )
    if keyword.iskeyword(name) or name in {"dags", "tests"} or importlib.util.find_spec(name):
        raise UnknownName(
            f"new-project: {name!r} means something else in Python or in the project. Choose "
            "another name."
        )


def _rename(project: Path, name: str) -> None:
    """Put the name in the place of the template's, in every file and path."""
    words = {
        "new_project": name,
        "new-project": name.replace("_", "-"),
        "NEW_PROJECT": name.upper(),
        "New project": name.replace("_", " ").capitalize(),
    }
    for path in sorted(project.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for word, own in words.items():
                text = text.replace(word, own)
            path.write_text(text, encoding="utf-8")
    (project / "src" / "new_project").rename(project / "src" / name)


def _format(project: Path) -> None:
    """Lay out the lines that another name has made longer or shorter.

    Raises `PermanentError` if the formatter is missing or fails.
    """
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        raise PermanentError(f"new-project: {ruff} is missing. Run `make install`.")
    done = subprocess.run(
        [str(ruff), "format", "--quiet", "--no-cache", "."],
        cwd=project,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise PermanentError(f"new-project: ruff format failed: {done.stderr.strip()}")
