"""environment.data.gov.uk, generated: envelope, filters, pages, lateness, what is odd."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from include.councils.model import Council
from sandbox.rivers.archive import archived
from sandbox.rivers.gauges import generated_network
from sandbox.rivers.readings import Readings, Span
from sandbox.world.clock import Moment
from tests import sandbox_client as client
from tests.samples import council
from tests.sandbox_client import AS_OF, Client

API = "/environment.data.gov.uk/flood-monitoring"
URI = "http://environment.data.gov.uk/flood-monitoring"
KINGSTON = "lat=51.393&long=-0.285&dist=5"
SUTTON = "lat=51.362&long=-0.178&dist=5"
DAY = date(2026, 11, 15)
LISTED = "SB00104TH-level-stage-i-15_min-mASD"
PLACES = (
    {"name": "kingston", "gss_code": "E09000021", "latitude": 51.393, "longitude": -0.285},
    {"name": "sutton", "gss_code": "E09000029", "latitude": 51.362, "longitude": -0.178},
)
COUNCILS = {str(place["name"]): council().model_copy(update=place) for place in PLACES}
# Two councils of 19 measures, one comes twice, one is dead, one of all is silent then.
ROWS_OF_A_DAY = (2 * (19 + 1 - 1) - 1) * 96


def make(**options: Any) -> Client:
    """A sandbox of these councils, whichever are shipped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandbox.app.councils", lambda: COUNCILS)
        return client.make(**options)


@cache
def on(as_of: date = AS_OF) -> Client:
    return make(as_of=as_of)


def items(path: str, as_of: date = AS_OF) -> Any:
    answer = on(as_of).get(f"{API}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def rows(path: str, as_of: date = AS_OF) -> list[dict[str, str]]:
    answer = on(as_of).get(f"{API}/{path}")
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text)))


def day_ids(day: date, as_of: date) -> Counter[str]:
    return Counter(item["@id"] for item in items(f"data/readings?date={day}&_limit=10000", as_of))


def test_an_answer_is_in_the_apis_own_envelope():
    answer = on().get(f"{API}/id/stations?parameter=rainfall&_limit=1").json()

    assert list(answer) == ["@context", "meta", "items"]
    assert answer["@context"] == f"{URI}/meta/context.jsonld"
    assert list(answer["meta"]) == [
        "publisher", "licence", "documentation", "version", "comment", "hasFormat", "limit",
    ]  # fmt: skip
    assert answer["meta"]["hasFormat"][0] == f"{URI}/id/stations.csv?parameter=rainfall&_limit=1"
    assert len(answer["meta"]["hasFormat"]) == 4
    assert answer["meta"]["limit"] == 1


def test_no_limit_is_named_where_none_applied():
    answer = on().get(f"{API}/id/stations").json()

    assert "limit" not in answer["meta"]
    assert len(answer["items"]) == 24


def test_stations_are_found_within_so_many_kilometres():
    here, there = items(f"id/stations?{KINGSTON}"), items(f"id/stations?{SUTTON}")

    assert {station["riverName"] for station in here if "riverName" in station} >= {
        "River Thames", "Hogsmill River",
    }  # fmt: skip
    assert {station["riverName"] for station in there if "riverName" in station} >= {
        "River Wandle", "Beverley Brook",
    }  # fmt: skip
    assert len(here) >= 12
    assert items("id/stations?lat=58&long=-4&dist=10") == []


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("parameter=rainfall", 4), ("parameter=flow", 4), ("qualifier=Groundwater", 2),
        ("qualifier=Groundwater&qualifier=Tidal+Level", 4), ("status=Suspended", 3),
        ("status=Active", 22), ("riverName=River+Thames", 5), ("search=upstream", 1),
        ("search=wandle", 6), ("town=Sandbox+Town+1", 2), ("_limit=5", 5),
        ("_limit=5&_offset=22", 2), ("_offset=30", 0),
    ],
)  # fmt: skip
def test_stations_are_filtered(filters, count):
    assert len(items(f"id/stations?{filters}")) == count


