"""A dataset of a version: its files and description, made of a mart or of an earlier version."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

import include.publish
from include.errors import PermanentError
from include.publish.about import Column, Dataset, Source
from include.publish.files import File, read_parquet, write
from include.publish.period import period_of
from include.publish.public import PublicMart
from include.publish.read import Mart
from include.publish.versions import Published
from include.sources.model import Contract

_FOLDER = Path(include.publish.__file__).parent


@dataclass(frozen=True)
class Prepared:
    """A dataset that is ready to be written; `files`, by format, are in `folder`."""

    dataset: Dataset
    files: Mapping[str, File]
    rows: pa.Table
    folder: Path

    def before(self, store: Published, version: str) -> pa.Table:
        """The rows of the dataset in an earlier version."""
        name = self.dataset.name
        return read_parquet(store.read(version, f"data/{name}/{name}.parquet"))


def from_mart(
    public: PublicMart,
    mart: Mart,
    contracts: Mapping[str, Contract],
    folder: Path,
    latest: Mapping[str, Any],
) -> Prepared:
    """The dataset of a mart; it is as old as in the latest version, if it is the same there."""
    files = write(mart, folder, public.geometry)
    sources = tuple(
        Source(name, one.title, one.publisher, one.licence, _attribution(one))
        for name in public.sources
        for one in [contracts[name]]
    )
    paths = {kind: f"../data/{mart.name}/{mart.name}.{kind}" for kind in files}
    dataset = Dataset(
        name=mart.name,
        title=public.title,
        description=public.description,
        columns=tuple(
            Column(name, type_, public.columns[name]) for name, type_ in mart.columns.items()
        ),
        key=mart.key,
        licence="; ".join(dict.fromkeys(source.licence for source in sources)),
        attribution=" ".join(dict.fromkeys(source.attribution for source in sources)),
        sources=sources,
        rows=mart.rows.num_rows,
        updated=datetime.now(UTC).replace(microsecond=0),
        csv=paths["csv"],
        parquet=paths["parquet"],
        json=paths["json"],
        geojson=paths.get("geojson", ""),
        period=period_of(mart.rows, mart.key),
    )
    prepared = Prepared(dataset, files, mart.rows, folder)
    before = latest.get("datasets", {}).get(mart.name)
    if before and before["fingerprint"] == fingerprint(prepared):
        same = Dataset(**{**vars(dataset), "updated": datetime.fromisoformat(before["updated"])})
        return Prepared(same, files, mart.rows, folder)
    return prepared


def carried(name: str, latest: Mapping[str, Any], store: Published, folder: Path) -> Prepared:
    """A dataset as it is in the latest version, with the very same files."""
    described = {**latest["datasets"][name]}
    described.pop("fingerprint")
    paths: dict[str, str] = described.pop("files")
    files = {}
    for kind, path in paths.items():
        body = store.read(latest["version"], path)
        (folder / Path(path).name).write_bytes(body)
        files[kind] = File(**latest["files"][path])
    dataset = Dataset(
        **{
            **described,
            "columns": tuple(Column(**column) for column in described["columns"]),
            "key": tuple(described["key"]),
            "sources": tuple(Source(**source) for source in described["sources"]),
            "updated": datetime.fromisoformat(described["updated"]),
        }
    )
    rows = read_parquet((folder / f"{name}.parquet").read_bytes())
    return Prepared(dataset, files, rows, folder)


def checked(place: Path, name: str, sha256: str) -> None:
    """Raise `PermanentError` unless the file is as it was published."""
    with place.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise PermanentError(
            f"publish: the file {name} in the bucket is not the one that was published: its "
            "SHA-256 does not match. Restore the object's older version, or withdraw the version "
            "with `wandle publish --withdraw`."
        )


def dataset_files(prepared: Prepared) -> Iterator[tuple[str, File]]:
    """The path of each data file below the version, and what it is."""
    name = prepared.dataset.name
    for kind, file in prepared.files.items():
        yield f"data/{name}/{name}.{kind}", file


def fingerprint(prepared: Prepared) -> str:
    """A hash of the rows and of all that is said about them, except when they changed."""
    said = {**asdict(prepared.dataset), "updated": "", "content": prepared.files["csv"].sha256}
    # It follows from the rows.
    del said["period"]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@cache
def layout_hash() -> str:
    """A hash of the code that makes the files and pages: after a change, they are made again."""
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(_FOLDER)}\0{content}\n".encode())
    return digest.hexdigest()


def _attribution(contract: Contract) -> str:
    """The sentence that users of the data must repeat."""
    return contract.attribution or f"Contains data from {contract.publisher}, {contract.licence}."
