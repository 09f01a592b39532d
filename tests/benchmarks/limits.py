"""What extreme answers take of memory: each is fetched and loaded by a process of its own.

Run it by `make bench CASES=limits`. Each row names the peak of the process
that fetched the answer, and of another that loaded a landing of it, made
without the limits; and the sentence of the limit that refused it.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from include.errors import PipelineError
from include.jobs.lake import lake_of
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.settings import Settings
from include.sources.model import Contract
from tests.benchmarks.landed import land
from tests.benchmarks.measuring import Row
from tests.benchmarks.platform import platform
from tests.samples import BASE_URL, column, contract_fields
from tests.spreadsheet_files import parts, text_rows

MB = 1_000_000
MIB = 1024 * 1024
COUNCIL = "kingston"
PATTERN = "[A-Z]+"
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")
_FIELD = re.compile(r"`limits\.(\w+)")


@dataclass(frozen=True)
class Case:
    """An answer: the pieces of its body, and the number of records that a landing of it has."""

    name: str
    pieces: Callable[[], Iterator[bytes]]
    records: int
    pattern: bool = False
    packed: bool = False
    kind: str = "json"
    limits: dict[str, int] = field(default_factory=dict)

    @property
    def contract(self) -> Contract:
        """Gauges with a note, which may have to be in capitals; quarantine has no limit."""
        rules = {"pattern": PATTERN} if self.pattern else {}
        fields = contract_fields(column("id", "integer", required=True), column("note", **rules))
        changes = {"key": ["id"], "format": {"kind": self.kind}, "limits": self.limits}
        return Contract.model_validate(fields | changes)

    @property
    def period(self) -> str:
        """A partition of its own."""
        number = CASES.index(self)
        return f"{2016 + number // 12}-{number % 12 + 1:02}"


def _record(megabytes: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield b'[{"id":1,"note":"'
        for _ in range(megabytes):
            yield b"n" * MB
        yield b'"},{"id":2,"note":"N"}]'

    return pieces


def _records(count: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield b'[{"id":0,"note":"n"}'
        for start in range(1, count, 10_000):
            numbers = range(start, min(start + 10_000, count))
            yield b"".join(b',{"id":%d,"note":"%s"}' % (number, b"n" * 60) for number in numbers)
        yield b"]"

    return pieces


def _spaces() -> Iterator[bytes]:
    for _ in range(1024):
        yield b" " * MIB
    yield b"[]"


def _lines(megabytes: int) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield b"id,note\n"
        for start in range(0, megabytes * 10_000, 10_000):
            yield b"".join(
                b"%07d,%s\n" % (number, b"n" * 91) for number in range(start, start + 10_000)
            )

    return pieces


class _Sink(io.RawIOBase):
    """What was written since it was last taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """And forget it."""
        found = b"".join(self._pieces)
        self._pieces.clear()
        return found


def _workbook(rows: int) -> Callable[[], Iterator[bytes]]:
    """A workbook in which each row has a text of its own, of 380 random characters."""

    def pieces() -> Iterator[bytes]:
        sink, random = _Sink(), Random(7)
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in parts("").items():
                if not name.endswith(("sheet1.xml", "sharedStrings.xml")):
                    archive.writestr(name, content)
            with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
                sheet.write(b"<worksheet><sheetData>")
                sheet.write(text_rows([["id", "note"]]).encode())
                for number in range(rows):
                    sheet.write(
                        b'<row><c><v>%d</v></c><c t="s"><v>%d</v></c></row>' % (number, number)
                    )
                    yield sink.take() if number % 10_000 == 0 else b""
                sheet.write(b"</sheetData></worksheet>")
            with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as texts:
                texts.write(b"<sst>")
                for number in range(rows):
                    texts.write(b"<si><t>%b</t></si>" % b64encode(random.randbytes(285)))
                    yield sink.take() if number % 10_000 == 0 else b""
                texts.write(b"</sst>")
        yield sink.take()

    return pieces


def _nested() -> Iterator[bytes]:
    yield b'[{"id":1,"note":' + b"[" * 100_000 + b"]" * 100_000 + b"}]"


