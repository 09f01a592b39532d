"""One answer: read to its end before it is taken for a page."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import replace
from typing import IO, Any

from include.errors import BeyondLimit, SourceUnavailable, UnexpectedPayload
from include.extract.answer import Answer
from include.extract.fetched import Page
from include.extract.identity import Identity, PageRecords
from include.extract.media_types import is_accepted
from include.extract.paging import Pager
from include.extract.signals import Signals, sign_of_more, sign_of_part, undeclared_total
from include.records.diagnose import diagnose
from include.records.json.values import BodyCutShort
from include.records.read import around_records, envelope_body, read_records
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
        ignored: Collection[str] = (),
    ) -> None:
        self.label = pager.label
        self.request: SentRequest = pager.request
        self.records = 0
        self.everything = PageRecords()
        self.signals: Signals | None = None
        self.next = ""
        self._who, self._pager = who, pager
        self._layout, self._context, self._identity = layout, context, identity
        self._ignored = ignored

    def check(self, answer: Answer) -> None:
        """Read it to its end, and find out what comes next.

        Raises `SourceUnavailable`, `UnexpectedPayload`, `BeyondLimit` for
        records that are too large, and `Moved` if it contradicts earlier pages.
        """
        self._refuse_parts(answer)
        content_type = answer.headers.get("content-type", "")
        self._refuse_other_types(answer, content_type)
        try:
            self._count(answer, content_type)
            plain = self._plain(answer, content_type)
            self.signals = self._pager.signals(plain, self.everything.last)
            around = around_records(plain.body, plain.size, self._layout)
        except BeyondLimit as error:
            raise error.of(f"{self._who}, {self._address(answer)}") from None
        except (BodyCutShort, UnexpectedPayload) as error:
            found = diagnose(error, answer.body, answer.size, self._layout, content_type)
            where = self._address(answer)
            if found.retry:
                raise SourceUnavailable(
                    f"{self._who}: the answer from {where} cannot be read: {found.what}."
                    f"{found.begins} Try again later."
                ) from None
            raise UnexpectedPayload(
                f"{self._who}: {found.what}.{found.begins} Answered by {where}. Retrying will not "
                "help. Has the API changed, or is `format` or `paging` wrong in the contract?"
            ) from None
        self.next = self._pager.next_after(answer, self.signals, self.everything)
        self._refuse_what_is_missing(answer, around)
        self.answer = answer

    def _count(self, answer: Answer, said: str) -> None:
        layout, pager = self._layout, self._pager
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
        if not self._pager.pages and not self._layout.has_envelope:
            return answer
        plain = unpack(answer.body, answer.size, self._layout, said)
        if self._layout.kind == "xml":
            around = envelope_body(plain.body, self._layout)
            return replace(answer, body=io.BytesIO(around), size=len(around))
        return replace(answer, body=plain.body, size=plain.size)

    def _refuse_parts(self, answer: Answer) -> None:
        """Refuse what is a part of the whole; a page may be one, but not of the bytes."""
        part = answer.part
        if answer.status != PARTIAL_CONTENT and (part is None or part.reaches_the_end):
            return
        in_bytes = part is not None and part.unit == "bytes"
        if part is not None and part.is_whole and (not in_bytes or part.total == answer.size):
            return
        if self._pager.pages and not in_bytes:
            return
        raise UnexpectedPayload(
            f"{self._who}: HTTP {answer.status} from {self._address(answer)}: expected the whole "
            f"answer, found {f'the part {part}' if part else 'a part without a Content-Range'}. "
            "Retrying will not help; does the API need `paging` in the contract?"
        )

    def _refuse_other_types(self, answer: Answer, content_type: str) -> None:
        """Refuse a type that the contract does not ask for in the header `Accept`."""
        wanted = self.request.header("Accept")
        if not is_accepted(content_type, wanted):
            raise UnexpectedPayload(
                f"{self._who}: expected {wanted}, as `Accept` asks for, found "
                f"{content_type[:100]} from {self._address(answer)}. Retrying will not help; if "
                "that is right, add the type to `Accept` in the contract."
            )

    def _refuse_what_is_missing(self, answer: Answer, around: Any) -> None:
        """Refuse an answer that lacks records, or has another page that is not followed."""
        part = sign_of_part(around, self._layout, self._ignored)
        if part:
            raise SourceUnavailable(
                f"{self._who}: the answer from {self._address(answer)} says that records are "
                f"missing: {part}. Try again later; if the field means something else, "
                "put it into `answers.ignore` in the contract."
            )
        told = self._told(answer, around)
        if self.signals:
            self.signals.told = told
        if self.next:
            return
        count = self.everything.count if self._pager.pages else self.records
        self._pager.check_told(told, count)
        if self._pager.is_proved_last(self.signals, self.everything.count):
            return
        more = sign_of_more(answer, around, self._layout, self._ignored)
        if more:
            raise UnexpectedPayload(
                f"{self._who}: the answer from {self._address(answer)} names another page in "
                f"{more}, which is not requested. Retrying will not help; declare `paging` in the "
                "contract, or, if that is not a page, put it into `answers.ignore`."
            )

    def _told(self, answer: Answer, around: Any) -> tuple[str, int] | None:
        """The total of an answer that the contract does not name, where it can be compared."""
        if self._pager.has_total or (self._layout.select and not self._pager.pages):
            return None
        return undeclared_total(answer, around, self._layout, self._ignored)

    def _address(self, answer: Answer) -> str:
        here = answer.url or self.request.address
        return f"{here} (redirected from {self.request.address})" if answer.redirects else here

    def reread(self, facts: PageFacts, body: IO[bytes]) -> None:
        """Read a page that is landed already; it was checked before it was landed.

        What comes next is in its facts: headers with links are not kept.
        """
        answer = Answer(
            status=facts.status,
            headers=facts.headers,
            fetched_at=facts.fetched_at,
            body=body,
            sha256=facts.sha256,
            size=facts.bytes,
        )
        content_type = facts.headers.get("content-type", "")
        self._count(answer, content_type)
        plain = self._plain(answer, content_type)
        self.signals = self._pager.signals(plain, self.everything.last)
        if self.signals:
            around = around_records(plain.body, plain.size, self._layout)
            self.signals.told = self._told(answer, around)
        self.next, self.answer = facts.next, answer

    def page(self, way: str, before: PageFacts | None) -> Page:
        """The page that it is, behind the one `before`."""
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
            after=before.fetched_at if before else None,
            sha256=answer.sha256,
            bytes=answer.size,
            records=self.records,
        )
        return Page(self.request, facts, answer.body)
