"""A copy of the contracts and councils whose files a test may break, and the ways to break one."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.councils import model as councils
from include.sources import model as sources


@dataclass(frozen=True)
class Definitions:
    """The folders of a copy, which everything reads instead of the checkout's."""

    sources: Path
    councils: Path

    def path(self, name: str) -> Path:
        """The file of a contract or council."""
        folder = self.sources if (self.sources / f"{name}.yaml").exists() else self.councils
        return folder / f"{name}.yaml"

    def write(self, path: Path, text: str | bytes) -> None:
        """Write a file; the next one to ask for a definition reads it."""
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        read_again()

    def break_(self, name: str, way: str = "an unknown field") -> None:
        """Break the file of a contract or council."""
        path = self.path(name)
        self.write(path, WAYS[way].broken(path.read_text(encoding="utf-8")))


def read_again() -> None:
    """Forget what was read."""
    sources.read_again()
    councils.read_again()


@contextmanager
def copied(folder: Path) -> Iterator[Definitions]:
    """Let this process read its definitions from a copy."""
    found = Definitions(folder / "sources", folder / "councils")
    shutil.copytree(sources.FOLDER, found.sources, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(councils.FOLDER, found.councils, ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "FOLDER", found.sources)
        patch.setattr(councils, "FOLDER", found.councils)
        read_again()
        try:
            yield found
        finally:
            patch.undo()
            read_again()


@dataclass(frozen=True)
class Way:
    """How a file is broken, and the field that its error names, if it names one."""

    broken: Callable[[str], str | bytes]
    field: str = ""


def _without(text: str, pattern: str, new: str = "") -> str:
    found, times = re.subn(pattern, new, text, count=1, flags=re.MULTILINE)
    assert times, f"nothing like {pattern} in the file"
    return found


# A council's title is what a contract's is, too.
WAYS = {
    "an unknown field": Way(lambda text: f"{text}\npublsher: someone\n", "publsher"),
    "a field that is missing": Way(lambda text: _without(text, "^title: .*\n"), "title"),
    "a field without a value": Way(lambda text: _without(text, "^title: .*$", "title:"), "title"),
    "another name than the file": Way(lambda text: _without(text, "^name: .*$", "name: x"), "name"),
    "a list for a text": Way(lambda text: _without(text, "^title: .*$", "title: [a]"), "title"),
    "a field that comes twice": Way(lambda text: f"{text}\ntitle: Again\n"),
    "brackets that do not close": Way(lambda text: f"{text}\nmore: [a, b\n"),
    "a tab": Way(lambda text: f"{text}\n\tmore: a\n"),
    "another encoding": Way(lambda text: text.encode() + b"\n# caf\xe9\n"),
    "an empty file": Way(lambda text: ""),
    "a conflict of a merge": Way(lambda text: f"<<<<<<< HEAD\n{text}=======\n>>>>>>> x\n"),
}
