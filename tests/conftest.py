"""What all suites share."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings

from tests import leftovers

# A shared, slow machine must not fail a property by its clock. The rest is Hypothesis's own
# profile: new examples in each run, and where `CI` is set, the same ones.
settings.register_profile(
    "wandle", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("wandle")


@pytest.fixture(scope="session", autouse=True)
def _nothing_left_behind(tmp_path_factory) -> None:
    """Servers end with pytest, even if it is killed."""
    leftovers.watch(tmp_path_factory.getbasetemp())


def pytest_unconfigure() -> None:
    """Print no traceback if a server logs that it ends, after pytest has closed its log."""
    logging.raiseExceptions = False
