"""Recorded answers of any API in one directory, and what is generated with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.world.payloads import WrongPayloads
from tests.recorded import PAYLOADS, needs_payloads
from tests.sandbox_client import make

RIVERS = "/environment.data.gov.uk/flood-monitoring"
URI = "http://environment.data.gov.uk/flood-monitoring"


def body(path: str, query: str, items: Any) -> bytes:
    content = {"meta": {"hasFormat": [f"{URI}/{path}.csv?{query}"]}, "items": items}
    return json.dumps(content, indent=2).encode()


def station(reference: str, **fields: Any) -> dict[str, Any]:
    uri = f"{URI}/id/stations/{reference}"
    measure = {
        "@id": f"{URI}/id/measures/{reference}-level",
        "parameter": "level",
        "qualifier": "Stage",
    }
    usual = {
        "@id": uri, "label": f"Gauge {reference}", "lat": 51.4, "long": -0.3, "measures": [measure],
        "notation": reference, "stationReference": reference, "riverName": "Recorded River",
        "stageScale": {"@id": f"{uri}/stageScale", "scaleMax": 3}, "status": f"{URI}/statusActive",
    }  # fmt: skip
    return usual | fields


def measure(reference: str, **fields: Any) -> dict[str, Any]:
    usual = {
        "@id": f"{URI}/id/measures/{reference}-level", "label": "Level",
        "notation": f"{reference}-level", "parameter": "level", "period": 900,
        "qualifier": "Stage", "station": f"{URI}/id/stations/{reference}",
        "stationReference": reference, "unitName": "m", "valueType": "instantaneous",
    }  # fmt: skip
    return usual | fields


def latest(value: Any, at: str = "2026-03-03T14:30:00Z") -> dict[str, Any]:
    return {"dateTime": at, "value": value}


OLD = body("id/stations", "_view=full", [station("1")])
STATIONS = body(
    "id/stations", "parameter=level&_view=full",
    [station("1"), station("2", lat=[53.0, 53.1], long=[-1.0, -1.1]), station("3", lat=55.0)],
)  # fmt: skip
MEASURES = body(
    "id/measures", "parameter=level&qualifier=Stage",
    [
        measure("1", latestReading=latest(0.4)),
        measure("2", latestReading=latest([0.5, 0.6], "2026-03-03T05:30:01Z")),
        measure("3"),
    ],
)  # fmt: skip
READINGS = body("data/readings", "parameter=rain&_limit=1", [{"value": 0.0}])


@pytest.fixture
def payloads(tmp_path: Path) -> Path:
    (tmp_path / "ea").mkdir()
    for name, content in {
        "stations_2017-03": OLD, "stations_2026-02-08": STATIONS,
        "measures_2026-03-03T1441Z": MEASURES,
        "readings_2024-03-23": READINGS, "stations_2030_excerpt": b"[", "view_items_1_2030": b"[",
    }.items():  # fmt: skip
        (tmp_path / "ea" / f"{name}.json").write_bytes(content)
    return tmp_path


def get(payloads: Path, path: str) -> Any:
    answer = make(payloads=payloads).get(f"{RIVERS}/{path}")
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("id/stations?_view=full", OLD),
        ("id/stations?parameter=level&_view=full", STATIONS),
        ("id/stations?_view=full&parameter=level", STATIONS),
        ("id/stations?_view=full&riverName=Recorded+River", STATIONS),
        ("id/measures", MEASURES),
        ("id/measures?parameter=level", MEASURES),
        ("data/readings?parameter=rain&_limit=1", READINGS),
    ],
)
def test_a_recorded_query_or_one_for_all_its_items_gets_the_recorded_bytes(
    payloads, path, expected
):
    assert get(payloads, path).content == expected


def test_the_newest_recording_of_a_query_is_served(payloads):
    (payloads / "ea" / "stations_2026-01-01.json").write_bytes(
        body("id/stations", "_view=full", [station("1"), station("9")])
    )

    found = get(payloads, "id/stations?_view=full").json()["items"]

    assert [item["notation"] for item in found] == ["1", "9"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("_limit=2&_offset=1", ["2", "3"]),
        ("lat=53.1&long=-1.1&dist=5", ["2"]),
        ("lat=51.4&long=-0.3&dist=5", ["1"]),
        ("label=Gauge+3", ["3"]),
        ("parameter=rainfall", []),
    ],
)
def test_another_query_is_answered_from_the_recorded_list(payloads, query, expected):
    found = get(payloads, f"id/stations?_view=full&{query}").json()

    assert [item["notation"] for item in found["items"]] == expected
    assert found["meta"]["version"] == "0.9"


def test_readings_are_generated_for_the_recorded_measures_as_odd_as_they_were(payloads):
    path = "data/readings?date=2026-11-15&_limit=10000"
    found = get(payloads, path).json()["items"]
    of = {
        number: [item for item in found if item["measure"].endswith(f"/{number}-level")]
        for number in "123"
    }

    assert [len(items) for items in of.values()] == [96, 96, 0]
    assert {type(item["value"]) for item in of["1"]} == {float}
    assert all(abs(item["value"] - 0.4) < 0.2 for item in of["1"])
    assert {type(item["value"]) for item in of["2"]} == {list}
    assert {item["dateTime"][-4:] for item in of["2"]} == {":01Z"}


def test_a_late_measure_is_as_late_as_it_was_recorded(payloads):
    found = get(payloads, "data/readings?latest").json()["items"]

    at = {item["measure"].rpartition("/")[2]: item["dateTime"] for item in found}
    assert at["1-level"] >= "2026-11-21T22:45:00Z"
    assert at["2-level"] == "2026-11-21T14:45:01Z"


def test_a_single_recorded_station_has_its_recorded_measure(payloads):
    found = get(payloads, "id/stations/1").json()["items"]

    assert found["measures"]["latestReading"] == latest(0.4)


def test_what_is_not_recorded_is_generated(payloads):
    client = make(payloads=payloads)

    assert client.get("/health").json()["recorded"] == ["environment.data.gov.uk"]
    assert client.get("/www.gov.uk/bank-holidays.json").json()["scotland"]["events"]
    assert len(client.get("/data.police.uk/api/crimes-street-dates").json()) == 36


def test_a_directory_without_any_recording_is_refused(tmp_path):
    (tmp_path / "ea").mkdir()
    (tmp_path / "notes.json").write_text("{}")

    with pytest.raises(WrongPayloads, match=r"no recorded answers. Expected .*ea/\*\.json"):
        make(payloads=tmp_path)


def test_a_recording_that_is_not_json_is_named(payloads):
    (payloads / "ea" / "broken_2026.json").write_text("{")

    with pytest.raises(WrongPayloads, match=r"broken_2026\.json is not JSON"):
        make(payloads=payloads)


@needs_payloads
def test_the_real_lists_are_served_byte_for_byte():
    recorded = {
        "id/stations?_view=full": "stations_level_full_2026-02-08.json",
        "id/measures?parameter=level": "measures_level_latest_2026-03-03T1441Z.json",
    }

    for path, name in recorded.items():
        assert get(PAYLOADS, path).content == (PAYLOADS / "ea" / name).read_bytes()


@needs_payloads
def test_the_real_list_valued_measure_and_station_are_there():
    listed = get(PAYLOADS, "id/stations/E85123").json()["items"]
    readings = get(PAYLOADS, "id/stations/1674TH/readings?date=2026-11-15").json()["items"]

    assert listed["status"] == [f"{URI}/def/core/statusActive", f"{URI}/def/core/statusSuspended"]
    assert {len(item["value"]) for item in readings} == {2}


@needs_payloads
def test_every_api_is_recorded_there():
    assert make(payloads=PAYLOADS).get("/health").json()["recorded"] == [
        "data.police.uk", "environment.data.gov.uk", "archive-api.open-meteo.com", "www.gov.uk",
    ]  # fmt: skip
