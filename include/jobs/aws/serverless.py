"""Sources extracted by a function: scheduled runs wait for its landing, then load it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from include.errors import ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.partition_log import logged
from include.landing.store import began_at
from include.settings import Settings
from include.sources.model import Contract
from include.sources.partition import Partition

# A function may run for 15 minutes, and its schedule may retry it.
WAIT_SECONDS = 1_800.0
POLL_SECONDS = 15.0
# The function's schedule and Airflow's use different clocks.
EARLY = timedelta(minutes=5)


def is_serverless(contract: Contract) -> bool:
    """Whether `WANDLE_SERVERLESS` names the source."""
    return contract.name in Settings.read().serverless_sources


def wait_for_landing(
    partition: Partition,
    *,
    lake: Lake,
    since: datetime,
    seconds: float = WAIT_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> str:
    """The ID of the partition's finished landing that started at `since` or later.

    Raises `ServiceUnavailable` if there is none after `seconds`.
    """
    landings = lake.as_job("load").landings
    end = time.monotonic() + seconds
    with logged(partition, "waiting for the landing of the function") as outcome:
        while True:
            newest = next(iter(landings.finished(partition)), None)
            if newest and began_at(newest) >= since - EARLY:
                outcome.text = "the function has landed it"
                outcome.manifest = landings.manifest_address(partition, newest)
                return newest
            if time.monotonic() >= end:
                raise ServiceUnavailable(
                    f"{partition}: the function has landed nothing since "
                    f"{since:%Y-%m-%d %H:%M} UTC. See its log. To fetch without it, trigger this "
                    "DAG by hand."
                )
            time.sleep(poll_seconds)
