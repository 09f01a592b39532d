"""The results of fetching, and the landed pages of an interrupted fetch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO

from include.errors import LandingDamaged
from include.extract.paging import Pager
from include.sources.page import PageFacts, SentRequest, StatusAnswer


@dataclass(frozen=True)
class Page:
    """A page of the source.

    `body` is positioned at its start; None for a page that was landed before
    and not fetched again.
    """

    request: SentRequest
    facts: PageFacts
    body: IO[bytes] | None = None


@dataclass(frozen=True)
class Withdrawn:
    """The last `pages` pages contradict later ones, and will be replaced."""

    pages: int


# `StatusAnswer`: by its status, the source has no records for a request.
Fetched = Page | StatusAnswer | Withdrawn


class NotPublished(Exception):
    """The source does not have the period, according to `answered`."""

    def __init__(self, answered: StatusAnswer) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered


# Opens a page by its number, from 1. Raises `LandingDamaged`.
Reread = Callable[[int], IO[bytes]]


class Landed:
    """Landed pages in order, up to the first one missing; their contexts are empty.

    A page is resumed from if it answers the request that would be sent now,
    with the same label and context, and follows the page before it in the same
    pass. `reread` opens the body of one.
    """

    def __init__(self, pages: Iterable[PageFacts] = (), reread: Reread | None = None) -> None:
        self._pages = deque(enumerate(pages, start=1))
        self._reread = reread

    def begins_below(self, label: str) -> bool:
        """Whether the next page belongs to a part of the request with this label."""
        return bool(self._pages) and self._pages[0][1].label.startswith(f"{label}/")

    def all_of(self, pager: Pager, context: dict[str, str]) -> list[Page]:
        """Take the pages of one request, if all are landed; else none."""
        found: list[Page] = []
        before: PageFacts | None = None
        for _, facts in self._pages:
            if not _follows(facts, pager, context, before):
                return []
            before = facts
            found.append(Page(pager.request, facts.model_copy(update={"context": context})))
            pager.take(facts.next)
            if pager.done:
                for _ in found:
                    self._pages.popleft()
                return found
        return []

    def next_of(
        self, pager: Pager, context: dict[str, str], before: PageFacts | None
    ) -> tuple[Page, IO[bytes]] | None:
        """Take the next page of one request and its body; None if missing or damaged.

        `before` is the previous page of the request. Raises `ServiceUnavailable`.
        """
        if not self._pages or self._reread is None:
            return None
        number, facts = self._pages[0]
        if not _follows(facts, pager, context, before):
            return None
        try:
            body = self._reread(number)
        except LandingDamaged:
            return None
        self._pages.popleft()
        return Page(pager.request, facts.model_copy(update={"context": context})), body

    def clear(self) -> None:
        """Forget the pages: they are in order, so those after a missing one are stale."""
        self._pages.clear()


def _follows(
    facts: PageFacts, pager: Pager, context: dict[str, str], before: PageFacts | None
) -> bool:
    asked = (pager.label, pager.request.digest_with(context))
    after = before.fetched_at if before else None
    return (facts.label, facts.digest, facts.after) == (*asked, after)
