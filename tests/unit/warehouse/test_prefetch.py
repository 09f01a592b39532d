"""An iterator that runs ahead of its reader."""

import threading
import time

import pytest

from include.warehouse.prefetch import AHEAD, Ahead


def test_what_is_made_arrives_in_order():
    with Ahead(iter(range(10))) as items:
        assert list(items) == list(range(10))


def test_no_more_is_made_than_a_few_items_ahead():
    made = []

    def making():
        for number in range(100):
            made.append(number)
            yield number

    with Ahead(making()) as items:
        next(items)
        time.sleep(0.3)
        # Taken, waiting, and the one that has no place to wait.
        assert len(made) == 1 + AHEAD + 1


def test_the_next_item_can_be_peeked_at():
    with Ahead(iter([1, 2])) as items:
        assert (items.peek(), items.peek(), next(items)) == (1, 1, 1)
        assert (next(items), items.peek()) == (2, None)


def test_what_breaks_the_making_is_raised_where_the_item_would_have_come():
    def breaking():
        yield 1
        raise ValueError("broken")

    with Ahead(breaking()) as items:
        assert next(items) == 1
        with pytest.raises(ValueError, match="broken"):
            next(items)


def test_a_reader_that_stops_early_leaves_no_thread():
    before = threading.active_count()
    with Ahead(iter(range(100))) as items:
        next(items)
    assert threading.active_count() == before