CASES = (
    *(
        Case(f"one record of {size} MB{' that breaks a pattern' if broken else ''}",
             _record(size), 2, pattern=broken)
        for broken in (False, True)
        for size in (1, 10, 40, 200)
    ),
    Case("1 GiB of spaces", _spaces, 0),
    Case("1 GiB of spaces, packed", _spaces, 0, packed=True),
    Case("nesting of 100,000", _nested, 1),
    Case("5,000,000 records", _records(5_000_000), 5_000_000),
    Case("1,000,000 quarantined records", _records(1_000_000), 1_000_000, pattern=True),
    Case("an .xlsx of 310 MB", _workbook(1_000_000), 1_000_000, kind="spreadsheet"),
    Case("CSV of 2 GB", _lines(2_000), 20_000_000, kind="csv",
         limits={"answer_bytes": 3_000 * MB}),
)  # fmt: skip


class _Hostile(BaseHTTPRequestHandler):
    """Answers with the body of the case whose number the path names."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        case = self.server.case  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        if case.packed:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        pieces = _packed(case.pieces()) if case.packed else case.pieces()
        try:
            for piece in filter(None, pieces):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def main() -> list[Row]:
    """Measure, print a table, and return it as rows of `bench.json`."""
    rows: list[Row] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder, platform([CASES[0].contract]) as settings:
        os.environ["WANDLE_SANDBOX_URL"] = f"http://127.0.0.1:{server.server_port}"
        os.environ["WANDLE_SANDBOX_HOSTS"] = urlsplit(BASE_URL).netloc
        for case in CASES:
            server.case = case  # type: ignore[attr-defined]
            fetched = _measured("extract", case, "")
            landing_id = fetched["landing_id"] or _landed(case, settings, Path(folder))
            loaded = _measured("load", case, landing_id)
            if not loaded["error"] and (loaded["records"] or 0) != case.records:
                raise SystemExit(f"{case.name}: {loaded['records']} of {case.records} were loaded")
            rows.append(_row(case, fetched, loaded))
            sys.stdout.write(f"{rows[-1]['markdown']}\n")
            sys.stdout.flush()
    server.shutdown()
    return rows


def _landed(case: Case, settings: Settings, folder: Path) -> str:
    """A landing of the body, as a version without limits has left it."""
    file = folder / "body"
    with file.open("wb") as body:
        for piece in case.pieces():
            body.write(piece)
    pages = [(file.read_bytes(), case.records)]
    return land(lake_of(settings), case.contract, COUNCIL, case.period, pages)


def _row(case: Case, fetched: dict[str, Any], loaded: dict[str, Any]) -> Row:
    cells = (case.name, _result(fetched), _result(loaded))
    return {
        "case": "limits",
        "contender": case.name,
        "fetch": fetched,
        "load": loaded,
        "markdown": f"| {' | '.join(cells)} |",
    }


def _result(measured: dict[str, Any]) -> str:
    field = _FIELD.search(measured["error"])
    refused = f", refused: `limits.{field[1]}`" if field else ""
    other = ", nested too deeply" if "nested too deeply" in measured["error"] else ""
    if measured["error"] and not refused and not other:
        raise SystemExit(measured["error"])
    return f"{measured['peak_mb']:.0f} MB{refused or other}"


def _measured(step: str, case: Case, landing_id: str) -> dict[str, Any]:
    asked = json.dumps(
        {
            "step": step,
            "case": CASES.index(case),
            "period": case.period,
            "landing_id": landing_id,
        }
    )
    command = [sys.executable, "-m", "tests.benchmarks.limits", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        raise SystemExit(f"{case.name}, {step}: {done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _child(asked: dict[str, Any]) -> dict[str, Any]:
    settings, source = Settings.read(), CASES[asked["case"]].contract
    where = {"lake": lake_of(settings), "run_id": "limits"}
    partition = source.partition(COUNCIL, asked["period"])
    landing_id = error = ""
    entry: dict[str, Any] = {}
    try:
        if asked["step"] == "extract":
            landing_id = extract(source, partition, **where)
        else:
            where["landing_id"] = asked["landing_id"]
            dsn = settings.need("loader_dsn")
            entry = load(source, partition, dsn=dsn, **where)
    except PipelineError as failure:
        error = str(failure)
    # Not `ru_maxrss`, which begins with that of the process that started this one.
    peak = int(_PEAK.findall(Path("/proc/self/status").read_text())[0]) / 1024
    counts = {name: entry.get(name) for name in ("records", "loaded", "quarantined")}
    return {"landing_id": landing_id, "error": error, "peak_mb": round(peak), **counts}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(json.dumps(_child(json.loads(sys.argv[1]))) + "\n")
    else:
        main()
