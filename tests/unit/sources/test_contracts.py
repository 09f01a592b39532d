"""Contracts: rules between their fields, what decides the rules hash, the share of a rate."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from include.errors import UnknownName
from include.sources import model
from include.sources.partition import Period
from include.sources.rates import rate_for
from tests.samples import column, contract, extracting

POLYGON = {"source": "gauges", "each": "{id}"}
WRONG = {
    "a column twice": {"columns": [column("a"), column("a")], "key": []},
    "a key that is no column": {"key": ["nr"]},
    "a snapshot with lookback": {"snapshot": True, "lookback": 1},
    "a form that is not posted": {"extract": extracting(request={"path": "/", "form": {"a": "b"}})},
    "too_large without split": {"extract": extracting(answers={"too_large": [503]})},
    "split of no parent": {"extract": extracting(split="polygon", answers={"too_large": [503]})},
    "unknown_ward without wards": {"extract": extracting(answers={"unknown_ward": [404]})},
    "wards of no council": {"councils": "uk", "extract": extracting(for_each="ward")},
    "a status that is none": {"extract": extracting(answers={"not_published": [200]})},
    "a live API without TLS": {"extract": extracting(base_url="http://api.test")},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_fields_that_contradict_each_other_are_refused(changes):
    with pytest.raises(ValidationError):
        contract(**changes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"type_name": "string"},
        {"type_name": "numeric"},
        {"type_name": "numeric(39,2)"},
        {"type_name": "numeric(4,5)"},
        {"pattern": "("},
        {"type_name": "integer", "pattern": "1+"},
        {"minimum": 1},
        {"path": "a.b", "request": "period"},
        {"request": "ward.code"},
        {"position": True},
        {"description": ""},
        {"name": "2nd"},
    ],
    ids=str,
)
def test_a_column_that_makes_no_sense_is_refused(wrong):
    fields = {"name": "a", "type_name": "text"} | wrong

    with pytest.raises(ValidationError):
        contract({**column(fields.pop("name"), fields.pop("type_name")), **fields})


def test_a_numeric_type_is_written_one_way():
    assert contract(column("a", "numeric(9, 6)")).column("a").type == "numeric(9,6)"


BASE = (column("id", "integer"), column("note"))
PINNED = "10918c7739ac09a32f8598ea733ff1fc32c4a13bf0a3150063d3d83931e5039f"


def test_the_rules_hash_is_the_same_from_one_version_to_the_next():
    """A hash that changes for every contract would have all partitions parsed again."""
    assert contract(*BASE).rules_hash == PINNED


def test_the_rules_hash_of_a_selection_is_that_of_older_versions():
    select = {"field": "ref", "among": "council.gss_code"}

    dumped = contract(*BASE, format={"select": select}).format.model_dump(exclude_defaults=True)

    assert dumped == {"select": select}


@pytest.mark.parametrize(
    "changed",
    [
        contract(BASE[0], column("note", required=True)),
        contract(BASE[0], column("note", pattern="a+")),
        contract(BASE[0], column("note", path="remark")),
        contract(column("id", "double"), BASE[1]),
        contract(BASE[0]),
        contract(*BASE, key=["id"]),
        contract(*BASE, checks={"min_records": 1, "max_quarantined_share": 1}),
        contract(*BASE, format={"records": "items"}),
    ],
)
def test_the_rules_hash_changes_with_what_decides_the_load(changed):
    assert changed.rules_hash != contract(*BASE).rules_hash


@pytest.mark.parametrize(
    "changed",
    [
        contract(*BASE, title="Other", description="Other", schedule="0 5 1 * *", lookback=3),
        contract(*BASE, extract=extracting(parallel=4, timeout_seconds=5)),
        contract(BASE[0], {**BASE[1], "description": "Better said."}),
    ],
)
def test_the_rules_hash_does_not_change_with_words_and_schedules(changed):
    assert changed.rules_hash == contract(*BASE).rules_hash
    assert changed.contract_hash != contract(*BASE).contract_hash


def test_an_unknown_source_is_named_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"unknown source 'gauge'. Known: .*police_street_crime"):
        model.contract("gauge")


def test_a_period_is_recent_until_its_lag_is_over():
    lagging = contract(publication_lag_days=10)
    may = Period.parse("2017-05", "month")

    assert lagging.may_be_unpublished(may, datetime(2017, 6, 10, 23, tzinfo=UTC))
    assert not lagging.may_be_unpublished(may, datetime(2017, 6, 11, tzinfo=UTC))


def test_the_clients_of_a_host_together_stay_within_its_rate():
    rate = {"per_second": 15, "burst": 30}
    both = [
        contract(name="a", extract=extracting(parallel=2, rate=rate)),
        contract(name="b", extract=extracting(parallel=1, rate=rate)),
        contract(name="c", extract=extracting(parallel=9, base_url="https://other.test")),
    ]

    shares = [rate_for(item, both) for item in both[:2] for _ in range(item.extract.parallel)]

    assert sum(share.per_second for share in shares) == pytest.approx(15)
    assert sum(share.burst for share in shares) == 30


def test_the_clients_that_take_turns_have_the_rate_that_the_others_leave():
    rate = {"per_second": 15, "burst": 30}
    both = [
        contract(name="a", extract=extracting(parallel=2, rate=rate)),
        contract(name="b", extract=extracting(parallel=1, rate=rate)),
    ]

    alone = rate_for(both[0], both, {"a", "b"})
    beside_a_function = rate_for(both[0], both, {"a"})
    function = rate_for(both[1], both)

    assert (alone.per_second, alone.burst) == (15, 30)
    assert (beside_a_function.per_second, function.per_second) == (10, 5)
    assert (beside_a_function.burst, function.burst) == (20, 10)


def test_the_slowest_rate_that_a_contract_states_holds_for_its_host():
    slow = contract(name="a", extract=extracting(rate={"per_second": 2, "burst": 1}))
    fast = contract(name="b")

    assert rate_for(fast, [slow, fast]).per_second == 1
