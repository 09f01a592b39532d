"""Extract and load in a process of its own, which says how much memory it has taken at most.

It also says what it has imported.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from dataclasses import dataclass
from typing import Any

from include.jobs.lake import lake_of
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.records import read
from include.settings import Settings
from include.warehouse import prepare
from tests.samples import contract

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.integration.measured"])


@dataclass(frozen=True)
class Measured:
    """A load's ledger entry, the peak of its process in MB, and the modules there at its end."""

    entry: dict[str, Any]
    megabytes: float
    modules: frozenset[str]


def measured(environment: dict[str, str], run_id: str, *, whole: bool = False) -> Measured:
    """Fetch and load the gauges of one partition.

    `whole` reads a page at once instead of as a stream, to be found out.
    """
    mine, theirs = FORKING.Pipe()
    process = FORKING.Process(target=_work, args=(environment, run_id, whole, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        found: Measured = mine.recv()
    finally:
        process.join(60)
        process.kill()
    return found


def _work(environment: dict[str, str], run_id: str, whole: bool, pipe: Any) -> None:
    os.environ.update(environment)
    if whole:
        read.STREAM_ABOVE_BYTES = prepare.STREAM_ABOVE_BYTES = 10**9
    settings = Settings.read()
    where = {"lake": lake_of(settings), "run_id": run_id}
    gauges = contract()
    landing_id = extract(gauges, gauges.partition("kingston", "2017-05"), **where)  # type: ignore[arg-type]
    dsn = settings.need("loader_dsn")
    entry = load(
        gauges, gauges.partition("kingston", "2017-05"), dsn=dsn, landing_id=landing_id, **where
    )  # type: ignore[arg-type]
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send(Measured(entry, kilobytes / 1024, frozenset(sys.modules)))  # type: ignore[arg-type]
