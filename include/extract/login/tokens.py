"""Tokens of OAuth2: client credentials are exchanged for one, which is kept until it expires.

RFC 6749, 4.4 and 5; RFC 6750 for the use of the token.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests

from include.errors import (
    BeyondLimit,
    PipelineError,
    SourceRejected,
    SourceUnavailable,
    UnexpectedPayload,
)
from include.extract.hosts import address_of
from include.extract.login.secret import Secret, how_to_set
from include.extract.network.addresses import NotAllowed
from include.extract.network.connection import Session
from include.extract.network.deadline import Deadline
from include.extract.network.failures import failure_of
from include.extract.network.receive import receive
from include.extract.statuses import LATER, RETRYABLE_CLIENT_ERRORS, bounded_pause
from include.redact import keep_secret, redacted
from include.sources.extract.auth import Auth

CONNECT_SECONDS = 10
# Of a token's answer; tokens have some thousand characters.
MOST_BYTES = 64 * 1024
MOST_QUOTED = 200
# A token is renewed this long before it expires, or a quarter of its time if that is less.
EARLY_SECONDS = 30.0
# What RFC 6750, 2.1, allows in a header.
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


@dataclass(frozen=True)
class Token:
    """An access token; `until` is when it is renewed, by `time.monotonic`, if that is known."""

    value: str = field(repr=False)
    until: float | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether it need not be renewed yet."""
        return self.until is None or time.monotonic() < self.until


# By what they were issued for; for all fetches of this process, and no longer.
_tokens: dict[str, Token] = {}
_lock = threading.Lock()


