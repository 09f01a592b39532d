"""One answer: read to its end before it is taken for a page."""

from __future__ import annotations

from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract.client import Answer
from include.extract.paging import Pager
from include.records.read import BodyCutShort, count_records, read_records
from include.sources.formats import Format
from include.sources.page import PageFacts, SentRequest


class Reading:
    """The answer to one request: its records, everything it holds, and what comes next.

    `answer` is the one that `check` saw last.
    """

    answer: Answer

    def __init__(
        self,
        who: str,
        pager: Pager,
        layout: Format,
        context: dict[str, str],
    ) -> None:
        self.label = pager.label
        self.request: SentRequest = pager.request
        self.records = self.everything = 0
        self.next = ""
        self._who, self._pager = who, pager
        self._layout, self._context = layout, context

    def check(self, answer: Answer) -> None:
        """Read it to its end. Raises `SourceUnavailable` or `UnexpectedPayload`."""
        try:
            self._count(answer)
        except BodyCutShort as error:
            raise SourceUnavailable(
                f"{self._who}: the answer from {self.request.address} cannot be read: {error}. "
                "The next retry may succeed."
            ) from None
        except UnexpectedPayload as error:
            raise UnexpectedPayload(
                f"{self._who}: {error} in the answer from {self.request.address}. Has the API "
                "changed, or is `format` or `paging` wrong in the contract?"
            ) from None

    def _count(self, answer: Answer) -> None:
        layout, pager = self._layout, self._pager
        chunks = read_records(answer.body, answer.size, layout, self._context)
        self.records = self.everything = sum(len(chunk) for chunk in chunks)
        if layout.select and pager.pages:
            self.everything = count_records(answer.body, answer.size, layout)
        self.next = pager.next_after(answer, self.everything)
        pager.check_total(answer, self.everything, last=not self.next)

    def facts(self, way: str) -> PageFacts:
        """What is known of it as a page."""
        answer = self.answer
        return PageFacts(
            label=self.label,
            way=way,
            next=self.next,
            context=self._context,
            status=answer.status,
            headers=answer.headers,
            fetched_at=answer.fetched_at,
            sha256=answer.sha256,
            bytes=answer.size,
            records=self.records,
        )
