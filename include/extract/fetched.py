"""What fetching brings: a page, one that is there already, or word that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from include.sources.page import Answered, PageFacts, SentRequest


@dataclass(frozen=True)
class Fetched:
    """A page that was fetched just now; `body` is positioned at its start."""

    request: SentRequest
    facts: PageFacts
    body: IO[bytes]


@dataclass(frozen=True)
class AlreadyLanded:
    """A page that need not be fetched again, the request that it answers, and what that knew."""

    request: SentRequest
    context: dict[str, str]


Page = Fetched | AlreadyLanded


class NotPublished(Exception):
    """The source does not have the period; `answered` is what it said."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered
