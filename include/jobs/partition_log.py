"""The first and the last log line of a job on a partition: what it will do, and what it did."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from include.printable import one_line
from include.sources.partition import Partition

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """What the last line says: counts, and the address of the manifest."""

    text: str = "done"
    manifest: str = ""


@contextmanager
def logged(partition: Partition, intention: str) -> Iterator[Outcome]:
    """Log the intention, then the outcome, how long it took, and the manifest.

    Only counts and addresses: no value of a record. An error is logged by whoever catches it.
    """
    log.info("%s: %s", partition, one_line(intention))
    began = time.monotonic()
    outcome = Outcome()
    try:
        yield outcome
    except BaseException as error:
        seconds = time.monotonic() - began
        log.info("%s: %s after %.1f s", partition, type(error).__name__, seconds)
        raise
    seconds = time.monotonic() - began
    where = f"; manifest {outcome.manifest}" if outcome.manifest else ""
    log.info("%s: %s, %.1f s%s", partition, one_line(outcome.text), seconds, one_line(where))
