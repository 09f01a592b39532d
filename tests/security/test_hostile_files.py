"""What somebody hostile or careless puts into an inbox, on an SFTP server or on a page."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import asyncssh
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from include.errors import BeyondLimit, PipelineError, UnexpectedPayload
from include.extract.files.receive import Receiver
from include.extract.files.sftp import Sftp
from include.jobs.files.classify import classify_files, unmatched_message
from include.jobs.pipeline.extract import extract
from include.sources.limits import Limits
from tests.integration.conftest import bucket, deployment, lake, s3, serving
from tests.integration.test_files import PATTERN, body, described
from tests.security.hostile import MIB
from tests.sftp_server import sftp_server

__all__ = ["bucket", "deployment", "lake", "s3"]

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = "inbox/gauges/spend_kingston_2026-05.csv"
SMALL = {"answer_bytes": MIB, "record_bytes": MIB, "whole_bytes": MIB}


def landed(asked: Any, lake: Any, uri: str | None = None) -> Any:
    where = asked.partition("kingston", "2026-05")
    return extract(asked, where, lake=lake, run_id="r", source_dsn=uri)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"id,note\n1," + b"n" * (2 * MIB) + b"\n", "answer_bytes"),
        (gzip.compress(b"id,note\n" + b"1,n\n" * MIB), "answer_bytes"),
        (b'id,note\n1,"' + b"n\n" * (MIB // 3), None),
        (b"\x00\xff" * 1000, None),
        (b"<html>Sign in</html>", None),
        (b"", None),
    ],
)
def test_a_file_in_the_inbox_that_is_too_large_or_not_data_is_refused(lake, bucket, content, field):
    bucket.put(KEY, content)

    with pytest.raises(BeyondLimit if field else UnexpectedPayload) as caught:
        landed(described(limits=SMALL), lake)

    assert "gauges kingston 2026-05, spend_kingston_2026-05.csv" in str(caught.value)
    assert getattr(caught.value, "field", None) == field
    assert [key for key in bucket.listed() if key.endswith("manifest.json")] == []


def test_a_file_is_kept_on_the_disk_and_not_in_memory():
    receiver = Receiver("who", Limits())
    chunk = b"x" * MIB

    tracemalloc.start()
    for _ in range(100):
        receiver.add(chunk)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert receiver.finish({}).size == 100 * MIB
    # Other threads of this process are counted too.
    assert peak < 32 * MIB


def test_more_files_than_the_limit_are_refused_and_odd_names_are_printed_safely(lake, bucket):
    names = ["\x1b[2J.csv", "a\u202eb.csv", "x" * 900 + ".csv"]
    for name in names:
        bucket.put(f"inbox/gauges/{name}", body(1))

    found = classify_files(described(), lake=lake, today=NOW)

    assert len(found.unmatched) == len(names)
    message = unmatched_message(described(), found.unmatched)
    assert message.isprintable()
    assert len(message) < 2000
    with pytest.raises(BeyondLimit, match=r"limits\.files: 2"):
        classify_files(described(limits={"files": 2}), lake=lake, today=NOW)


class Endless(asyncssh.SFTPServer):
    """Serves files that never end."""

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        return b"1,x\n" * (size // 4)


class Slow(asyncssh.SFTPServer):
    """Serves a byte from time to time."""

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        await asyncio.sleep(0.2)
        return b"x"


class Crowded(asyncssh.SFTPServer):
    """Lists a folder that never ends, and names that lead out of it."""

    async def scandir(self, path: bytes) -> Any:
        number = 0
        while True:
            attrs = asyncssh.SFTPAttrs(type=asyncssh.FILEXFER_TYPE_REGULAR, size=1, mtime=1)
            yield asyncssh.SFTPName(b"../../%d/etc/passwd" % number, b"", attrs)
            number += 1


@pytest.mark.parametrize(
    ("server", "limits", "field"),
    [
        (Endless, {"answer_bytes": MIB}, "answer_bytes"),
        (Slow, {"request_seconds": 2}, "request_seconds"),
        (Crowded, {"files": 500}, "files"),
    ],
)
def test_an_sftp_server_that_does_not_end_is_given_up_at_the_limit(
    lake, tmp_path, server, limits, field
):
    (tmp_path / "spend_kingston_2026-05.csv").write_bytes(body(1) * 2000)
    sftp = {"from": "sftp", "connection": "s", "settle_seconds": 0}
    asked = described(extract=sftp, limits=limits)
    begun = time.monotonic()

    with sftp_server(tmp_path, server) as found, pytest.raises(BeyondLimit) as caught:
        landed(asked, lake, found.uri())

    assert caught.value.field == field
    assert time.monotonic() - begun < 30


def test_names_of_an_sftp_server_that_lead_elsewhere_are_not_requested(tmp_path):
    class Outside(asyncssh.SFTPServer):
        async def scandir(self, path: bytes) -> Any:
            attrs = asyncssh.SFTPAttrs(type=asyncssh.FILEXFER_TYPE_REGULAR, size=1, mtime=1)
            for name in (b"../spend_kingston_2026-05.csv", b"/etc/passwd", b"a/b.csv"):
                yield asyncssh.SFTPName(name, b"", attrs)

    sftp = {"from": "sftp", "connection": "s"}
    with sftp_server(tmp_path, Outside) as found:
        files = list(Sftp(described(extract=sftp), found.uri()).files())

    assert len(files) == 3
    assert {file.trouble for file in files} == {"its name is not a plain relative path"}


def site(content: bytes, kind: str) -> Starlette:
    async def answer(request: Any) -> Response:
        return Response(content, media_type=kind)

    return Starlette(routes=[Route("/{path:path}", answer)])


MANY = b"".join(b'<a href="/%d.csv">x</a>' % number for number in range(2000))
NESTED = json.dumps({"success": True, "result": {"resources": [{"url": 7}, None, [], "x"]}})


@pytest.mark.parametrize(
    ("place", "content", "error"),
    [
        ("page", b"<a href='x.csv'>" + b"x" * (2 * MIB), BeyondLimit),
        ("page", MANY, BeyondLimit),
        ("page", b"<a href=" * 10_000, PipelineError),
        ("page", b"<!--" + b"<a href='a'" * 10_000, PipelineError),
        ("ckan", b"[" * 200_000, UnexpectedPayload),
        ("ckan", NESTED.encode(), PipelineError),
        ("ckan", b'{"success": true, "result": null}', UnexpectedPayload),
        ("ckan", b"\xff\xfe", UnexpectedPayload),
    ],
)
def test_a_page_or_package_that_is_hostile_is_refused(lake, monkeypatch, place, content, error):
    monkeypatch.setenv("WANDLE_LIVE", "1")
    with serving(site(content, "text/html")) as url:
        rate = {"per_second": 1000, "burst": 1000}
        links = {"from": place, "url": f"{url}/a", "rate": rate, "attempts": 1}
        asked = described(PATTERN, extract=links, limits=SMALL | {"files": 1000})
        begun = time.monotonic()

        with pytest.raises(error):
            classify_files(asked, lake=lake, today=NOW)

    assert time.monotonic() - begun < 20
