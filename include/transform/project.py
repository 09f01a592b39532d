"""The dbt project: its path, layers and version hash, and a copy of it without broken files."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from include.errors import UnknownName
from include.sources.model import Contract
from include.transform.changes.fingerprint import VERSION, daily

FOLDER = Path(__file__).resolve().parents[2] / "dbt_project"

NAME = "wandle"

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


def inputs_hash(folder: Path, contracts: Mapping[str, Contract]) -> str:
    """Hash of all that decides what a build of the same loads makes of them.

    It changes every day if a model or a test depends on the time.
    """
    files = [path for pattern in _READ for path in folder.glob(pattern) if path.is_file()]
    hashes = [contract.contract_hash for _, contract in sorted(contracts.items())]
    said = [project_hash(folder), str(VERSION), daily(folder, files), *hashes]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()


# What dbt can do without: everything else of the project concerns every model.
_DISPENSABLE = ("models/**/*.sql", "models/**/*.yml", "models/**/*.yaml", "tests/*.sql")
_REF = re.compile(r"\bref\(\s*(?:['\"]\w+['\"]\s*,\s*)?['\"](\w+)['\"]")
_SOURCE = re.compile(r"\bsource\(\s*['\"](\w+)['\"]\s*,\s*['\"](\w+)['\"]")
_UNIQUE_ID = re.compile(rf"\b(?:model|test)\.{NAME}\.(\w+)")


class Files:
    """The models, tests and descriptions of a project, by path, and what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._texts: dict[str, str] = {}
        self._unreadable: set[str] = set()
        for pattern in _DISPENSABLE:
            for path in sorted(folder.glob(pattern)):
                name = path.relative_to(folder).as_posix()
                try:
                    self._texts[name] = path.read_text(encoding="utf-8")
                except ValueError:
                    self._texts[name] = path.read_text(encoding="utf-8", errors="replace")
                    self._unreadable.add(name)

    def named_in(self, message: str) -> set[str]:
        """The files that an error of dbt is about, by their paths or models; else unreadable ones.

        Messages about descriptions leave out the first folder.
        """
        found = {
            name
            for name in self._texts
            if re.search(rf"(?<![\w/.-])(?:{name.split('/')[0]}/)?{_rest(name)}(?!\w)", message)
        }
        ids = set(_UNIQUE_ID.findall(message))
        return (
            found
            or {name for name in self._texts if name.endswith(".sql") and _stem(name) in ids}
            or self._unreadable
        )

    def unusable(self, broken: Mapping[str, str]) -> dict[str, str]:
        """Every file that dbt must do without, and why, given the error of each broken file.

        Also what is described by a broken file, and, without an error of its
        own, what selects from it.
        """
        found = dict(broken)
        grown = True
        while grown:
            before = len(found)
            for name in self._texts:
                if name not in found and (why := self._lacks(name, found)) is not None:
                    found[name] = why
            grown = len(found) > before
        return found

    def _lacks(self, name: str, unusable: Mapping[str, str]) -> str | None:
        """Why a file cannot be used without these: an error, empty if it only selects from one."""
        text = self._texts[name]
        if not name.endswith(".sql"):
            beside = str(Path(name).with_suffix(".sql"))
            return "" if beside in unusable else None
        for other, error in unusable.items():
            if other.endswith(".sql"):
                if _stem(other) in _REF.findall(text):
                    return ""
            elif error and self._describes(other, name, text):
                return f"its description {other}: {error}"
        return None

    def _describes(self, description: str, name: str, text: str) -> bool:
        said = self._texts[description]
        return (
            Path(description).with_suffix("") == Path(name).with_suffix("")
            or re.search(rf"\bname: *['\"]?{_stem(name)}\b", said) is not None
            or ("sources:" in said and bool(_SOURCE.search(text)))
        )

    def nodes(self, unusable: Mapping[str, str]) -> list[dict[str, Any]]:
        """These files as nodes of the project, in the form of `child.Session.nodes`."""
        described = {
            str(Path(name).with_suffix(".yml")) for name in unusable if name.endswith(".sql")
        }
        return [
            self._node(name, error)
            for name, error in unusable.items()
            if name.endswith(".sql") or (error and name not in described)
        ]

    def _node(self, name: str, error: str) -> dict[str, Any]:
        kind = "file"
        if name.endswith(".sql"):
            kind = "test" if name.startswith("tests/") else "model"
        text = self._texts[name] if kind != "file" else ""
        parents = [f"model.{NAME}.{model}" for model in _REF.findall(text)]
        parents += [f"source.{NAME}.{source}.{table}" for source, table in _SOURCE.findall(text)]
        return {
            "unique_id": f"{kind}.{NAME}.{_stem(name)}",
            "resource_type": kind,
            "path": name,
            "selector": f"fqn:{NAME}.{_stem(name)}",
            "depends_on": list(dict.fromkeys(parents)),
            "error": error,
        }


def copy_without(folder: Path, target: Path, left_out: Iterable[str]) -> None:
    """A fresh copy of the project at `target`, without these files."""
    shutil.rmtree(target, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", "logs", "dbt_packages")
    shutil.copytree(folder, target, ignore=ignored)
    for name in left_out:
        (target / name).unlink(missing_ok=True)


def _stem(name: str) -> str:
    return Path(name).stem


def _rest(name: str) -> str:
    return re.escape(name.partition("/")[2])
