"""The identity of records, to detect those that repeat while paging."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from include.records.json.values import json_text
from include.sources.model import Contract

_MODULUS = 2**256


class Identity:
    """The contract's key in the records of a way; without a key, whole records.

    A key column from the request is the same in all records of a page and
    does not distinguish them; one that is the position in the page does not
    identify records across pages.
    """

    def __init__(self, contract: Contract, way: str) -> None:
        columns = [column for column in contract.columns_of(way) if column.name in contract.key]
        self._paths = [column.record_path for column in columns if column.record_path]
        if any(column.position for column in columns):
            self._paths = []

    @property
    def is_key(self) -> bool:
        """Whether the contract has a key that distinguishes records."""
        return bool(self._paths)

    def of(self, record: Any) -> int:
        """Equal for the same record; valid in this process only."""
        values = [_value(record, path) for path in self._paths]
        whole = not values or None in values
        return hash(_text(record if whole else values))


class PageRecords:
    """The records of one page, whether selected or not, as identities."""

    def __init__(self) -> None:
        self.count = 0
        self.identities: list[int] = []
        self.last: Any = None

    def add(self, records: Sequence[Any], identity: Identity) -> None:
        """Add records."""
        self.last = records[-1] if records else self.last
        self.identities += map(identity.of, records)
        self.count = len(self.identities)

    @property
    def digest(self) -> int:
        """Equal for pages with the same records, in any order."""
        return hash(tuple(sorted(self.identities)))


def content_digest(records: Iterable[Any]) -> int:
    """Over whole records in any order; adds up, modulo 2**256, over pages."""
    total = 0
    for record in records:
        total += int.from_bytes(hashlib.sha256(_text(record)).digest())
    return total % _MODULUS


def _value(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _text(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        pass
    try:
        return json_text(value, sort=True).encode()
    except RecursionError:
        # Nested too deeply for Python: equal to no other record.
        return os.urandom(16)
