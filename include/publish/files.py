"""A mart as files: CSV (RFC 4180), Parquet, JSON, and GeoJSON if it has geometry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as parquet

from include.publish.about import MEDIA_TYPES
from include.publish.read import Mart
from include.publish.types import kind_of

_BATCH_ROWS = 10_000


@dataclass(frozen=True)
class File:
    """A file of a version; `media_type` is its `Content-Type`."""

    sha256: str
    bytes: int
    media_type: str


def write(mart: Mart, folder: Path, geometry: str = "") -> dict[str, File]:
    """Write `<mart>.<format>` for each format into `folder`; returns the files, by format.

    `geometry` is the column with GeoJSON geometries, if there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {kind: folder / f"{mart.name}.{kind}" for kind in MEDIA_TYPES}
    # Windows line ends and quotes only where needed; null is empty, an empty text is "".
    pl.DataFrame(pl.from_arrow(mart.text)).write_csv(
        paths["csv"], line_terminator="\r\n", quote_style="necessary"
    )
    parquet.write_table(mart.rows, paths["parquet"], compression="zstd")
    with paths["json"].open("wb") as file:
        _write_json(mart, file)
    if geometry:
        with paths["geojson"].open("wb") as file:
            _write_geojson(mart, geometry, file)
    return {kind: file_of(path, kind) for kind, path in paths.items() if path.exists()}


def file_of(path: Path, kind: str) -> File:
    """Describe a file that was written."""
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return File(digest, path.stat().st_size, MEDIA_TYPES[kind])


def _write_json(mart: Mart, file: BinaryIO) -> None:
    file.write(b"[")
    for number, row in enumerate(_objects(mart)):
        file.write(b",\n" if number else b"\n")
        file.write(_dumped(row))
    file.write(b"\n]\n")


def _write_geojson(mart: Mart, geometry: str, file: BinaryIO) -> None:
    file.write(b'{"type":"FeatureCollection","features":[')
    for number, row in enumerate(_objects(mart)):
        shape = row.pop(geometry)
        identifier = {"id": "/".join(str(row[column]) for column in mart.key)} if mart.key else {}
        feature = {"type": "Feature", **identifier, "geometry": shape, "properties": row}
        file.write(b",\n" if number else b"\n")
        file.write(_dumped(feature))
    file.write(b"\n]}\n")


def _objects(mart: Mart) -> Iterator[dict[str, Any]]:
    json_columns = [
        column
        for column, type_ in mart.columns.items()
        if kind_of(mart.name, column, type_).is_json
    ]
    for batch in mart.rows.to_batches(max_chunksize=_BATCH_ROWS):
        for row in batch.to_pylist():
            for column in json_columns:
                if row[column] is not None:
                    row[column] = orjson.Fragment(row[column])
            yield row


def _dumped(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, default=_number, option=orjson.OPT_UTC_Z)


def _number(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value).__name__)


def read_parquet(body: bytes) -> pa.Table:
    """The rows of a Parquet file that `write` has written."""
    return parquet.read_table(pa.BufferReader(body))
