"""Any API of pages is loaded exactly, or fails: never green with fewer or different rows.

Worlds are generated (`paging_world`), fetched over HTTP by the real job into a
real S3, and read back from there as a load does. `EXAMPLES` is their number:
`make test-slow` takes 10,000.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from include.errors import PipelineError
from include.extract import client as asking
from include.extract import pages as fetching
from include.extract import signals, stable_paging
from include.extract.paging import Moved, Pager
from include.extract.reading import Reading
from include.extract.signals import Signals
from include.jobs.lake import Lake
from include.jobs.pipeline.extract import extract
from include.landing.read import read_pages
from include.landing.write import Draft
from include.records.read import read_records
from include.sources.extract.http import Rate
from include.sources.model import Contract
from tests.integration.paging_world import (
    CHANGES,
    HOST,
    PATH,
    Event,
    GivenAnswer,
    PagingServer,
    World,
    paging_server,
    worlds,
)
from tests.samples import contract, extracting

EXAMPLES = int(os.environ.get("EXAMPLES", "250"))
PASSING = (*CHANGES, "500", "429", "cut")

_numbers = itertools.count(1)
Try = Callable[[World], None]


@pytest.fixture(scope="module")
def server() -> Iterator[PagingServer]:
    with paging_server() as found:
        yield found


@pytest.fixture
def try_world(server, lake, monkeypatch) -> Try:
    """Fetches a world and checks the result."""
    monkeypatch.setenv("WANDLE_SANDBOX_URL", server.url)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    monkeypatch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
    return lambda world: check(world, server, lake)


def contract_for(world: World) -> Contract:
    return contract(
        name=f"world_{next(_numbers)}",
        councils="uk",
        period="day",
        start="2026-07-01",
        extract=extracting(
            base_url=f"https://{HOST}",
            attempts=3,
            request={"path": PATH},
            paging=world.words(),
        ),
        format={"records": "items"},
        columns=[
            {"name": "id", "type": "integer", "required": True, "description": "The row."},
            {"name": "value", "type": "text", "description": "What it says."},
        ],
        key=["id"],
    )


def check(world: World, server: PagingServer, lake: Lake) -> None:
    source = contract_for(world)
    server.serve(world)
    found, failure = outcome(source, lake)
    if found is None and world.down_from:
        # A retry of the task: what it resumes from was read before.
        server.repair()
        found, failure = outcome(source, lake)
    assert not server.was_asked_without_end
    if found is not None:
        careful_reader(world, server, found)
        return
    assert not must_succeed(world), f"failed: {failure}"
    # What led to the failure must not stay: the same run again, with the API in order.
    server.stop_faults()
    assert by_id(fetched(source, lake)) == by_id(server.rows)


def outcome(
    source: Contract, lake: Lake
) -> tuple[list[dict[str, Any]] | None, PipelineError | None]:
    try:
        return fetched(source, lake), None
    except PipelineError as error:
        return None, error


def must_succeed(world: World) -> bool:
    """Whether everything that goes wrong passes, so that fetching again finds it in order."""
    return not world.ignores_paging and all(event.what in PASSING for event in world.events)


def fetched(source: Contract, lake: Lake) -> list[dict[str, Any]]:
    """The rows of a partition as a load reads them from its landing."""
    period = "2026-07-03"
    landing_id = extract(source, source.partition("uk", period), lake=lake, run_id="run")
    where = source.partition("uk", period)
    manifest = lake.landings.manifest(where, landing_id)
    return [
        record
        for page, body in read_pages(lake.landings, where, manifest)
        for chunk in read_records(body, page.bytes, source.layout(), page.context)
        for record in chunk
    ]


def by_id(rows: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    assert len({row["id"] for row in rows}) == len(rows)
    return {row["id"]: row for row in rows}


def careful_reader(world: World, server: PagingServer, found: list[dict[str, Any]]) -> None:
    """What one who reads every answer of the last pass can know, and what was true at that time.

    A pass that was interrupted and resumed is one.
    """
    last_pass = answers_of_last_pass(server.answers)
    data = [answer for answer in last_pass if answer.is_data]

    assert by_id(found) == by_id([row for answer in data for row in answer.rows])
    totals = {answer.signs["total"] for answer in data if "total" in answer.signs}
    assert totals <= {len(found)}
    assert not any(answer.signs.get("more") is False for answer in data[:-1])
    assert proves_the_end(world, last_pass, len(found))
    assert_nothing_between(world, data)
    changed = any(
        data[0].number < event.at <= data[-1].number and event.what in CHANGES
        for event in world.events
    )
    if world.is_honest and not changed:
        assert by_id(found) == by_id(server.moments[data[0].number - 1])


def answers_of_last_pass(answers: list[GivenAnswer]) -> list[GivenAnswer]:
    begins = max(
        number for number, answer in enumerate(answers) if answer.is_data and not answer.position
    )
    return answers[begins:]


def proves_the_end(world: World, last_pass: list[GivenAnswer], count: int) -> bool:
    last = [answer for answer in last_pass if answer.is_data][-1]
    if last.signs.get("more"):
        return False
    if "total" in last.signs:
        return bool(last.signs["total"] == count)
    if "more" in last.signs:
        return True
    if last_pass[-1].status == 404:
        return world.ends == "404"
    if world.kind in ("cursor", "link"):
        return last.signs["next"] is None or (world.ends == "empty" and not last.rows)
    return not last.rows or (world.ends == "short" and len(last.rows) < world.size)


def assert_nothing_between(world: World, data: list[GivenAnswer]) -> None:
    """Each page begins where the one before ended, as its kind of paging counts."""
    for one, following in itertools.pairwise(data):
        if world.kind == "offset":
            assert following.position == one.position + len(one.rows)
        else:
            assert following.position == one.position + min(world.size, world.cap) or (
                world.kind in ("cursor", "link") and following.position == one.position + world.cap
            )


@pytest.mark.timeout(120 + EXAMPLES)
def test_rows_are_loaded_exactly_or_the_fetch_fails(try_world):
    configured = settings(
        max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None
    )

    configured(given(worlds())(try_world))()


# --- the property fails without its guards ---------------------------------------------------


def _ends_when_short(pager: Any, paging: Any, signals: Any, count: int, counted: int) -> bool:
    """As it was: a short page is the last."""
    return count < paging.size if paging.size else not signals.link


def _without_the_flag(patch: Any) -> None:
    made = Signals.__init__

    def init(self: Any, *given: Any) -> None:
        made(self, *given)
        self.more = None

    patch.setattr(Signals, "__init__", init)
    # Neither as the contract's flag nor as one that nobody declared.
    patch.setattr(signals, "MORE", frozenset())


def _without_circles(patch: Any) -> None:
    patch.setattr(Pager, "_check_circle", lambda self, page: None)
    patch.setattr(Pager, "_check_following", lambda self, *_: None)


def _without_reading_landed_pages(patch: Any) -> None:
    def reread(self: Any, facts: Any, body: Any) -> None:
        self.next = facts.next

    patch.setattr(Reading, "reread", reread)


def world(kind: str, *says: str, **changes: Any) -> World:
    made: dict[str, Any] = {"rows": 5, "size": 2, "cap": 2, "ends": "", "link": "absolute"}
    made |= {"ignores_paging": False, "events": ()}
    return World(kind=kind, says=frozenset(says), **made | changes)


INSERTED = world("offset", events=(Event(2, "insert"),))
# What is removed, and a world of those generated in which that shows.
GUARDS: dict[str, tuple[Callable[[Any], None], World]] = {
    "a short page proves nothing": (
        lambda patch: patch.setattr(Pager, "_ends", _ends_when_short),
        world("offset", size=4),
    ),
    "totals are reached": (
        lambda patch: patch.setattr(Pager, "_check_counts", lambda *_: None),
        world("cursor", "total", events=(Event(2, "skip last"),)),
    ),
    "no record comes again": (
        lambda patch: patch.setattr(Pager, "_check_counts", lambda *_: None),
        INSERTED,
    ),
    "totals stay as they are": (
        lambda patch: patch.setattr(Pager, "_check_total", lambda *_: None),
        world("offset", "total", rows=4, events=(Event(2, "insert", 4),)),
    ),
    "the flag": (
        _without_the_flag,
        world("offset", "more", ends="short", events=(Event(1, "skip last"),)),
    ),
    "circles, and the number of pages": (_without_circles, world("page", ignores_paging=True)),
    "several passes": (
        lambda patch: patch.setattr(stable_paging, "MOST_PASSES", 1),
        INSERTED,
    ),
    "counted pages are landed together": (
        lambda patch: patch.setattr(fetching, "one_pass", lambda who, read: read()),
        world("offset", "total", events=(Event(2, "insert"),)),
    ),
    "pages that are contradicted are withdrawn": (
        lambda patch: patch.setattr(Draft, "withdraw", lambda self, pages: None),
        INSERTED,
    ),
    "landed pages are read again": (
        _without_reading_landed_pages,
        world("offset", down_from=2, events=(Event(3, "insert"),)),
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_the_property_fails(try_world, monkeypatch, guard):
    remove, telling = GUARDS[guard]
    try_world(telling)

    remove(monkeypatch)

    with pytest.raises((AssertionError, Moved)):
        try_world(telling)
