"""The dbt project: where it lies, its layers, and which version of it this is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from include.errors import UnknownName

FOLDER = Path(__file__).resolve().parents[2] / "dbt_project"

Layer = Literal["staging", "marts"]

# The folders of `models/` that one `dbt build` makes. Tests run with the last layer they need.
FOLDERS: dict[Layer, tuple[str, ...]] = {
    "staging": ("staging", "intermediate"),
    "marts": ("marts",),
}

# What a build reads; not its own output, which may lie below the project when run by hand.
_READ = ("dbt_project.yml", "profiles.yml", "models/**/*", "macros/**/*", "tests/**/*")


def layer_named(name: str) -> Layer:
    """A layer by name. Raises `UnknownName`."""
    for layer in FOLDERS:
        if name == layer:
            return layer
    raise UnknownName(f"{name!r} is no layer. Choose one of {', '.join(FOLDERS)}.")


def project_hash(folder: Path = FOLDER) -> str:
    """Over the names and contents of all files of the project that decide what is built."""
    digest = hashlib.sha256()
    found = {path for pattern in _READ for path in folder.glob(pattern) if path.is_file()}
    for path in sorted(found):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(folder)}\0{content}\n".encode())
    return digest.hexdigest()
