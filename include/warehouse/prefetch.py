"""An iterator that prefetches items."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

T = TypeVar("T")

# Items to prefetch.
AHEAD = 2


class Ahead(Iterator[T]):
    """Runs an iterator in a separate thread, a few items ahead of its reader."""

    _END = object()

    def __init__(self, items: Iterator[T]) -> None:
        self._failure: BaseException | None = None
        self._items = items
        self._queue: queue.Queue[Any] = queue.Queue(AHEAD)
        self._peeked: Any = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prepare", daemon=True)

    def __enter__(self) -> Ahead[T]:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def peek(self) -> T | None:
        """The next item, without consuming it; None at the end, or on an error."""
        if self._peeked is None:
            self._peeked = self._queue.get()
        return None if self._peeked is self._END else self._peeked

    def __next__(self) -> T:
        item, self._peeked = self._peeked, None
        if item is None:
            item = self._queue.get()
        if item is not self._END:
            return item  # type: ignore[no-any-return]
        self._queue.put(item)
        if self._failure is not None:
            raise self._failure
        raise StopIteration

    def _run(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:
            self._failure = error
        finally:
            self._put(self._END)

    def _put(self, item: Any) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
