"""How a process that loads holds memory: records come and go by the ten thousand."""

from __future__ import annotations

import ctypes
import gc
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
# More than the largest piece that a load asks for at once.
_KEPT_BYTES = 64 * 1024 * 1024
# Objects between two searches for cycles; 700 as it comes, a few records.
_UNSEARCHED = 1_000_000
# What held when each load began that has not ended; the first of them was not changed by another.
_before: list[tuple[int, int, int]] = []
_guard = Lock()


@contextmanager
def keep_freed_memory() -> Iterator[None]:
    """Ask glibc not to give memory back page by page, but at the end; elsewhere, do nothing.

    As it comes, what one page of a landing was read in goes back to the system
    and is asked for again by the next one: a fault for every 4 kB, a tenth of
    a load's processor time. Kept from load to load, it falls to pieces: a
    process that loads eight partitions would grow by half.
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
    """One arena for all threads, and for Arrow, too: others would be given back by themselves."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_ARENA_MAX, 1)
        pa.set_memory_pool(pa.system_memory_pool())


@cache
def do_without_pandas() -> None:
    """Let pyarrow find, once, that pandas is not there: it looks for it with its first array.

    Importing it would take a load 0.3 s and 40 MB, for nothing. Others can
    import it afterwards, and convert to it.
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
def rare_searches() -> Iterator[None]:
    """Look for cycles seldom: records have none, and are gone when nobody holds them."""
    with _guard:
        _before.append(gc.get_threshold())
        gc.set_threshold(_UNSEARCHED, *_before[0][1:])
    try:
        yield
    finally:
        with _guard:
            first = _before[0]
            _before.pop()
            if not _before:
                gc.set_threshold(*first)
