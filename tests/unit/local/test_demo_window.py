"""What the main job asks each source for, whatever sources there are."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

import pytest

from include.errors import PermanentError, UnknownName
from include.local.demo.window import (
    DAYS_BY_DEFAULT,
    Asked,
    Window,
    asked_of_sources,
    choose_window,
)
from include.local.source_secrets import lacking_secrets
from include.settings import Settings
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


def test_every_source_that_is_enabled_is_requested(asked):
    assert set(asked) == set(contracts())


def test_replaying_recorded_months_requests_only_the_sources_of_that_api():
    replayed = dataclasses.replace(WINDOW, replayed="data.police.uk")

    asked = asked_of_sources(replayed, None)

    assert len(asked) == 2
    assert {item.contract.publisher for item in asked} == {"data.police.uk"}


def test_sources_that_are_named_are_requested_whatever_is_replayed():
    replayed = dataclasses.replace(WINDOW, replayed="data.police.uk")

    asked = asked_of_sources(replayed, ["bank_holidays"])

    assert [item.contract.name for item in asked] == ["bank_holidays"]


def test_parents_come_before_their_children(asked):
    order = list(asked)

    for name, item in asked.items():
        assert all(order.index(parent) < order.index(name) for parent in item.parents)


def test_a_daily_source_plans_the_last_days_that_are_certainly_published(asked):
    daily = [item for item in asked.values() if item.contract.period == "day" and item.periods]
    assert len(daily) >= 3

    for item in daily:
        published = AS_OF - timedelta(days=1 + item.contract.publication_lag_days)
        last = max(published, item.contract.start)
        first = max(last - timedelta(days=DAYS_BY_DEFAULT - 1), item.contract.start)
        days = [period.first_day for period in item.periods]
        assert days[0] == first
        assert days[-1] == last


def test_a_monthly_source_plans_months_and_a_snapshot_plans_none(asked):
    for item in asked.values():
        if item.contract.snapshot:
            assert item.periods == ()
        elif item.contract.period == "month":
            assert [str(period) for period in item.periods] == ["2026-07", "2026-08", "2026-09"]


def test_a_source_without_councils_is_planned_for_the_uk(asked):
    councils = {item.contract.councils: item.councils for item in asked.values()}

    assert councils == {"each": ("kingston", "sutton"), "uk": ("uk",)}


def test_a_named_source_includes_what_it_needs_and_nothing_else():
    found = asked_of_sources(WINDOW, ["flood_readings"])

    assert [item.contract.name for item in found] == ["flood_stations", "flood_readings"]


def test_an_unknown_source_is_named_with_the_known_ones():
    with pytest.raises(UnknownName, match=r"unknown source 'floods'\. Known: "):
        asked_of_sources(WINDOW, ["floods"])


def test_only_partitions_that_were_requested_are_shown(asked):
    crime = asked["police_street_crime"]

    assert crime.holds("police_street_crime", "sutton", "2026-08")
    assert not crime.holds("police_street_crime", "sutton", "2026-06")
    assert not crime.holds("police_street_crime", "uk", "2026-08")
    assert not crime.holds("weather_hourly", "sutton", "2026-08")


@pytest.fixture
def replaying(tmp_path):
    """Settings that replay a folder of recorded months, by council."""

    def settings(**months: list[str]) -> Settings:
        for council, recorded in months.items():
            for month in recorded:
                folder = tmp_path / "payloads" / "police" / "crimes" / council / month
                folder.mkdir(parents=True)
                (folder / "E05000001.json").write_text("[]", encoding="utf-8")
        (tmp_path / "payloads" / "police" / "boundaries").mkdir()
        return Settings(
            WANDLE_HOME=tmp_path / "home", WANDLE_PAYLOADS=tmp_path / "payloads", _env_file=None
        )

    return settings


def crime_of(settings: Settings, first: str = "", last: str = "") -> Asked:
    window = choose_window(settings, None, first, last, AS_OF)
    return {item.contract.name: item for item in asked_of_sources(window, None)}[
        "police_street_crime"
    ]


def stretches(asked: Asked) -> list[tuple[tuple[str, ...], list[str]]]:
    return [
        (councils, [str(period) for period in periods]) for councils, periods in asked.stretches
    ]


def test_only_recorded_months_are_requested_if_there_is_a_gap(replaying):
    recorded = ["2016-05", "2018-01", "2018-02"]

    asked = crime_of(replaying(kingston=recorded, sutton=recorded))

    assert stretches(asked) == [
        (("kingston", "sutton"), ["2016-05"]),
        (("kingston", "sutton"), ["2018-01", "2018-02"]),
    ]
    assert asked.holds("police_street_crime", "sutton", "2016-05")
    assert not asked.holds("police_street_crime", "sutton", "2017-01")


def test_each_council_is_planned_for_its_own_recorded_months(replaying):
    asked = crime_of(replaying(kingston=["2017-01", "2017-02"], sutton=["2017-02"]))

    assert stretches(asked) == [
        (("kingston",), ["2017-01", "2017-02"]),
        (("sutton",), ["2017-02"]),
    ]
    assert not asked.holds("police_street_crime", "sutton", "2017-01")


def test_the_recorded_months_between_two_that_are_named_are_requested(replaying):
    recorded = ["2016-05", "2018-01", "2018-02"]

    asked = crime_of(replaying(sutton=recorded), first="2017-01", last="2018-01")

    assert stretches(asked) == [(("sutton",), ["2018-01"])]


def test_months_that_are_not_recorded_are_refused(replaying):
    with pytest.raises(PermanentError, match=r"holds nothing for .* in 2017-01 to 2017-12"):
        crime_of(replaying(sutton=["2016-05"]), first="2017-01", last="2017-12")


def test_months_without_a_gap_are_one_request(asked):
    (found,) = stretches(asked["police_street_crime"])

    assert found == (("kingston", "sutton"), ["2026-07", "2026-08", "2026-09"])


def test_a_live_source_whose_secret_is_not_set_is_left_out_unless_it_is_named(
    monkeypatch, tmp_path
):
    settings = Settings(_env_file=None, WANDLE_HOME=tmp_path, WANDLE_LIVE="1")
    lacking = lacking_secrets(settings)
    window = Window(("sutton",), Period.parse("2026-07", "month"), Period.parse("2026-07", "month"),
                    date(2026, 11, 21))  # fmt: skip

    assert lacking == {"air_sensors": "breathe_london", "waste_collections": "waste_contractor"}
    every = {asked.contract.name for asked in asked_of_sources(window, None, lacking)}
    assert not every & lacking.keys()
    assert "planning_applications" in every
    named = asked_of_sources(window, ["air_sensors"], {})
    assert [asked.contract.name for asked in named] == ["air_sensors"]
    assert lacking_secrets(settings.model_copy(update={"live": False})) == {}