def test_a_scale_is_a_url_unless_the_full_view_is_requested():
    (plain,) = items("id/stations?_limit=1")
    (full,) = items("id/stations?_limit=1&_view=full")

    assert plain["stageScale"] == full["stageScale"]["@id"]
    assert full["stageScale"]["scaleMax"] == 3
    assert plain | {"stageScale": 0} == full | {"stageScale": 0}


def test_a_single_station_is_an_object_and_so_is_its_only_measure():
    one, two = items("id/stations/SB00103TH"), items("id/stations/SB00101TH")

    assert isinstance(one["measures"], dict)
    assert one["measures"]["latestReading"]["dateTime"].startswith("2026-11-21T23:")
    assert [measure["qualifier"] for measure in two["measures"]] == ["Stage", "Downstream Stage"]
    assert isinstance(items("id/stations/SB00103TH/measures"), list)
    assert items(f"id/measures/{LISTED}")["notation"] == LISTED


@pytest.mark.parametrize(
    "path",
    [
        "id/stations/none", "id/stations/none/measures", "id/stations/none/readings",
        "id/measures/none", "id/measures/none/readings", "id/nothing", "data", "",
        "archive/readings-full-2026-11-20.csv", "archive/readings-2023-04-04.csv",
        "archive/readings-full-2016-12-31.csv", "archive/readings-full-2026-13-01.csv",
        "archive/readings-2026-11-10", "archive/x-readings-2026-11-10.csv",
    ],
)  # fmt: skip
def test_what_does_not_exist_is_not_found(path):
    assert on().get(f"{API}/{path}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "_limt=5", "_limit=many", "_limit=-1", "_offset=-1", "date=yesterday", "since=then",
        "date=2026-02-30",
    ],
)  # fmt: skip
def test_a_wrong_parameter_is_a_bad_request(query):
    assert on().get(f"{API}/data/readings?{query}").status_code == 400


def test_a_place_needs_all_three_of_its_parameters():
    assert on().get(f"{API}/id/stations?lat=51&long=0").status_code == 400


def test_readings_come_500_at_a_time_and_never_more_than_10000():
    usual = on().get(f"{API}/data/readings?date={DAY}").json()
    many = on().get(f"{API}/data/readings?_limit=20000").json()

    assert (usual["meta"]["limit"], len(usual["items"])) == (500, 500)
    assert (many["meta"]["limit"], len(many["items"])) == (10_000, 10_000)


def test_the_pages_of_a_day_hold_every_reading_once():
    pages = [
        items(f"data/readings?date={DAY}&_limit=700&_offset={at}") for at in range(0, 4200, 700)
    ]

    found = Counter(item["@id"] for page in pages for item in page)

    assert [len(page) for page in pages[:5]] == [700] * 5
    assert len(pages[5]) == ROWS_OF_A_DAY - 3500
    assert found == day_ids(DAY, AS_OF)
    assert sum(found.values()) == ROWS_OF_A_DAY


def test_the_order_means_nothing_and_changes_the_next_day():
    path = f"data/readings?date={DAY}&_limit=10000"

    today, again = items(path), items(path)
    tomorrow = items(path, AS_OF + timedelta(days=1))
    times = [item["dateTime"] for item in today]

    assert today == again
    assert today != tomorrow
    assert sorted(map(str, today)) == sorted(map(str, tomorrow))
    assert times != sorted(times)
    assert times != sorted(times, reverse=True)


def test_sorted_readings_are_the_newest():
    path = "id/stations/SB00101TH/readings?_sorted&_limit=300"

    times = [item["dateTime"] for item in items(path)]

    assert times == sorted(times, reverse=True)
    assert times[0] == "2026-11-21T23:45:00Z"
    assert times[-1].startswith("2026-11-20")


def test_a_reading_has_the_apis_keys_and_in_the_full_view_its_measure():
    path = "data/readings?stationReference=SB00101TH&qualifier=Stage&_sorted&_limit=1"
    measure = f"{URI}/id/measures/SB00101TH-level-stage-i-15_min-mASD"

    (plain,), (full,) = items(path), items(f"{path}&_view=full")

    assert list(plain) == ["@id", "dateTime", "measure", "value"]
    assert plain["@id"] == (
        f"{URI}/data/readings/SB00101TH-level-stage-i-15_min-mASD/2026-11-21T23-45-00Z"
    )
    assert plain["measure"] == measure
    assert list(full) == ["@id", "date", "dateTime", "measure", "value"]
    assert full["measure"] == {
        "@id": measure,
        "parameter": "level",
        "period": 900,
        "qualifier": "Stage",
        "station": {"@id": f"{URI}/id/stations/SB00101TH", "label": "Sandbox Thames 1"},
        "stationReference": "SB00101TH",
        "unitName": "mASD",
        "valueType": "instantaneous",
    }


