"""What fetching brings: pages, pages taken back, and statuses that say that there is none."""

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


@dataclass(frozen=True)
class Withdrawn:
    """The last `pages` pages contradict what came after them; others come in their place."""

    pages: int


# `Answered`: the source has no records for a request, as the contract reads its status.
Fetched = Page | Answered | Withdrawn


class NotPublished(Exception):
    """The source does not have the period; `answered` is what it said."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered
