"""What the tests of fetching share."""

from __future__ import annotations

import pytest
import responses

from tests.unit.extract.paged_api import Api


@pytest.fixture
def paged_api():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Api(mock)


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between attempts; nobody sleeps."""
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    return slept
