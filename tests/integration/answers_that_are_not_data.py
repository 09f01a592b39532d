"""Answers that are not a source's data, with status 200, as APIs give them on bad days."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from include.sources.formats import Format

BUSY = (
    "Service Unavailable",
    "The service is overloaded. Come back in half a minute.",
    "Server busy, please try again later",
    "Down for scheduled maintenance until 06:00",
    "Too many requests",
    "upstream request timeout",
)
PROSE = (
    "Something went wrong.",
    "No such dataset, or it has moved",
    "OK",
    "date,time and place are needed\n",
    'He said "no"\n',
)
SIGN_IN = (
    b"<!doctype html><html><body><form action=/login><input type='password'></form></body></html>",
    b"<html><head><title>Sign in</title></head><body>Continue with single sign-on</body></html>",
)
XML = (
    b'<?xml version="1.0"?><ows:ExceptionReport><ows:Exception/></ows:ExceptionReport>',
    b"<error><code>503</code></error>",
)
FILES = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01",
    b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    b"PAR1\x15\x04\x15\x10",
    bytes(range(256)),
)
NOTHING = (b"", b" ", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf", b"null", b"{}", b"true", b"0", b'""')
TYPES = ("application/json", "text/csv", "text/html; charset=utf-8", "text/plain", "")


@dataclass(frozen=True)
class Substitute:
    """A body in place of data. `declared` is the Content-Length it is sent with, where another."""

    kind: str
    body: bytes
    content_type: str = "application/json"
    declared: int | None = None

    def __repr__(self) -> str:
        return f"Substitute({self.kind}, {self.body[:300]!r}, {self.content_type!r})"


_said = st.one_of(st.sampled_from((*BUSY, *PROSE)), st.text(max_size=30))
_scalars = st.one_of(_said, st.none(), st.booleans(), st.integers(400, 599))
_names = st.sampled_from(
    ("error", "errors", "message", "status", "code", "detail", "fault", "success", "title", "x")
)
_errors = st.recursive(
    st.dictionaries(_names, _scalars, min_size=1, max_size=4),
    lambda inner: st.dictionaries(_names, st.one_of(_scalars, inner, st.lists(inner, max_size=2)),
                                  min_size=1, max_size=3),
    max_leaves=4,
)  # fmt: skip
# What is next to records that are not there, and says why.
_beside = st.one_of(
    st.sampled_from(BUSY).map(lambda text: {"error": {"code": 503, "message": text}}),
    st.sampled_from((*BUSY, "No")).map(lambda text: {"errors": [text]}),
    st.sampled_from(BUSY).map(lambda text: {"message": text}),
    st.just({"success": False}),
    st.just({"status": "error"}),
    st.integers(500, 599).map(lambda status: {"status": status}),
)


def substitutes(valid: bytes, layout: Format) -> st.SearchStrategy[Substitute]:
    """What may come in place of a valid body of this format."""
    bodies: list[st.SearchStrategy[tuple[str, bytes]]] = [
        st.sampled_from((*BUSY, *PROSE)).map(lambda text: ("a sentence", text.encode())),
        _said.map(lambda text: ("a web page", b"<html><h1>%b</h1></html>" % _bytes(text))),
        st.sampled_from(SIGN_IN).map(lambda body: ("a sign-in page", body)),
        st.sampled_from(XML).map(lambda body: ("XML", body)),
        st.sampled_from(FILES).map(lambda body: ("a file", body)),
        st.sampled_from(NOTHING).map(lambda body: ("nothing", body)),
        st.sampled_from((*BUSY, *SIGN_IN)).map(_zipped),
        st.sampled_from((*BUSY, *SIGN_IN)).map(lambda text: ("gzip", gzip.compress(_bytes(text)))),
        st.just(("gzip twice", gzip.compress(gzip.compress(valid)))),
        _errors.map(lambda error: ("an error", json.dumps(error).encode())),
        st.lists(_errors, min_size=1, max_size=3).map(
            lambda errors: ("a list of errors", json.dumps(errors).encode())
        ),
        st.lists(_scalars, min_size=1, max_size=3).map(
            lambda values: ("a list of values", json.dumps(values).encode())
        ),
    ]
    around = _around(layout)
    if around:
        empty = st.sampled_from((None, [], {}, "", 0))
        beside = st.builds(lambda none, error: around(none, error), empty, _beside)
        as_text = beside.map(lambda found: json.dumps(found).encode())
        bodies.append(as_text.map(lambda body: ("no records, an error", body)))
        as_record = _errors.map(lambda error: json.dumps(around([error], {})).encode())
        bodies.append(as_record.map(lambda body: ("an error as record", body)))
    if layout.kind == "csv":
        names = st.sampled_from(layout.evidence.header)
        bodies.append(names.map(lambda name: ("another header", _without_field(valid, name))))
    else:
        bodies.append(st.just(("CSV", b"id,message\n1,no\n")))
    whole = st.builds(
        lambda found, content_type: Substitute(*found, content_type),
        st.one_of(bodies),
        st.sampled_from(TYPES),
    )
    cut = st.integers(0, len(valid) - 2).map(
        lambda end: Substitute("cut short", valid[:end], declared=len(valid))
    )
    return st.one_of(whole, cut)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "replace")


def _zipped(text: str | bytes) -> tuple[str, bytes]:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("index.html", _bytes(text))
    return "a zip file", file.getvalue()


def _around(layout: Format) -> Callable[[Any, dict[str, Any]], Any] | None:
    """Puts something where the records are, and an error next to the outermost."""
    names = layout.path
    if not names or "*" in names:
        return None

    def put(records: Any, beside: dict[str, Any]) -> Any:
        found = records
        for name in reversed(names):
            found = {name: found}
        return {**found, **beside}

    return put


def _without_field(body: bytes, name: str) -> bytes:
    """CSV whose header names a field differently."""
    header, _, rest = body.partition(b"\n")
    names = [b"other" if found == name.encode() else found for found in header.split(b",")]
    return b",".join(names) + b"\n" + rest
