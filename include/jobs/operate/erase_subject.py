"""Whom an erasure is about, and which records of a landing are theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from include.errors import PermanentError, UnknownName
from include.records.json_values import ExactNumber
from include.sources.columns import Column
from include.sources.model import Contract
from include.warehouse.columns.hashing import fits_numeric


class Subject:
    """A person, or whatever else records are about, named by values of columns.

    The values are those that the records in the landing have, before anything
    is typed, pseudonymised or dropped; all of them must fit. A line that could
    not be read fits if each value stands in it.

    Raises `UnknownName` for a column that the contract does not have, and
    `PermanentError` for one whose value stands in no record. No message, and
    no representation of it, holds a value.
    """

    def __init__(self, contract: Contract, key: Mapping[str, str]) -> None:
        known = {column.name: column for column in contract.columns}
        if not key:
            raise PermanentError(f"{contract.name}: no key is given. Name a column and its value.")
        for name, value in key.items():
            if name not in known:
                raise UnknownName(
                    f"{contract.name} has no column {name!r}. It has {', '.join(known)}."
                )
            if not known[name].record_path:
                raise PermanentError(
                    f"{contract.name}: {name!r} stands in no record. Name another column."
                )
            if not value.strip():
                raise PermanentError(f"{contract.name}: the value of {name!r} is empty.")
        self._contract = contract
        self._key = {name: value.strip() for name, value in key.items()}

    @property
    def canonical(self) -> bytes:
        """The same for the same source, columns and values. Personal: to be hashed with a key."""
        parts = [f"{name}={value}" for name, value in sorted(self._key.items())]
        return "\x1f".join(["wandle erase", self._contract.name, *parts]).encode()

    @property
    def values(self) -> list[str]:
        """The values. Personal."""
        return list(self._key.values())

    def is_of(self, way: str) -> Callable[[Any], bool]:
        """Whether a record that this way brought is theirs."""
        columns = [column for column in self._contract.columns_of(way) if column.name in self._key]

        def theirs(record: Any) -> bool:
            if isinstance(record, str):
                return all(value in record for value in self._key.values())
            return isinstance(record, dict) and all(
                self._key[column.name] in _values(column, record) for column in columns
            )

        return theirs


def _values(column: Column, record: Any) -> list[str]:
    """What a record has for a column, as text; several values of a list."""
    for name in column.record_path:
        record = record.get(name) if isinstance(record, dict) else None
    found = record if isinstance(record, list) else [record]
    texts = [text for value in found for text in _texts(value)]
    if column.list_separator:
        texts += [part for text in texts for part in text.split(column.list_separator)]
    return [text.strip() for text in texts]


def _texts(value: Any) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    if isinstance(value, float):
        return [str(value), f"{value:.0f}"] if value.is_integer() else [str(value)]
    if isinstance(value, ExactNumber):
        return [value.text, f"{value:f}"] if fits_numeric(value) else [value.text]
    return [str(value)] if isinstance(value, str | int) else []
