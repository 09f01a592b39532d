"""Which records of a landing repeat earlier ones, and which conflict with them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from include.warehouse.columns.batch import Batch, Broken
from include.warehouse.columns.hashing import Mask, Seen


class Repeats:
    """Remembers the keys and contents of all batches so far."""

    def __init__(self) -> None:
        self._keys = Seen()
        self._contents = Seen()

    def left_out(self, batch: Batch) -> tuple[Mask, list[Broken]]:
        """The rows to load, and the records that conflict with the first one of their key.

        A record in neither, and not broken, is an exact duplicate.
        """
        if batch.source is None:
            return self._rows(batch)
        return self._records(batch, batch.source)

    def _rows(self, batch: Batch) -> tuple[Mask, list[Broken]]:
        keep = np.ones(batch.records, dtype=bool)
        keep[[broken.index for broken in batch.broken]] = False
        candidates = np.flatnonzero(keep)
        same_key = self._keys.again(batch.keys[candidates])
        contents = np.ascontiguousarray(batch.rows[candidates, 0])
        if not same_key.any():
            self._contents.add(contents)
            return keep, []
        same_content = self._contents.again(contents)
        # Two hashes must match before a record is dropped as a duplicate.
        keep[candidates[same_key]] = False
        return keep, [_conflict(index) for index in candidates[same_key & ~same_content]]

    def _records(self, batch: Batch, source: NDArray[np.int64]) -> tuple[Mask, list[Broken]]:
        """The same for records of several rows, which stay together: one by one."""
        keep = np.zeros(len(source), dtype=bool)
        conflicts: list[Broken] = []
        bad = {broken.index for broken in batch.broken}
        keys, contents = batch.keys, batch.rows[:, 0]
        known_keys = set(keys[self._keys.holds(keys)].tolist())
        known_contents = set(contents[self._contents.holds(contents)].tolist())
        new_keys: set[int] = set()
        new_contents: set[int] = set()
        edges = np.searchsorted(source, np.arange(batch.records + 1))
        for index in range(batch.records):
            if index in bad:
                continue
            rows = range(edges[index], edges[index + 1])
            of_record: dict[int, int] = {}
            fresh, contradicts = [], False
            for row in rows:
                key, content = int(keys[row]), int(contents[row])
                if key in of_record:
                    contradicts |= of_record[key] != content
                elif key in known_keys:
                    contradicts |= content not in known_contents
                else:
                    fresh.append(row)
                of_record.setdefault(key, content)
            if contradicts:
                conflicts.append(_conflict(index))
                if len(rows) > 1:
                    # Neither loaded nor remembered: a repetition conflicts again, as a whole.
                    continue
            else:
                keep[fresh] = True
            for key, content in of_record.items():
                known_keys.add(key)
                known_contents.add(content)
                new_keys.add(key)
                new_contents.add(content)
        self._keys.again(np.array(sorted(new_keys), dtype=np.uint64))
        self._contents.again(np.array(sorted(new_contents), dtype=np.uint64))
        return keep, conflicts


def _conflict(index: int) -> Broken:
    return Broken(int(index), None, "key", None)
