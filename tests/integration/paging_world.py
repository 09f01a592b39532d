"""APIs of pages, generated: rows behind an API that pages, changes, lies and fails as configured.

A `World` says what the API is like and what goes wrong; `words` are those of a
contract for it. `PagingServer` serves one world at a time over HTTP and writes
down every answer.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from hypothesis import strategies as st

HOST = "api.test"
PATH = "/v1/rows"
MOST_REQUESTS = 120

Row = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """What happens at the request of that number, from 1: to the rows before, or to the answer."""

    at: int
    what: str
    place: int = 0


CHANGES = ("insert", "delete", "update")
LIES = ("repeat", "skip", "skip last")
FAILURES = ("error object", "error text", "html", "empty body", "cut", "500", "429", "redirect")


@dataclass(frozen=True)
class World:
    """An API: how it pages, what it says of the end, and what goes wrong.

    `size` is asked for, `cap` the most that it gives. `says` are the signs
    that its answers have: `total`, `more` (always), `more while true`. From the
    request `down_from` on, if any, it fails until it is repaired.
    """

    kind: str
    rows: int
    size: int
    cap: int
    says: frozenset[str]
    ends: str
    link: str
    ignores_paging: bool
    events: tuple[Event, ...]
    down_from: int = 0

    @property
    def is_honest(self) -> bool:
        """Whether each answer is what its kind of API would give at that moment."""
        return not self.ignores_paging and all(event.what in CHANGES for event in self.events)

    def words(self) -> dict[str, Any]:
        """The paging of a contract that knows all of this."""
        paging: dict[str, Any] = {"kind": self.kind, "max_pages": 40}
        if self.kind in ("offset", "page"):
            paging |= {"size": self.size, "size_parameter": "limit", "parameter": self.kind}
            paging["first"] = 0 if self.kind == "offset" else 1
        elif self.kind == "cursor":
            paging |= {"next": "meta.cursor", "parameter": "cursor"}
        else:
            paging |= {"next": r"@odata\.nextLink"}
        if "total" in self.says:
            paging["total"] = "meta.total"
        if self.says & {"more", "more while true"}:
            paging["more"] = "meta.more"
        if self.ends == "short":
            paging["last_page"] = "short"
        if self.ends == "empty":
            paging["last_page"] = "empty"
        if self.ends == "404":
            paging["end_status"] = [404]
        return paging


def worlds() -> st.SearchStrategy[World]:
    """Worlds of every kind, half of them with something that goes wrong."""
    return st.builds(
        _world,
        kind=st.sampled_from(["offset", "page", "cursor", "link"]),
        rows=st.integers(0, 9),
        size=st.integers(1, 4),
        cap=st.integers(1, 4),
        says=st.frozensets(st.sampled_from(["total", "more", "more while true"]), max_size=2),
        ends=st.sampled_from(["", "short", "empty", "404"]),
        link=st.sampled_from(["absolute", "relative", "http", "port", "upper"]),
        ignores_paging=st.sampled_from([False] * 9 + [True]),
        down_from=st.sampled_from([0, 0, 1, 2, 3, 4, 5]),
        events=st.one_of(
            st.just(()),
            st.lists(
                st.builds(
                    Event,
                    at=st.integers(1, 5),
                    what=st.sampled_from([*CHANGES, *LIES, *FAILURES]),
                    place=st.integers(0, 8),
                ),
                max_size=2,
            ).map(tuple),
        ),
    )


def _world(**drawn: Any) -> World:
    """What was drawn, as far as it can be an API."""
    world = World(**drawn)
    if world.kind in ("offset", "page"):
        if world.ends == "empty":
            world = replace(world, ends="")
        if world.ends == "short":
            # Only where the API documents that it gives what is asked for.
            world = replace(world, cap=max(world.cap, world.size))
        return world
    # Cursors and links: they end without one, or, `empty`, each page has one.
    return world if world.ends == "empty" else replace(world, ends="")


@dataclass
class GivenAnswer:
    """One answer: the place that it was asked for, its status, its rows, and what it said."""

    number: int
    position: int
    status: int
    rows: list[Row] = field(default_factory=list)
    signs: dict[str, Any] = field(default_factory=dict)
    is_data: bool = True


class PagingServer(ThreadingHTTPServer):
    """Serves one world, mounted under its host as in the sandbox."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where all APIs are."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def serve(self, world: World) -> None:
        """Begin with a world."""
        self.world = world
        self.rows: list[Row] = [{"id": n, "value": f"v{n}"} for n in range(1, world.rows + 1)]
        self.last_id = 1000
        self.was_asked_without_end = False
        self.is_down = bool(world.down_from)
        self.answers: list[GivenAnswer] = []
        # The rows before each request, by its number.
        self.moments: list[list[Row]] = []

    def repair(self) -> None:
        """It does not fail any more; whatever else goes wrong still does."""
        self.is_down = False

    def stop_faults(self) -> None:
        """Nothing goes wrong from here on."""
        self.world = replace(self.world, events=(), ignores_paging=False)
        self.answers.clear()
        self.moments.clear()

    def answer(self, query: dict[str, str], path: str) -> tuple[int, dict[str, str], bytes]:
        """The answer to a request."""
        with self.lock:
            number = len(self.answers) + 1
            if number > MOST_REQUESTS:
                self.was_asked_without_end = True
                return 410, {}, b""
            events = [event for event in self.world.events if event.at == number]
            for event in events:
                self._change(event)
            down = self.is_down and number >= self.world.down_from
            self.moments.append([dict(row) for row in self.rows])
            given = GivenAnswer(number, self._position(query), 200)
            self.answers.append(given)
            if down:
                given.is_data, given.status = False, 503
                return 503, {}, b""
            for event in events:
                failed = self._failed(event, given)
                if failed is not None:
                    return failed
            return self._page(query, given, events)

    def _position(self, query: dict[str, str]) -> int:
        """The offset that a request is for."""
        if self.world.kind == "page":
            return (int(query["page"]) - 1) * self._step(query)
        name = {"offset": "offset", "cursor": "cursor", "link": "$skip"}[self.world.kind]
        return int(query.get(name, 0))

    def _step(self, query: dict[str, str]) -> int:
        return min(int(query.get("limit", self.world.cap)), self.world.cap)

    def _change(self, event: Event) -> None:
        place = event.place % (len(self.rows) + 1)
        if event.what == "insert":
            self.last_id += 1
            self.rows.insert(place, {"id": self.last_id, "value": "new"})
        elif event.what == "delete" and self.rows:
            del self.rows[place % len(self.rows)]
        elif event.what == "update" and self.rows:
            self.rows[place % len(self.rows)]["value"] = f"updated {event.at}"

    def _failed(self, event: Event, given: GivenAnswer) -> tuple[int, dict[str, str], bytes] | None:
        failed: dict[str, tuple[int, dict[str, str], bytes]] = {
            "error object": (200, {}, b'{"error": {"message": "Service Unavailable"}}'),
            "error text": (200, {}, b"Service Unavailable. Please try again later."),
            "html": (200, {"Content-Type": "text/html"}, b"<!doctype html><p>Sorry</p>"),
            "empty body": (200, {}, b""),
            "500": (500, {}, b"oops"),
            "429": (429, {"Retry-After": "0"}, b""),
            "redirect": (302, {"Location": "https://login.test/sign-in"}, b""),
        }
        found = failed.get(event.what)
        if found is not None:
            given.is_data, given.status = False, found[0]
        return found

    def _page(
        self, query: dict[str, str], given: GivenAnswer, events: list[Event]
    ) -> tuple[int, dict[str, str], bytes]:
        world = self.world
        start = 0 if world.ignores_paging else self._position(query)
        step = self._step(query)
        rows = [dict(row) for row in self.rows[start : start + step]]
        rests = start + step < len(self.rows)
        if world.ends == "404" and start > 0 and not rows:
            given.status, given.is_data = 404, False
            return 404, {}, b"no such page"
        for event in events:
            if event.what == "repeat" and rows and start:
                rows[event.place % len(rows)] = dict(self.rows[event.place % start])
            elif event.what == "skip" and rows:
                del rows[event.place % len(rows)]
            elif event.what == "skip last" and rows:
                del rows[-1]
        body: dict[str, Any] = {"made": len(self.answers), "items": rows, "meta": {}}
        if "total" in world.says:
            body["meta"]["total"] = len(self.rows)
        if "more" in world.says or ("more while true" in world.says and rests):
            body["meta"]["more"] = rests
        if world.kind in ("cursor", "link") and (rests or (world.ends == "empty" and rows)):
            self._name_next(body, start + step)
        given.rows = rows
        following = body.get("@odata.nextLink") or body["meta"].get("cursor")
        given.signs = {**body["meta"], "next": following}
        text = json.dumps(body).encode()
        if any(event.what == "cut" for event in events):
            given.is_data = False
            return 200, {}, text[: len(text) // 2]
        return 200, {}, text

    def _name_next(self, body: dict[str, Any], start: int) -> None:
        if self.world.kind == "cursor":
            body["meta"]["cursor"] = str(start)
            return
        query = urlencode({"$skip": start})
        body["@odata.nextLink"] = {
            "absolute": f"https://{HOST}{PATH}?{query}",
            "relative": f"?{query}",
            "http": f"http://{HOST}{PATH}?{query}",
            "port": f"https://{HOST}:443{PATH}?{query}",
            "upper": f"https://{HOST.upper()}{PATH}?{query}",
        }[self.world.link]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PagingServer

    def do_GET(self) -> None:
        """Answer in one piece: a second one would wait for the first to be acknowledged."""
        url = urlsplit(self.path)
        status, headers, body = self.server.answer(dict(parse_qsl(url.query)), url.path)
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def paging_server() -> Iterator[PagingServer]:
    """A server while it runs."""
    server = PagingServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
