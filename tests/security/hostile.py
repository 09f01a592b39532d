"""A hostile server on the loopback address, and what it answers with, for each format."""

from __future__ import annotations

import gzip
import io
import json
import socketserver
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from include.extract.client import Client
from include.extract.fetched import Page
from include.extract.pages import fetch_pages
from include.sources.extract.http import Rate
from include.sources.formats import FILES, Compression, Format
from include.sources.limits import Limits
from include.sources.model import Contract
from tests.samples import contract, council, extracting, partition
from tests.security.peak import layout_of
from tests.spreadsheet_files import parts, text_rows, zipped
from tests.unit.extract.paged_api import NoParents

MIB = 1024 * 1024
FORMATS = get_args(Format.model_fields["kind"].annotation)
COMPRESSIONS = get_args(Compression)

Send = Callable[[bytes], None]


@dataclass
class Server:
    """Where it listens, the connections that came, the bytes that it got rid of, and what was
    asked: the paths, and the bytes of the headers."""

    url: str
    connections: int = 0
    sent: int = 0
    paths: list[str] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)


@contextmanager
def hostile(answer: Callable[[str, Send], None]) -> Iterator[Server]:
    """A server that does to each request what `answer` does, given its path; bytes as they are."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            server.connections += 1
            path = self.rfile.readline().split(b" ")[1].decode()
            server.paths.append(path)
            server.heads.append(0)
            while line := self.rfile.readline().strip():
                server.heads[-1] += len(line)
            with suppress(OSError):
                answer(path, self._send)

        def _send(self, data: bytes) -> None:
            self.wfile.write(data)
            server.sent += len(data)

    class Listening(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Listening(("127.0.0.1", 0), Handler) as listening:
        server = Server(f"http://127.0.0.1:{listening.server_address[1]}")
        threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server
        finally:
            listening.shutdown()


def whole(body: bytes, *headers: str) -> bytes:
    """A complete answer."""
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def beginning(*headers: str) -> bytes:
    """The head of an answer whose end is that of the connection."""
    return "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", *headers, "", ""]).encode()


def source(kind: str = "json", **changes: Any) -> Contract:
    """Gauges of one format, with limits that are soon reached."""
    limits = Limits(**{"record_bytes": MIB, "whole_bytes": MIB} | changes.pop("limits", {}))
    layout = layout_of(kind) | changes.pop("format", {})
    extract = extracting(attempts=1, **changes.pop("extract", {}))
    return contract(extract=extract, format=layout, limits=limits.model_dump(), **changes)


def fetch(
    asked: Contract, server: Server, *, public_only: bool = False, parents: Any = None
) -> list[Page]:
    """Fetch from the server, in place of the API, as a sandbox is."""
    client = Client(
        asked.extract, Rate(per_second=1000, burst=1000), limits=asked.limits,
        public_only=public_only,
    )  # fmt: skip
    found = fetch_pages(
        asked, partition(), council(), client=client,
        base_url=f"{server.url}/api.test/v1", parents=parents or NoParents(),
    )  # fmt: skip
    return [page for page in found if isinstance(page, Page)]


def _lists(kind: str, note: str) -> bytes:
    rows = {
        "columnar": {"id": [1, 2], "note": ["n", note]},
        "rows": [["id", "note"], [1, "n"], [2, note]],
    }
    return json.dumps(rows[kind]).encode()


def records(kind: str, note: str) -> bytes:
    """Two records in this format, the second with this note. Fails for a format it does not know:
    then add it, so that every trick is tried on it too."""
    objects = [{"id": 1, "note": "n"}, {"id": 2, "note": note}]
    made: dict[str, Callable[[], bytes]] = {
        "json": lambda: json.dumps(objects).encode(),
        "jsonl": lambda: b"".join(json.dumps(item).encode() + b"\n" for item in objects),
        "csv": lambda: f'id,note\n1,n\n2,"{note}"\n'.encode(),
        "columnar": lambda: _lists("columnar", note),
        "rows": lambda: _lists("rows", note),
        "geojson": lambda: json.dumps(
            {"features": [{"type": "Feature", "properties": None, **item} for item in objects]}
        ).encode(),
        "xml": lambda: _elements(objects).encode(),
        "spreadsheet": lambda: zipped(
            parts(text_rows([["id", "note"], ["1", "n"], ["2", note]])), deflated=False
        ),
        "parquet": lambda: _parquet({"id": [1, 2], "note": ["n", note]}),
    }
    return made[kind]()


def _elements(objects: list[dict[str, Any]]) -> str:
    items = (f"<item><id>{item['id']}</id><note>{item['note']}</note></item>" for item in objects)
    return f"<list>{''.join(items)}</list>"


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    """A file whose values are as long in it as they are."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, compression="NONE", use_dictionary=False)
    return file.getvalue()


def nested(kind: str, depth: int) -> bytes:
    """The same with brackets in brackets, or elements in elements."""
    mark = "~"
    if kind == "xml":
        elements = "<a>" * depth + "</a>" * depth
        return records(kind, mark).replace(mark.encode(), elements.encode())
    if kind in FILES:
        return records(kind, "[" * depth + "]" * depth)
    brackets = b"[" * depth + b"]" * depth
    quoted = f'"{mark}"'.encode()
    return records(kind, mark).replace(quoted, brackets).replace(mark.encode(), brackets)


def endless(kind: str) -> tuple[bytes, bytes]:
    """The beginning of records that never end, and what is sent after it forever."""
    text = records(kind, "~")
    before, _, _ = text.partition(b"~")
    return before, b"n" * 65536


def packed(how: str, body: bytes) -> bytes:
    """The body in a compressed file. Fails for a compression it does not know, as above."""

    def zipped() -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("body", body)
        return file.getvalue()

    made: dict[str, Callable[[], bytes]] = {"gzip": lambda: gzip.compress(body), "zip": zipped}
    return made[how]()
