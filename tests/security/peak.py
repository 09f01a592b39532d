"""What a body takes of memory when it is read and prepared for the warehouse, in its own process.

`python -m tests.security.peak KIND RECORDS FILE` prints the peak in MB, and how it ended.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.errors import PipelineError

MIB = 1024 * 1024
SIZE = 15 * MIB // 2
# Nearly as many as the limit allows.
MOST_VALUES = 500_000


def _object(note: bytes, more: bytes = b"") -> bytes:
    return b'{"id":2,"note":%b%b}' % (note, more)


def _keys(size: int) -> bytes:
    return b"".join(b',"%x":1' % number for number in range(size // 11))


def _repeated(item: bytes, size: int) -> bytes:
    return b"[" + item * (size // len(item)) + b"0]"


# A record that is nearly as large as the limit, by what it consists of.
VALUES: dict[str, Callable[[int], bytes]] = {
    "text": lambda size: b'"%b"' % (b"n" * size),
    "escaped text": lambda size: b'"%b"' % (rb"\u00e9" * (size // 6)),
    "wide text": lambda size: b'"%b"' % ("\U0001f600".encode() * (size // 4)),
    "lists": lambda size: _repeated(b"[],", size),
    "objects": lambda size: _repeated(b"{},", size),
    "numbers": lambda size: _repeated(b"1,", size),
    "doubles": lambda size: _repeated(b"1.5,", size),
    "long numbers": lambda size: _repeated(b"0.12345678901234567891,", size),
    "short texts": lambda size: _repeated(b'"\\u0100a",', size),
    "one number": lambda size: b"9" * size,
    "one small number": lambda size: b"0." + b"0" * size + b"1",
    "a huge exponent": lambda size: b"1e" + b"9" * 17,
    "keys": lambda size: b'{"z":1%b}' % _keys(size),
    "points": lambda size: _repeated(b"[-0.123456,51.123456],", size),
}


def layout_of(kind: str) -> dict[str, Any]:
    """The `format` of a contract for the records below."""
    return {"kind": kind, **({"records": "list.item"} if kind == "xml" else {})}


def body(kind: str, shape: str, size: int = SIZE) -> tuple[bytes, int]:
    """A body, and the number of its records."""
    if kind == "csv":
        return _csv(shape, size)
    if shape == "fields":
        more = b"".join(b',"%x":1' % number for number in range(MOST_VALUES))
        return b'[{"id":1,"note":"n"%b}]' % more, 1
    value = VALUES[shape.removeprefix("unknown ")](size)
    record = _object(b'"n"', b',"x":' + value) if shape.startswith("unknown") else _object(value)
    first = b'{"id":1,"note":"n"}'
    if kind == "jsonl":
        return first + b"\n" + record + b"\n", 2
    if kind == "columnar":
        return b'{"id":[1,2],"note":["n",%b]}' % value, 2
    if kind == "rows":
        return b'[["id","note"],[1,"n"],[2,%b]]' % value, 2
    if kind in _FILES:
        return _FILES[kind](size), 2
    if kind == "geojson":
        feature = b'{"type":"Feature","properties":null,'
        found = first.replace(b"{", feature), record.replace(b"{", feature, 1)
        return b'{"features":[%b,%b]}' % found, 2
    return b"[%b,%b]" % (first, record), 2


def _xml(size: int) -> bytes:
    elements = b"<a/>" * (size // 4)
    return b"<list><item><id>1</id></item><item><id>2</id>%b</item></list>" % elements


def _spreadsheet(size: int) -> bytes:
    from tests.spreadsheet_files import parts, text_rows, zipped

    cell = "<c><v>1</v></c>"
    row = f"<row>{cell * (size // len(cell))}</row>"
    return zipped(parts(text_rows([["id", "note"], ["1", "n"]]) + row), deflated=False)


def _parquet(size: int) -> bytes:
    # The process that measures must not have it in memory.
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = io.BytesIO()
    lists: list[list[list[int]]] = [[], [[]] * (size // 3)]
    notes = pa.array(lists, pa.list_(pa.list_(pa.int8())))
    pq.write_table(pa.table({"id": [1, 2], "note": notes}), file)
    return file.getvalue()


# Of each, a record of as many values as are written in that size.
_FILES = {"xml": _xml, "spreadsheet": _spreadsheet, "parquet": _parquet}


def _csv(shape: str, size: int) -> tuple[bytes, int]:
    if shape == "columns":
        more = b"".join(b",%x" % number for number in range(size // 7))
        return b"id,note%b\n1,n%b\n" % (more, b",1" * (size // 7)), 1
    if shape == "columns of one name":
        return b"id,note" + b",a" * (size // 2) + b"\n1,n" + b",1" * (size // 2) + b"\n", 1
    if shape == "commas":
        return b"id,note\n1,n\n2" + b"," * size + b"\n", 2
    if shape == "rows over lines":
        row = b',"\n"' + b",a" * (MIB // 2)
        return b"id,note\n1,n\n2" + row * (size // len(row)) + b"\n", 2
    if shape == "fields":
        more = b"".join(b",%x" % number for number in range(MOST_VALUES))
        return b"id,note%b\n1,n%b\n" % (more, b",1" * MOST_VALUES), 1
    raise KeyError(shape)


CSV_SHAPES = ("columns", "columns of one name", "commas", "rows over lines")


def measured(kind: str, shape: str) -> tuple[int, str]:
    """The peak in MB, and the error or nothing."""
    content, records = body(kind, shape)
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        command = (sys.executable, "-m", "tests.security.peak", kind, str(records), file.name)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[Any] = json.loads(done.stdout.splitlines()[-1])
    return found[0], found[1]


def main(kind: str, records: str, name: str) -> tuple[int, str]:
    """Read it as an answer, then as a landing."""
    from include.records.read import read_records
    from include.warehouse.prepare import PageBody, prepare
    from tests.samples import column, contract, partition

    size = Path(name).stat().st_size
    columns = column("id", "integer"), column("note", "jsonb" if kind != "csv" else "text")
    checks = {"max_quarantined_share": 1}
    asked = contract(*columns, format=layout_of(kind), checks=checks)
    said = ""
    try:
        with Path(name).open("rb") as file:
            for chunk in read_records(file, size, asked.layout()):
                del chunk
            page = PageBody("0001.json.gz", {}, int(records), size, file)
            for batch in prepare(asked, partition(), "landing", [page]):
                said += f"loaded {batch.counts.loaded} of {batch.counts.records}"
    except PipelineError as error:
        said = f"{type(error).__name__}: {error}"
    peak = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[0]
    return int(peak) // 1024, said[:4000]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])) + "\n")
