"""Paging: the next page, the end, and contradictions between pages."""

from __future__ import annotations

from typing import Any

from include.errors import UnexpectedPayload
from include.extract.answer import Answer
from include.extract.hosts import Hosts, Refused
from include.extract.identity import PageRecords
from include.extract.signals import Signals, cursor_of
from include.extract.statuses import Part
from include.redact import holds_secret
from include.sources.extract.paging import RECORD, Paging
from include.sources.page import SentRequest


class Moved(Exception):
    """The pages contradict each other or the declared total: fetch them again."""


class SamePage(Moved):
    """A page has the same records as an earlier one: `circle` is the message if it repeats."""

    def __init__(self, what: str, circle: str) -> None:
        super().__init__(what)
        self.circle = circle


class Pager:
    """The pages of one request.

    `first` is its request, but for paging; `hosts` and `base_path` say where
    links may lead; `counts_keys` whether records are told apart by a key, so
    that each is counted once also within a page.
    """

    def __init__(
        self,
        who: str,
        label: str,
        paging: Paging | None,
        first: SentRequest,
        hosts: Hosts,
        *,
        base_path: str = "",
        counts_keys: bool = True,
    ) -> None:
        self.done = False
        self.number = 1
        self._who = who
        self._label = label
        self._paging = paging
        self._first = first
        self._hosts, self._base_path = hosts, base_path
        self._counts_keys = counts_keys
        self._state = paging.first_cursor if paging else ""
        self._states: dict[str, int] = {}
        self._pages: dict[int, int] = {}
        self._seen: set[int] = set()
        self._received = self._counted = self._repeated = 0
        self._total: int | None = None
        self._total_pages: int | None = None
        self._more: bool | None = None
        self._part: Part | None = None
        self._told: tuple[str, int] | None = None

    @property
    def pages(self) -> bool:
        """Whether there can be more than one page."""
        return self._paging is not None

    @property
    def label(self) -> str:
        """The label of the next page: that of the request, from the second on with `#2`, `#3`."""
        return self._label if self.number == 1 else f"{self._label}#{self.number}"

    @property
    def request(self) -> SentRequest:
        """The request of the next page."""
        paging = self._paging
        if paging is None:
            return self._first
        if paging.kind == "link" and self._state:
            return self._first.linked(self._state)
        added: dict[str, Any] = {}
        if paging.size_parameter:
            added[paging.size_parameter] = paging.size
        if paging.kind in ("offset", "page"):
            added[paging.parameter] = int(self._state or paging.first)
        elif self._state:
            in_body = paging.location == "body"
            added[paging.parameter] = cursor_of(self._state) if in_body else self._state
        return self._first.with_parameters(added, in_body=paging.location == "body")

    def signals(self, answer: Answer, last: Any = None) -> Signals | None:
        """What the answer, and its `last` record, say of its paging.

        Raises `UnexpectedPayload`.
        """
        return Signals(self._paging, answer, last) if self._paging else None

    def next_after(self, answer: Answer, signals: Signals | None, page: PageRecords) -> str:
        """The state to request the next page with; empty if this is the last.

        Raises `UnexpectedPayload` for a next page that was read before, for
        one beyond `max_pages` and for a link to another host, `Moved` for a
        contradiction to earlier pages or the declared total, and `SamePage`.
        """
        paging = self._paging
        if paging is None or signals is None:
            return ""
        self._check_circle(page)
        self._check_gap(signals.part)
        fresh = self._fresh(page)
        self._check_total(signals, fresh)
        self._check_total_pages(paging, signals, page.count)
        ends = self._ends(paging, signals, page.count, self._counted + fresh)
        following = "" if ends else self._following(paging, signals, page.count, answer)
        if following:
            self._check_following(paging, following, fresh, page.count)
        else:
            self._check_end(page, signals, answer)
        return following

    @property
    def has_total(self) -> bool:
        """Whether the contract names where the total is."""
        return self._paging is not None and bool(self._paging.total)

    def is_proved_last(self, signals: Signals | None, count: int) -> bool:
        """Whether more than the absence of a next page says that this page is the last."""
        paging = self._paging
        if paging is None or signals is None:
            return False
        named = paging.kind in ("cursor", "link") and not paging.next.startswith(RECORD)
        no_link = named and not signals.link
        return self.has_total or signals.more is False or (count == 0 and not no_link)

    def check_told(self, told: tuple[str, int] | None, count: int) -> None:
        """Raise if the last page, of `count` records, ends before a total that an answer has.

        `told` is that of the last page, which the contract does not name.
        """
        where, total = told or self._told or ("", 0)
        received = self._received + count
        if total > received:
            raise UnexpectedPayload(
                f"{self._who}: {received} records were received from {self._first.address}, which "
                f"says that there are more: {where} is {total}. Retrying will not help; declare "
                "`paging`, or its `total`, in the contract, or, if that counts something else, "
                "put it into `answers.ignore`."
            )

    def take(
        self, following: str, signals: Signals | None = None, page: PageRecords | None = None
    ) -> None:
        """Continue after a page that `next_after` has accepted, or that is landed already."""
        if signals is not None and page is not None:
            fresh = self._fresh(page)
            self._repeated += self._repeats(page)
            self._received += page.count
            self._counted += fresh
            self._seen.update(page.identities)
            self._pages.setdefault(page.digest, self.number)
            self._total = signals.total if self._total is None else self._total
            self._total_pages = self._total_pages or signals.total_pages
            self._more = signals.more
            self._part = signals.part or self._part
            self._told = signals.told or self._told
        if not following:
            self.done = True
            return
        self._states.setdefault(following, self.number)
        self._state = following
        self.number += 1

    def end(self, status: int) -> None:
        """End the paging because of a status. Raises `Moved` if that contradicts a page."""
        if self._more:
            raise Moved(
                f"page {self.number - 1} says that more follow, page {self.number} is HTTP {status}"
            )
        self._check_counts(self._received, self._counted, self._repeated, self._total)
        self._check_part(self._part)
        self.check_told(None, 0)
        self.done = True

    def _fresh(self, page: PageRecords) -> int:
        """The number of new records on a page."""
        new = [identity for identity in page.identities if identity not in self._seen]
        return len(set(new)) if self._counts_keys else len(new)

    def _repeats(self, page: PageRecords) -> int:
        return sum(identity in self._seen for identity in page.identities)

    def _check_circle(self, page: PageRecords) -> None:
        before = self._pages.get(page.digest) if page.count else None
        if before is not None:
            what = f"page {self.number} has the same records as page {before}"
            raise SamePage(what, self._circle(what))

    def _check_gap(self, part: Part | None) -> None:
        before = self._part
        if before and part and part.first > before.last + 1:
            raise Moved(
                f"page {self.number} holds {part} as its Content-Range says, the page before it "
                f"{before}"
            )

    def _check_total(self, signals: Signals, fresh: int) -> None:
        paging = self._paging
        if paging is None or not paging.total:
            return
        if signals.total is None and self._total is None:
            raise UnexpectedPayload(
                f"{self._who}: expected the total number of records at {paging.total!r}, found "
                f"none in the answer from {self._first.address}. Retrying will not help; is "
                "`paging.total` right in the contract?"
            )
        if self._total is not None and signals.total not in (None, self._total):
            raise Moved(
                f"page {self.number} declares {signals.total} records in all, page 1 {self._total}"
            )
        total = signals.total if self._total is None else self._total
        if total is not None and self._counted + fresh > total:
            raise Moved(
                f"expected {total} records as the source declares, found "
                f"{self._counted + fresh} different ones in {self.number} pages"
            )

    def _check_total_pages(self, paging: Paging, signals: Signals, count: int) -> None:
        if paging.total_pages and signals.total_pages is None:
            raise UnexpectedPayload(
                f"{self._who}: expected the number of pages at {paging.total_pages!r}, found none "
                f"in the answer from {self._first.address}. Retrying will not help; is "
                "`paging.total_pages` right in the contract?"
            )
        wrong = signals.compare_pages(self.number, self._total_pages, count)
        if wrong:
            raise Moved(wrong)

    def _ends(self, paging: Paging, signals: Signals, count: int, counted: int) -> bool:
        """Whether the page is the last, by the strongest evidence first."""
        total = signals.total if self._total is None else self._total
        if counted == total:
            if signals.more:
                raise Moved(
                    f"all {total} declared records were received, and page {self.number} says "
                    "that more follow"
                )
            return True
        if signals.more is not None:
            return not signals.more
        if paging.last_page == "short" and total is None and count < paging.size:
            return True
        if paging.kind in ("offset", "page") or paging.last_page == "empty":
            return count == 0
        # A cursor whose next page is empty too is at the end.
        return count == 0 and signals.link == self._state

    def _following(self, paging: Paging, signals: Signals, count: int, answer: Answer) -> str:
        if paging.kind == "page":
            return str(int(self._state or paging.first) + 1)
        if paging.kind == "offset":
            if count == 0:
                raise Moved(f"page {self.number} says that more follow, but has no records")
            return str(int(self._state or paging.first) + count)
        if not signals.link and signals.more:
            raise Moved(
                f"page {self.number} says that more follow, but names no next {paging.kind}"
            )
        if paging.kind == "cursor" and holds_secret(signals.link):
            raise UnexpectedPayload(
                f"{self._who}: the cursor of page {self.number + 1} holds the secret that the "
                "source logs in with. Retrying will not help; is `paging.next` right in the "
                "contract?"
            )
        follows_link = paging.kind == "link" and signals.link
        return self._resolved(signals.link, answer) if follows_link else signals.link

    def _check_following(self, paging: Paging, following: str, fresh: int, count: int) -> None:
        before = self._states.get(following)
        if before is not None:
            raise UnexpectedPayload(
                self._circle(
                    f"page {self.number} names the same next {paging.kind} as page {before}"
                )
            )
        if following == self._state:
            raise UnexpectedPayload(
                self._circle(f"page {self.number} names itself as the next one")
            )
        if self.number >= paging.max_pages:
            raise UnexpectedPayload(
                f"{self._who}: more than {paging.max_pages} pages at {self._first.address}. "
                "Retrying will not help; does the API support the paging? If there are that many "
                "pages, raise `paging.max_pages` in the contract."
            )
        if count and not fresh and not paging.may_repeat:
            raise Moved(f"every record of page {self.number} was on an earlier page")

    def _check_end(self, page: PageRecords, signals: Signals, answer: Answer) -> None:
        if self._more and signals.more is None and not page.count:
            raise Moved(
                f"page {self.number - 1} says that more follow, page {self.number} has no records"
            )
        received, counted = self._received + page.count, self._counted + self._fresh(page)
        total = signals.total if self._total is None else self._total
        self._check_counts(received, counted, self._repeated + self._repeats(page), total)
        self._check_part(answer.part or self._part)

    def _check_part(self, part: Part | None) -> None:
        """Raise if the last page that named its part is not the last one."""
        if part and not part.reaches_the_end:
            raise UnexpectedPayload(
                f"{self._who}: the last page holds {part} as its Content-Range says, and no page "
                "follows. Retrying will not help; is `paging` right in the contract?"
            )

    def _check_counts(self, received: int, counted: int, repeated: int, total: int | None) -> None:
        paging = self._paging
        if total is not None and counted != total:
            raise Moved(
                f"expected {total} records as the source declares, found {counted} different ones "
                f"among {received} in {self.number} pages"
            )
        if repeated and paging and not paging.may_repeat:
            raise Moved(
                f"{repeated} of {received} records repeat on a later page, {counted} are "
                "different: the order changed while paging, and others may be missing"
            )

    def _circle(self, what: str) -> str:
        return (
            f"{self._who}: {what}: paging loops at {self._first.address}. "
            "Retrying will not help; is `paging` right in the contract? Does the API support it?"
        )

    def _resolved(self, link: str, answer: Answer) -> str:
        """The URL of a link in an answer, which must stay with the API."""
        page = answer.url or self.request.url
        try:
            return self._hosts.follow_link(page, link, self._base_path)
        except Refused as error:
            raise UnexpectedPayload(
                f"{self._who}: the link to page {self.number + 1} is not followed: {error}. "
                "Retrying will not help; is `paging.next` right in the contract?"
            ) from None
