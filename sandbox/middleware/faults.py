"""Middleware that simulates API faults on demand. Off by default.

A request selects a fault with the header `X-Wandle-Fault: <fault>`, with an argument
(seconds, a field or a page) if needed: `slow=70`, `wrong-type=value`, `missing-page=3`.

For clients whose requests cannot be changed, put rules in `faults.json` next to the
sandbox's state file. It is read again whenever it changes:

    [{"match": {"path": "crimes-street", "form": {"date": "2017-05"}},
      "fault": "500", "times": 3}]

`path` is a regular expression searched in the request path; `form` gives required
values of form fields or query parameters; `times` is how often the rule applies
(default: always); `seconds`, `field` and `page` are as above. The first matching
rule that is not used up applies.

| fault | the client sees |
|---|---|
| `429` | 429, no Retry-After |
| `429-retry-after-seconds` | 429 with `Retry-After: <seconds>` (default: 1) |
| `429-retry-after-date` | 429 with the same as an HTTP date |
| `500` | 500 with an HTML body |
| `502` | 502 with an HTML body |
| `503` | 503, plain text |
| `503-html` | 503 with an HTML body |
| `404` | 404, plain text |
| `slow` | the correct response, `seconds` late (default: 5) |
| `cut` | the connection closes in the middle of the body |
| `truncated` | a complete 200 whose JSON ends in the middle |
| `empty` | 200 with a body of zero bytes |
| `empty-list` | 200 with `[]` |
| `wrong-type` | correct JSON, but each value of `field` (default: the first) is an object |
| `extra-field` | correct JSON, but each record has an extra `field` |
| `missing-page` | page `page` (default: 2) is skipped: later pages move up by one |
| `duplicate-page` | the page before `page` (default: 2) is repeated: later pages move down |

Pages are those of `_limit` and `_offset`, of `limit` and `offset`, or of `page`.
The last two do not affect pages before `page`; with `times` 1 they affect one
response, and later pages are correct again.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import get_args
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.middleware.fault_rules import PAGES_LATER, REWRITES, RULES, Fault, Rule, rule_of_header
from sandbox.middleware.rewriting import other_page
from sandbox.world.clock import file_version

HEADER = "X-Wandle-Fault"
DEFAULT_SECONDS = {"slow": 5.0}
HTML_STATUS = {
    "500": (500, "Internal Server Error"),
    "502": (502, "Bad Gateway"),
    "503-html": (503, "Service Unavailable"),
}

log = logging.getLogger("wandle.sandbox")


class Faults:
    """Responds with a fault if the request header or the control file selects one."""

    def __init__(self, app: ASGIApp, control: Path | None = None) -> None:
        self.app = app
        self.control = control
        self._version: tuple[int, int, int] | None = None
        self._rules: list[Rule] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(HEADER)
        self._read_rules()
        if asked is not None:
            rule = rule_of_header(asked)
            if rule is None:
                known = ", ".join(get_args(Fault))
                wrong = f"{HEADER}: no such fault {asked!r}. Known: {known}."
                await PlainTextResponse(wrong, 400)(scope, receive, send)
                return
        elif self._rules:
            body = await Request(scope, receive).body()
            receive = _replay(body, receive)
            rule = self._strike(scope, body)
        else:
            rule = None
        if rule is None or not rule.reaches(scope["query_string"]):
            await self.app(scope, receive, send)
        else:
            await self._answer(rule, scope, receive, send)

    def _read_rules(self) -> None:
        version = file_version(self.control) if self.control else None
        if self.control is None or version == self._version:
            return
        self._version = version
        self._rules = []
        if version is None:
            return
        try:
            self._rules = RULES.validate_json(self.control.read_bytes())
        except (OSError, ValidationError) as error:
            log.warning("sandbox: %s is not used: %s. Correct the file.", self.control, error)

    def _strike(self, scope: Scope, body: bytes) -> Rule | None:
        query = scope["query_string"].decode("latin-1")
        fields = dict(parse_qsl(f"{query}&{body.decode('latin-1')}"))
        for rule in self._rules:
            struck = rule.match.fits(scope["path"], fields) and rule.reaches(scope["query_string"])
            if rule.times != 0 and struck:
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    async def _answer(self, rule: Rule, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.fault == "slow":
            await asyncio.sleep(_seconds(rule))
            await self.app(scope, receive, send)
        elif rule.fault in PAGES_LATER:
            query = other_page(scope["query_string"], PAGES_LATER[rule.fault])
            await self.app({**scope, "query_string": query}, receive, send)
        elif rule.fault in REWRITES:
            status, headers, body = await self._collect(scope, receive)
            content = REWRITES[rule.fault](body, rule.field)
            await _send_whole(send, status, headers, content)
        elif rule.fault in ("cut", "truncated"):
            status, headers, body = await self._collect(scope, receive)
            half = body[: len(body) // 2]
            length = len(body) if rule.fault == "cut" else len(half)
            # If the body is incomplete, the server can only close the connection.
            unfinished = rule.fault == "cut"
            await _send_whole(send, status, headers, half, length=length, unfinished=unfinished)
        else:
            await _faulty_response(rule)(scope, receive, send)

    async def _collect(
        self, scope: Scope, receive: Receive
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        status, headers, parts = 500, [], []

        async def keep(message: Message) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self.app(scope, receive, keep)
        return status, headers, b"".join(parts)


async def _send_whole(
    send: Send,
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    *,
    length: int | None = None,
    unfinished: bool = False,
) -> None:
    kept = [item for item in headers if item[0] != b"content-length"]
    size = len(body) if length is None else length
    kept.append((b"content-length", str(size).encode()))
    await send({"type": "http.response.start", "status": status, "headers": kept})
    await send({"type": "http.response.body", "body": body, "more_body": unfinished})


def _seconds(rule: Rule) -> float:
    return DEFAULT_SECONDS.get(rule.fault, 1.0) if rule.seconds is None else rule.seconds


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _faulty_response(rule: Rule) -> Response:
    match rule.fault:
        case "500" | "502" | "503-html" as fault:
            status, words = HTML_STATUS[fault]
            page = f"<html><body><h1>{status} {words}</h1></body></html>"
            return HTMLResponse(page, status_code=status)
        case "503":
            return PlainTextResponse("Service unavailable", status_code=503)
        case "404":
            return PlainTextResponse("Not found", status_code=404)
        case "empty":
            return Response(b"", media_type="application/json")
        case "empty-list":
            return Response(b"[]", media_type="application/json")
    headers = {}
    if rule.fault == "429-retry-after-seconds":
        headers["Retry-After"] = f"{_seconds(rule):.0f}"
    elif rule.fault == "429-retry-after-date":
        until = datetime.now(UTC) + timedelta(seconds=_seconds(rule))
        headers["Retry-After"] = format_datetime(until, usegmt=True)
    return PlainTextResponse("Too many requests", status_code=429, headers=headers)