def test_readings_are_chosen_by_time():
    of = "stationReference=SB00101TH&qualifier=Stage&_limit=10000"

    def times(query: str) -> list[str]:
        return sorted(item["dateTime"] for item in items(f"data/readings?{of}&{query}"))

    three_days = times("startdate=2026-11-10&enddate=2026-11-12")
    assert len(three_days) == 3 * 96
    assert (three_days[0], three_days[-1]) == ("2026-11-10T00:00:00Z", "2026-11-12T23:45:00Z")
    assert len(times("date=2026-11-10")) == 96
    assert times("today")[0] == "2026-11-21T00:00:00Z"
    assert times("since=2026-11-21T23:15:00Z") == ["2026-11-21T23:30:00Z", "2026-11-21T23:45:00Z"]
    assert times("latest") == ["2026-11-21T23:45:00Z"]


def test_the_api_keeps_28_days():
    assert len(items("data/readings?date=2026-10-24&_limit=10000")) == ROWS_OF_A_DAY
    assert items("data/readings?date=2026-10-23") == []
    assert items("data/readings?date=2026-11-22") == []


def test_rows_of_a_day_keep_appearing_for_three_days_and_never_change():
    seen = [
        items(f"data/readings?date={DAY}&_limit=10000", DAY + timedelta(days=n)) for n in range(6)
    ]
    counts = [len(found) for found in seen]
    last = {item["@id"]: item for item in seen[-1]}

    assert counts[0] < counts[1] < counts[2] < counts[3] == counts[4] == counts[5]
    assert all(last[item["@id"]] == item for found in seen for item in found)


def test_as_many_measures_are_late_or_silent_as_with_real_gauges():
    network = generated_network([], Moment(7, AS_OF, national=True))
    readings = Readings(network, Moment(7, AS_OF, national=True))
    everything = tuple(range(len(network.measures)))

    latest = readings.latest(everything)
    age_hours = (Moment(7, AS_OF).now.timestamp() - latest.at) / 3600

    assert 5_200 < len(everything) < 5_600
    assert 0.85 < (age_hours < 1.3).mean() < 0.93
    assert 0.04 < ((age_hours > 6) & (age_hours < 12.3)).mean() < 0.07
    assert 0.003 < (age_hours > 7 * 24).mean() < 0.05
    assert len(everything) - len(latest.at) > 100


def test_a_national_day_has_half_a_million_readings_in_pages_that_fit_together():
    moment = Moment(7, AS_OF, national=True)
    readings = Readings(generated_network(COUNCILS.values(), moment), moment)
    span = Span(tuple(range(len(readings.network.measures))), DAY, DAY)

    def page(offset: int, limit: int) -> Any:
        return readings.page(span, offset=offset, limit=limit, newest_first=False)

    whole = page(0, 1_000_000)
    first, second = page(0, 250_000), page(250_000, 1_000_000)

    assert 480_000 < len(whole.at) < 520_000
    assert np.array_equal(whole.at, np.concatenate([first.at, second.at]))
    assert np.array_equal(whole.value, np.concatenate([first.value, second.value]))


def test_national_gauges_are_requested_by_an_option_or_the_state_file(tmp_path):
    state = tmp_path / "sandbox.json"
    state.write_text(json.dumps({"seed": 7, "as_of": "2026-11-21", "national": True}))

    def count(client: Client) -> int:
        return len(client.get(f"{API}/id/stations").json()["items"])

    assert count(make(national=True)) == count(make(state=state)) == 1_974


