"""Fetch the pages of one partition, in the order of the contract's requests."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from include.councils.model import Council
from include.errors import SourceRejected, SourceUnavailable
from include.extract.client import Answer, Client
from include.extract.fetched import Fetched, NotPublished, Page
from include.extract.hosts import Hosts
from include.extract.identity import Identity
from include.extract.paging import Pager
from include.extract.reading import Reading
from include.extract.requests import Ask, Parents, asks, context_of, request_of, split
from include.extract.stable_paging import one_pass, until_two_agree
from include.sources.extract import Archive, Extract
from include.sources.model import Contract
from include.sources.page import Answered, PageFacts
from include.sources.partition import Partition

__all__ = ["Fetched", "NotPublished", "Page", "fetch_pages"]

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
    landed: Iterable[PageFacts] = (),
) -> Iterator[Fetched]:
    """Yield every page of the partition, in order, requested by `way` at `base_url`.

    Of a thing that takes several pages none is yielded before all have been
    read and agree with each other. The first things are not fetched again, as
    long as all their pages are in `landed`, with the same label, request and
    context. An `Answered` stands for a thing of which the source says, by a
    status, that it has no records.

    Raises `NotPublished` if the source says that it does not have the period,
    `SourceRejected` naming every ward that it does not know,
    `UnexpectedPayload` for pages that go round in a circle,
    `SourceUnavailable` if they contradict each other or the declared total
    however often they are fetched, and what `Client.ask` raises.
    """
    fetch = _Fetch(contract, way, partition, client, base_url, deque(landed))
    todo = asks(contract, way, partition, council, parents)
    parts: list[Ask] = []
    unknown: list[Ask] = []
    while (ask := parts.pop() if parts else next(todo, None)) is not None:
        if fetch.was_split(ask):
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
                    "The source seems to be down; the next retry may succeed."
                ) from None
            parts.extend(reversed(split(fetch.way, ask)))
        except _UnknownWard:
            unknown.append(ask)
    if unknown:
        raise SourceRejected(_unknown_wards(partition, unknown))


class _TooLarge(Exception):
    """The area has too many records."""


class _UnknownWard(Exception):
    """The API does not know the ward."""


class _Empty(Exception):
    """The source has no records for the request, as its status says."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered


@dataclass
class _Fetch:
    contract: Contract
    way_name: str
    partition: Partition
    client: Client
    base_url: str
    have: deque[PageFacts]
    any_answer: bool = False

    def __post_init__(self) -> None:
        extract = self.contract.extract
        if not isinstance(extract, Extract):
            raise TypeError(f"{self.contract.name} is not asked by HTTP")
        self.way = extract.ways[self.way_name]
        self.layout = self.contract.layout(self.way_name)
        self.identity = Identity(self.contract, self.way_name)
        self.hosts = Hosts(extract.known_hosts, self.base_url)
        at_home = self.way.base_url if isinstance(self.way, Archive) else ""
        self.base_path = urlsplit(at_home or extract.base_url).path

    def who(self, ask: Ask) -> str:
        """The start of every message."""
        return f"{self.partition}, {ask.label}"

    def was_split(self, ask: Ask) -> bool:
        """Whether the next landed page belongs to a part of it."""
        return bool(self.way.split and self.have and self.have[0].label.startswith(f"{ask.label}/"))

    def pages(self, ask: Ask) -> Iterator[Page]:
        """Every page of one thing."""
        paging = self.way.paging
        landed = self._landed(ask)
        if landed:
            self.any_answer = True
            yield from landed
            return
        if paging is None:
            pages = self._fetched(ask)
        elif paging.until_two_agree:
            pages = until_two_agree(self.who(ask), self.layout, lambda: self._fetched(ask))
        else:
            pages = one_pass(self.who(ask), lambda: self._fetched(ask))
        for page in pages:
            # Pages are in order: those landed after this one are of no use.
            self.have.clear()
            yield page

    def _landed(self, ask: Ask) -> list[Page]:
        """The pages of one request if all are landed already, else none."""
        pager, context = self._pager(ask), context_of(self.contract, self.way_name, ask.values)
        found: list[Page] = []
        for facts in self.have:
            if (facts.label, facts.digest) != (pager.label, pager.request.digest_with(context)):
                return []
            found.append(Page(pager.request, facts.model_copy(update={"context": context})))
            pager.take(facts.next)
            if pager.done:
                for _ in found:
                    self.have.popleft()
                return found
        return []

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

    def _fetched(self, ask: Ask) -> Iterator[Page]:
        """One pass through the pages of one thing."""
        pager, context = self._pager(ask), context_of(self.contract, self.way_name, ask.values)
        while not pager.done:
            who = f"{self.partition}, {pager.label}"
            read = Reading(who, pager, self.layout, context, self.identity)
            answer = self._ask(who, read, pager)
            if answer.status in self._without_body(pager):
                self._without_page(who, answer, read, pager)
                continue
            self.any_answer = True
            pager.take(read.next, read.signals, read.everything)
            yield read.page(self.way_name)

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
        said = Answered(
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
