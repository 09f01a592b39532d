"""Ask an API politely: rate limited, with time-outs, retried where another try can help."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from tempfile import SpooledTemporaryFile
from typing import IO

import requests
import tenacity
from pyrate_limiter import Limiter, Rate, StateBucket, TokenBucket
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from include.errors import SourceRejected, SourceUnavailable
from include.sources.model import Extract
from include.sources.model import Rate as AllowedRate
from include.sources.page import SentRequest

log = logging.getLogger(__name__)

# Bodies up to this size stay in memory; larger ones go to a temporary file.
IN_MEMORY_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 10
CHUNK_BYTES = 256 * 1024

# The client errors that invite another attempt; every other 4xx is final.
RETRYABLE_CLIENT_ERRORS = {408, 429}
KEPT_HEADERS = ("content-type", "date", "etag", "last-modified")

LONGEST_BACKOFF_SECONDS = 30.0
# A server that asks for a longer pause than this fails the task instead of holding its slot.
LONGEST_RETRY_AFTER_SECONDS = 300.0


@dataclass(frozen=True)
class Answer:
    """An answer of the API: a body with status 200, or a status with a meaning and no body."""

    status: int
    headers: dict[str, str]
    fetched_at: datetime
    body: IO[bytes]
    sha256: str
    size: int
    # Where the header `Link` says that the next page is.
    next_link: str = ""


class _Again(SourceUnavailable):
    """Another attempt may succeed, after the pause that the server asked for, if any."""

    def __init__(self, message: str, pause_seconds: float | None = None) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


class Client:
    """One source's connection to its API.

    `rate` is what this client may use; clients of one host in one process
    share it.
    """

    def __init__(self, extract: Extract, rate: AllowedRate) -> None:
        self._extract = extract
        self._limiter = _limiter(extract.host, rate.per_second, rate.burst)
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "wandle (council data pipeline)"

    def ask(
        self,
        who: str,
        request: SentRequest,
        *,
        accept: frozenset[int] = frozenset(),
        fail_at_once: tuple[str, ...] = (),
        check: Callable[[Answer], None],
    ) -> Answer:
        """Send `request` until it is answered with 200, or with a status in `accept`.

        `who` opens every message: the partition, and which part of it.
        `check` looks at a 200 and raises `SourceUnavailable` where its body
        is cut short, which is tried again. Raises `SourceUnavailable` once
        the contract's `attempts` are used up, `SourceRejected` for a 4xx
        that another attempt will not change or a 429 whose body holds one of
        the texts `fail_at_once`, and whatever else `check` raises.
        """

        def attempt() -> Answer:
            answer = self._send(who, request, accept, fail_at_once)
            if answer.status == requests.codes.ok:
                check(answer)
                answer.body.seek(0)
            return answer

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(SourceUnavailable),
            stop=tenacity.stop_after_attempt(self._extract.attempts),
            wait=_pause,
            before_sleep=self._tell,
            reraise=True,
        )
        return retrying(attempt)

    def _send(
        self,
        who: str,
        request: SentRequest,
        accept: frozenset[int],
        fail_at_once: tuple[str, ...],
    ) -> Answer:
        self._limiter.try_acquire(self._extract.host)
        try:
            response = self._session.request(
                request.method,
                request.url,
                params=request.query or None,
                data=request.form or None,
                timeout=(CONNECT_SECONDS, self._extract.timeout_seconds),
                stream=True,
            )
        except requests.RequestException as error:
            raise _Again(
                f"{who}: no answer from {request.address} ({type(error).__name__}). "
                "The next retry may succeed."
            ) from error
        with response:
            if response.status_code in accept:
                return _answer(response, SpooledTemporaryFile(), "", 0)
            self._refuse(who, request, response, fail_at_once)
            return self._read(who, request, response)

    def _refuse(
        self,
        who: str,
        request: SentRequest,
        response: requests.Response,
        fail_at_once: tuple[str, ...],
    ) -> None:
        status = response.status_code
        if status == requests.codes.ok:
            return
        if status == requests.codes.too_many_requests:
            said = _beginning(response) if fail_at_once else ""
            text = next((text for text in fail_at_once if text in said), None)
            if text:
                raise SourceRejected(
                    f"{who}: HTTP {status} from {request.address}, which says {text!r}. "
                    "Run the task again once that limit is over."
                )
        if status >= 500 or status in RETRYABLE_CLIENT_ERRORS:
            pause = _retry_after(response)
            if pause is not None and pause > LONGEST_RETRY_AFTER_SECONDS:
                raise SourceRejected(
                    f"{who}: HTTP {status} from {request.address}, which asks to wait "
                    f"{pause:.0f} s. Run the task again after that."
                )
            raise _Again(
                f"{who}: HTTP {status} from {request.address}. The next retry may succeed.", pause
            )
        raise SourceRejected(
            f"{who}: HTTP {status} from {request.address}. Retrying will not help; "
            "check `request` in the source's contract."
        )

    def _read(self, who: str, request: SentRequest, response: requests.Response) -> Answer:
        body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed by its reader
        digest, size = hashlib.sha256(), 0
        try:
            for chunk in response.iter_content(CHUNK_BYTES):
                digest.update(chunk)
                size += body.write(chunk)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _Again(
                f"{who}: the answer from {request.address} broke off after {size} bytes "
                f"({type(error).__name__}). The next retry may succeed."
            ) from error
        body.seek(0)
        return _answer(response, body, digest.hexdigest(), size)

    def _tell(self, state: tenacity.RetryCallState) -> None:
        failure = state.outcome.exception() if state.outcome else None
        log.warning(
            "attempt %d of %d failed: %s Trying again in %.1f s.",
            state.attempt_number,
            self._extract.attempts,
            failure,
            state.upcoming_sleep,
        )


@cache
def _limiter(host: str, per_second: float, burst: int) -> Limiter:
    interval_ms = max(1, round(1000 / per_second))
    return Limiter(StateBucket([Rate(1, interval_ms, burst=burst)], TokenBucket()))


def _answer(response: requests.Response, body: IO[bytes], sha256: str, size: int) -> Answer:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    return Answer(
        status=response.status_code,
        headers=headers,
        fetched_at=datetime.now(UTC),
        body=body,
        sha256=sha256,
        size=size,
        next_link=response.links.get("next", {}).get("url", ""),
    )


def _beginning(response: requests.Response) -> str:
    """The first part of a body, as far as it can be read."""
    try:
        return next(response.iter_content(CHUNK_BYTES), b"").decode("utf-8", "replace")
    except (requests.RequestException, HTTPError, OSError):
        return ""


def _retry_after(response: requests.Response) -> float | None:
    """Seconds from `Retry-After`, in either of its two forms (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After")
    if value is None:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except InvalidHeader:
        return None


_backoff = tenacity.wait_exponential_jitter(multiplier=0.5, max=LONGEST_BACKOFF_SECONDS)


def _pause(state: tenacity.RetryCallState) -> float:
    failure = state.outcome.exception() if state.outcome else None
    asked = getattr(failure, "pause_seconds", None)
    return float(asked) if asked is not None else _backoff(state)
