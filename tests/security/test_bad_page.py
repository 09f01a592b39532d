"""A page that leads to nothing does not stick: once the API is right again, all rows arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args
from urllib.parse import parse_qsl, urlsplit

import pytest

from include.errors import PermanentError, PipelineError, RetryableError
from include.extract import client as asking
from include.jobs.pipeline import extract as job
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.sources.extract.paging import Paging
from tests.samples import partition
from tests.security.hostile import hostile, source, whole

ROWS = 6
# By what a page names the next one. A new kind of paging fails a test until it is here.
PAGING = {
    "offset": {"kind": "offset", "size": 2, "size_parameter": "size", "parameter": "at"},
    "page": {"kind": "page", "size": 2, "parameter": "at"},
    "cursor": {"kind": "cursor", "next": "next", "parameter": "at"},
    "link": {"kind": "link", "next": "next"},
    "link in a header": {"kind": "link", "next": "header"},
}
UNREADABLE = {
    "HTML": b"<html><body>Sign in <form><input type=password></form>",
    "cut short": b'{"items": [{"id": 3, "no',
    "empty": b"",
    "another value": b'"later"',
    "no list": b'{"items": 7}',
    "an error": b'{"error": "no such thing", "code": 7}',
    "not JSON": b"\xff\xfe\x00",
    "nested too deeply": b'{"items": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
}


def test_every_kind_of_paging_is_tried():
    kinds = get_args(Paging.model_fields["kind"].annotation)

    assert {paging["kind"] for paging in PAGING.values()} == set(kinds)


def empty(status: int) -> bytes:
    """An answer without a body."""
    return f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


class Api:
    """Six records, two a page; if it is not right, page 2 is something else, or names another."""

    def __init__(self, paging: str) -> None:
        self.kind = PAGING[paging]["kind"]
        self.in_header = PAGING[paging]["next"] == "header" if "next" in PAGING[paging] else False
        self.is_right = True
        self.wrong_next = False
        self.body: bytes | None = None
        self.status = 0
        # Cursors and links of an earlier generation are unknown.
        self.generation = 1
        self.asked: list[int] = []

    def __call__(self, path: str, send: Any) -> None:
        query = dict(parse_qsl(urlsplit(path).query))
        generation, _, at = query.get("at", "").rpartition("g")
        if generation and int(generation) != self.generation:
            send(empty(410))
            return
        start = int(at or 0) * (2 if self.kind == "page" else 1)
        self.asked.append(start)
        at_fault = not self.is_right and start == 2
        if at_fault and self.status:
            send(empty(self.status))
        elif at_fault and self.body is not None:
            send(whole(self.body))
        else:
            send(self._page(start, at_fault and self.wrong_next))

    def _page(self, start: int, wrong: bool) -> bytes:
        if wrong and self.kind in ("offset", "page"):
            start = 0  # the same records again: a circle
        rows = [{"id": n + 1, "note": "n"} for n in range(start, min(start + 2, ROWS))]
        found: dict[str, Any] = {"items": rows}
        headers = []
        follows = start + 2 < ROWS
        following = f"{self.generation}g{start + 2}"
        if self.kind == "cursor" and follows:
            found["next"] = f"{self.generation}g2" if wrong else following
        if self.kind == "link" and follows:
            link = "https://evil.test/v1/gauges?at=4" if wrong else f"?at={following}"
            if self.in_header:
                headers.append(f'Link: <{link}>; rel="next"')
            else:
                found["next"] = link
        return whole(json.dumps(found).encode(), *headers)


@pytest.fixture(params=PAGING)
def api(request) -> Api:
    return Api(request.param)


@pytest.fixture
def server(api, deployment, monkeypatch) -> Iterator[Any]:
    monkeypatch.setattr(asking.tenacity.nap, "sleep", lambda seconds: None)
    with hostile(api) as listening:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", listening.url)
        yield listening


def asked_of(api: Api) -> Any:
    paging = next(
        paging
        for paging in PAGING.values()
        if paging["kind"] == api.kind and (paging.get("next") == "header") == api.in_header
    )
    return source(format={"records": "items"}, extract={"paging": paging})


def try_once(api: Api, lake: Any) -> str:
    """An attempt of the task; one of a retry, or of a cleared task, has the same run id."""
    return extract(asked_of(api), partition(), lake=lake, run_id="run")


def ids(api: Api, lake: Any, warehouse: Any, landing_id: str) -> list[int]:
    """What is loaded."""
    where = {"lake": lake, "dsn": warehouse.dsn(), "run_id": "run"}
    entry = load(asked_of(api), partition(), landing_id=landing_id, **where)
    assert entry["status"] in ("loaded", "unchanged")
    return [row[0] for row in warehouse.query("select id from raw.gauges order by 1")]


EVERY = list(range(1, ROWS + 1))


def test_a_page_whose_next_one_is_refused_is_not_kept(api, server, lake, warehouse):
    api.is_right, api.wrong_next = False, True
    with pytest.raises(PipelineError):
        try_once(api, lake)
    assert lake.landings.finished(partition()) == []

    api.is_right = True
    retried = try_once(api, lake)
    cleared = try_once(api, lake)

    assert retried != cleared
    assert ids(api, lake, warehouse, retried) == EVERY
    assert ids(api, lake, warehouse, cleared) == EVERY


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_page_that_cannot_be_read_is_not_kept(api, server, lake, body):
    api.is_right, api.body = False, body
    with pytest.raises(PipelineError):
        try_once(api, lake)
    assert lake.landings.finished(partition()) == []

    api.is_right = True
    for landing_id in (try_once(api, lake), try_once(api, lake)):
        assert lake.landings.manifest(partition(), landing_id).totals.records == ROWS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418])
def test_a_permanent_failure_is_never_resumed_from(api, server, lake, status):
    api.is_right, api.status = False, status
    with pytest.raises(PermanentError):
        try_once(api, lake)

    api.is_right = True
    api.asked.clear()
    try_once(api, lake)

    assert api.asked[0] == 0


def test_a_failure_of_our_own_is_never_resumed_from(api, server, lake, monkeypatch):
    land = job._land

    def broken(pages: Any, draft: Any, progress: Any) -> Any:
        def some() -> Iterator[Any]:
            yield next(pages)
            raise ValueError("a bug")

        return land(some(), draft, progress)

    with monkeypatch.context() as patched:
        patched.setattr(job, "_land", broken)
        with pytest.raises(ValueError, match="a bug"):
            try_once(api, lake)

    api.asked.clear()
    try_once(api, lake)

    assert api.asked[0] == 0


def test_an_interruption_is_resumed_from(api, server, lake):
    api.is_right, api.status = False, 503
    with pytest.raises(RetryableError):
        try_once(api, lake)

    api.is_right = True
    api.asked.clear()
    landing_id = try_once(api, lake)

    assert api.asked[0] == 2
    assert lake.landings.manifest(partition(), landing_id).totals.records == ROWS


def test_a_cursor_that_has_expired_is_not_resumed_from(api, server, lake, warehouse):
    api.is_right, api.status = False, 503
    with pytest.raises(RetryableError):
        try_once(api, lake)

    api.is_right, api.generation = True, 2
    landing_id = try_once(api, lake)

    assert ids(api, lake, warehouse, landing_id) == EVERY
