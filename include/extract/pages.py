"""The pages of one partition, in the order that the contract asks for them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.councils.model import Council
from include.errors import SourceRejected, SourceUnavailable
from include.extract.client import Client
from include.extract.fetched import AlreadyLanded, Fetched, NotPublished, Page
from include.extract.paging import Pager
from include.extract.reading import Reading
from include.extract.requests import Ask, Parents, asks, context_of, request_of, split
from include.extract.stable_paging import until_two_agree
from include.sources.extract import Archive, Extract
from include.sources.model import Contract
from include.sources.page import Answered, LandedBefore
from include.sources.partition import Partition

__all__ = ["AlreadyLanded", "Fetched", "NotPublished", "fetch_pages"]

KM_PER_DEGREE = 111.2

# A ward halved so often is some metres wide: a source that still refuses it is down.
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
    landed: Iterable[LandedBefore] = (),
) -> Iterator[Page]:
    """Yield every page of the partition, in order, asked for by `way` at `base_url`.

    The first ones are not fetched again, as long as label, request and what
    it knew are those in `landed`.

    Raises `NotPublished` if the source says that it does not have the period,
    `SourceRejected` naming every ward that it does not know,
    `UnexpectedPayload` for pages that go round in a circle,
    `SourceUnavailable` if they do not add up to the declared total, and what
    `Client.ask` raises.
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
    """The area holds too much."""


class _UnknownWard(Exception):
    """The API does not know the ward."""


@dataclass
class _Fetch:
    contract: Contract
    way_name: str
    partition: Partition
    client: Client
    base_url: str
    have: deque[LandedBefore]
    any_page: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.contract.extract, Extract):
            raise TypeError(f"{self.contract.name} is not asked by HTTP")
        self.way = self.contract.extract.ways[self.way_name]
        self.layout = self.contract.layout(self.way_name)
        at_home = self.way.base_url if isinstance(self.way, Archive) else ""
        self.live_url = at_home or self.contract.extract.base_url

    def who(self, ask: Ask) -> str:
        """What opens every message."""
        return f"{self.partition}, {ask.label}"

    def was_split(self, ask: Ask) -> bool:
        """Whether the next page that is there already is of a part of it."""
        return bool(self.way.split and self.have and self.have[0].label.startswith(f"{ask.label}/"))

    def pages(self, ask: Ask) -> Iterator[Page]:
        """Every page of one thing."""
        paging = self.way.paging
        if paging and paging.until_two_agree and not self._is_landed(ask):
            self.have.clear()
            yield from until_two_agree(self.who(ask), self.layout, lambda: self._one_pass(ask))
            return
        if paging and paging.total and not self._is_landed(ask):
            # What was landed before may no longer add up with what comes now.
            self.have.clear()
        yield from self._in_order(ask)

    def _one_pass(self, ask: Ask) -> Iterator[Fetched]:
        return (page for page in self._in_order(ask) if isinstance(page, Fetched))

    def _is_landed(self, ask: Ask) -> bool:
        """Whether all pages of one thing are there already."""
        pager, context = self._pager(ask), self._context(ask)
        for page in self.have:
            if (page.label, page.digest) != (pager.label, pager.request.digest_with(context)):
                return False
            pager.take(page.sha256, page.next, page.records)
            if pager.done:
                return True
        return False

    def _context(self, ask: Ask) -> dict[str, str]:
        return context_of(self.contract, self.way_name, ask.values)

    def _pager(self, ask: Ask) -> Pager:
        first = request_of(self.way, self.base_url, ask.values)
        urls = (self.live_url, self.base_url)
        return Pager(self.who(ask), ask.label, self.way.paging, first, urls)

    def _in_order(self, ask: Ask) -> Iterator[Page]:
        pager, context = self._pager(ask), self._context(ask)
        while not pager.done:
            label, request = pager.label, pager.request
            before = self.have[0] if self.have else None
            known = (label, request.digest_with(context))
            if before and (before.label, before.digest) == known:
                self.have.popleft()
                pager.take(before.sha256, before.next, before.records)
                self.any_page = True
                yield AlreadyLanded(request, context)
                continue
            self.have.clear()
            read = self._ask(ask, pager, context)
            facts = read.facts(self.way_name)
            pager.take(facts.sha256, facts.next, read.everything)
            self.any_page = True
            yield Fetched(request, facts, read.answer.body)

    def _ask(self, ask: Ask, pager: Pager, context: dict[str, str]) -> Reading:
        answers, who = self.way.answers, f"{self.partition}, {pager.label}"
        read = Reading(who, pager, self.layout, context)
        meant = {*answers.not_published}
        if pager.label == ask.label:
            meant |= {*answers.too_large, *answers.unknown_ward}
        read.answer = answer = self.client.ask(
            who,
            read.request,
            accept=frozenset(meant),
            fail_at_once=answers.fail_at_once,
            check=read.check,
        )
        if answer.status not in meant:
            return read
        if answer.status in answers.too_large:
            raise _TooLarge(f"HTTP {answer.status}")
        if answer.status in answers.unknown_ward:
            raise _UnknownWard
        if self.any_page:
            raise SourceRejected(
                f"{who}: HTTP {answer.status}, after other parts of the period were served. "
                "Retrying will not help; has the source lost a part?"
            )
        raise NotPublished(
            Answered(
                label=pager.label,
                request=read.request,
                status=answer.status,
                fetched_at=answer.fetched_at,
            )
        )


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
