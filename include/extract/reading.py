"""One answer: read to its end before it is taken for a page."""

from __future__ import annotations

from dataclasses import replace

from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract.client import Answer
from include.extract.fetched import Page
from include.extract.identity import Identity, PageRecords
from include.extract.paging import Pager
from include.extract.signals import Signals
from include.records.diagnose import diagnose
from include.records.read import BodyCutShort, read_records
from include.records.unpack import unpack
from include.sources.formats import Format
from include.sources.page import PageFacts, SentRequest

PARTIAL_CONTENT = 206


class Reading:
    """The answer to one request: its records, everything it holds, and what comes next.

    `answer` is the one that `check` saw last; `everything` are its records
    whether selected or not, where there can be more pages.
    """

    answer: Answer

    def __init__(
        self,
        who: str,
        pager: Pager,
        layout: Format,
        context: dict[str, str],
        identity: Identity,
    ) -> None:
        self.label = pager.label
        self.request: SentRequest = pager.request
        self.records = 0
        self.everything = PageRecords()
        self.signals: Signals | None = None
        self.next = ""
        self._who, self._pager = who, pager
        self._layout, self._context, self._identity = layout, context, identity

    def check(self, answer: Answer) -> None:
        """Read it to its end, and find out what comes next.

        Raises `SourceUnavailable`, `UnexpectedPayload`, and `Moved` if it
        contradicts earlier pages.
        """
        self._refuse_parts(answer)
        content_type = answer.headers.get("content-type", "")
        try:
            self._count(answer, content_type)
            self.signals = self._pager.signals(self._plain(answer, content_type))
        except (BodyCutShort, UnexpectedPayload) as error:
            found = diagnose(error, answer.body, answer.size, self._layout, content_type)
            where = self._address(answer)
            if found.retry:
                raise SourceUnavailable(
                    f"{self._who}: the answer from {where} cannot be read: {found.what}."
                    f"{found.begins} The next retry may succeed."
                ) from None
            raise UnexpectedPayload(
                f"{self._who}: {found.what}.{found.begins} Answered by {where}. Retrying will not "
                "help. Has the API changed, or is `format` or `paging` wrong in the contract?"
            ) from None
        self.next = self._pager.next_after(answer, self.signals, self.everything)
        self.answer = answer

    def _count(self, answer: Answer, said: str) -> None:
        layout, pager = self._layout, self._pager
        if not pager.pages:
            layout = layout.with_evidence(replace(layout.evidence, only_page=True))
        self.records, self.everything = 0, PageRecords()
        for chunk in read_records(
            answer.body, answer.size, layout, self._context, said, complete=answer.complete
        ):
            self.records += len(chunk)
            if pager.pages and not layout.select:
                self.everything.add(chunk, self._identity)
        if pager.pages and layout.select:
            answer.body.seek(0)
            whole = layout.model_copy(update={"select": None})
            for chunk in read_records(answer.body, answer.size, whole, None, said):
                self.everything.add(chunk, self._identity)

    def _plain(self, answer: Answer, said: str) -> Answer:
        """The answer with its body as records are read from it."""
        if not self._pager.pages:
            return answer
        plain = unpack(answer.body, answer.size, self._layout, said)
        return replace(answer, body=plain.body, size=plain.size)

    def _refuse_parts(self, answer: Answer) -> None:
        """Refuse a 206 that is not the whole; a page may be a part, but not of the bytes."""
        if answer.status != PARTIAL_CONTENT:
            return
        part = answer.part
        in_bytes = part is not None and part.unit == "bytes"
        if part is not None and part.is_whole and (not in_bytes or part.total == answer.size):
            return
        if self._pager.pages and not in_bytes:
            return
        raise UnexpectedPayload(
            f"{self._who}: HTTP {PARTIAL_CONTENT} from {self._address(answer)}: expected the whole "
            f"answer, found {f'the part {part}' if part else 'a part without a Content-Range'}. "
            "Retrying will not help; does the API need `paging` in the contract?"
        )

    def _address(self, answer: Answer) -> str:
        here = answer.url or self.request.address
        return f"{here} (redirected from {self.request.address})" if answer.redirects else here

    def page(self, way: str) -> Page:
        """The page that it is."""
        answer = self.answer
        facts = PageFacts(
            label=self.label,
            way=way,
            next=self.next,
            context=self._context,
            digest=self.request.digest_with(self._context),
            redirects=answer.redirects,
            status=answer.status,
            headers=answer.headers,
            fetched_at=answer.fetched_at,
            sha256=answer.sha256,
            bytes=answer.size,
            records=self.records,
        )
        return Page(self.request, facts, answer.body)
