"""How a process that loads holds memory."""

import gc
import platform
import subprocess
import sys

import pytest

from include.warehouse.heap import rare_searches

FAULTS = """
import resource
from include.warehouse.heap import keep_freed_memory
{first}
for _ in range(20):
    bytearray(b"1") * 40_000_000
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def faults(first: str) -> int:
    command = [sys.executable, "-c", FAULTS.format(first=first)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks glibc")
def test_memory_that_was_freed_is_used_again_without_a_fault_for_each_page():
    assert faults("keep_freed_memory()") < faults("") / 4


def test_cycles_are_searched_seldom_during_a_load_and_as_before_after_it_failed():
    before, during = gc.get_threshold(), []

    def fail() -> None:
        with rare_searches():
            during.append(gc.get_threshold())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert during[0][0] > before[0]
    assert gc.get_threshold() == before
