"""The facts of a page besides its bytes: its request, and the headers of the answer."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field

from include.sources.paths import parts


class SentRequest(BaseModel):
    """A request as it was sent, without secrets.

    A list in `query` is a parameter that is repeated; `body` is a JSON body,
    `text` any other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    url: str
    query: dict[str, str | list[str]] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    form: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    text: str = Field(default="", exclude_if=lambda text: not text)

    @property
    def address(self) -> str:
        """The URL without its query, which could contain a key."""
        return self.url.partition("?")[0]

    def with_parameters(self, added: Mapping[str, Any], *, in_body: bool = False) -> SentRequest:
        """The same request with these parameters in its query, or in its form or JSON body.

        In JSON, names are paths, and numbers stay numbers.
        """
        if not in_body:
            return self.model_copy(update={"query": {**self.query, **_as_texts(added)}})
        if self.body is None:
            return self.model_copy(update={"form": {**self.form, **_as_texts(added)}})
        body = copy.deepcopy(self.body)
        for path, text in added.items():
            *above, last = parts(path)
            inner = body
            for name in above:
                inner = inner.setdefault(name, {})
            inner[last] = text
        return self.model_copy(update={"body": body})

    def linked(self, url: str) -> SentRequest:
        """The same request to the URL of a link; a query that repeats a name stays in it."""
        address, _, text = url.partition("?")
        pairs = parse_qsl(text, keep_blank_values=True)
        query = dict(pairs)
        if len(query) < len(pairs):
            address, query = url, {}
        return self.model_copy(update={"url": address, "query": query})

    def header(self, name: str) -> str:
        """The value of a header, whatever the case of its name; empty if it is not sent."""
        found = (text for key, text in self.headers.items() if key.lower() == name.lower())
        return next(found, "")

    @property
    def digest(self) -> str:
        """Equal for equal requests."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def digest_with(self, context: dict[str, str]) -> str:
        """Equal for equal requests with equal context."""
        knew = "\x1f".join(f"{name}={value}" for name, value in sorted(context.items()))
        return hashlib.sha256(f"{self.digest}\x1e{knew}".encode()).hexdigest()


def _as_texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


class PageFacts(BaseModel):
    """The facts of one body that the source served, except its request.

    `label` names the request within its partition (`E05000400`, or
    `E05000400/1` for a part of a split area); `context` holds the request's
    values that records lack, by placeholder name. `way` is the contract's way
    of the request, and `next` the offset, page number, cursor, link or key of
    the next page; empty after the last. `digest` is that of the request with
    its context. `redirects` are the addresses that the request was redirected
    to, in order, without their queries. `after` is the time at which the
    previous page of the same pass was fetched, to distinguish passes. `sha256`
    and `bytes` are of the body as received, before it is compressed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    way: str = "api"
    next: str = ""
    context: dict[str, str] = Field(default_factory=dict)
    digest: str = ""
    redirects: tuple[str, ...] = ()
    status: int
    headers: dict[str, str] = Field(default_factory=dict)
    fetched_at: datetime
    after: datetime | None = None
    sha256: str
    bytes: int
    records: int

    @property
    def content_type(self) -> str:
        """The Content-Type of the answer."""
        return self.headers.get("content-type", "")


class StatusAnswer(BaseModel):
    """An answer without a page: its status means no records, or not published yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    request: SentRequest
    status: int
    fetched_at: datetime