class TokenEndpoint:
    """Where tokens are issued. `url` is the contract's, or the sandbox's in its place."""

    def __init__(self, auth: Auth, url: str, timeout_seconds: float) -> None:
        self._auth = auth
        self._url = url
        self._timeout = (CONNECT_SECONDS, timeout_seconds)
        self._session = Session()
        self._session.headers["User-Agent"] = "wandle (council data pipeline)"

    def token(
        self, who: str, secret: Secret, deadline: Deadline, refused: Token | None = None
    ) -> Token:
        """A token that is not `refused`: the present one, or a new one.

        Must be called within `guarded`. Raises `SourceUnavailable` if the
        endpoint does not answer, `SourceRejected` if it refuses the secret,
        and `UnexpectedPayload` for an answer without a token.
        """
        key = self._key(secret)
        with _lock:
            found = _tokens.get(key)
            if found is None or found == refused or not found.is_fresh:
                found = _tokens[key] = self._issued(who, secret, deadline)
            return found

    def _key(self, secret: Secret) -> str:
        issued_for = [self._url, self._auth.model_dump_json(), secret.login, secret.password]
        return hashlib.sha256(json.dumps(issued_for).encode()).hexdigest()

    def _issued(self, who: str, secret: Secret, deadline: Deadline) -> Token:
        asked_at = time.monotonic()
        with self._answer(who, secret) as response:
            told = f"{who}: HTTP {response.status_code} from the token endpoint {self._shown}"
            if 300 <= response.status_code < 400:
                raise SourceRejected(
                    f"{told}, which redirects to {address_of(response.headers.get('Location', ''))}"
                    ": the secret is not sent to another address. Retrying will not help; put the "
                    "new address into `auth.access_token_url` in the contract."
                )
            body = self._body(who, response, deadline)
        if response.status_code >= 500 or response.status_code in RETRYABLE_CLIENT_ERRORS:
            raise SourceUnavailable(f"{told}. {LATER}", bounded_pause(told, response))
        content = _parsed(body)
        if response.status_code >= 400 or (isinstance(content, dict) and "error" in content):
            raise SourceRejected(
                f"{told}: it refuses the secret `{secret.name}`{_error_in(content)}. Retrying will "
                f"not help; set the right client ID and secret with {how_to_set(secret.name)}, and "
                "check `auth.scope` in the contract."
            )
        return self._checked(told, content, body, asked_at, secret)

    @property
    def _shown(self) -> str:
        return address_of(self._url)

    def _answer(self, who: str, secret: Secret) -> requests.Response:
        from authlib.oauth2.auth import ClientAuth

        auth = self._auth
        fields = {"grant_type": "client_credentials", **auth.access_token_request_data}
        fields |= {"scope": auth.scope} if auth.scope else {}
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        client = ClientAuth(secret.login, secret.password, auth.token_endpoint_auth_method)
        try:
            _, headers, form = client.prepare("POST", self._url, headers, urlencode(fields))
        except UnicodeEncodeError:
            raise SourceRejected(
                f"{who}: the secret `{secret.name}` has characters beyond Latin-1, which "
                f"{auth.token_endpoint_auth_method} cannot send. Set it again with "
                f"{how_to_set(secret.name)}."
            ) from None
        keep_secret(headers.get("Authorization", "").removeprefix("Basic "), secret.name)
        try:
            return self._session.post(
                self._url,
                data=form,
                headers=headers,
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
            )
        except NotAllowed as error:
            raise SourceRejected(
                f"{who}: the token endpoint {self._shown} is not requested: {error}. Retrying will "
                "not help. If it is in your own network, name its host under "
                "`extract.private_hosts` in the contract."
            ) from None
        except requests.RequestException as error:
            raise self._unanswered(who, error) from None

    def _unanswered(self, who: str, error: requests.RequestException) -> PipelineError:
        found = failure_of(error, self._url)
        told = f"{who}: no answer from the token endpoint {self._shown} ({found.what})."
        fix = found.fix.replace("`base_url`", "`auth.access_token_url`")
        if found.permanent:
            return SourceRejected(f"{told} Retrying will not help. {fix}")
        return SourceUnavailable(f"{told} {fix}".rstrip() + f" {LATER}")

    def _body(self, who: str, response: requests.Response, deadline: Deadline) -> bytes:
        try:
            with receive(who, self._shown, response, deadline, MOST_BYTES).body as body:
                return body.read()
        except BeyondLimit as error:
            if error.field != "answer_bytes":
                raise
            raise UnexpectedPayload(
                f"{who}: the token endpoint {self._shown} answered with more than {MOST_BYTES} "
                "bytes. Retrying will not help; is `auth.access_token_url` right in the contract?"
            ) from None

    def _checked(
        self, told: str, content: Any, body: bytes, asked_at: float, secret: Secret
    ) -> Token:
        """The token of an answer, which messages and logs do not show."""
        value = content.get("access_token") if isinstance(content, dict) else None
        if not isinstance(value, str) or not _TOKEN.fullmatch(value):
            begins = "" if value else f", found {_quoted(body)}"
            raise UnexpectedPayload(
                f"{told}: expected JSON with an `access_token`{begins}. Retrying will not help; is "
                "`auth.access_token_url` right in the contract?"
            )
        keep_secret(value, f"{secret.name}, token")
        kind = content.get("token_type", "bearer")
        if not isinstance(kind, str) or kind.lower() != "bearer":
            raise UnexpectedPayload(
                f"{told}: expected a token of the type bearer, found {str(kind)[:40]!r}. Retrying "
                "will not help; contracts support no other type."
            )
        seconds = _seconds(content.get("expires_in"))
        if seconds is None:
            return Token(value)
        return Token(value, asked_at + seconds - min(EARLY_SECONDS, seconds / 4))


def _seconds(found: Any) -> float | None:
    """How long a token is valid; None if that is not said. Some servers write it as text."""
    try:
        seconds = None if isinstance(found, bool) or found is None else float(found)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if seconds is not None and 0 <= seconds < 1e9 else None


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error_in(content: Any) -> str:
    if not isinstance(content, dict):
        return ""
    said = [content.get(name) for name in ("error", "error_description")]
    texts = [redacted(text)[:MOST_QUOTED] for text in said if isinstance(text, str) and text]
    return f" and says {': '.join(texts)!r}" if texts else ""


def _quoted(body: bytes) -> str:
    return repr(redacted(body.decode("utf-8", "replace"))[:MOST_QUOTED])
