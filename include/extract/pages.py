"""Fetch the pages of one partition, in the order of the contract's requests."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from include.councils.model import Council
from include.errors import BeyondLimit, SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.answer import Answer
from include.extract.client import Client
from include.extract.fetched import Fetched, Landed, NotPublished, Page, Withdrawn
from include.extract.hosts import Hosts
from include.extract.identity import Identity
from include.extract.paging import Moved, Pager
from include.extract.reading import Reading
from include.extract.requests import Ask, Parents, asks, context_of, request_of, split
from include.extract.stable_paging import one_pass, until_two_agree
from include.sources.extract.http import Archive, Extract
from include.sources.model import Contract
from include.sources.page import PageFacts, StatusAnswer
from include.sources.partition import Partition

log = logging.getLogger(__name__)

KM_PER_DEGREE = 111.2

# After as many splits, a ward is some metres wide: a source that still refuses it is down.
MOST_SPLITS = 12


def fetch_pages(
    contract: Contract,
    partition: Partition,
    council: Council | None,
    *,
    client: Client,
    base_url: str,
    parents: Parents,
    way: str = "api",
    landed: Landed | None = None,
) -> Iterator[Fetched]:
    """Yield every page of the partition, in order, requested by `way` at `base_url`.

    Each page is yielded once its next page is known; pages with a `total`, or
    read `until_two_agree`, only after all of their request have been read.
    Pages in `landed` are not fetched again, up to the first missing one; of
    pages that are yielded together, all must be landed. `Withdrawn` takes back
    the pages of the current request that a later one contradicts. `StatusAnswer`
    stands for a request without records, according to its status.

    Raises `NotPublished` if the source says that it does not have the period,
    `SourceRejected` naming every ward that it does not know,
    `UnexpectedPayload` for paging in a loop,
    `SourceUnavailable` if they contradict each other or the declared total
    however often they are fetched, and what `Client.ask` raises.
    """
    fetch = _Fetch(contract, way, partition, client, base_url, landed or Landed())
    todo = asks(contract, way, partition, council, parents)
    parts: list[Ask] = []
    unknown: list[Ask] = []
    while (ask := parts.pop() if parts else next(todo, None)) is not None:
        if fetch.way.split and fetch.landed.begins_below(ask.label):
            parts.extend(reversed(split(fetch.way, ask)))
            continue
        try:
            yield from fetch.pages(ask)
        except _Empty as empty:
            yield empty.answered
        except _TooLarge as refused:
            if ask.depth == MOST_SPLITS:
                raise SourceUnavailable(
                    f"{fetch.who(ask)}: {refused} even for a part this small. "
                    "The source seems to be down. Try again later."
                ) from None
            parts.extend(reversed(split(fetch.way, ask)))
        except _UnknownWard:
            unknown.append(ask)
    if unknown:
        raise SourceRejected(_unknown_wards(partition, unknown))


def refuse_large(contract: Contract, who: str, size: int) -> None:
    """Raise `BeyondLimit` for a partition, or a part of one, of too many bytes."""
    limit = contract.limits.partition_bytes
    if size > limit:
        what = f"its answers have more than {limit} bytes"
        raise BeyondLimit(what, "partition_bytes", limit, who)


class _TooLarge(Exception):
    """The area has too many records."""


class _UnknownWard(Exception):
    """The API does not know the ward."""


class _Empty(Exception):
    """The source has no records for the request, as its status says."""

    def __init__(self, answered: StatusAnswer) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered


@dataclass
class _Fetch:
    contract: Contract
    way_name: str
    partition: Partition
    client: Client
    base_url: str
    landed: Landed
    any_answer: bool = False

    def __post_init__(self) -> None:
        extract = self.contract.extract
        if not isinstance(extract, Extract):
            raise TypeError(f"{self.contract.name} is not requested by HTTP")
        self.way = extract.ways[self.way_name]
        self.layout = self.contract.layout(self.way_name)
        self.identity = Identity(self.contract, self.way_name)
        parameter = extract.auth.parameter if extract.auth else ""
        self.hosts = Hosts(extract.known_hosts, self.base_url, parameter)
        at_home = self.way.base_url if isinstance(self.way, Archive) else ""
        self.base_path = urlsplit(at_home or extract.base_url).path

    def who(self, ask: Ask) -> str:
        """The start of every message."""
        return f"{self.partition}, {ask.label}"

    def pages(self, ask: Ask) -> Iterator[Page | Withdrawn]:
        """Every page of one request."""
        paging = self.way.paging
        landed = self.landed.all_of(self._pager(ask), self._context(ask))
        if landed:
            self.any_answer = True
            yield from landed
            return
        pages: Iterator[Page | Withdrawn]
        if paging and paging.until_two_agree:
            pages = until_two_agree(self.who(ask), self.layout, lambda: self._fetched(ask))
        elif paging and paging.total:
            pages = one_pass(self.who(ask), lambda: self._fetched(ask))
        else:
            pages = self._page_by_page(ask)
        for page in pages:
            if isinstance(page, Withdrawn) or page.body is not None:
                self.landed.clear()
            yield page

    def _page_by_page(self, ask: Ask) -> Iterator[Page | Withdrawn]:
        """The pages of one request as they arrive, after those already landed.

        If one contradicts an earlier one, all are withdrawn and read again
        before any is yielded. So are landed pages if the page after them is
        refused, because a cursor may have expired.
        """
        pager = self._pager(ask)
        last: PageFacts | None = None
        moved: Moved | None = None
        given = resumed = 0
        try:
            for page in self._resumed(ask, pager):
                last, given, resumed = page.facts, given + 1, resumed + 1
                yield page
            for page in self._fetched(ask, pager, last):
                given += 1
                yield page
            return
        except Moved as contradiction:
            moved = contradiction
            log.warning("%s: %s. Fetching all pages again.", self.who(ask), moved)
        except (SourceRejected, UnexpectedPayload) as refused:
            if not resumed or given > resumed:
                raise
            log.warning("%s Fetching all pages again.", refused)
        if given:
            yield Withdrawn(given)
        yield from one_pass(self.who(ask), lambda: self._fetched(ask), moved)

    def _resumed(self, ask: Ask, pager: Pager) -> Iterator[Page]:
        """The landed pages of one request, from its first.

        They are read again, to detect records that repeat on later pages.
        """
        before: PageFacts | None = None
        while not pager.done:
            found = self.landed.next_of(pager, self._context(ask), before)
            if found is None:
                return
            page, body = found
            read = self._reading(ask, pager)
            with body:
                read.reread(page.facts, body)
            pager.take(page.facts.next, read.signals, read.everything)
            self.any_answer = True
            before = page.facts
            yield page

    def _context(self, ask: Ask) -> dict[str, str]:
        return context_of(self.contract, self.way_name, ask.values)

    def _reading(self, ask: Ask, pager: Pager) -> Reading:
        who = f"{self.partition}, {pager.label}"
        ignored = self.way.answers.ignore
        return Reading(who, pager, self.layout, self._context(ask), self.identity, ignored)

    def _pager(self, ask: Ask) -> Pager:
        first = request_of(self.way, self.base_url, ask.values)
        return Pager(
            self.who(ask),
            ask.label,
            self.way.paging,
            first,
            self.hosts,
            base_path=self.base_path,
            counts_keys=self.identity.is_key,
        )

    def _fetched(
        self, ask: Ask, pager: Pager | None = None, before: PageFacts | None = None
    ) -> Iterator[Page]:
        """The pages of one request: a pass through all, or those after the page `before`."""
        pager = pager or self._pager(ask)
        size = 0
        while not pager.done:
            who = f"{self.partition}, {pager.label}"
            read = self._reading(ask, pager)
            answer = self._ask(who, read, pager)
            if answer.status in self._without_body(pager):
                self._without_page(who, answer, read, pager)
                continue
            self.any_answer = True
            size += answer.size
            refuse_large(self.contract, self.who(ask), size)
            pager.take(read.next, read.signals, read.everything)
            page = read.page(self.way_name, before)
            before = page.facts
            yield page

    def _without_body(self, pager: Pager) -> set[int]:
        """The statuses with a meaning for the next page."""
        answers, paging = self.way.answers, self.way.paging
        meant = {*answers.not_published, *answers.empty}
        if pager.number == 1:
            return meant | {*answers.too_large, *answers.unknown_ward}
        return meant | {*(paging.end_status if paging else ())}

    def _ask(self, who: str, read: Reading, pager: Pager) -> Answer:
        return self.client.ask(
            who,
            read.request,
            accept=frozenset(self._without_body(pager)),
            fail_at_once=self.way.answers.fail_at_once,
            check=read.check,
        )

    def _without_page(self, who: str, answer: Answer, read: Reading, pager: Pager) -> None:
        """The meaning of an answer without a body: the end of the pages, or an exception."""
        answers, paging, status = self.way.answers, self.way.paging, answer.status
        ends = {*answers.empty, *(paging.end_status if paging else ())}
        if pager.number > 1 and status in ends:
            pager.end(status)
            return
        if status in answers.too_large:
            raise _TooLarge(f"HTTP {status}")
        if status in answers.unknown_ward:
            raise _UnknownWard
        said = StatusAnswer(
            label=read.label,
            request=read.request,
            status=status,
            fetched_at=answer.fetched_at,
        )
        if status in answers.empty:
            self.any_answer = True
            raise _Empty(said)
        if self.any_answer:
            raise SourceRejected(
                f"{who}: HTTP {status}, after other parts of the period were served. "
                "Retrying will not help; has the source lost a part?"
            )
        raise NotPublished(said)


def _unknown_wards(partition: Partition, unknown: list[Ask]) -> str:
    wards = {ask.values["ward.code"]: ask.values["ward.name"] for ask in unknown}
    names = ", ".join(f"{code} ({name})" for code, name in wards.items())
    values = unknown[0].values
    council = values["council.name"]
    north = values["council.radius_km"] / KM_PER_DEGREE
    east = north / math.cos(math.radians(values["council.latitude"]))
    box = ",".join(
        f"{values['council.latitude'] + sign * north:.3f},"
        f"{values['council.longitude'] + sign * east:.3f}"
        for sign in (-1, 1)
    )
    return (
        f"{partition}: the API does not know {len(wards)} of the wards in "
        f"include/councils/{council}.yaml: {names}. Fetch the present set with "
        f"`wandle new-council {council}_now --title '{values['council.title']}' "
        f"--gss {values['council.gss_code']} --box {box}`, and move its set to the `ward_sets` "
        f"of {council}.yaml."
    )
