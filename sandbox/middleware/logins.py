"""Logins as APIs have them: a key in a header, or tokens of a token endpoint that soon expire.

The secrets are made up (`of_sandbox`): they protect nothing.
"""

from __future__ import annotations

import base64
import binascii
import secrets
import time
from collections.abc import Callable
from urllib.parse import parse_qs

from include.sources.extract.auth import of_sandbox
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN_SECONDS = 45


class KeyInHeader:
    """Serves clients that send the secret in a header; answers 401 to all others."""

    def __init__(self, app: ASGIApp, header: str, secret: str) -> None:
        self.app = app
        self.header = header
        self.value = of_sandbox(secret)[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if Headers(scope=scope).get(self.header) == self.value:
            await self.app(scope, receive, send)
            return
        message = f"the header {self.header} has no valid key"
        await JSONResponse({"message": message, "code": 401}, 401)(scope, receive, send)


class Tokens:
    """Issues tokens to a client with the secret (RFC 6749, 4.4), and knows those that are valid."""

    def __init__(
        self,
        secret: str,
        scope: str,
        seconds: float = TOKEN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = of_sandbox(secret)
        self._scope = scope
        self._seconds = seconds
        self._clock = clock
        self._expires: dict[str, float] = {}

    async def endpoint(self, request: Request) -> Response:
        """The token endpoint."""
        fields = {
            name: found[0] for name, found in parse_qs((await request.body()).decode()).items()
        }
        if fields.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if self._sent(request, fields) != self._client:
            return JSONResponse({"error": "invalid_client"}, 401)
        if fields.get("scope", self._scope) != self._scope:
            return JSONResponse({"error": "invalid_scope"}, 400)
        token, now = secrets.token_urlsafe(32), self._clock()
        self._expires = {one: until for one, until in self._expires.items() if until > now}
        self._expires[token] = now + self._seconds
        content = {"access_token": token, "token_type": "Bearer", "expires_in": self._seconds}
        return JSONResponse(content, headers={"Cache-Control": "no-store"})

    def holds(self, header: str | None) -> bool:
        """Whether an Authorization header has a valid token."""
        kind, _, token = (header or "").partition(" ")
        return kind.lower() == "bearer" and self._expires.get(token, 0) > self._clock()

    @staticmethod
    def _sent(request: Request, fields: dict[str, str]) -> tuple[str, str]:
        kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "basic":
            return fields.get("client_id", ""), fields.get("client_secret", "")
        try:
            login, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return login, password


class BearerToken:
    """Serves clients that send a valid token; answers 401 to all others."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self.app = app
        self.tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.tokens.holds(Headers(scope=scope).get("Authorization")):
            await self.app(scope, receive, send)
            return
        refused = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        answer = JSONResponse({"error": "invalid_token"}, 401, headers=refused)
        await answer(scope, receive, send)
