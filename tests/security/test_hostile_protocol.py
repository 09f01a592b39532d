"""Headers, cookies, encodings, links and archives of an attacker: refused, quickly and flatly."""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from include.errors import MOST_CHARACTERS, PermanentError, PipelineError, UnexpectedPayload
from include.extract import client as asking
from include.extract.requests import asks
from include.extract.signals import next_link
from include.jobs.author import fetch as fetching
from include.jobs.author import new_source
from include.records.read import read_records
from include.records.unpack import unpack
from include.sources.limits import Limits
from tests.samples import council, partition
from tests.security.hostile import FORMATS, MIB, beginning, fetch, hostile, records, source, whole

GOOD = b'[{"id": 1, "note": "n"}]'
EVERY_FORMAT = pytest.mark.parametrize("kind", FORMATS)


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(asking.tenacity.nap.time, "sleep", slept.append)
    return slept


@contextmanager
def quickly_and_flatly(seconds: float = 10, megabytes: float = 24) -> Iterator[None]:
    began = time.monotonic()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < seconds
    assert peak < megabytes * MIB


def status(code: int, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {code} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


# --- headers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [200, 302, 503])
@pytest.mark.parametrize("name", ["X-Some-{}", "Link", "Set-Cookie"])
def test_many_large_headers_are_refused(code, name):
    headers = [f"{name.format(n)}: c{n}={'<>,' * 21_000}" for n in range(90)]

    with hostile(lambda path, send: send(status(code, *headers, body=GOOD))) as server:
        # The headers themselves: Python takes 100 of 64 KB, and this server.
        with quickly_and_flatly(megabytes=96), pytest.raises(PermanentError, match="of headers"):
            fetch(source(), server)
        assert server.connections == 1


def test_a_thousand_headers_are_refused():
    headers = [f"X-{n}: 1" for n in range(1000)]

    with (
        hostile(lambda path, send: send(whole(GOOD, *headers))) as server,
        quickly_and_flatly(),
        pytest.raises(PipelineError),
    ):
        fetch(source(), server)


@pytest.mark.parametrize(
    "header",
    [
        f"Content-Range: bytes 0-1/{'9' * 5000}",
        f"Content-Range: items {'9' * 5000}-1/2",
        f"X-Total-Count: {'9' * 5000}",
        "X-Total-Count: \u00b2",
        f"Content-Type: application/json; charset*{'9' * 5000}=utf-8",
        "Content-Type: application/json; charset*0*=utf-8''%FF; charset*=x''",
        "Content-Type: application/json; charset=\x1b[2J",
        f"Content-Type: {'x' * 60_000}",
        f"Link: {'<>,' * 20_000}",
        f"Link: <{'x' * 30_000}",
        f'Link: <a>; rel="{chr(92) * 30_000}',
        f"Link: <a>{';' * 30_000}",
        f"Link: <a>{'; a' * 20_000}",
        f"Link: <a>;{' ' * 60_000}",
        f"Date: {'9' * 60_000}",
        f"ETag: {'x' * 60_000}",
        "Content-Encoding: br, zstd, nonsense",
        "Content-Encoding: nonsense",
    ],
)
@pytest.mark.parametrize("paged", [False, True])
def test_an_invalid_header_is_not_an_error_of_ours(header, paged):
    """It is left aside, or refused in a sentence; never a traceback."""
    paging = {"paging": {"kind": "link", "next": "header"}} if paged else {}
    asked = source(extract=paging)

    with (
        hostile(lambda path, send: send(status(200, header, body=GOOD))) as server,
        quickly_and_flatly(),
    ):
        try:
            assert [page.facts.records for page in fetch(asked, server)] == [1]
        except PipelineError as error:
            assert len(str(error)) < 8 * MOST_CHARACTERS  # noqa: PT017, or else it is fetched


@pytest.mark.parametrize(
    "value",
    ["9" * 5000, "-1", "1e9", "inf", "nan", "0x10", "Fri, 31 Dec 99999 23:59:59 GMT", "\u00b2",
     "Fri, 31 Dec 1999 23:59:59 +9999999", "Fri,,,", ",", "12, 13", "Mon, 01 Jan 0001 00:00:00 GMT",
     f"Fri, {'9' * 5000} Dec 1999", "", " ", "Thu, 01 Jan 1970 00:00:00 -99999999999999999999"],
)  # fmt: skip
@pytest.mark.parametrize("code", [202, 429, 503])
def test_an_invalid_retry_after_is_not_an_error_of_ours(value, code):
    with (
        hostile(lambda path, send: send(status(code, f"Retry-After: {value}"))) as server,
        quickly_and_flatly(30),
        pytest.raises(PipelineError),
    ):
        fetch(source(), server)


@pytest.mark.parametrize(
    "beginning_of_answer",
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"HTTP/2 200 OK\r\n\r\n", b"HTTP/1.1 99999 X\r\n\r\n",
     b"\0" * 70_000,
     b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\n[]   []",
     b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n[",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n[",
     b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
     b"\x16\x03\x01\x02\x00", b""],
)  # fmt: skip
def test_an_answer_that_is_not_http_is_not_an_error_of_ours(beginning_of_answer):
    with (
        hostile(lambda path, send: send(beginning_of_answer)) as server,
        quickly_and_flatly(),
        pytest.raises(PipelineError),
    ):
        fetch(source(), server)


# --- cookies ---------------------------------------------------------------------------------

CURSOR = {"kind": "cursor", "next": "next", "parameter": "after"}


def test_cookies_last_for_one_request_and_its_redirects():
    def answer(path: str, send: Any) -> None:
        number = len(server.paths)
        cookies = [f"Set-Cookie: c{number}x{n}={'v' * 1000}; Path=/" for n in range(20)]
        if number % 2:
            place = path.replace("/gauges", "/again")
            send(status(302, f"Location: {place}", *cookies))
            return
        body = {"items": [{"id": number, "note": "n"}]} | ({"next": number} if number < 10 else {})
        send(whole(json.dumps(body).encode(), *cookies))

    with hostile(answer) as server:
        fetch(source(format={"records": "items"}, extract={"paging": CURSOR}), server)

    first, redirected = server.heads[0::2], server.heads[1::2]
    assert max(first) < 2000, "no cookie of another request is sent"
    assert min(redirected) > 20_000, "those of a redirect are sent to where it leads"
    assert max(redirected) < 30_000


# --- what is read outside of a page ------------------------------------------------------------


def test_a_body_of_an_error_is_read_no_further_than_its_beginning():
    def answer(path: str, send: Any) -> None:
        send(b"HTTP/1.1 429 X\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        while True:
            send(b"1" * 65536)

    asked = source(extract={"answers": {"fail_at_once": ["quota"]}}, limits={"request_seconds": 2})
    with hostile(answer) as server, quickly_and_flatly(), pytest.raises(PipelineError):
        fetch(asked, server)


def test_a_redirect_at_a_byte_a_time_is_too_slow():
    def answer(path: str, send: Any) -> None:
        send(b"HTTP/1.1 302 Found\r\nLocation: /v1/x\r\nX: ")
        began = time.monotonic()
        while time.monotonic() - began < 20:
            send(b"1")
            # Not `sleep`, which this module's fixture has replaced.
            pace.wait(0.05)

    import threading

    pace = threading.Event()
    with hostile(answer) as server, quickly_and_flatly(5), pytest.raises(PermanentError) as said:
        fetch(source(limits={"request_seconds": 0.5}), server)

    assert "limits.request_seconds" in str(said.value)


def test_redirects_that_alternate_between_two_paths_end():
    def answer(path: str, send: Any) -> None:
        other = path.replace("/a/", "/b/") if "/a/" in path else f"/api.test/v1/a/{len(path)}"
        send(status(302, f"Location: {other}", f"Set-Cookie: c={len(path)}"))

    with (
        hostile(answer) as server,
        quickly_and_flatly(),
        pytest.raises(PermanentError, match="after 5 redirects"),
    ):
        fetch(source(), server)

    assert server.connections == 6


def test_pages_that_alternate_between_two_links_end():
    def answer(path: str, send: Any) -> None:
        number = len(server.paths)
        link = f"https://API.test:443/v1/{'a' if number % 2 else 'b'}"
        send(whole(json.dumps({"items": [{"id": number, "note": "n"}], "next": link}).encode()))

    paging = {"kind": "link", "next": "next"}
    with hostile(answer) as server, pytest.raises(PermanentError, match="paging loops"):
        fetch(source(format={"records": "items"}, extract={"paging": paging}), server)


# --- cursors and links -------------------------------------------------------------------------

LINKS = [
    "\ud800", "https://api.test/v1/\ud800", "x" * 20_000, f"https://api.test/v1/{'x' * 20_000}",
]  # fmt: skip


@pytest.mark.parametrize("found", LINKS)
@pytest.mark.parametrize("kind", ["cursor", "link"])
def test_a_next_page_that_cannot_be_requested_is_refused_before_the_page_is_landed(kind, found):
    body = json.dumps({"items": [{"id": 1, "note": "n"}], "next": found}).encode()
    paging = {"kind": kind, "next": "next"} | ({"parameter": "after"} if kind == "cursor" else {})

    with (
        hostile(lambda path, send: send(whole(body))) as server,
        pytest.raises(PermanentError, match=rf"expected the next {kind}"),
    ):
        fetch(source(format={"records": "items"}, extract={"paging": paging}), server)

    assert server.connections == 1


@pytest.mark.parametrize(
    "link",
    ["https://api.test/v1/a\0b", "https://api.test/v1/a\r\nX: 1", "https://api.test\\@evil.test/v1",
     "https:\\\\evil.test/v1", "https://api.test@evil.test/", "https://evil.test#@api.test/",
     "https://api\u3002test/v1", "https://api.test.:443/v1", "https://\uff41pi.test/v1",
     "//evil.test/v1",
     "https://api.test:99999/v1", "https://api.test:-1/v1", "https://[::ffff:127.0.0.1]/v1",
     "https://[fe80::1%25eth0]/v1", "https://2130706433/v1", "file:///etc/passwd", "gopher://api.test/",
     "data:application/json,[]", "https:///v1", "https://", "http://[", "https://api.test/v1/../../x",
     "https://api.test/v1/%2e%2e/%2E%2E/x", "javascript:1", "ftp://api.test/v1", "jar:https://api.test!/"],
)  # fmt: skip
def test_a_link_leads_nowhere_but_to_the_api(link):
    """It is refused, or a request to the API itself, below its base path."""

    def answer(path: str, send: Any) -> None:
        more = {"next": link} if len(server.paths) == 1 else {}
        number = len(server.paths)
        send(whole(json.dumps({"items": [{"id": number, "note": "n"}]} | more).encode()))

    paging = {"kind": "link", "next": "next"}
    with hostile(answer) as server:
        try:
            fetch(source(format={"records": "items"}, extract={"paging": paging}), server)
        except PermanentError as refusal:
            assert len(server.paths) == 1
            assert "Retrying will not help" in str(refusal)  # noqa: PT017
        else:
            assert f"{server.paths[1]}/".startswith("/api.test/v1/")


def test_links_in_a_header_take_no_more_time_than_their_length():
    began = time.monotonic()

    assert next_link("<>;a=b, " * 200_000) == ""
    with pytest.raises(UnexpectedPayload):
        next_link("<a>; rel=next, " * 100_000 + "x")

    assert time.monotonic() - began < 5


class Parent:
    """The landing of another source, whose records an attacker has written."""

    def __init__(self, value: str) -> None:
        self._value = value

    def value(self, name: str, values: Any) -> str:
        return self._value

    def records(self, name: str, columns: list[str], values: Any) -> list[dict[str, str]]:
        return [dict.fromkeys(columns, self._value)]


PARENTS = {
    "base_url": "https://api.test/v1",
    "for_each": "station",
    "parents": {"station": {"source": "flood_stations", "each": "{station_id}"}},
    "request": {"path": "/stations/{station.station_id}/readings"},
}


@pytest.mark.parametrize("value", [".", "..", "\ud800", "a\0b"])
def test_a_value_of_another_source_leads_to_no_other_path(value):
    asked = source(extract=PARENTS)

    with (
        hostile(lambda path, send: send(whole(GOOD))) as server,
        pytest.raises(UnexpectedPayload, match="expected a value for an address"),
    ):
        fetch(asked, server, parents=Parent(value))

    assert server.paths == []


@pytest.mark.parametrize(
    "value", ["../..", "a/../../b", "%2e%2e", "..\\..", "a?x=1", "a#b", "//evil.test", "\r\nX: 1"]
)
def test_a_value_of_another_source_is_quoted(value):
    with hostile(lambda path, send: send(whole(GOOD))) as server:
        fetch(source(extract=PARENTS), server, parents=Parent(value))

        (path,) = server.paths
    assert path.startswith("/api.test/v1/stations/")
    assert path.endswith("/readings")
    assert path.count("/") == 5


def test_a_value_of_another_source_forges_no_line_of_a_message():
    asked = source(extract=PARENTS)

    with (
        hostile(lambda path, send: send(status(404))) as server,
        pytest.raises(PermanentError) as said,
    ):
        fetch(asked, server, parents=Parent("x\nwandle: all is well\x1b[2J" + "y" * 100_000))

    assert len(str(said.value)) < 200_000
    labels = [
        ask.label
        for ask in asks(asked, "api", partition(), council(), Parent("\x1b\n" + "y" * 999))
    ]
    assert labels[0].startswith("%1B%0A")
    assert len(labels[0]) < 300


# --- encodings and archives ----------------------------------------------------------------------


@EVERY_FORMAT
@pytest.mark.parametrize("layers", [5, 6])
def test_a_chain_of_content_encodings_is_cut(kind, layers):
    body = records(kind, "n" * (16 * MIB))
    for _ in range(min(layers, 5)):
        body = gzip.compress(body)
    coding = f"Content-Encoding: {', '.join(['gzip'] * layers)}"

    with (
        hostile(lambda path, send: send(whole(body, coding))) as server,
        quickly_and_flatly(megabytes=20),
        pytest.raises(PipelineError),
    ):
        fetch(source(kind, limits={"answer_bytes": 2 * MIB}), server)


@EVERY_FORMAT
def test_gzip_members_without_end_are_cut(kind):
    member = gzip.compress(b"")

    def answer(path: str, send: Any) -> None:
        send(beginning() + gzip.compress(records(kind, "n")))
        while True:
            send(member * 3000)

    with hostile(answer) as server, quickly_and_flatly(30), pytest.raises(PermanentError) as said:
        fetch(source(kind, limits={"answer_bytes": 2 * MIB}), server)
    assert "limits.answer_bytes" in str(said.value)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


@EVERY_FORMAT
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_bomb_of_another_method_in_a_zip_file_is_not_unpacked(kind, method):
    """bzip2 and LZMA unpack to any size at once: a chunk of theirs to gigabytes."""
    body = zipped(("body", records(kind, "n" * (16 * MIB))), method=method)

    with (
        hostile(lambda path, send: send(whole(body))) as server,
        quickly_and_flatly(megabytes=8),
        pytest.raises(PermanentError, match="packed by another method"),
    ):
        fetch(source(kind), server)


@EVERY_FORMAT
def test_a_zip_file_of_a_hundred_thousand_members_is_refused(kind):
    local = b"PK\x03\x04" + bytes(26)
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 15, 0)[:46]
    contents = entry * 200_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(contents), len(local), 0)

    with (
        hostile(lambda path, send: send(whole(local + contents + end))) as server,
        quickly_and_flatly(megabytes=32),
        pytest.raises(PermanentError, match="table of contents"),
    ):
        fetch(source(kind), server)


