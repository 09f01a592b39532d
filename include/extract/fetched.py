"""The results of fetching: pages, and answers without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from include.sources.page import Answered, PageFacts, SentRequest


@dataclass(frozen=True)
class Page:
    """A page of the source.

    `body` is positioned at its start; None for a page that was landed before
    and not fetched again.
    """

    request: SentRequest
    facts: PageFacts
    body: IO[bytes] | None = None


# `Answered`: by its status, the source has no records for a request.
Fetched = Page | Answered


class NotPublished(Exception):
    """The source does not have the period, according to `answered`."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered
