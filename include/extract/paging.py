"""From one page to the next: offset, page number, cursor or link, and no way round in a circle."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract.client import Answer
from include.records.read import value_in
from include.sources.extract import Paging
from include.sources.page import SentRequest

HEADER = "header"


class Pager:
    """The pages of one thing that is asked for.

    `first` is its request, but for paging; `urls` are what the API calls its
    own base URL, as links in its answers do, and where it is asked.
    """

    def __init__(
        self, who: str, label: str, paging: Paging | None, first: SentRequest, urls: tuple[str, str]
    ) -> None:
        self.records = 0
        self.done = False
        self._who = who
        self._label = label
        self._paging = paging
        self._first = first
        self._live_url, self._base_url = urls
        self._number = 1
        self._state = ""
        self._bodies: dict[str, int] = {}
        self._states: dict[str, int] = {}

    @property
    def pages(self) -> bool:
        """Whether there can be more than one page."""
        return self._paging is not None

    @property
    def label(self) -> str:
        """The name of the page that comes next: that of the thing, then `#2`, `#3`."""
        return self._label if self._number == 1 else f"{self._label}#{self._number}"

    @property
    def request(self) -> SentRequest:
        """What the page that comes next is asked with."""
        paging = self._paging
        if paging is None:
            return self._first
        if paging.kind == "link" and self._state:
            return self._follow(self._state)
        added = {paging.size_parameter: str(paging.size)} if paging.size_parameter else {}
        if paging.kind in ("offset", "page"):
            added[paging.parameter] = self._state or str(paging.first)
        elif self._state:
            added[paging.parameter] = self._state
        return self._first.model_copy(update={"query": {**self._first.query, **added}})

    def next_after(self, answer: Answer, records: int) -> str:
        """What the page after this one is asked with; empty if there is none.

        `records` are all that the page holds. Raises `UnexpectedPayload` for
        a cursor or link that cannot be one.
        """
        paging = self._paging
        if paging is None:
            return ""
        if paging.kind in ("offset", "page"):
            at = int(self._state or paging.first)
            step = records if paging.kind == "offset" else 1
            return str(at + step) if records >= paging.size else ""
        if paging.next == HEADER:
            return answer.next_link
        found = value_in(answer.body, answer.size, paging.next)
        if found is None or found is False or found == "":
            return ""
        if isinstance(found, bool | dict | list | float):
            raise UnexpectedPayload(
                f"expected the next {paging.kind} at {paging.next!r}, found {type(found).__name__}"
            )
        return str(found)

    def check_total(self, answer: Answer, records: int, last: bool) -> None:
        """Compare with the total that the source declares.

        Raises `SourceUnavailable` if the last page does not complete it or one
        before goes beyond it, and `UnexpectedPayload` if there is no such number.
        """
        if self._paging is None or not self._paging.total:
            return
        declared = _number(value_in(answer.body, answer.size, self._paging.total))
        if declared is None:
            raise UnexpectedPayload(
                f"expected the total number of records at {self._paging.total!r}, found none"
            )
        found = self.records + records
        if found > declared or (last and found != declared):
            raise SourceUnavailable(
                f"{self._who}: expected {declared} records as the source declares, found {found} "
                f"in {self._number} pages. All of them are fetched anew by the next retry."
            )

    def take(self, sha256: str, next_state: str, records: int) -> None:
        """Go on behind a page.

        Raises `UnexpectedPayload` if its body, or what the next one is asked
        with, was there before.
        """
        self.records += records
        before = self._bodies.setdefault(sha256, self._number)
        if before != self._number:
            raise self._circle(f"page {self._number} has the same body as page {before}")
        if not next_state:
            self.done = True
            return
        before = self._states.setdefault(next_state, self._number)
        if before != self._number:
            kind = self._paging.kind if self._paging else "page"
            raise self._circle(f"page {self._number} names the same next {kind} as page {before}")
        self._state = next_state
        self._number += 1

    def _circle(self, what: str) -> UnexpectedPayload:
        return UnexpectedPayload(
            f"{self._who}: {what}: paging goes round in a circle at {self._first.url}. Retrying "
            "will not help; is `paging` right in the contract, and does the API heed it?"
        )

    def _follow(self, link: str) -> SentRequest:
        """The request of a link, which must stay with the API."""
        live, here = urlsplit(self._live_url), urlsplit(self._base_url)
        told = self._live_url + self._first.url.removeprefix(self._base_url)
        target = urlsplit(urljoin(told, link))
        if target.netloc == live.netloc:
            url = self._base_url.removesuffix(live.path) + target.path
        elif target.netloc == here.netloc:
            url = f"{here.scheme}://{here.netloc}{target.path}"
        else:
            raise UnexpectedPayload(
                f"{self._who}: expected a next link to {live.netloc}, found one to "
                f"{target.netloc or 'nowhere'}. Retrying will not help; is `paging.next` right?"
            )
        pairs = parse_qsl(target.query, keep_blank_values=True)
        query = dict(pairs)
        if len(query) < len(pairs):
            url, query = f"{url}?{target.query}", {}
        return self._first.model_copy(update={"url": url, "query": query})


def _number(found: Any) -> int | None:
    if isinstance(found, bool):
        return None
    try:
        return int(found)
    except (TypeError, ValueError, OverflowError):
        return None
