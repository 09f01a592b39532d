"""A process of the server, as Granian starts it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.api.server import _Loader


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The garbage collector as it was."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def test_what_lasts_is_not_searched_for_cycles_and_requests_rarely(tmp_path: Path):
    made = _Loader(lambda folder: [folder], tmp_path)()

    assert made == [tmp_path]
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold()[0] >= 100_000


def test_cycles_are_still_found(tmp_path: Path):
    _Loader(lambda folder: folder, tmp_path)()

    assert gc.isenabled()
    cycle: list[object] = []
    cycle.append(cycle)
    del cycle
    assert gc.collect() >= 1
