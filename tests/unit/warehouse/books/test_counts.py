"""Quarantined records of a load: all of them, in order, in little memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.warehouse.books import counts
from include.warehouse.books.counts import Quarantine, Quarantined

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
RECORDS = st.builds(
    Quarantined,
    record_no=st.integers(1, 2**62),
    page=st.just("0001.json.gz"),
    page_record_no=st.integers(1, 2**62),
    column=TEXTS,
    rule=st.just("type"),
    value=TEXTS,
    record=st.binary(),
)


def numbered(count: int, size: int) -> Iterator[Quarantined]:
    """So many records of about so many bytes."""
    for number in range(1, count + 1):
        yield Quarantined(number, "0001.json.gz", number, "note", "pattern", "n", b"n" * size)


@given(st.lists(st.lists(RECORDS, max_size=6)))
def test_every_record_comes_back_in_order(parts):
    found = Quarantine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts, "HELD_RECORDS", 2)
        for part in parts:
            found.extend(part)

    assert list(found) == [record for part in parts for record in part]
    assert len(found) == sum(map(len, parts))
    assert all(found.batches())


@pytest.mark.parametrize(("count", "size"), [(100_000, 300), (40, 1024 * 1024)])
def test_memory_stays_flat_however_many_there_are(count, size):
    tracemalloc.start()
    found = Quarantine()
    found.extend(numbered(count, size))
    total = sum(len(record.record) for record in found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (len(found), total) == (count, count * size)
    assert peak < 24 * 1024 * 1024
