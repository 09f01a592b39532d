"""Which landings go: never one that is needed, and every one that is not, in any history."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import event, given, settings
from hypothesis import strategies as st

from include.landing.inventory import Ref, Stored, reference
from include.landing.retention import Known, no_longer_kept
from include.landing.store import new_landing_id
from include.sources.partition import Partition, Period
from tests.samples import column, contract

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
PERSONAL = contract(
    column("id", "integer"), column("who", personal="drop"), name="people", retention_days=40
)
CONTRACTS = {
    "gauges": contract(name="gauges", retention_days=10),
    "kept": contract(name="kept"),
    "people": PERSONAL,
}
PERIODS = ("2026-08", "2026-11")


def known(
    days_ago: float,
    outcome: Any = "complete",
    *,
    source: str = "gauges",
    period: str = "2026-11",
    parents: Iterable[Ref] = (),
    replaces: str | None = None,
    pages_in: Known | None = None,
) -> Known:
    """A landing of so many days ago."""
    where = Partition(source, "kingston", Period.read(period))
    landing_id = new_landing_id("run", NOW - timedelta(days=days_ago))
    stored = Stored(where, landing_id, outcome is not None, 2, 100)
    home = pages_in.stored.ref if pages_in else None
    return Known(stored, outcome, (*parents, *([home] if home else [])), replaces, home)


def going(*found: Known, pointed: Iterable[Known] = (), removed: Iterable[Ref] = ()) -> Any:
    """The reasons by landing, in the order given; None where it stays."""
    at = {item.stored.ref for item in pointed}
    reasons = no_longer_kept(
        found,
        CONTRACTS,
        now=NOW,
        pointed_at=lambda where: {ref[3] for ref in at if ref[:3] == reference(where, "")[:3]},
        removed=set(removed),
    )
    return [reasons.get(item.stored.ref) for item in found]


def test_an_old_superseded_landing_is_deleted_and_the_newest_stays():
    assert going(known(30), known(20), known(15)) == ["superseded", "superseded", None]


def test_a_superseded_landing_stays_until_it_is_old():
    assert going(known(9.9), known(1)) == [None, None]


def test_a_contract_without_a_limit_keeps_everything():
    assert going(known(3000, source="kept"), known(1, source="kept")) == [None, None]


def test_a_source_without_a_contract_keeps_everything():
    assert going(known(3000, source="gone"), known(1, source="gone")) == [None, None]


def test_the_newest_complete_landing_stays_if_a_later_one_was_not_published():
    found = (known(40), known(30), known(20, "not_published"), known(15, "not_published"))

    assert going(*found) == ["superseded", None, "superseded", None]


def test_a_damaged_landing_stays_and_supersedes_none():
    assert going(known(30), known(20, "damaged")) == [None, None]


def test_a_landing_that_a_row_points_to_stays():
    old = known(30)

    assert going(old, known(1), pointed=[old]) == [None, None]


def test_a_parent_stays_as_long_as_a_child_that_stays():
    parent, newer = known(30), known(1)
    child = known(20, source="kept", parents=[parent.stored.ref])

    assert going(parent, newer, child) == [None, None, None]


def test_a_parent_is_deleted_together_with_its_last_child():
    parent = known(30)
    child = known(20, period="2026-08", parents=[parent.stored.ref])

    assert going(parent, known(1), child, known(2, period="2026-08")) == [
        *("superseded", None),
        *("superseded", None),
    ]


def test_a_reference_to_a_replaced_landing_points_to_its_replacement():
    erased, newer = known(30).stored, known(1)
    replacement = known(29.9, replaces=erased.landing_id)
    child = known(20, source="kept", parents=[erased.ref])

    assert going(replacement, newer, child) == [None, None, None]


def test_a_replacement_does_not_keep_what_it_replaces():
    erased = known(30)

    assert going(erased, known(29.9, replaces=erased.stored.landing_id)) == ["superseded", None]


def test_an_unfinished_landing_stays_as_long_as_it_may_be_resumed():
    assert going(known(0.99, None), known(1, None)) == [None, "interrupted"]


def test_what_is_left_of_a_removed_landing_is_deleted_at_once():
    left = known(0.1, None)

    assert going(left, removed=[left.stored.ref]) == ["interrupted"]


def test_everything_of_a_partition_of_personal_data_is_deleted_when_it_is_past_its_limit():
    old = [
        known(50, source="people", period="2026-08"),
        known(1, source="people", period="2026-08"),
    ]
    young = [known(50, source="people"), known(1, source="people")]
    child = known(1, source="kept", parents=[old[0].stored.ref])

    assert going(*old, *young, child, pointed=old) == [
        "expired",
        "expired",
        "superseded",
        None,
        None,
    ]


def test_personal_data_are_kept_to_the_last_day_of_their_limit():
    august = Period.parse("2026-08", "month")

    assert not PERSONAL.is_past_limit(august, (august.last_day + timedelta(days=40)))
    assert PERSONAL.is_past_limit(august, (august.last_day + timedelta(days=41)))
    assert not CONTRACTS["gauges"].is_past_limit(august, NOW.date())


def test_personal_data_of_all_there_is_are_as_old_as_their_newest_fetch():
    fetched = [known(days, source="people", period="all") for days in (90, 39)]
    forgotten = [known(days, source="people", period="all") for days in (90, 41)]

    assert going(*fetched) == ["superseded", None]
    assert going(*forgotten) == ["expired", "expired"]


def test_a_landing_is_deleted_with_the_one_that_has_its_pages_and_keeps_it_until_then():
    old, young = known(50, source="people", period="2026-08"), known(50, source="people")
    newer = known(1, source="people")
    reads_old, reads_young = known(1, pages_in=old), known(1, period="2026-10", pages_in=young)
    reads_removed = known(1, period="2026-09", pages_in=known(2, source="kept"))

    assert going(
        *(old, reads_old, young, newer, reads_young, reads_removed),
        pointed=[reads_old],
        removed=[reads_removed.pages_in],
    ) == ["expired", "expired", None, None, None, "expired"]


@st.composite
def histories(draw: Any) -> tuple[list[Known], set[Ref], set[Ref]]:
    """Landings of some partitions, which point to each other at random; and who is pointed at."""
    found: dict[Ref, Known] = {}
    replaced: set[str | None] = set()
    for _ in range(draw(st.integers(1, 12))):
        source = draw(st.sampled_from([*CONTRACTS, "gone"]))
        period = draw(st.sampled_from(PERIODS))
        days_ago = draw(st.sampled_from([0.5, 1.5, 5, 9, 11, 15, 20, 30, 60, 90]))
        outcome = draw(st.sampled_from(["complete", "complete", "not_published", "damaged", None]))
        parents: list[Ref] = []
        replaces = None
        if found and outcome in ("complete", "not_published"):
            parents = draw(st.lists(st.sampled_from(sorted(found)), max_size=3))
            siblings = {ref[3] for ref in found if ref[0] == source and ref[2] == period}
            replaces = draw(st.sampled_from([None, *sorted(siblings - replaced)]))
            replaced.add(replaces)
        item = known(
            days_ago + len(found) / 100,
            outcome,
            source=source,
            period=period,
            parents=parents,
            replaces=replaces,
        )
        found[item.stored.ref] = item
    refs = sorted(found)
    pointed = set(draw(st.lists(st.sampled_from(refs), max_size=3)))
    removed = set(draw(st.lists(st.sampled_from(refs), max_size=1)))
    return list(found.values()), pointed, removed


def needed(item: Known, found: list[Known], pointed: set[Ref]) -> bool:
    """Whether a finished landing of public data, or of a young partition, has its own reason."""
    contract_ = CONTRACTS.get(item.stored.partition.source)
    age = NOW - datetime.strptime(item.stored.landing_id[:22], "%Y%m%dT%H%M%S%fZ").replace(
        tzinfo=UTC
    )
    newer = [
        other
        for other in found
        if other.stored.partition == item.stored.partition
        and other.stored.landing_id > item.stored.landing_id
        and other.outcome in ("complete", "not_published")
    ]
    newest_complete = item.outcome == "complete" and all(o.outcome != "complete" for o in newer)
    return (
        contract_ is None
        or contract_.retention_days == 0
        or age <= timedelta(days=contract_.retention_days)
        or item.outcome == "damaged"
        or not newer
        or newest_complete
        or item.stored.ref in pointed
    )


@settings(max_examples=400)
@given(histories())
def test_everything_is_deleted_except_what_is_needed(history):
    found, pointed, removed = history
    finished = {item.stored.ref: item for item in found if item.outcome is not None}
    expired = {
        ref
        for ref, item in finished.items()
        if ref[0] == "people" and PERSONAL.is_past_limit(item.stored.partition.period, NOW.date())
    }

    reasons = dict(
        zip([i.stored.ref for i in found], going(*found, pointed=_known(found, pointed),
            removed=removed), strict=True)
    )  # fmt: skip

    stays = {ref for ref, reason in reasons.items() if reason is None and ref in finished}
    for ref, item in finished.items():
        # By the specification, word by word, and not by the way that the code works.
        pointed_by_staying = any(
            parent in _chain(found, ref) for other in stays for parent in finished[other].parents
        )
        if ref in expired:
            assert reasons[ref] == "expired"
        elif needed(item, found, pointed) or pointed_by_staying:
            assert reasons[ref] is None
        else:
            assert reasons[ref] == "superseded"
        event(str(reasons[ref]))
    for item in found:
        if item.outcome is None:
            young = item.stored.landing_id > new_landing_id("run", NOW - timedelta(days=1))
            gone = item.stored.ref in removed or not young
            assert reasons[item.stored.ref] == ("interrupted" if gone else None)


def _known(found: list[Known], refs: set[Ref]) -> list[Known]:
    return [item for item in found if item.stored.ref in refs]


def _replaced(item: Known) -> Ref | None:
    return reference(item.stored.partition, item.replaces) if item.replaces else None


def _chain(found: list[Known], ref: Ref) -> set[Ref]:
    """A landing, what it replaces, what that replaced, and so on."""
    by_ref = {item.stored.ref: item for item in found}
    chain: set[Ref] = set()
    current: Ref | None = ref
    while current is not None and current not in chain:
        chain.add(current)
        current = _replaced(by_ref[current]) if current in by_ref else None
    return chain
