"""An answer of an API, and what is kept of its headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO

import requests

from include.errors import SourceRejected
from include.extract.hosts import address_of
from include.extract.statuses import Part, part_of
from include.redact import redacted

KEPT_HEADERS = ("content-type", "date", "etag", "last-modified")
# Of WordPress, GitLab, JSON Server and others.
TOTALS = ("X-Total-Count", "X-Total", "X-WP-Total", "Total-Count", "X-Pagination-Total-Count")
# Of all headers of one answer; servers and clients allow 8 to 64 KB.
MOST_HEADER_CHARACTERS = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """An answer of the API: a body with status 200 or 206, or a status with a meaning and no body.

    `url` is the address that finally answered, without its query, `redirects`
    those of the redirects on the way.
    """

    status: int
    headers: dict[str, str]
    fetched_at: datetime
    body: IO[bytes]
    sha256: str
    size: int
    url: str = ""
    redirects: tuple[str, ...] = ()
    # Whether its length or its end was declared.
    complete: bool = True
    # All headers, by their names in lower case: for the contract's `paging`, and not kept.
    received: dict[str, str] = field(default_factory=dict)
    # The header `Link`.
    links: str = ""
    # The headers that have a number of records.
    totals: dict[str, str] = field(default_factory=dict)
    # What the body is a part of, if a header says so.
    part: Part | None = None


def refuse_large_headers(told: str, response: requests.Response) -> None:
    """Raise `SourceRejected` for more headers than servers send; `told` opens the message."""
    size = sum(len(name) + len(value) for name, value in response.headers.items())
    if size > MOST_HEADER_CHARACTERS:
        raise SourceRejected(
            f"{told}: expected at most {MOST_HEADER_CHARACTERS} characters of headers, found "
            f"{size}. Retrying will not help."
        )


def answered(
    response: requests.Response,
    body: IO[bytes],
    url: str,
    redirects: list[str],
    *,
    sha256: str = "",
    size: int = 0,
) -> Answer:
    """The answer of a response whose body was read; what repeats a secret is taken out."""

    def kept(*names: str) -> dict[str, str]:
        found = ((name, response.headers.get(name)) for name in names)
        return {name: redacted(value) for name, value in found if value is not None}

    return Answer(
        status=response.status_code,
        headers=kept(*KEPT_HEADERS),
        fetched_at=datetime.now(UTC),
        body=body,
        sha256=sha256,
        size=size,
        url=address_of(url),
        redirects=tuple(redirects),
        complete=_declares_its_end(response),
        received={name.lower(): value for name, value in response.headers.items()},
        links=response.headers.get("Link", ""),
        totals=kept(*TOTALS),
        part=part_of(response.headers.get("Content-Range")),
    )


def _declares_its_end(response: requests.Response) -> bool:
    """Whether a truncated body can be detected (RFC 9112, 6.3)."""
    chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
    return chunked or "Content-Length" in response.headers
