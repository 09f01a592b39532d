"""Watch how long ago each source was looked at, and let AWS's alarms know."""

from __future__ import annotations

import logging
from typing import Any

from include.aws import metrics
from include.jobs.pipeline.transform import freshness
from include.settings import Settings

log = logging.getLogger(__name__)


def watch(*, dsn: str) -> list[dict[str, Any]]:
    """Measure every source, and put the metrics of an environment on AWS; what was measured.

    Elsewhere (no `WANDLE_ENVIRONMENT`) it only reports. Raises
    `PermanentError` and `ServiceUnavailable` as AWS and the database do.
    """
    measured = freshness(dsn=dsn)
    settings = Settings.read()
    if settings.environment:
        count = metrics.put(settings.session("watch"), settings.environment, measured)
        log.info("put %d values of the namespace %s", count, metrics.NAMESPACE)
    return measured
