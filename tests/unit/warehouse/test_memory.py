"""How a process that loads holds memory, and how rarely it is interrupted."""

import gc
import platform
import subprocess
import sys

import pytest

from include.warehouse.memory import few_interruptions

FAULTS = """
import resource
from include.warehouse.memory import keep_freed_memory
from contextlib import nullcontext
with {held}():
    for _ in range(20):
        bytearray(b"1") * 40_000_000
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
# Each fourth block stays, so that no end of the heap is free.
PIECES = """
import psutil
from include.warehouse.memory import keep_freed_memory
with keep_freed_memory():
    blocks = [b"1" * 100_000 for _ in range(4_000)]
    blocks = blocks[::4]
    during = psutil.Process().memory_info().rss
print(during - psutil.Process().memory_info().rss)
"""
WITH_PANDAS = """
import sys
import pyarrow as pa
{before}
pa.array([1]).to_numpy()
print(int("pandas" in sys.modules))
import pandas
assert pa.table({{"a": [1]}}).to_pandas().equals(pandas.DataFrame({{"a": [1]}}))
assert pa.array(pandas.Series([1.5, None])).null_count == 1
"""
ON_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")


def printed(program: str) -> int:
    command = [sys.executable, "-c", program]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@ON_GLIBC
def test_memory_that_was_freed_is_used_again_without_a_fault_for_each_page():
    kept, given_back = (FAULTS.format(held=name) for name in ("keep_freed_memory", "nullcontext"))

    assert printed(kept) < printed(given_back) / 4


@ON_GLIBC
def test_memory_that_was_freed_is_returned_at_the_end():
    assert printed(PIECES) > 200_000_000


def test_pyarrow_does_not_use_pandas_until_somebody_imports_it():
    without = "from include.warehouse.memory import do_without_pandas; do_without_pandas()"

    assert printed(WITH_PANDAS.format(before="")) == 1, "pyarrow imports it no more by itself"
    assert printed(WITH_PANDAS.format(before=without)) == 0
    assert printed(WITH_PANDAS.format(before=f"import pandas; {without}")) == 1


def settings() -> tuple[tuple[int, int, int], float]:
    """When cycles are searched and when threads are switched."""
    return gc.get_threshold(), sys.getswitchinterval()


def test_a_load_is_interrupted_rarely_and_all_is_as_before_after_it_failed():
    before, during = settings(), []

    def fail() -> None:
        with few_interruptions(page_bytes=20_000):
            during.append(settings())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert during[0][0][0] > before[0][0]
    assert during[0][1] > before[1]
    assert settings() == before


def test_the_last_of_concurrent_loads_to_end_restores_the_settings_from_before():
    before = settings()
    one, other = few_interruptions(20_000), few_interruptions(20_000)

    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    during = settings()
    other.__exit__(None, None, None)

    assert during[0] > before[0]
    assert during[1] > before[1]
    assert settings() == before


def test_a_load_of_large_pages_switches_threads_as_before_so_that_copy_never_waits():
    before = sys.getswitchinterval()

    with few_interruptions(page_bytes=3_000_000):
        assert sys.getswitchinterval() == before