def test_one_more_council_changes_nothing_for_the_others():
    more = Council.model_validate(
        {
            "name": "a",
            "title": "A",
            "gss_code": "E06000001",
            "police_force": "kent",
            "latitude": 51.4,
            "longitude": -0.3,
            "radius_km": 5,
        }
    )
    moment = Moment(7, AS_OF)

    before = generated_network(COUNCILS.values(), moment)
    after = generated_network([more, *COUNCILS.values()], moment)

    assert len(after.stations) == len(before.stations) + 12
    assert after.stations[: len(before.stations)] == before.stations
    assert np.array_equal(after.traits[: len(before.measures)]["key"], before.traits["key"])


def test_a_different_seed_gives_different_readings():
    other = make(seed=8).get(f"{API}/data/readings?latest").json()["items"]

    assert other != items("data/readings?latest")


def test_one_measure_has_values_that_are_lists_now_and_then():
    found = items(f"data/readings?date={DAY}&_limit=10000")

    listed = [item for item in found if isinstance(item["value"], list)]

    assert {item["measure"].rpartition("/")[2] for item in listed} == {LISTED}
    assert sorted(item["dateTime"][11:] for item in listed) == [
        "00:00:00Z", "06:00:00Z", "12:00:00Z", "18:00:00Z",
    ]  # fmt: skip
    assert all(len(item["value"]) == 2 for item in listed)


def test_one_station_has_fields_that_are_lists():
    listed = [
        station
        for station in items("id/stations?_view=full")
        if any(isinstance(value, list) for key, value in station.items() if key != "measures")
    ]

    assert [station["stationReference"] for station in listed] == ["SB00106TH"]
    for field in ("label", "lat", "long", "easting", "northing", "RLOIid", "status"):
        assert len(listed[0][field]) == 2


def test_stations_differ_in_types_and_keys():
    stations = items("id/stations?_view=full")
    scales = [station["stageScale"] for station in stations if "stageScale" in station]
    objects = [scale for scale in scales if isinstance(scale, dict)]

    assert {type(scale) for scale in scales} == {dict, str}
    assert {type(scale["scaleMax"]) for scale in objects} == {int, float}
    assert {type(scale["minOnRecord"]["value"]) for scale in objects} == {int, float}
    assert {type(station["easting"]) for station in stations} == {int, float, list}
    for field in ("riverName", "town", "stageScale"):
        assert 0 < sum(field not in station for station in stations) < len(stations)


def test_measures_lack_keys_and_mix_units():
    measures = items("id/measures")

    for field in ("latestReading", "datumType", "period", "unit"):
        assert 0 < sum(field not in measure for measure in measures) < len(measures)
    assert {"m", "mASD", "mAOD", "mm", "m3/s"} <= {measure["unitName"] for measure in measures}


def test_broken_gauges_send_sentinels():
    found = items(
        "data/readings?startdate=2026-11-12&enddate=2026-11-14&parameter=level&_limit=9999"
    )

    values = {item["value"] for item in found if not isinstance(item["value"], list)}

    assert {32768.47, -32.767, -27.649} <= values


def test_some_readings_are_off_the_grid_and_some_come_twice():
    found = items(f"data/readings?date={DAY}&_limit=10000")

    assert {"00:00:00Z", "00:00:01Z", "00:07:00Z"} <= {item["dateTime"][11:] for item in found}
    twice = Counter(map(str, found)) - Counter(set(map(str, found)))
    assert sum(twice.values()) == 2 * 96
    assert all("tidal_level" in item for item in twice)


def test_a_station_is_moved_and_moved_back():
    places = {
        items("id/stations/SB00108TH", date(2026, 9, 1) + timedelta(days=14 * n))["lat"]
        for n in range(4)
    }

    assert len(places) == 2


def test_readings_come_as_csv_with_two_values_in_a_cell():
    found = rows(f"data/readings.csv?date={DAY}&_limit=10000")

    assert list(found[0]) == ["dateTime", "measure", "value"]
    assert len(found) == ROWS_OF_A_DAY
    assert sum("|" in row["value"] for row in found) == 4


def test_stations_come_as_csv():
    found = rows("id/stations.csv?_view=full")

    assert len(found) == 24
    assert any("|" in row["lat"] for row in found)
    assert found[0]["stageScale"] == f"{URI}/id/stations/SB00101TH/stageScale"


