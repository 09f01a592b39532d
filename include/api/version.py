"""A published version in memory, with the answers that are the same until the next one."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from include.api.answers import Answer, Memory
from include.api.data.columns import Column, column_of
from include.api.data.dataset import Dataset
from include.api.data.values import type_of
from include.api.fixed import fixed_answers
from include.errors import PermanentError
from include.publish.types import kind_of
from include.publish.versions import Entry, Published

# Its memory can be given back to the system; that of Arrow's default cannot.
pa.set_memory_pool(pa.system_memory_pool())
# Of the answers that are remembered.
_MEMORY_BYTES = 16 << 20
# Beside the files of a version: what it is.
_KEPT = "kept.json"
# Other processes may just have fetched a younger file.
_SWEPT_AFTER = 60.0


@dataclass(frozen=True)
class File:
    """A published file: where it is on this machine, and what it is."""

    place: Path
    media_type: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Version:
    """A version: its datasets, and their files by dataset and format.

    `history` has the versions there are, newest first, `fixed` the answers
    that are the same for everybody, by path.
    """

    version: str
    published_at: str
    datasets: Mapping[str, Dataset]
    files: Mapping[str, Mapping[str, File]]
    history: tuple[Entry, ...]
    fixed: Mapping[str, Answer] = field(repr=False)
    answers: Memory = field(default_factory=lambda: Memory(_MEMORY_BYTES), repr=False)

    def lacks_files(self) -> bool:
        """Whether somebody deleted files of it, as some systems do with old temporary ones."""
        found = (file for files in self.files.values() for file in files.values())
        return any(not file.place.exists() for file in found)


def load(
    store: Published, version: str, history: tuple[Entry, ...], folder: Path, last: Version | None
) -> Version:
    """Read a version from S3. What did not change is taken from the last one.

    Raises `NotPublished` if it was deleted meanwhile, `ServiceUnavailable` if
    S3 does not respond, and `PermanentError` for a file that is not as it was
    published.
    """
    described = store.version(version)
    made = _made(store, version, described, history, folder, last)
    entries = [asdict(entry) for entry in history]
    begun = folder / f"{uuid.uuid4().hex}.part"
    begun.write_text(json.dumps({"version": version, "described": described, "history": entries}))
    begun.replace(folder / _KEPT)
    return made


def load_kept(store: Published, folder: Path) -> Version | None:
    """The version that a process loaded last into this folder, without S3; None if there is none.

    Raises as `load` does if files of it are missing.
    """
    place = folder / _KEPT
    if not place.exists():
        return None
    kept = json.loads(place.read_bytes())
    history = tuple(Entry(**entry) for entry in kept["history"])
    return _made(store, kept["version"], kept["described"], history, folder, None)


def forget(folder: Path) -> None:
    """Let no process load a version from this folder any more."""
    (folder / _KEPT).unlink(missing_ok=True)


def _made(
    store: Published,
    version: str,
    described: Mapping[str, Any],
    history: tuple[Entry, ...],
    folder: Path,
    last: Version | None,
) -> Version:
    datasets, files = {}, {}
    for name, about in described["datasets"].items():
        files[name] = {
            kind: _file(store, version, path, described["files"][path], folder)
            for kind, path in about["files"].items()
        }
        known = last.datasets.get(name) if last else None
        datasets[name] = _dataset(name, about, files[name]["parquet"], known)
    _give_back()
    fixed = fixed_answers(version, described["published_at"], datasets, history)
    return Version(version, described["published_at"], datasets, files, history, fixed)


def _give_back() -> None:
    """Return to the system the memory that reading needed and nothing holds any more."""
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError):  # Only glibc has it.
        ctypes.CDLL(None).malloc_trim(0)


def with_history(version: Version, history: tuple[Entry, ...]) -> Version:
    """The same version, when other versions came or went."""
    fixed = fixed_answers(version.version, version.published_at, version.datasets, history)
    return replace(version, history=history, fixed=fixed, answers=Memory(_MEMORY_BYTES))


def _file(
    store: Published, version: str, path: str, described: Mapping[str, Any], folder: Path
) -> File:
    sha256 = described["sha256"]
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{sha256}{Path(path).suffix}"
    if not place.exists():
        begun = folder / f"{uuid.uuid4().hex}.part"
        try:
            store.save(version, path, begun)
            with begun.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
            if found != sha256:
                raise PermanentError(
                    f"serve: {path} of version {version} is not the file that was published: its "
                    "SHA-256 does not match. Restore the object, or withdraw the version: `wandle "
                    "publish --withdraw`."
                )
            begun.replace(place)
        finally:
            begun.unlink(missing_ok=True)
    return File(place, described["media_type"], sha256, described["bytes"])


def _dataset(name: str, about: Mapping[str, Any], file: File, known: Dataset | None) -> Dataset:
    content = hashlib.sha256(f"{code_hash()}\0{file.sha256}\0{about['columns']}".encode())
    identity = content.hexdigest()
    if known and known.content == identity:
        return Dataset(name, identity, known.rows, known.columns, about, known._orders)
    columns: dict[str, Column] = {}
    opened = parquet.ParquetFile(file.place)
    types = {one.name: one.type for one in opened.schema_arrow}
    for column in about["columns"]:
        column_name = column["name"]
        is_json = kind_of(name, column_name, column["type"]).is_json
        columns[column_name] = column_of(
            column_name,
            type_of(types[column_name], is_json=is_json),
            column["description"],
            opened.read([column_name], use_threads=False).column(0),
        )
    return Dataset(name, identity, opened.metadata.num_rows, columns, about)


@cache
def code_hash() -> str:
    """A hash of the code that makes answers: they change with it."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def sweep(folder: Path, version: Version) -> None:
    """Delete the files that the version does not have."""
    kept = {file.place.name for files in version.files.values() for file in files.values()}
    oldest = time.time() - _SWEPT_AFTER
    for entry in os.scandir(folder):
        # Another process may have deleted it.
        with suppress(FileNotFoundError):
            if entry.name not in (*kept, _KEPT) and entry.stat().st_mtime < oldest:
                Path(entry.path).unlink()
