"""Measure how long ago each source was checked, and publish it for the alarms on AWS."""

from __future__ import annotations

import logging
from typing import Any

from include.aws import metrics
from include.jobs.pipeline.transform import freshness
from include.settings import Settings

log = logging.getLogger(__name__)


def watch(*, dsn: str) -> list[dict[str, Any]]:
    """Measure every source, and publish the metrics on AWS; returns the measurements.

    Without `WANDLE_ENVIRONMENT` it only reports. Raises `PermanentError` and
    `ServiceUnavailable` on errors of AWS and the database.
    """
    measured = freshness(dsn=dsn)
    settings = Settings.read()
    if settings.environment:
        count = metrics.put(settings.session("watch"), settings.environment, measured)
        log.info("published %d metric values in the namespace %s", count, metrics.NAMESPACE)
    return measured
