"""The dbt project: its path, layers and version hash."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from include.errors import UnknownName

FOLDER = Path(__file__).resolve().parents[2] / "dbt_project"

Layer = Literal["staging", "marts"]

# The folders of `models/` that each `dbt build` covers. Tests run with the last layer they need.
FOLDERS: dict[Layer, tuple[str, ...]] = {
    "staging": ("staging", "intermediate"),
    "marts": ("marts",),
}

# The inputs of a build, without its output, which is in the project when dbt is run by hand.
_READ = ("dbt_project.yml", "profiles.yml", "models/**/*", "macros/**/*", "tests/**/*")


def layer_named(name: str) -> Layer:
    """A layer by name. Raises `UnknownName`."""
    for layer in FOLDERS:
        if name == layer:
            return layer
    raise UnknownName(f"unknown layer {name!r}. Choose one of {', '.join(FOLDERS)}.")


def project_hash(folder: Path = FOLDER) -> str:
    """Hash of the names and contents of all project files that affect a build."""
    digest = hashlib.sha256()
    found = {path for pattern in _READ for path in folder.glob(pattern) if path.is_file()}
    for path in sorted(found):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder)}\0{content}\n".encode())
    return digest.hexdigest()
