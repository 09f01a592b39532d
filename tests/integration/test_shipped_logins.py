"""The shipped sources with a login, and planning applications: from the sandbox to the tables."""

from __future__ import annotations

import json

import pytest

from include.extract.login import tokens
from sandbox.air_sensors import SENSORS_OF_A_COUNCIL
from sandbox.planning import APPLICATIONS_OF_A_COUNCIL
from tests.integration.conftest import AS_OF

NOW = ("--period", f"{AS_OF:%Y-%m}")


@pytest.fixture(autouse=True)
def no_token() -> None:
    tokens._tokens.clear()


def test_the_three_are_ingested_and_their_books_balance(generated, wandle, warehouse):
    assert wandle("ingest", "air_sensors", *NOW)[0] == 0
    assert wandle("ingest", "planning_applications", *NOW)[0] == 0
    code, said, errors = wandle("ingest", "waste_collections", "--period", "2026-10", "--json")

    assert code == 0, said + errors
    count = "select count(*) from raw.{} where _council = 'sutton'"
    assert warehouse.value(count.format("air_sensors")) == SENSORS_OF_A_COUNCIL
    assert warehouse.value(count.format("planning_applications")) == APPLICATIONS_OF_A_COUNCIL
    assert warehouse.value(count.format("waste_collections")) == 88
    assert warehouse.value("select count(*) from ops.quarantine") == 0
    geometry = "select count(distinct geometry->>'type') from raw.planning_applications"
    assert warehouse.value(geometry) == 2


def test_a_secret_that_the_sandbox_does_not_take_is_not_sent_to_it(
    generated, wandle, bucket, monkeypatch
):
    """The sandbox has its own; a real one stays where it is."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    monkeypatch.setattr("sys.stdin.read", lambda: "a-real-key-0123456789\n", raising=False)
    assert wandle("secrets", "set", "breathe_london")[0] == 0

    assert wandle("ingest", "air_sensors", "--council", "sutton", *NOW)[0] == 0

    assert json.loads(wandle("secrets", "list", "--json")[1])[0] == {
        "secret": "breathe_london",
        "set": True,
        "sources": ["air_sensors"],
    }