def test_a_damaged_zip_file_is_not_an_error_of_ours():
    """Any byte of it may be wrong."""
    body = zipped(("body", records("json", "n" * 50)))
    layout, told = source().layout(), set()
    for place in range(len(body)):
        for value in (0, 0xFF, body[place] ^ 1):
            damaged = body[:place] + bytes([value]) + body[place + 1 :]
            try:
                list(read_records(io.BytesIO(damaged), len(damaged), layout))
            except Exception as error:
                told.add(type(error).__name__)

    assert told == {"BodyCutShort", "UnexpectedPayload"}


def test_a_zip_file_with_members_of_the_same_name_or_a_path_out_is_one_body_or_refused(tmp_path):
    body = zipped(("../../etc/passwd", records("json", "n")))

    assert unpack(io.BytesIO(body), len(body), source().layout()).size > 0
    assert list(tmp_path.iterdir()) == []


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("csv", b"%b,%b\n1,2\n" % (b"n" * (3 * MIB // 2), b"m" * MIB)),
        ("csv", b",".join(b"%x" % n for n in range(50_000)) + b"\n"),
        ("columnar", json.dumps({"x" * MIB: [1], "y" * MIB: [1, 2]}).encode()),
        ("columnar", json.dumps({f"{n:x}": [1] * (n % 2) for n in range(50_000)}).encode()),
        ("rows", json.dumps([["x" * MIB, "x" * MIB, "x" * MIB + "#2"], [1, 2, 3]]).encode()),
        ("json", json.dumps({"x" * MIB: 1, "y" * MIB: 2}).encode()),
        ("json", json.dumps([{"x" * MIB: 1}]).encode()),
        ("jsonl", json.dumps({"x" * MIB: 1}).encode() + b"\n"),
    ],
)
def test_a_message_is_short_whatever_it_names(kind, body):
    limits = {"record_bytes": 4 * MIB, "whole_bytes": 4 * MIB}

    with (
        hostile(lambda path, send: send(whole(body))) as server,
        pytest.raises(PipelineError) as said,
    ):
        fetch(source(kind, limits=limits), server)

    assert len(str(said.value)) <= MOST_CHARACTERS + 1000
    assert str(said.value).startswith("gauges kingston 2017-05")


# --- commands that ask an API by hand ------------------------------------------------------------


@pytest.mark.usefixtures("deployment")
@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "https://evil.test/", "//evil.test/", "file:///x"]
)
def test_a_draft_of_a_source_follows_no_redirect_to_another_host(tmp_path, location):
    with (
        hostile(lambda path, send: send(status(302, f"Location: {location}"))) as server,
        pytest.raises(PermanentError, match=r"which is not followed.* pass it with --file"),
    ):
        draft(server, tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("deployment")
def test_a_draft_of_a_source_reads_no_body_without_end(tmp_path, monkeypatch):
    def answer(path: str, send: Any) -> None:
        send(beginning() + b'[{"id": 1, "note": "')
        while True:
            send(b"n" * 65536)

    monkeypatch.setattr(fetching, "LIMITS", Limits(answer_bytes=2 * MIB, request_seconds=5))
    with (
        hostile(answer) as server,
        quickly_and_flatly(),
        pytest.raises(PermanentError, match=r"more than 2097152 bytes\. Save a smaller"),
    ):
        draft(server, tmp_path)


def draft(server: Any, folder: Any) -> None:
    url = f"{server.url}/v1/gauges?month=2017-05"
    new_source.new_source("gauges", url=url, file=None, period="month", folder=folder)
