"""What is known of a page besides its bytes: the request that it answers, and the answer."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class SentRequest(BaseModel):
    """A request as it was sent, without secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str
    url: str
    query: dict[str, str] = Field(default_factory=dict)
    form: dict[str, str] = Field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Equal for requests that ask for the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class PageFacts(BaseModel):
    """One body that the source served, but for the request.

    `label` names the request within its partition (`E05000400`, or
    `E05000400/1` for a part of a split area); `context` holds what the request
    knew and no record carries, by placeholder name. `sha256` and `bytes` are of
    the body as received, before it is compressed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    context: dict[str, str] = Field(default_factory=dict)
    status: int
    headers: dict[str, str] = Field(default_factory=dict)
    fetched_at: datetime
    sha256: str
    bytes: int
    records: int


class Answered(BaseModel):
    """An answer that brought no page: what the source said instead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    request: SentRequest
    status: int
    fetched_at: datetime


Record = dict[str, Any]
