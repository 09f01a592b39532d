"""What a day of readings takes as JSON, CSV, Parquet and Delta: bytes, and CPU time to read it.

Run it by `make bench CASES=formats`. Every file holds the same four fields of
the same records, and each is read into the same Arrow table, in any order; a
difference raises `SystemExit`. CPU time is that of all threads of this process, with the
files in the system's cache.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from isal import igzip

from tests.benchmarks import readings
from tests.benchmarks.measuring import Row

SCHEMA = pa.schema(
    [
        ("@id", pa.string()),
        ("dateTime", pa.timestamp("us", tz="UTC")),
        ("measure", pa.string()),
        ("value", pa.float64()),
    ]
)
ONE_GAUGE = f"{readings.HOST}/id/measures/00000TH-level-downstage-i-15_min-mASD"


@dataclass(frozen=True)
class Format:
    """How a table is written into a folder, and read: all of it, or one gauge's values."""

    name: str
    write: Callable[[Path, pa.Table, list[bytes]], object]
    read: Callable[[Path], pa.Table]
    read_gauge: Callable[[Path], pa.Table]


def _pages_of(folder: Path) -> pa.Table:
    tables = []
    for path in sorted(folder.iterdir()):
        body = path.read_bytes()
        items = msgspec.json.decode(igzip.decompress(body) if path.suffix == ".gz" else body)
        tables.append(_table(items["items"]))
    return pa.concat_tables(tables)


def _table(items: list[dict[str, Any]]) -> pa.Table:
    columns = {name: [item[name] for item in items] for name in SCHEMA.names}
    times = pc.strptime(pa.array(columns["dateTime"]), format="%Y-%m-%dT%H:%M:%SZ", unit="us")
    columns["dateTime"] = times.cast(SCHEMA.field("dateTime").type)
    return pa.table(columns, schema=SCHEMA)


def _write_pages(packed: bool) -> Callable[[Path, pa.Table, list[bytes]], None]:
    def write(folder: Path, _: pa.Table, pages: list[bytes]) -> None:
        for number, page in enumerate(pages):
            name = f"{number:04}.json{'.gz' if packed else ''}"
            (folder / name).write_bytes(igzip.compress(page) if packed else page)

    return write


def _write_csv(packed: bool) -> Callable[[Path, pa.Table, list[bytes]], None]:
    def write(folder: Path, table: pa.Table, _: list[bytes]) -> None:
        plain = folder / "rows.csv"
        pyarrow.csv.write_csv(table, plain)
        if packed:
            plain.with_suffix(".csv.gz").write_bytes(igzip.compress(plain.read_bytes()))
            plain.unlink()

    return write


def _read_csv(folder: Path) -> pa.Table:
    (path,) = folder.iterdir()
    body = path.read_bytes()
    text = pa.BufferReader(igzip.decompress(body) if path.suffix == ".gz" else body)
    options = pyarrow.csv.ConvertOptions(column_types=SCHEMA)
    return pyarrow.csv.read_csv(text, convert_options=options)


def _gauge_of(read: Callable[[Path], pa.Table]) -> Callable[[Path], pa.Table]:
    """Formats of rows: one gauge's values are found by reading everything."""

    def gauge(folder: Path) -> pa.Table:
        table = read(folder)
        return table.filter(pc.equal(table["measure"], ONE_GAUGE)).select(["value"])

    return gauge


def _delta(folder: Path) -> Any:
    from deltalake import DeltaTable

    return DeltaTable(str(folder)).to_pyarrow_dataset()


def _write_delta(folder: Path, table: pa.Table, _: list[bytes]) -> None:
    from deltalake import write_deltalake

    write_deltalake(str(folder), table)


FORMATS = (
    Format("JSON, as received", _write_pages(False), _pages_of, _gauge_of(_pages_of)),
    Format("JSON, gzip: a landing", _write_pages(True), _pages_of, _gauge_of(_pages_of)),
    Format("CSV", _write_csv(False), _read_csv, _gauge_of(_read_csv)),
    Format("CSV, gzip", _write_csv(True), _read_csv, _gauge_of(_read_csv)),
    Format(
        "Parquet, zstd",
        lambda folder, table, _: pq.write_table(table, folder / "rows.parquet", compression="zstd"),
        lambda folder: pq.read_table(folder / "rows.parquet"),
        lambda folder: pq.read_table(
            folder / "rows.parquet", columns=["value"], filters=[("measure", "==", ONE_GAUGE)]
        ),
    ),
    Format(
        "Delta, Snappy (its default)",
        _write_delta,
        lambda folder: _delta(folder).to_table(),
        lambda folder: _delta(folder).to_table(
            columns=["value"], filter=pc.field("measure") == ONE_GAUGE
        ),
    ),
)


def main(records: int, runs: int, formats: tuple[Format, ...] = FORMATS) -> list[Row]:
    """Measure, print a table, and return it as rows of `bench.json`."""
    pages = [body for body, _ in readings.pages(records, readings.PAGE_RECORDS)]
    table = pa.concat_tables([_table(msgspec.json.decode(page)["items"]) for page in pages])
    gauge = table.filter(pc.equal(table["measure"], ONE_GAUGE)).select(["value"])
    rows = []
    for each in formats:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            each.write(folder, table, pages)
            row = {
                "case": "formats",
                "contender": each.name,
                "records": records,
                "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
                "cpu_seconds": _seconds(each, each.read, folder, table, runs),
                "cpu_seconds_one_gauge": _seconds(each, each.read_gauge, folder, gauge, runs),
            }
        rows.append(row | {"markdown": _line(row)})
        sys.stdout.write(f"{rows[-1]['markdown']}\n")
        sys.stdout.flush()
    return rows


def _seconds(
    of: Format, read: Callable[[Path], pa.Table], folder: Path, expected: pa.Table, runs: int
) -> float:
    """The median CPU time; raises `SystemExit` if what was read is not what was written."""
    taken = []
    for _ in range(runs):
        start = time.process_time()
        found = read(folder)
        taken.append(time.process_time() - start)
        if not expected.num_rows or not _same(found, expected):
            raise SystemExit(
                f"{of.name}: {found.num_rows} rows that are not the {expected.num_rows} written"
            )
    return round(statistics.median(taken), 3)


def _same(found: pa.Table, expected: pa.Table) -> bool:
    return _sorted(found.select(expected.column_names).cast(expected.schema)) == _sorted(expected)


def _sorted(table: pa.Table) -> pa.Table:
    """By the first column, which is unique or the only one; in one chunk."""
    return table.sort_by(table.column_names[0]).combine_chunks()


def _line(row: Row) -> str:
    cells = (
        row["contender"],
        f"{row['bytes'] / 1_000_000:.1f}",
        f"{row['cpu_seconds']:.2f}",
        f"{row['cpu_seconds_one_gauge']:.2f}",
    )
    return f"| {' | '.join(cells)} |"
