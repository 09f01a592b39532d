"""What the main job asks each source for, whatever sources there are."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import pytest

from include.errors import UnknownName
from include.local.demo.window import DAYS_BY_DEFAULT, Asked, Window, asked_of_sources
from include.sources.model import contracts
from include.sources.partition import Period

AS_OF = date(2026, 11, 21)
WINDOW = Window(
    ("kingston", "sutton"),
    Period.parse("2026-07", "month"),
    Period.parse("2026-09", "month"),
    AS_OF,
)


@pytest.fixture(scope="module")
def asked() -> dict[str, Asked]:
    return {item.contract.name: item for item in asked_of_sources(WINDOW, None)}


def test_every_source_that_is_enabled_is_asked(asked):
    assert set(asked) == set(contracts())


def test_replaying_recorded_months_asks_the_sources_of_that_api_alone():
    replayed = dataclasses.replace(WINDOW, replayed="data.police.uk")

    asked = asked_of_sources(replayed, None)

    assert len(asked) == 2
    assert {item.contract.publisher for item in asked} == {"data.police.uk"}


def test_sources_that_are_named_are_asked_whatever_is_replayed():
    replayed = dataclasses.replace(WINDOW, replayed="data.police.uk")

    asked = asked_of_sources(replayed, ["bank_holidays"])

    assert [item.contract.name for item in asked] == ["bank_holidays"]


def test_parents_come_before_their_children(asked):
    order = list(asked)

    for name, item in asked.items():
        assert all(order.index(parent) < order.index(name) for parent in item.parents)


def test_a_daily_source_is_asked_for_the_last_days_that_are_surely_out(asked):
    daily = [item for item in asked.values() if item.contract.period == "day" and item.periods]
    assert len(daily) >= 3

    for item in daily:
        days = [period.first_day for period in item.periods]
        assert len(days) == DAYS_BY_DEFAULT
        assert days[-1] == AS_OF - timedelta(days=1 + item.contract.publication_lag_days)


def test_a_monthly_source_is_asked_for_the_months_and_a_snapshot_for_none(asked):
    for item in asked.values():
        if item.contract.snapshot:
            assert item.periods == ()
        elif item.contract.period == "month":
            assert [str(period) for period in item.periods] == ["2026-07", "2026-08", "2026-09"]


def test_a_source_of_no_council_is_asked_for_the_uk(asked):
    councils = {item.contract.councils: item.councils for item in asked.values()}

    assert councils == {"each": ("kingston", "sutton"), "uk": ("uk",)}


def test_a_named_source_brings_what_it_needs_and_nothing_else():
    found = asked_of_sources(WINDOW, ["flood_readings"])

    assert [item.contract.name for item in found] == ["flood_stations", "flood_readings"]


def test_an_unknown_source_is_named_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"unknown source 'floods'\. Known: "):
        asked_of_sources(WINDOW, ["floods"])


def test_only_partitions_that_were_asked_for_are_shown(asked):
    crime = asked["police_street_crime"]

    assert crime.holds("police_street_crime", "sutton", "2026-08")
    assert not crime.holds("police_street_crime", "sutton", "2026-06")
    assert not crime.holds("police_street_crime", "uk", "2026-08")
    assert not crime.holds("weather_hourly", "sutton", "2026-08")
