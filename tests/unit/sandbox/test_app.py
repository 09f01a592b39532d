"""The sandbox as a server: paths, refusals, limits and faults of data.police.uk."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sandbox.middleware.limits import RateLimit
from tests.sandbox_client import Client, make

API = "/data.police.uk/api"
STREET = f"{API}/crimes-street/all-crime"
EVERYWHERE = "50,-2:50,2:53,2:53,-2"
HOSTS = [
    "data.police.uk",
    "environment.data.gov.uk",
    "archive-api.open-meteo.com",
    "www.gov.uk",
    "www.planning.data.gov.uk",
    "breathe-london-7x54d7qf.ew.gateway.dev",
    "api.waste-contractor.example",
    "login.waste-contractor.example",
]
CHECKOUT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def client() -> Client:
    return make()


def ward(client: Client, code: str = "E05000400") -> str:
    ring = client.get(f"{API}/metropolitan/{code}/boundary").json()
    return ":".join(f"{point['latitude']},{point['longitude']}" for point in ring)


def test_health_says_what_is_served(client):
    assert client.get("/health").json() == {
        "mode": "generated",
        "as_of": "2026-11-21",
        "apis": HOSTS,
        "recorded": [],
    }


def test_a_ward_is_requested_by_post_or_by_get(client):
    fields = {"poly": ward(client), "date": "2026-05"}

    posted, got = client.post(STREET, data=fields), client.get(STREET, params=fields)

    assert posted.status_code == got.status_code == 200
    assert posted.headers["content-type"] == "application/json"
    assert posted.content == got.content
    assert len(posted.json()) >= 25


def test_without_a_date_the_latest_month_is_answered(client):
    poly = ward(client)

    latest = client.post(STREET, data={"poly": poly})

    assert latest.content == client.post(STREET, data={"poly": poly, "date": "2026-09"}).content
    assert latest.json()[0]["month"] == "2026-09"


def test_a_point_is_requested_by_lat_and_lng(client):
    lat, lng = ward(client).split(":")[0].split(",")

    found = client.get(STREET, params={"lat": lat, "lng": lng, "date": "2026-05"})

    assert found.status_code == 200
    assert found.json()


def test_the_published_months_are_listed_newest_first(client):
    dates = client.get(f"{API}/crimes-street-dates").json()

    assert len(dates) == 36
    assert dates[0] == {"date": "2026-09", "stop-and-search": ["metropolitan"]}
    assert [entry["date"] for entry in dates] == sorted((d["date"] for d in dates), reverse=True)
    assert client.get(f"{API}/crime-last-updated").json() == {"date": "2026-09-01"}


def test_all_crime_and_14_categories_are_listed(client):
    listed = client.get(f"{API}/crime-categories", params={"date": "2026-05"}).json()

    assert len(listed) == 15
    assert listed[0] == {"url": "all-crime", "name": "All crime"}


def test_a_boundary_is_a_closed_ring_of_texts(client):
    ring = client.get(f"{API}/metropolitan/E05000555/boundary").json()

    assert ring[0] == ring[-1]
    assert len(ring) > 4
    assert all(list(point) == ["latitude", "longitude"] for point in ring)
    assert all(isinstance(value, str) for point in ring for value in point.values())


def test_a_point_in_a_ward_is_located_in_it(client):
    crime = client.post(STREET, data={"poly": ward(client)}).json()[0]["location"]

    found = client.get(
        f"{API}/locate-neighbourhood", params={"q": f"{crime['latitude']},{crime['longitude']}"}
    )
    nowhere = client.get(f"{API}/locate-neighbourhood", params={"q": "1,1"})

    assert found.json()["force"] == "metropolitan"
    assert found.json()["neighbourhood"].startswith("E05")
    assert nowhere.status_code == 404


def test_crimes_without_a_place_have_null_for_it(client):
    asked = {"category": "all-crime", "force": "metropolitan", "date": "2026-05"}

    found = client.get(f"{API}/crimes-no-location", params=asked).json()

    assert found
    assert {(crime["location"], crime["location_type"]) for crime in found} == {(None, None)}
    assert {len(crime) for crime in found} == {9}


def test_outcomes_at_a_place_are_those_given_in_the_month(client):
    poly, url = ward(client), f"{API}/outcomes-at-location"

    outcomes = client.post(url, data={"poly": poly, "date": "2026-05"}).json()
    street = outcomes[0]["crime"]["location"]["street"]["id"]
    at_street = client.get(url, params={"location_id": street, "date": "2026-05"}).json()

    assert {outcome["date"] for outcome in outcomes} == {"2026-05"}
    assert len({outcome["crime"]["month"] for outcome in outcomes}) > 3
    assert list(outcomes[0]) == ["category", "date", "person_id", "crime"]
    assert {outcome["crime"]["location"]["street"]["id"] for outcome in at_street} == {street}


@pytest.mark.parametrize(
    "fields",
    [
        {"date": "2026-05"},
        {"lat": "51"},
        {"poly": "51,0:52,0"},
        {"poly": "51,0:52,0:51,0"},
        {"poly": "51,0:52,0:north,1"},
        {"poly": "51,0:52,0:nan,1"},
        {"poly": "51,0:52,0:91,1"},
        {"poly": "51;0:52;0:51;1"},
        {"poly": ""},
        {"lat": "51", "lng": "181"},
        {"poly": EVERYWHERE, "date": "2026-5"},
        {"poly": EVERYWHERE, "date": "2026-13"},
        {"poly": EVERYWHERE, "date": "May"},
    ],
)
def test_a_wrong_area_or_date_is_a_bad_request(client, fields):
    assert client.post(STREET, data=fields).status_code == 400


@pytest.mark.parametrize("month", ["2026-10", "2026-11", "2030-01", "2023-09", "2010-12"])
def test_a_month_outside_the_window_is_not_found(client, month):
    answer = client.post(STREET, data={"poly": EVERYWHERE, "date": month})

    assert answer.status_code == 404
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()


@pytest.mark.parametrize("month", ["2026-09", "2023-10"])
def test_both_ends_of_the_window_are_there(client, month):
    answer = client.post(STREET, data={"poly": ward(client), "date": month})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/crimes-street/jaywalking?poly=1,1:1,2:2,2",
        "/nowhere/neighbourhoods",
        "/nowhere/E05000400/boundary",
        "/kent/E05000400/boundary",
        "/metropolitan/E05999999/boundary",
        "/crimes-no-location?category=all-crime&force=nowhere",
        "/no-such-thing",
    ],
)
def test_what_does_not_exist_is_not_found(client, path):
    assert client.get(API + path).status_code == 404


def test_a_known_force_without_councils_has_no_neighbourhoods(client):
    assert client.get(f"{API}/kent/neighbourhoods").json() == []


def test_a_get_of_more_than_4094_characters_must_be_a_post(client):
    start = f"{API.removeprefix('/data.police.uk')}/crimes-street/all-crime?poly="
    poly = EVERYWHERE + ":50.0,-2" * 1_000
    fits, too_long = poly[: 4_094 - len(start)], poly[: 4_095 - len(start)]

    assert client.get(f"{STREET}?poly={too_long}").text == "The request is too long: use POST"
    assert client.get(f"{STREET}?poly={fits}").text != "The request is too long: use POST"
    assert client.post(STREET, data={"poly": poly}).status_code == 200


def test_more_crimes_than_the_cap_are_refused_with_503():
    poly = ward(make())
    count = len(make().post(STREET, data={"poly": poly}).json())

    refused = make(cap=count - 1).post(STREET, data={"poly": poly})

    assert make(cap=count).post(STREET, data={"poly": poly}).status_code == 200
    assert refused.status_code == 503
    assert not refused.headers["content-type"].startswith("application/json")


def test_30_requests_at_once_are_answered_and_the_next_is_too_many():
    client = make(rate_per_second=0.001, burst=30)

    statuses = [client.get(f"{API}/crime-last-updated").status_code for _ in range(31)]
    refused = client.get(f"{API}/crime-last-updated")
    other = Client(client.app, "192.0.2.2").get(f"{API}/crime-last-updated")

    assert statuses == [200] * 30 + [429]
    assert "retry-after" not in refused.headers
    assert refused.headers["content-type"].startswith("text/plain")
    assert other.status_code == 200
    assert client.get("/health").status_code == 200


def test_15_requests_a_second_are_let_through_forever_and_16_are_not():
    now = [0.0]
    limit = Middleware(RateLimit, per_second=15, burst=30, clock=lambda: now[0])

    async def answer(request: Any) -> PlainTextResponse:
        return PlainTextResponse("")

    def refused(per_second: int) -> int:
        client = Client(Starlette(routes=[Route("/", answer)], middleware=[limit]))
        count = 0
        for _ in range(60 * per_second):
            now[0] += 1 / per_second
            count += client.get("/").status_code == 429
        return count

    assert refused(15) == 0
    assert 20 < refused(16) <= 60


def test_a_fault_requested_by_header_affects_only_that_request(client):
    for fault, status in {"429": 429, "500": 500, "503": 503, "404": 404}.items():
        faulty = client.get(f"{API}/crime-last-updated", headers={"X-Wandle-Fault": fault})

        assert faulty.status_code == status
        assert "retry-after" not in faulty.headers
    assert client.get(f"{API}/crime-last-updated").status_code == 200


def test_a_500_has_an_html_body(client):
    faulty = client.get(f"{API}/crime-last-updated", headers={"X-Wandle-Fault": "500"})

    assert faulty.headers["content-type"].startswith("text/html")
    assert faulty.text.startswith("<html>")


def test_retry_after_comes_in_both_forms(client):
    url = f"{API}/crime-last-updated"

    seconds = client.get(url, headers={"X-Wandle-Fault": "429-retry-after-seconds=7"})
    moment = client.get(url, headers={"X-Wandle-Fault": "429-retry-after-date=60"})

    assert (seconds.status_code, seconds.headers["retry-after"]) == (429, "7")
    until = parsedate_to_datetime(moment.headers["retry-after"])
    assert 50 < (until - datetime.now(UTC)).total_seconds() <= 60


def test_a_body_can_be_empty_truncated_or_a_bare_list(client):
    def faulty(fault: str) -> httpx.Response:
        return client.post(STREET, data={"poly": ward(client)}, headers={"X-Wandle-Fault": fault})

    whole = client.post(STREET, data={"poly": ward(client)}).content

    assert (faulty("empty").status_code, faulty("empty").content) == (200, b"")
    assert faulty("empty-list").content == b"[]"
    assert faulty("truncated").status_code == 200
    assert faulty("truncated").content == whole[: len(whole) // 2]


def test_a_slow_answer_is_the_right_one_later(client):
    begun = time.monotonic()

    slow = client.get(f"{API}/crime-last-updated", headers={"X-Wandle-Fault": "slow=0.3"})

    assert slow.json() == {"date": "2026-09-01"}
    assert time.monotonic() - begun >= 0.3


def test_an_unknown_fault_is_named(client):
    refused = client.get(f"{API}/crime-last-updated", headers={"X-Wandle-Fault": "flood"})

    assert refused.status_code == 400
    assert "'flood'" in refused.text


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps({"seed": 7, "as_of": "2026-11-21"}))
    return path


def test_a_rule_in_the_control_file_affects_the_requests_it_matches_as_often_as_it_says(state):
    client = make(state=state)
    rule = {"match": {"path": "crimes-street", "form": {"date": "2026-05"}}, "fault": "500"}
    (state.parent / "faults.json").write_text(json.dumps([{**rule, "times": 2}]))
    poly = ward(client)

    def status(month: str) -> int:
        return client.post(STREET, data={"poly": poly, "date": month}).status_code

    assert [status(month) for month in ("2026-04", "2026-05", "2026-05", "2026-05")] == [
        200, 500, 500, 200,
    ]  # fmt: skip


def test_a_rule_without_times_affects_requests_until_the_file_is_gone(state):
    client = make(state=state)
    control = state.parent / "faults.json"
    control.write_text('[{"fault": "503"}]')

    during = [client.get(f"{API}/crime-last-updated").status_code for _ in range(3)]
    control.unlink()

    assert during == [503, 503, 503]
    assert client.get(f"{API}/crime-last-updated").status_code == 200


@pytest.mark.parametrize(
    "text", ["[", '[{"fault": "flood"}]', '[{"match": {"paht": ""}, "fault": "500"}]', "{}"]
)
def test_a_wrong_control_file_is_reported_and_not_used(state, text, caplog):
    client = make(state=state)
    (state.parent / "faults.json").write_text(text)

    assert client.get(f"{API}/crime-last-updated").status_code == 200
    assert "faults.json is not used" in caplog.text


def test_the_day_moves_with_the_state_file(state):
    client = make(state=state, as_of=date(2020, 1, 1))
    poly = ward(client)
    before = client.post(STREET, data={"poly": poly, "date": "2026-09"}).content

    state.write_text(json.dumps({"seed": 7, "as_of": "2027-02-03"}))

    assert client.get("/health").json()["as_of"] == "2027-02-03"
    assert client.get(f"{API}/crime-last-updated").json() == {"date": "2026-12-01"}
    after = client.post(STREET, data={"poly": poly, "date": "2026-09"}).content
    assert before != after


def test_a_damaged_state_file_is_reported_and_the_day_stays(state, caplog):
    client = make(state=state)
    client.get("/health")

    state.write_text("{")

    assert client.get("/health").json()["as_of"] == "2026-11-21"
    assert "Correct the file" in caplog.text


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "sandbox.serve", *map(str, arguments)]


@pytest.fixture
def served(port, state):
    process = subprocess.Popen(command("--port", port, "--state", state), cwd=CHECKOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{url}/health")
                break
            except httpx.ConnectError:
                assert process.poll() is None, "the sandbox ended instead of answering"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_process_answers_and_cuts_a_connection_in_the_middle_of_a_body(served, port):
    url = f"{served}{API}/crime-last-updated"

    assert httpx.get(url).json() == {"date": "2026-09-01"}
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        httpx.get(url, headers={"X-Wandle-Fault": "cut"})
    assert httpx.get(url).status_code == 200

    second = subprocess.run(
        command("--port", port, "--as-of", "2026-11-21"),
        cwd=CHECKOUT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert second.returncode == 1
    assert f"127.0.0.1:{port} cannot be used: {os.strerror(errno.EADDRINUSE)}" in second.stderr
    assert "Traceback" not in second.stderr
