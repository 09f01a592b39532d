"""What all suites share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A shared, slow machine must not fail a property by its clock.
settings.register_profile(
    "wandle", deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("wandle")
