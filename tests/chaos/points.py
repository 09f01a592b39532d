"""The named points where a job can be interrupted: wrapped from outside, nothing built in.

All are at the borders of our code: pages and manifest as the draft writes
them, pages as they are asked of S3, requests as they leave its client,
statements as they reach the PostgreSQL driver. So no point moves when the code
between them is written again.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from psycopg import Connection, Copy, RawCursor
from psycopg.sql import Composable

from include.landing.store import Landings
from include.landing.write import Draft

Interrupt = Callable[[], None]
# What opens every COPY: PostgreSQL's manual, "Binary Format".
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)

EXTRACT_POINTS = (
    "after page", "half page", "before manifest", "half manifest", "after manifest",
)  # fmt: skip
LOAD_POINTS = (
    "before download", "after delete", "mid copy", "after copy", "before commit", "after commit",
)  # fmt: skip


def kill() -> None:
    """End this process at once; nothing is closed, nothing is written any more."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, number: int, interrupt: Interrupt, s3: Any) -> None:
    """Let `interrupt` be called the `number`-th time that the job comes to `point`."""
    at = _at(number, interrupt)
    {
        "after page": lambda: _wrap(Draft, "add", after=at),
        "half page": lambda: _on_request(s3, "PUT", ".json.gz", _halving(number, interrupt)),
        "before manifest": lambda: _wrap(Draft, "finish", before=at),
        "half manifest": lambda: _on_request(
            s3, "PUT", "manifest.json", _halving(number, interrupt)
        ),
        "after manifest": lambda: _wrap(Draft, "finish", after=at),
        "before download": lambda: _wrap(Landings, "stored", before=at),
        "after delete": lambda: _wrap(RawCursor, "execute", after=at, only=deletes),
        "mid copy": lambda: around_copies(sent=at),
        "after copy": lambda: around_copies(done=lambda _: at()),
        "before commit": lambda: _wrap(Connection, "commit", before=at),
        "after commit": lambda: _wrap(Connection, "commit", after=at),
    }[point]()


def _at(number: int, interrupt: Interrupt) -> Interrupt:
    counter = itertools.count(1)

    def count() -> None:
        if next(counter) == number:
            interrupt()

    return count


def deletes(statement: Any, *_: Any, **__: Any) -> bool:
    return str(statement).lstrip().lower().startswith("delete from raw.")


def _wrap(
    owner: type,
    name: str,
    *,
    before: Interrupt = lambda: None,
    after: Interrupt = lambda: None,
    only: Callable[..., bool] = lambda *_, **__: True,
) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        meant = only(*arguments, **named)
        if meant:
            before()
        result = original(self, *arguments, **named)
        if meant:
            after()
        return result

    setattr(owner, name, wrapped)


@dataclass(frozen=True)
class _Watched:
    """A COPY that says when rows have gone to the server, in the middle of it."""

    copying: Copy
    sent: Interrupt

    def write(self, data: Any) -> None:
        self.copying.write(data)
        if len(data) > len(COPY_HEADER):
            self.sent()


def around_copies(
    *, sent: Interrupt = lambda: None, done: Callable[[RawCursor[Any]], None] = lambda _: None
) -> None:
    """Call `sent` after each batch that is copied into a raw table, `done` when all are."""
    original = RawCursor.copy

    @contextmanager
    def copy(self: Any, statement: Composable, *arguments: Any, **named: Any) -> Iterator[Any]:
        meant = statement.as_string().startswith('copy "raw".')
        with original(self, statement, *arguments, **named) as copying:
            yield _Watched(copying, sent) if meant else copying
        if meant:
            done(self)

    RawCursor.copy = copy  # type: ignore[method-assign]


def _on_request(s3: Any, method: str, ending: str, do: Callable[[Any], None]) -> None:
    def sending(request: Any, **_: Any) -> None:
        if request.method == method and urlsplit(request.url).path.endswith(ending):
            do(request)

    s3.meta.events.register("before-send.s3", sending)


def _halving(number: int, interrupt: Interrupt) -> Callable[[Any], None]:
    """Send half of the `number`-th request by hand, then interrupt."""
    counter = itertools.count(1)

    def send(request: Any) -> None:
        if next(counter) == number:
            _send_half(request)
            interrupt()

    return send


def _send_half(request: Any) -> None:
    url = urlsplit(request.url)
    body = request.body if isinstance(request.body, bytes) else request.body.read()
    headers = {"Host": url.netloc, **request.headers, "Content-Length": str(len(body))}
    headers.pop("Expect", None)
    lines = [f"PUT {url.path}?{url.query} HTTP/1.1"]
    for name, value in headers.items():
        lines.append(f"{name}: {value.decode() if isinstance(value, bytes) else value}")
    head = "\r\n".join([*lines, "", ""]).encode()
    connection = socket.create_connection((url.hostname or "", url.port or 80))
    connection.sendall(head + body[: len(body) // 2])
