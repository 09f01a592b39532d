"""The first and the last line of the log of a task: what it does with a partition, and did."""

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
class Told:
    """What the last line says, once it is known: counts, and the address of the manifest."""

    did: str = "done"
    manifest: str = ""


@contextmanager
def told(partition: Partition, does: str) -> Iterator[Told]:
    """Log what is done with the partition, then what was done, how long it took, and the manifest.

    Only counts and addresses: no value of a record. An error is logged by whoever catches it.
    """
    log.info("%s: %s", partition, one_line(does))
    began = time.monotonic()
    found = Told()
    try:
        yield found
    except BaseException as error:
        seconds = time.monotonic() - began
        log.info("%s: %s after %.1f s", partition, type(error).__name__, seconds)
        raise
    seconds = time.monotonic() - began
    where = f"; manifest {found.manifest}" if found.manifest else ""
    log.info("%s: %s, %.1f s%s", partition, one_line(found.did), seconds, one_line(where))
