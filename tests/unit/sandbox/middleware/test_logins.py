"""Logins in the sandbox: a key in a header, tokens that expire, and the data that need them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from include.councils.model import councils
from include.sources.extract.auth import of_sandbox
from sandbox import waste
from sandbox.air_sensors import HOST as AIR
from sandbox.air_sensors import KEY_HEADER, SECRET
from sandbox.middleware.logins import Tokens
from sandbox.planning import HOST as PLANNING
from tests.sandbox_client import Client, make

SENSORS = f"/{AIR}/ListSensors"
SEARCH = f"/{waste.HOST}/v1/collections/search"
TOKEN = f"/{waste.LOGIN_HOST}/oauth2/token"
FEATURES = f"/{PLANNING}/entity.geojson"


@pytest.fixture
def client() -> Client:
    return make()


def token_of(client: Client, **fields: str) -> Any:
    data = {"grant_type": "client_credentials", **fields}
    return client.post(TOKEN, data=data, auth=of_sandbox(waste.SECRET))


def search(client: Client, token: str, **changes: Any) -> Any:
    asked = {"authority": "E09000021", "from": "2026-10-01", "to": "2026-10-31"}
    body = asked | {"page": {"start": 0, "size": 100}} | changes
    return client.post(SEARCH, json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("headers", [{}, {KEY_HEADER: ""}, {KEY_HEADER: "wrong"}])
def test_sensors_are_not_listed_without_the_key(client, headers):
    assert client.get(SENSORS, headers=headers).status_code == 401


def test_sensors_of_all_councils_are_listed_with_the_key(client):
    found = client.get(SENSORS, headers={KEY_HEADER: of_sandbox(SECRET)[1]}).json()

    assert {item["Borough"] for item in found} == {council.title for council in councils().values()}
    assert len({item["SiteCode"] for item in found}) == len(found)


def test_collections_are_found_only_with_a_token(client):
    token = token_of(client).json()["access_token"]

    assert search(client, "wrong").status_code == 401
    found = search(client, token).json()
    assert found["total"] == len(found["collections"]) == 22 * waste.ROUNDS


def test_a_token_is_issued_only_to_the_client(client):
    assert client.post(TOKEN, data={"grant_type": "client_credentials"}).status_code == 401
    assert token_of(client, scope="everything").json() == {"error": "invalid_scope"}
    assert token_of(client, grant_type="password").json() == {"error": "unsupported_grant_type"}


def test_a_token_expires_within_a_minute():
    now = [0.0]
    tokens = Tokens("waste_contractor", "read", clock=lambda: now[0])
    tokens._expires["a"] = now[0] + waste.Tokens("x", "y")._seconds

    assert tokens.holds("Bearer a")
    now[0] = 60
    assert not tokens.holds("Bearer a")


def test_pages_are_as_in_the_body_and_a_day_that_is_not_over_has_none(client):
    token = token_of(client).json()["access_token"]
    second = search(client, token, page={"start": 80, "size": 100}).json()

    assert second["total"] - 80 == len(second["collections"])
    assert search(client, token, **{"from": "2026-11-23", "to": "2026-11-30"}).json()["total"] == 0


@pytest.mark.parametrize("change", [{"from": "x"}, {"page": 1}, {"authority": "E09000001"}])
def test_a_search_that_is_not_understood_is_refused(client, change):
    token = token_of(client).json()["access_token"]

    assert search(client, token, **change).status_code in (400, 404)


def test_planning_applications_of_an_area_come_in_pages_of_geojson(client):
    asked = {"dataset": "planning-application", "limit": 100,
             "geometry_curie": "statistical-geography:E09000029"}  # fmt: skip
    pages = [
        client.get(FEATURES, params=asked | {"offset": offset}).json()["features"]
        for offset in (0, 100, 200)
    ]

    assert [len(page) for page in pages] == [100, 30, 0]
    kinds = {(item["geometry"] or {"type": None})["type"] for item in pages[0]}
    assert kinds == {"MultiPolygon", "Point", None}
    assert client.get(FEATURES, params={"limit": 501}).status_code == 422
    made = [date.fromisoformat(item["properties"]["start-date"]) for item in pages[0]]
    assert max(made) < date(2026, 11, 21)
