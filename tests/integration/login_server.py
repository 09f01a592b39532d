"""An API that wants a login, with a token endpoint; what it does can be changed while it runs."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tests.integration.conftest import serving


@dataclass
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes

    @property
    def logged_in(self) -> bool:
        return bool({"authorization", "x-api-key"} & self.headers.keys()) or "api_key" in self.query


@dataclass
class LoginServer:
    """`accepts` are the values of API keys, passwords and bearer tokens that are valid now.

    Tokens that it issues are valid for `valid_seconds`, and for `valid_requests` if that is set.
    `said` replaces the answer of a path, as a function of the request.
    """

    accepts: set[str] = field(default_factory=set)
    clients: dict[str, str] = field(default_factory=dict)
    valid_seconds: float = 60
    valid_requests: int | None = None
    rows: int = 6
    size: int = 2
    said: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    issued: dict[str, list[float]] = field(default_factory=dict)
    url: str = ""

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        asked = Asked(
            request.url.path,
            parse_qs(request.url.query, keep_blank_values=True),
            dict(request.headers),
            await request.body(),
        )
        self.asked.append(asked)
        answer = self._answer(asked)
        if hasattr(answer, "__await__"):
            answer = await answer
        await answer(scope, receive, send)

    def _answer(self, asked: Asked) -> Any:
        for path, said in self.said.items():
            if asked.path.endswith(path):
                answer = said(asked) if callable(said) and not isinstance(said, Response) else said
                if answer is not None:
                    return answer
        if asked.path.endswith("/token"):
            return self._token(asked)
        status = self._refused(asked)
        if status:
            return JSONResponse({"error": "no"}, status)
        return self.page(asked)

    def page(self, asked: Asked, **more: Any) -> Response:
        offset = int(asked.query.get("offset", ["0"])[0])
        rows = [{"id": number, "note": f"n{number}"} for number in range(1, self.rows + 1)]
        return JSONResponse({"items": rows[offset : offset + self.size], **more})

    def _refused(self, asked: Asked) -> int:
        header = asked.headers.get("authorization", "")
        kind, _, value = header.partition(" ")
        if kind == "Basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        given = value or asked.headers.get("x-api-key") or asked.query.get("api_key", [""])[0]
        if given in self.issued:
            until = self.issued[given]
            until[1] -= 1
            return 401 if time.monotonic() > until[0] or until[1] < 0 else 0
        return 0 if given in self.accepts else 401

    def _token(self, asked: Asked) -> Response:
        fields = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        kind, _, value = asked.headers.get("authorization", "").partition(" ")
        pair = base64.b64decode(value).decode().partition(":") if kind == "Basic" else None
        client = pair[0] if pair else fields.get("client_id", "")
        secret = pair[2] if pair else fields.get("client_secret", "")
        if self.clients.get(client) != secret:
            return JSONResponse({"error": "invalid_client", "error_description": "who?"}, 401)
        token = f"token-{len(self.issued)}-{'x' * 20}"
        uses = 1_000_000 if self.valid_requests is None else self.valid_requests
        self.issued[token] = [time.monotonic() + self.valid_seconds, uses]
        found = {"access_token": token, "token_type": "Bearer", "expires_in": self.valid_seconds}
        return JSONResponse(found)


@contextmanager
def serving_logins(server: LoginServer) -> Iterator[LoginServer]:
    with serving(server) as url:
        server.url = url
        yield server


__all__ = ["JSONResponse", "LoginServer", "PlainTextResponse", "RedirectResponse", "json"]
