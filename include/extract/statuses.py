"""The meaning of a status and its headers: data, wait, retry, or fail."""

from __future__ import annotations

import re
from dataclasses import dataclass

import requests
from urllib3.exceptions import HTTPError, InvalidHeader
from urllib3.util import Retry

from include.errors import SourceRejected, SourceUnavailable

# The client errors to retry; every other 4xx is permanent.
RETRYABLE_CLIENT_ERRORS = {408, 429}
# A longer Retry-After fails the task instead of blocking its slot.
LONGEST_RETRY_AFTER_SECONDS = 300.0
# How the error of an attempt ends.
LATER = "Try again later."
# How much of a body is searched for a text.
BEGINNING_BYTES = 256 * 1024

# `bytes 0-99/100`; some APIs omit the unit, or count records: `items 0-1/2`.
_CONTENT_RANGE = re.compile(
    r"(?:(?P<unit>[\w-]+)[ =])?(?P<first>\d{1,18})-(?P<last>\d{1,18})/(?P<total>\d{1,18})"
)


# What to do about some of the permanent ones.
_HINTS = {
    requests.codes.unauthorized: "the API wants a login: name its secret under `extract.auth` in "
    "the contract. It is sent to the host of `base_url` alone.",
    requests.codes.forbidden: "the API does not allow this; if it wants a login, name its secret "
    "under `extract.auth` in the contract, else check `request`.",
    requests.codes.not_acceptable: "the API does not have this type; check `Accept` under "
    "`request.headers` in the contract.",
}


class AnswerNotReady(SourceUnavailable):
    """The answer is being prepared (202)."""


@dataclass(frozen=True)
class Part:
    """The part of the whole that a body is, from `Content-Range` (RFC 9110, 14.4)."""

    unit: str
    first: int
    last: int
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole."""
        return self.first == 0 and self.last == self.total - 1

    @property
    def reaches_the_end(self) -> bool:
        """Whether it is the last part."""
        return self.last >= self.total - 1

    def __str__(self) -> str:
        return f"{self.unit} {self.first}-{self.last}/{self.total}".strip()


def part_of(content_range: str | None) -> Part | None:
    """The part that a `Content-Range` names; None without one, or if it names no total."""
    match = _CONTENT_RANGE.fullmatch((content_range or "").strip())
    if match is None:
        return None
    numbers = (int(match[name]) for name in ("first", "last", "total"))
    return Part((match["unit"] or "").lower(), *numbers)


def _retry_after(value: str | None) -> float | None:
    """Seconds from `Retry-After`, in either of its two forms (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except (InvalidHeader, ValueError, OverflowError):
        # Some numbers and years are too large to be read.
        return None


def refuse(told: str, response: requests.Response, fail_at_once: tuple[str, ...]) -> None:
    """Raise for every answer except 200 and 206.

    `told` opens the message: who, status, address. Raises `AnswerNotReady`
    for a 202, `SourceUnavailable` for what another attempt may change, else `SourceRejected`,
    also for a 429 whose body holds one of the texts `fail_at_once`.
    """
    status = response.status_code
    if status in (requests.codes.ok, requests.codes.partial_content):
        return
    if status == requests.codes.accepted:
        raise AnswerNotReady(
            f"{told}: the answer is being prepared.", bounded_pause(told, response)
        )
    if status == requests.codes.too_many_requests:
        said = _beginning(response) if fail_at_once else ""
        text = next((text for text in fail_at_once if text in said), None)
        if text:
            raise SourceRejected(
                f"{told}, which says {text!r}. Run the task again once that limit is over."
            )
    if status >= 500 or status in RETRYABLE_CLIENT_ERRORS:
        raise SourceUnavailable(f"{told}. {LATER}", bounded_pause(told, response))
    if status == requests.codes.no_content:
        raise SourceRejected(
            f"{told}: no content. Retrying will not help; if that means that there are no "
            "records, or not yet, put 204 under `answers.empty` or `answers.not_published` in "
            "the contract."
        )
    if status < 400:
        raise SourceRejected(
            f"{told}: expected 200; the body of this status is not reliable data. Retrying "
            "will not help; check `request` in the source's contract."
        )
    hint = _HINTS.get(status, "check `request` in the source's contract.")
    raise SourceRejected(f"{told}. Retrying will not help; {hint}")


def bounded_pause(told: str, response: requests.Response) -> float | None:
    """The pause that the server requests. Raises `SourceRejected` if it is too long."""
    pause = _retry_after(response.headers.get("Retry-After"))
    if pause is not None and pause > LONGEST_RETRY_AFTER_SECONDS:
        raise SourceRejected(
            f"{told}, which requests a pause of {pause:.0f} s. Run the task again after that."
        )
    return pause


def _beginning(response: requests.Response) -> str:
    """The beginning of a body, as far as it can be read."""
    try:
        # Not `iter_content`, which reads a line of any length before a chunk.
        return response.raw.read(BEGINNING_BYTES, decode_content=True).decode("utf-8", "replace")
    except (requests.RequestException, HTTPError, OSError, ValueError):
        return ""
