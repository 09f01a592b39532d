"""Read all pages of a request before landing any, again if they contradict each other."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO

from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract.fetched import Page
from include.extract.identity import content_digest
from include.extract.paging import Moved, SamePage
from include.records.read import read_records
from include.sources.formats import Format

log = logging.getLogger(__name__)

# Most passes after contradictions, and until two must agree.
MOST_PASSES = 3
MOST_PASSES_UNTIL_TWO_AGREE = 6
IN_MEMORY_BYTES = 8 * 1024 * 1024
COPY_BYTES = 1024 * 1024
# Records, and a digest of their content.
Content = tuple[int, int]


def one_pass(
    who: str, read: Callable[[], Iterable[Page]], failed: Moved | None = None
) -> Iterator[Page]:
    """Yield the pages of the first pass without a contradiction.

    `read` makes one pass, and raises `Moved` for a contradiction; `failed` is
    that of a first pass already made. The pages of one pass are kept in a
    temporary file until it has succeeded. Raises
    `SourceUnavailable`, naming the last contradiction, if `MOST_PASSES` have
    one, and `UnexpectedPayload` if two passes come to the same page again.
    """
    last = failed
    for number in range(2 if failed else 1, MOST_PASSES + 1):
        with TemporaryFile() as kept:
            try:
                pages = _read_into(kept, read())
            except Moved as moved:
                _refuse_circle(last, moved)
                last = moved
                log.warning("%s: %s. Pass %d of %d.", who, moved, number, MOST_PASSES)
                continue
            yield from _given_back(kept, pages)
            return
    raise _never_settled(who, last)


def until_two_agree(who: str, layout: Format, read: Callable[[], Iterable[Page]]) -> Iterator[Page]:
    """Yield the pages of the first pass with the same records as an earlier one.

    A pass with a contradiction does not count. Raises `SourceUnavailable`
    if `MOST_PASSES_UNTIL_TWO_AGREE` are all different, and `UnexpectedPayload`
    as `one_pass` does.
    """
    seen: set[Content] = set()
    last: Moved | None = None
    for _ in range(MOST_PASSES_UNTIL_TWO_AGREE):
        with TemporaryFile() as kept:
            try:
                pages = _read_into(kept, read(), keep_single=True)
            except Moved as moved:
                _refuse_circle(last, moved)
                last = moved
                continue
            content = _content(kept, layout, pages)
            if content in seen:
                yield from _given_back(kept, pages)
                return
            seen.add(content)
    if last is not None and not seen:
        raise _never_settled(who, last)
    raise SourceUnavailable(
        f"{who}: {MOST_PASSES_UNTIL_TWO_AGREE} passes through the pages, and no two had the same "
        "records. Try again; if that does not help, use windows small enough for one "
        "page."
    )


def _refuse_circle(last: Moved | None, moved: Moved) -> None:
    """Rows can move by a whole page once; an API that ignores the paging repeats pages always."""
    if isinstance(last, SamePage) and isinstance(moved, SamePage):
        raise UnexpectedPayload(moved.circle) from None


def _never_settled(who: str, moved: Moved | None) -> SourceUnavailable:
    return SourceUnavailable(
        f"{who}: {moved}. All pages were fetched several times, each time with such a "
        "contradiction. Try again; if that does not help, request a stable order, or "
        "smaller windows, in the contract."
    )


def _read_into(kept: IO[bytes], read: Iterable[Page], *, keep_single: bool = False) -> list[Page]:
    """The pages of a pass, their bodies in one file, unless there is only one page."""
    pages: list[Page] = []
    for page in read:
        body = _body(page)
        if not pages and not page.facts.next and not keep_single:
            pages.append(page)
            continue
        with body:
            shutil.copyfileobj(body, kept, COPY_BYTES)
        pages.append(replace(page, body=kept))
    if pages and pages[-1].facts.next:
        # A status ended the paging, not the page.
        last = pages[-1]
        pages[-1] = replace(last, facts=last.facts.model_copy(update={"next": ""}))
    return pages


def _content(kept: IO[bytes], layout: Format, pages: list[Page]) -> Content:
    count = total = 0
    for page in _given_back(kept, pages):
        with _body(page) as body:
            facts = page.facts
            for chunk in read_records(body, facts.bytes, layout, facts.context, facts.content_type):
                count += len(chunk)
                total += content_digest(chunk)
    return count, total % 2**256


def _given_back(kept: IO[bytes], pages: list[Page]) -> Iterator[Page]:
    kept.seek(0)
    for page in pages:
        if page.body is not kept:
            yield page
            continue
        body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed by its reader
        left = page.facts.bytes
        while left and (piece := kept.read(min(left, COPY_BYTES))):
            left -= body.write(piece)
        body.seek(0)
        yield replace(page, body=body)


def _body(page: Page) -> IO[bytes]:
    if page.body is None:
        raise TypeError(f"{page.facts.label} was not fetched")
    return page.body
