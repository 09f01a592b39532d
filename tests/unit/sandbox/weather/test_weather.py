"""archive-api.open-meteo.com in the sandbox: columns, revisions, refusals, limits, recordings."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from sandbox.weather.grid import cell_of
from tests.recorded import PAYLOADS, needs_payloads
from tests.sandbox_client import AS_OF, Client, make

API = "/archive-api.open-meteo.com/v1/archive"
PLACE = "latitude=51.39&longitude=-0.28"
ALL_HOURLY = (
    "temperature_2m,relative_humidity_2m,precipitation,cloud_cover,wind_speed_10m,"
    "wind_direction_10m,pressure_msl,weather_code,soil_moisture_0_to_7cm"
)


@pytest.fixture(scope="module")
def client() -> Client:
    return make()


def answer(client: Client, query: str) -> Any:
    found = client.get(f"{API}?{query}")
    assert found.status_code == 200, found.text
    return found.json()


def span(first: object, last: object | None = None) -> str:
    return f"{PLACE}&start_date={first}&end_date={last or first}"


def test_an_answer_has_the_apis_keys_in_its_order(client):
    found = answer(
        client, f"{span('2026-10-01', '2026-10-02')}&hourly=temperature_2m&daily=rain_sum"
    )

    assert list(found) == [
        "latitude", "longitude", "generationtime_ms", "utc_offset_seconds", "timezone",
        "timezone_abbreviation", "elevation", "hourly_units", "hourly", "daily_units", "daily",
    ]  # fmt: skip
    assert found["hourly_units"] == {"time": "iso8601", "temperature_2m": "°C"}
    assert found["daily_units"] == {"time": "iso8601", "rain_sum": "mm"}
    assert found["daily"]["time"] == ["2026-10-01", "2026-10-02"]


def test_columns_are_aligned_with_every_hour_of_the_days(client):
    found = answer(client, f"{span('2026-10-01', '2026-10-03')}&hourly={ALL_HOURLY}")["hourly"]

    assert {len(column) for column in found.values()} == {72}
    assert (found["time"][0], found["time"][-1]) == ("2026-10-01T00:00", "2026-10-03T23:00")


def test_whole_variables_are_ints_and_all_others_floats(client):
    found = answer(client, f"{span('2026-10-01', '2026-10-03')}&hourly={ALL_HOURLY}")["hourly"]

    whole = {name for name, column in found.items() if {type(v) for v in column} == {int}}
    assert whole == {"relative_humidity_2m", "cloud_cover", "wind_direction_10m", "weather_code"}
    assert all(
        {type(v) for v in found[name]} == {float} for name in found.keys() - whole - {"time"}
    )


def test_values_are_believable(client):
    found = answer(client, f"{span('2025-01-01', '2025-12-31')}&hourly={ALL_HOURLY}")["hourly"]
    warmth, rain = found["temperature_2m"], found["precipitation"]

    assert -15 < min(warmth) < 5 < 20 < max(warmth) < 38
    assert 300 < sum(rain) < 1_500
    assert all(0 <= value <= 100 for value in found["cloud_cover"])
    assert all(0 <= value <= 360 for value in found["wind_direction_10m"])
    assert {61, 0} <= set(found["weather_code"])


def test_daily_values_sum_up_the_hourly_ones(client):
    query = "hourly=temperature_2m,precipitation&daily=temperature_2m_max,precipitation_sum"
    found = answer(client, f"{span('2026-10-01')}&{query}")

    assert found["daily"]["temperature_2m_max"] == [max(found["hourly"]["temperature_2m"])]
    difference = found["daily"]["precipitation_sum"][0] - sum(found["hourly"]["precipitation"])
    assert abs(difference) < 1.3


def test_several_places_make_a_list_numbered_from_the_second_on(client):
    query = "latitude=51.39,51.36&longitude=-0.28,-0.18&start_date=2026-10-01&end_date=2026-10-01"

    first, second = answer(client, f"{query}&hourly=temperature_2m")

    assert "location_id" not in first
    assert second["location_id"] == 1
    assert first["hourly"] != second["hourly"]


@pytest.mark.parametrize(
    ("asked", "cell"),
    [
        ((43.78, 15.30), (43.760983, 15.362538)),
        ((52.2667, 6.8), (52.26713, 6.820702)),
        ((-34.76, 138.65), (-34.76274, 138.64557)),
    ],
)
def test_coordinates_come_back_as_those_of_recorded_cells(asked, cell):
    assert cell_of(*asked) == cell


def test_the_last_two_days_are_not_known_yet(client):
    query = f"{span('2026-11-18', '2026-11-20')}&hourly=temperature_2m,cloud_cover"
    found = answer(client, f"{query}&daily=temperature_2m_max")

    assert None not in found["hourly"]["temperature_2m"][:24]
    assert set(found["hourly"]["cloud_cover"][24:]) == {None}
    assert found["daily"]["temperature_2m_max"][1:] == [None, None]


def test_values_change_when_a_day_is_5_and_75_days_old_and_at_no_other_time():
    day = date(2026, 6, 1)
    ages = [3, 4, 5, 6, 40, 74, 75, 76, 200]

    seen = [
        answer(make(as_of=day + timedelta(days=age)), f"{span(day)}&hourly=temperature_2m")[
            "hourly"
        ]
        for age in ages
    ]

    versions = [
        [one["temperature_2m"] for one in seen].index(one["temperature_2m"]) for one in seen
    ]
    assert versions == [0, 0, 2, 2, 2, 2, 6, 6, 6]


def test_the_offset_is_the_zones_offset_on_the_day_of_asking():
    query = f"{span('2026-01-10')}&hourly=temperature_2m&timezone=Europe/London"

    winter = answer(make(as_of=date(2026, 11, 21)), query)
    summer = answer(make(as_of=date(2026, 7, 21)), query)
    gmt = answer(make(as_of=date(2026, 7, 21)), query.replace("Europe/London", "GMT"))

    assert (winter["utc_offset_seconds"], winter["timezone_abbreviation"]) == (0, "GMT")
    assert (summer["utc_offset_seconds"], summer["timezone_abbreviation"]) == (3600, "GMT+1")
    assert (gmt["utc_offset_seconds"], gmt["timezone"]) == (0, "GMT")
    assert winter["hourly"]["temperature_2m"] == gmt["hourly"]["temperature_2m"]
    assert summer["hourly"]["time"] == winter["hourly"]["time"]
    assert summer["hourly"]["temperature_2m"][1:] == gmt["hourly"]["temperature_2m"][:-1]


def test_names_of_2022_are_still_answered_and_units_converted(client):
    query = f"{span('2026-10-01')}&hourly=windspeed_10m,wind_speed_10m"

    kilometres, metres = answer(client, query), answer(client, f"{query}&wind_speed_unit=ms")

    assert kilometres["hourly"]["windspeed_10m"] == kilometres["hourly"]["wind_speed_10m"]
    assert metres["hourly_units"]["windspeed_10m"] == "m/s"
    assert metres["hourly"]["windspeed_10m"][0] == pytest.approx(
        kilometres["hourly"]["windspeed_10m"][0] / 3.6, abs=0.06
    )


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        (
            span("2026-11-20", "2026-11-21"),
            "Parameter 'end_date' is out of allowed range from 1940-01-01 to 2026-11-20",
        ),
        (
            span("1939-12-31", "2026-11-20"),
            "Parameter 'start_date' is out of allowed range from 1940-01-01 to 2026-11-20",
        ),
        (
            span("2026-11-02", "2026-11-01"),
            "End-date must be larger or equals than start-date",
        ),
        (f"{span('2026-11-01')}&timezone=Mars", "Invalid timezone"),
        (span("yesterday"), "Invalid date format. Make sure to use 'YYYY-MM-DD'"),
        (PLACE, "Parameter 'start_date' is required"),
        ("latitude=51", "Parameter 'longitude' is required"),
        (
            "latitude=51,52&longitude=0",
            "Parameter 'latitude' and 'longitude' must have the same number of elements",
        ),
        (
            "latitude=91&longitude=0",
            "Latitude must be in range of -90 to 90°. Given: 91.0.",
        ),
        (
            f"{span('2026-11-01')}&hourly=temprature",
            "Data corrupted at path ''. Cannot initialize hourly variable from invalid String "
            "value temprature.",
        ),
    ],
)
def test_a_wrong_query_is_refused_with_the_reason(client, query, reason):
    refused = client.get(f"{API}?{query}")

    assert refused.status_code == 400
    assert refused.json() == {"error": True, "reason": reason}


NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("limits", "reason", "still", "over"),
    [
        (
            (3, 99, 99), "Minutely API request limit exceeded. Please try again in one minute.",
            timedelta(seconds=59), timedelta(seconds=60),
        ),
        (
            (99, 3, 99), "Hourly API request limit exceeded. Please try again in the next hour.",
            timedelta(minutes=59), timedelta(minutes=60),
        ),
        (
            (99, 99, 3), "Daily API request limit exceeded. Please try again tomorrow.",
            timedelta(hours=11, minutes=59), timedelta(hours=12),
        ),
    ],
)  # fmt: skip
def test_each_window_has_a_limit_of_its_own_and_ends_when_it_is_full(limits, reason, still, over):
    now = [NOON]
    client = make(weather_limits=limits, wall_clock=lambda: now[0])

    def ask() -> httpx.Response:
        return client.get(f"{API}?{span('2026-10-01')}&hourly=temperature_2m")

    assert [ask().status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = ask()
    assert refused.json() == {"error": True, "reason": reason}
    assert "retry-after" not in refused.headers
    now[0] = NOON + still
    assert ask().status_code == 429
    now[0] = NOON + over
    assert ask().status_code == 200


@pytest.mark.parametrize(
    ("query", "weight"),
    [
        (f"{span('2026-10-01')}&hourly=rain", 1),
        (f"{span('2026-10-01', '2026-10-28')}&hourly=rain", 2),
        (f"{span('2026-10-01')}&hourly={','.join(['rain'] * 20)}", 2),
        (
            "latitude=51,52,53&longitude=0,0,0&start_date=2026-10-01&end_date=2026-10-28"
            f"&hourly={','.join(['rain'] * 10)}&daily={','.join(['rain_sum'] * 5)}",
            9,
        ),
    ],
)
def test_a_call_weighs_by_its_variables_days_and_places(query, weight):
    def second_status(limit: float) -> int:
        client = make(weather_limits=(limit, 99, 99))
        return [client.get(f"{API}?{query}").status_code for _ in range(2)][-1]

    assert (second_status(weight), second_status(weight + 0.1)) == (429, 200)


def test_six_requests_wait_for_each_other_and_the_seventh_is_refused(client):
    async def ask_at_once(count: int) -> tuple[list[httpx.Response], float]:
        transport = httpx.ASGITransport(client.app, client=("192.0.2.9", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as one:
            loop = asyncio.get_running_loop()
            begun = loop.time()
            found = await asyncio.gather(
                *(
                    one.get(
                        f"{API}?{span('2026-10-01')}&hourly=rain",
                        headers={"X-Wandle-Fault": "slow=0.05"},
                    )
                    for _ in range(count)
                )
            )
            return list(found), loop.time() - begun

    six, seconds = asyncio.run(ask_at_once(6))
    seven, _ = asyncio.run(ask_at_once(7))

    assert {one.status_code for one in six} == {200}
    assert seconds >= 6 * 0.05
    assert sorted(one.status_code for one in seven) == [200] * 6 + [429]
    (refused,) = [one for one in seven if one.status_code == 429]
    assert refused.json() == {"error": True, "reason": "Too many concurrent requests"}


RECORDED = {
    "latitude": -34.76274,
    "longitude": 138.64557,
    "utc_offset_seconds": 34200,
    "timezone": "Australia/Adelaide",
    "elevation": 12.0,
    "hourly_units": {"time": "iso8601", "temperature_2m": "°C"},
    "hourly": {"time": ["2025-01-10T00:00", "2025-01-10T23:00"], "temperature_2m": [1.5, 2.5]},
}
ASKED = (
    "latitude=-34.76&longitude=138.65&start_date=2025-01-10&end_date=2025-01-10"
    "&hourly=temperature_2m&timezone=Australia/Adelaide"
)


def test_a_recorded_answer_is_served_byte_for_byte_only_to_its_own_query(tmp_path):
    body = json.dumps(RECORDED, indent=3).encode()
    (tmp_path / "open_meteo").mkdir()
    (tmp_path / "open_meteo" / "archive_2025-01-10.json").write_bytes(body)
    (tmp_path / "open_meteo" / "archive_trimmed_2025.json").write_bytes(b"not even JSON")
    client = make(payloads=tmp_path)

    assert client.get(f"{API}?{ASKED}").content == body
    for changed in (
        ASKED.replace("-34.76", "-34.9"), ASKED.replace("end_date=2025-01-1", "end_date=2025-02-1"),
        f"{ASKED}&hourly=rain", f"{ASKED}&temperature_unit=fahrenheit", f"{ASKED}&daily=rain_sum",
        ASKED.replace("Australia/Adelaide", "GMT"),
    ):  # fmt: skip
        generated = client.get(f"{API}?{changed}")
        assert generated.status_code == 200
        assert generated.content != body


@needs_payloads
def test_january_as_recorded_in_july_says_an_offset_that_january_does_not_have():
    names = (
        "temperature_2m,relative_humidity_2m,et0_fao_evapotranspiration,precipitation,"
        "wind_speed_10m,wet_bulb_temperature_2m"
    )
    query = ASKED.replace("end_date=2025-01-10", "end_date=2025-01-12")
    query = query.replace("temperature_2m", names) + "&wind_speed_unit=ms"

    found = make(payloads=PAYLOADS).get(f"{API}?{query}")

    recorded = PAYLOADS / "open_meteo" / "archive_hourly_adelaide_2025-01-10_12.json"
    assert found.content == recorded.read_bytes()
    assert found.json()["utc_offset_seconds"] == 34200


def test_the_weather_is_that_of_the_seed_and_the_day(client):
    query = f"{span(AS_OF - timedelta(days=9))}&hourly={ALL_HOURLY}"

    assert answer(client, query)["hourly"] == answer(make(), query)["hourly"]
    assert answer(client, query)["hourly"] != answer(make(seed=8), query)["hourly"]
