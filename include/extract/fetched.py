"""What fetching brings: pages, and statuses that say that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from include.sources.page import Answered, PageFacts, SentRequest


@dataclass(frozen=True)
class Page:
    """A page of the source.

    `body` is positioned at its start; None for a page that is landed already
    and was not fetched again.
    """

    request: SentRequest
    facts: PageFacts
    body: IO[bytes] | None = None


# `Answered`: the source has no records for a request, as the contract reads its status.
Fetched = Page | Answered


class NotPublished(Exception):
    """The source does not have the period; `answered` is what it said."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered
