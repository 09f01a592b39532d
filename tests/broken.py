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
        self.write(path, OF_CONTRACTS[way].broken(path.read_text(encoding="utf-8")))


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


def _in_columns(text: str, pattern: str, new: str) -> str:
    """The text with one more of something below `columns`, or something else there."""
    before, columns, after = text.partition("\ncolumns:\n")
    return before + columns + _without(after, pattern, new)


def _with_columns(text: str, *columns: str) -> str:
    """The text with these columns as the first ones; drafts do not indent the list."""
    return _in_columns(text, "^( *)- ", "".join(rf"\1- {one}" + "\n" for one in columns) + r"\1- ")


_TWICE = "{name: twice, type: text, description: Twice.}"
_BEFORE = "{name: now, renamed_from: twice, type: text, description: Twice.}"


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

# Values that each have the right shape, and would only fail when something runs.
OF_CONTRACTS = WAYS | {
    "a schedule that never comes": Way(
        lambda text: _without(text, "^schedule: .*$", 'schedule: "0 25 * * *"'), "schedule"
    ),
    "a period that no calendar has": Way(
        lambda text: _without(text, "^period: .*$", "period: fortnight"), "period"
    ),
    "a first day that no calendar has": Way(
        lambda text: _without(text, "^start: .*$", "start: 2017-02-30")
    ),
    "a type that PostgreSQL does not have": Way(
        lambda text: _in_columns(text, "^( +)type: .*$", r"\1type: varchar"), "columns.0.type"
    ),
    "a column of the system": Way(
        lambda text: _in_columns(text, r"^( *)- name: \w+$", r"\1- name: xmin"), "columns.0.name"
    ),
    "a column that comes twice": Way(
        lambda text: _with_columns(text, _TWICE, _TWICE), "columns.1.name"
    ),
    "a pattern of another language": Way(
        lambda text: _in_columns(
            text, "^( +)type: text$", r"\1type: text" "\n" r'\1pattern: "(?=a)b"'
        )
    ),
    "an earlier name that another column has": Way(
        lambda text: _with_columns(text, _BEFORE, _TWICE), "columns.0.renamed_from"
    ),
    "a parent that nobody has": Way(
        lambda text: (
            _without(text, "^extract:$", "extract:\n  parents: {p: {source: nobody}}")
            if "\n  parents:" not in text
            else _without(text, r"source: \w+", "source: nobody")
        ),
    ),
}
