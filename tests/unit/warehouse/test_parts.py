"""Which parts of a partition have become empty, and when that refuses a load."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sources.model import Contract
from include.warehouse import checks
from include.warehouse.books.ledger import Landing
from include.warehouse.parts import Requested, emptied
from tests.samples import AT, contract, contract_fields, extracting

WARDS = contract(
    extract=extracting(
        for_each="ward",
        parents={"polygon": {"source": "areas", "each": "{latitude}", "join": ":"}},
        request={"path": "/gauges", "query": {"poly": "{polygon}"}},
        split="polygon",
        answers={"too_large": [503]},
    )
)
STATIONS = contract(
    extract=extracting(
        for_each="station",
        parents={"station": {"source": "stations"}},
        request={"path": "/stations/{station.reference}"},
    )
)
COMBINED = contract(
    extract=extracting(
        for_each=["station", "ward", "kind"],
        parents={"station": {"source": "stations"}},
        constants={"kind": ["rain", "the level, now"]},
        request={"path": "/{station.reference}/{ward.code}/{kind}"},
    )
)
WARDS_AND_KINDS = contract(
    extract=extracting(
        for_each=["ward", "kind"],
        constants={"kind": ["rain"]},
        request={"path": "/{ward.code}/{kind}"},
    )
)
WHOLE = contract()


def pages(way: str = "api", **counts: int) -> list[Requested]:
    return listed(counts, way)


def listed(counts: dict[str, int], way: str = "api") -> list[Requested]:
    return [Requested(label, records, way) for label, records in counts.items()]


@pytest.mark.parametrize(
    ("why", "source", "before", "after", "gone"),
    [
        ("nothing changed", WARDS, {"A": 3, "B": 2}, {"A": 3, "B": 2}, []),
        ("fewer, but some", WARDS, {"A": 3, "B": 2}, {"A": 1, "B": 1}, []),
        ("a ward has none", WARDS, {"A": 3, "B": 2}, {"A": 3, "B": 0}, ["B"]),
        ("a ward had none before", WARDS, {"A": 3, "B": 0}, {"A": 3, "B": 0}, []),
        ("it was split, and is not now", WARDS, {"A/1": 3, "A/2/1": 2}, {"A": 5}, []),
        ("it is split now", WARDS, {"A": 5}, {"A/1": 3, "A/2/1": 2, "A/2/2": 0}, []),
        ("it was split, and has none now", WARDS, {"A/1": 3, "A/2": 2}, {"A": 0}, ["A"]),
        ("all pieces are empty", WARDS, {"A/1": 3, "A/2": 2}, {"A/1": 0, "A/2": 0}, ["A"]),
        ("one piece is empty", WARDS, {"A/1": 3, "A/2": 2}, {"A/1": 5, "A/2": 0}, ["A/2"]),
        ("the council has one ward less", WARDS, {"A": 3, "B": 2}, {"A": 3}, []),
        ("the council has other wards", WARDS, {"A": 3, "B": 2}, {"A": 3, "C": 2}, []),
        ("a parent lists one station less", STATIONS, {"a": 3, "b": 2}, {"a": 3}, ["b"]),
        ("one that had nothing", STATIONS, {"a": 3, "b": 0}, {"a": 3}, []),
        ("a parent lists one more", STATIONS, {"a": 3}, {"a": 3, "b": 2}, []),
        ("a combination has none", COMBINED, {"a,W,rain": 3, "b,W,rain": 2},
         {"a,W,rain": 3, "b,W,rain": 0}, ["b,W,rain"]),
        ("a combination is not requested", COMBINED, {"a,W,rain": 3, "b,W,rain": 2},
         {"a,W,rain": 3}, ["b,W,rain"]),
        ("one with a constant that is written otherwise in labels", COMBINED,
         {"a,W,rain": 3, "a,W,the level%2C now": 2}, {"a,W,rain": 3}, ["a,W,the level%2C now"]),
        ("a label that was too long", COMBINED, {"a,W,rain": 3, "b W~0123456789abcdef": 2},
         {"a,W,rain": 3}, ["b W~0123456789abcdef"]),
        ("its constant is gone from the contract", COMBINED, {"a,W,rain": 3, "a,W,snow": 2},
         {"a,W,rain": 3}, []),
        ("a ward is gone, and no parent is asked", WARDS_AND_KINDS, {"V,rain": 3, "W,rain": 2},
         {"V,rain": 3}, []),
        ("stations are asked for by other names", STATIONS, {"a": 3}, {"a,1": 3}, []),
        ("a slash in a name is no piece", STATIONS, {"x/1": 3, "x/2": 1}, {"x/1": 3, "x/2": 0},
         ["x/2"]),
        ("a window has none", WHOLE, {"2017-05 2017-05-01T00:00": 3, "2017-05 2017-05-01T01:00": 2},
         {"2017-05 2017-05-01T00:00": 3, "2017-05 2017-05-01T01:00": 0},
         ["2017-05 2017-05-01T01:00"]),
        ("a page has none, and others follow", WHOLE, {"m": 9, "m#2": 9, "m#3": 4},
         {"m": 8, "m#2": 0, "m#3": 4}, ["m#2"]),
        ("the first page has none", WHOLE, {"m": 9, "m#2": 9}, {"m": 0, "m#2": 9}, ["m"]),
        ("the second page ends the paging", WHOLE, {"m": 9, "m#2": 9, "m#3": 4},
         {"m": 9, "m#2": 0}, ["m#2"]),
        ("records were removed, the last page is empty", WHOLE, {"m": 9, "m#2": 2},
         {"m": 7, "m#2": 0}, []),
        ("the last page is one more", WHOLE, {"m": 9, "m#2": 2}, {"m": 9, "m#2": 2, "m#3": 0}, []),
        ("an empty last page, as before", WHOLE, {"m": 9, "m#2": 0}, {"m": 9, "m#2": 0}, []),
        ("the tenth page has none", WHOLE, {"m": 9, "m#9": 9, "m#10": 4},
         {"m": 9, "m#9": 9, "m#10": 0}, ["m#10"]),
        ("a ward of several pages has none", WARDS, {"A": 9, "A#2": 4, "B": 1}, {"A": 0, "B": 1},
         ["A"]),
    ],
)  # fmt: skip
def test_parts_have_become_empty(why, source, before, after, gone):
    found = emptied(source, listed(before), listed(after))

    assert [part.name for part in found] == gone, why


def test_an_archive_is_not_compared_with_the_api():
    source = contract_with_archive()

    assert emptied(source, pages(a=3, b=2), pages("archive", day=4)) == []
    assert [part.name for part in emptied(source, pages(a=3, b=2), pages(a=3, b=0))] == ["b"]


def contract_with_archive() -> Contract:
    archive = {"from_age_days": 26, "request": {"path": "/archive.csv"}, "format": {"kind": "csv"}}
    return contract(
        extract=extracting(
            for_each="station",
            parents={"station": {"source": "stations"}},
            request={"path": "/stations/{station.reference}"},
            archive=archive,
        )
    )


def test_pages_of_a_database_are_not_parts():
    database = {"kind": "database", "connection": "crm", "query": "select 1 as id", "key": "id"}
    source = contract(extract=database)

    assert emptied(source, listed({"1": 3, "7": 2}), listed({"1": 3, "7": 0})) == []


@pytest.mark.parametrize(
    ("query", "changed", "said", "may"),
    [
        ("select 1 as id", "", None, False),
        ("select 1 as id", "at", None, True),
        ("select 1 as id", "at", False, False),
        ("select %(period_start)s as id", "at", None, False),
        ("select 1 as id", "", True, True),
    ],
)
def test_rows_that_move_on_when_they_change_may_leave_a_period_empty(query, changed, said, may):
    database = {"kind": "database", "connection": "crm", "query": query, "key": "id"}
    rules = {} if said is None else {"partition_may_empty": said}

    source = contract(extract=database | {"changed": changed}, checks=rules)

    assert source.may_empty is may


# --- refused or not --------------------------------------------------------------------------


def landing(records: int) -> Landing:
    return Landing(
        source="gauges",
        council="kingston",
        period=date(2017, 5, 1),
        landing_id="new",
        outcome="complete",
        run_id="run",
        code_version="test",
        contract_hash="contract",
        pages_hash="pages",
        pages=1,
        records=records,
        bytes=100,
        started_at=AT,
        finished_at=AT,
        parents="{}",
    )


def refusal(source: Contract, before: dict[str, int], after: dict[str, int]) -> str | None:
    """Why a landing may not replace another, by both checks."""
    new = landing(sum(after.values()))
    current = {"landing_id": "old", "records": sum(before.values())}
    gone = emptied(source, listed(before), listed(after))
    return checks.of_landing(source, new, current) or checks.of_parts(source, new, "old", gone)


def with_checks(source: Contract, **rules: Any) -> Contract:
    return source.model_copy(update={"checks": source.checks.model_copy(update=rules)})


def test_the_refusal_names_the_parts_with_their_numbers():
    before = {f"E{number}": number for number in range(1, 9)}
    after = {name: 0 for name in before} | {"E1": 1}

    found = refusal(WARDS, before, after)

    assert found == (
        "expected records in every part that has more than 0 in the current load (landing old), "
        "found 7 without any in landing new: E2 had 2, has none; E3 had 3, has none; "
        "E4 had 4, has none; E5 had 5, has none; E6 had 6, has none; and 2 more"
    )


def test_a_station_that_its_parent_no_longer_lists_is_named_as_such():
    found = refusal(STATIONS, {"a": 3, "b": 96}, {"a": 3})

    assert found
    assert "b had 96, was not requested" in found


@pytest.mark.parametrize(
    ("rules", "before", "after", "refused"),
    [
        ({}, {"A": 3, "B": 1}, {"A": 3, "B": 0}, True),
        ({"max_records_of_emptied_part": 1}, {"A": 3, "B": 1}, {"A": 3, "B": 0}, False),
        ({"max_records_of_emptied_part": 1}, {"A": 3, "B": 2}, {"A": 3, "B": 0}, True),
        ({"max_records_of_emptied_part": None}, {"A": 3, "B": 2}, {"A": 3, "B": 0}, False),
        ({"max_records_of_emptied_part": None}, {"A": 3, "B": 2}, {"A": 0, "B": 0}, True),
        ({"max_records_of_emptied_part": 9}, {"A": 1}, {"A": 0}, True),
        ({"partition_may_empty": True}, {"A": 3, "B": 2}, {"A": 0, "B": 0}, False),
        ({"partition_may_empty": True}, {"A": 3, "B": 2}, {"A": 0, "B": 1}, True),
        ({}, {"A": 0, "B": 0}, {"A": 0, "B": 0}, False),
    ],
)
def test_a_contract_says_what_may_become_empty(rules, before, after, refused):
    assert bool(refusal(with_checks(WARDS, **rules), before, after)) is refused


WARD_COUNTS = st.fixed_dictionaries({ward: st.integers(0, 12) for ward in "ABC"})


@st.composite
def landed(draw: st.DrawFn) -> tuple[dict[str, int], dict[str, int]]:
    """How many records each ward has, and the same by page: split areas, pages of four."""
    counts = draw(WARD_COUNTS)
    by_page: dict[str, int] = {}
    for ward, records in counts.items():
        first = draw(st.integers(0, records)) if draw(st.booleans()) else None
        areas = {ward: records} if first is None else {f"{ward}/1": first,
                                                       f"{ward}/2": records - first}  # fmt: skip
        for area, held in areas.items():
            for number in range(1, held // 4 + 2):
                label = area if number == 1 else f"{area}#{number}"
                by_page[label] = min(4, held - 4 * (number - 1))
    return counts, by_page


@given(st.lists(landed(), min_size=2, max_size=8), st.integers(0, 6))
def test_no_history_of_landings_empties_a_part_that_the_contract_protects(history, most):
    source = with_checks(WARDS, max_records_of_emptied_part=most)
    counts, by_page = history[0]
    for new_counts, new_by_page in history[1:]:
        lost = [ward for ward in "ABC" if counts[ward] > most and not new_counts[ward]]
        all_lost = sum(counts.values()) > 0 and not sum(new_counts.values())

        refused = refusal(source, by_page, new_by_page)

        if lost or all_lost:
            assert refused
        elif refused:
            # Not the whole ward: a page or an area of it that was there and is empty.
            assert any(
                records > most and new_by_page.get(label) == 0 for label, records in by_page.items()
            )
        if not refused:
            counts, by_page = new_counts, new_by_page


def test_a_contract_that_says_nothing_protects_every_part():
    fields = contract_fields()
    del fields["checks"]

    said = Contract.model_validate(fields).checks

    assert (said.max_records_of_emptied_part, said.partition_may_empty) == (0, None)