def test_warnings_are_rare_and_their_times_have_no_zone():
    found = [items("id/floods", date(2026, 1, 1) + timedelta(days=3 * n)) for n in range(40)]
    some = next(day for day in found if day)

    assert 10 < sum(not day for day in found) < 40
    assert len(some[0]["timeRaised"]) == len("2021-03-31T15:21:38")
    assert "lat" not in some[0]


def test_warnings_are_filtered():
    as_of = next(
        day
        for n in range(99)
        if items("id/floods", day := date(2026, 1, 1) + timedelta(days=3 * n))
    )
    (first, *_) = items("id/floods", as_of)
    level, county = first["severityLevel"], first["floodArea"]["county"].split(", ")[1]

    assert first in items(f"id/floods?min-severity={level}&county={county}", as_of)
    assert first not in items(f"id/floods?min-severity={level - 1}", as_of)
    assert items("id/floods?county=Kent", as_of) == []
    assert items("id/floods?lat=58&long=-4&dist=1", as_of) == []


FULL = [
    "dateTime", "date", "measure", "station", "label", "stationReference", "parameter",
    "qualifier", "datumType", "period", "unitName", "valueType", "value",
]  # fmt: skip


@cache
def heads() -> dict[date, bytes | None]:
    """The first line of each full file of a year; None where there is no file."""
    moment = Moment(7, AS_OF)
    readings = Readings(generated_network([], moment), moment)
    found: dict[date, bytes | None] = {}
    for day in (date(2025, 9, 1) + timedelta(days=n) for n in range(365)):
        pieces = archived(readings, day, full=True)
        found[day] = None if pieces is None else next(pieces, b"")
    return found


def test_the_archive_has_a_day_from_two_days_later_on():
    path = f"{API}/archive/readings-full-{DAY}.csv"

    assert on(DAY + timedelta(days=1)).get(path).status_code == 404
    answer = on(DAY + timedelta(days=2)).get(path)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")


def test_an_archived_day_has_13_columns_and_the_readings_of_the_api():
    found = rows(f"archive/readings-full-{DAY}.csv")
    short = rows(f"archive/readings-{DAY}.csv")
    api = items(f"data/readings?date={DAY}&_limit=10000")

    def text(value: Any) -> str:
        return "|".join(map(str, value)) if isinstance(value, list) else str(value)

    assert sorted(found[0]) == sorted(FULL)
    expected = Counter((item["dateTime"], item["measure"], text(item["value"])) for item in api)
    assert Counter((row["dateTime"], row["measure"], row["value"]) for row in short) == expected
    whole = Counter((row["dateTime"], row["measure"], row["value"]) for row in found)
    assert (whole - expected).total() <= 3
    assert {row["date"] for row in found} <= {DAY.isoformat(), "", None}


def test_some_archived_days_are_absent_empty_reordered_or_end_in_crlf():
    found = list(heads().values())
    there = [head for head in found if head]

    assert 0 < found.count(None) < 10
    assert 0 < found.count(b"") < 15
    assert 0.1 < sum(head.endswith(b"\r\n") for head in there) / len(there) < 0.3
    orders = {tuple(head.decode().strip().split(",")) for head in there}
    assert len(orders) == 2
    assert {tuple(sorted(order)) for order in orders} == {tuple(sorted(FULL))}


def test_a_file_that_ends_its_lines_with_crlf_does_so_throughout():
    day = next(day for day, head in heads().items() if head and head.endswith(b"\r\n"))

    body = on().get(f"{API}/archive/readings-full-{day}.csv").content

    assert body.count(b"\r\n") == body.count(b"\n") > 1_000


def test_some_archived_days_have_lines_that_no_reader_takes():
    wrong = []
    for day in [day for day, head in heads().items() if head][:30]:
        found = list(
            csv.reader(io.StringIO(on().get(f"{API}/archive/readings-full-{day}.csv").text))
        )
        value = found[0].index("value")
        wrong.append([row for row in found[1:] if len(row) != 13 or row[value] == ""])

    assert {len(rows) for rows in wrong} == {0, 3}
    assert 3 < sum(map(bool, wrong)) < 20
    assert {len(row) - 13 for rows in wrong for row in rows} >= {0, 1}
