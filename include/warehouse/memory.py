"""Settings of a loading process, which makes and drops records by the ten thousand."""

from __future__ import annotations

import ctypes
import gc
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.abc import MetaPathFinder
from threading import Lock

import pyarrow as pa

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# More than the largest block that a load allocates.
_KEPT_BYTES = 64 * 1024 * 1024
# Allocations between two runs of the garbage collector; the default, 700, is a few records.
_UNSEARCHED = 1_000_000
# Seconds that a thread may run while others wait for the GIL; the default is 0.005.
_SWITCH_AFTER = 0.02
_SMALL_PAGE_BYTES = 512 * 1024
# The settings before each running load; those of the first one are the original.
_before: list[tuple[tuple[int, int, int], float]] = []
_guard = Lock()


@contextmanager
def undisturbed(size: int, pages: int) -> Iterator[None]:
    """Apply the settings for a load of `size` bytes in `pages` pages, and restore them after it."""
    with keep_freed_memory(), few_interruptions(size / max(1, pages)):
        yield


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Make glibc return memory at the end, not after every page; elsewhere, do nothing.

    By default, the memory of each page of a landing is returned to the system
    and allocated again for the next one: a fault for every 4 kB, a tenth of a
    load's CPU time. Kept from load to load, it becomes fragmented: a process
    that loads eight partitions would grow by half.
    """
    _ask_to_keep()
    try:
        yield
    finally:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@cache
def _ask_to_keep() -> None:
    """One arena for all threads and Arrow: others would return memory by themselves."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, 1)
        pa.set_memory_pool(pa.system_memory_pool())


@cache
def do_without_pandas() -> None:
    """Keep pyarrow from importing pandas, which it tries to do for its first array.

    The import would cost a load 0.3 s and 40 MB for nothing. Other code can
    still import pandas later, and convert to it.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _NoPandas)
    try:
        pa.array([0]).to_numpy()
    finally:
        sys.meta_path.remove(_NoPandas)


class _NoPandas(MetaPathFinder):
    @staticmethod
    def find_spec(fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


@contextmanager
def few_interruptions(page_bytes: float = math.inf) -> Iterator[None]:
    """Run the garbage collector less often and, while small pages are loaded, switch threads
    less often.

    Records have no cycles. `page_bytes` is the average size of a page. For
    each page, the threads that download interrupt the one that parses several
    times: with small pages and the default interval, a load takes a sixth
    longer. With large pages, a longer interval would keep `COPY` waiting.
    """
    with _guard:
        _before.append((gc.get_threshold(), sys.getswitchinterval()))
        (_, *others), _ = _before[0]
        gc.set_threshold(_UNSEARCHED, *others)
        if page_bytes < _SMALL_PAGE_BYTES:
            sys.setswitchinterval(_SWITCH_AFTER)
    try:
        yield
    finally:
        with _guard:
            thresholds, interval = _before[0]
            _before.pop()
            if not _before:
                gc.set_threshold(*thresholds)
                sys.setswitchinterval(interval)
