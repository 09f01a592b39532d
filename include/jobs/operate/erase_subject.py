"""The subject of an erasure, and how to recognise their records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from include.errors import PermanentError, UnknownName
from include.records.json.values import ExactNumber
from include.sources.columns import Column
from include.sources.conversions.conversion import cleaned
from include.sources.model import Contract
from include.warehouse.columns.convert import plain
from include.warehouse.columns.hashing import fits_numeric


class Subject:
    """A person, or another subject of records, identified by column values.

    The values are those in the landing, before they are cast, pseudonymised
    or dropped; a record must match all of them. Values that the contract's
    conversions make equal are equal. A line that cannot be parsed matches if
    it contains each value.

    Raises `UnknownName` for an unknown column, and `PermanentError` for a
    column whose value is not part of the records. Values never appear in
    messages or in the representation.
    """

    def __init__(self, contract: Contract, key: Mapping[str, str]) -> None:
        known = {column.name: column for column in contract.columns}
        if not key:
            raise PermanentError(f"{contract.name}: no key given. Name a column and its value.")
        for name, value in key.items():
            if name not in known:
                raise UnknownName(
                    f"{contract.name} has no column {name!r}. It has {', '.join(known)}."
                )
            if not known[name].record_path:
                raise PermanentError(
                    f"{contract.name}: {name!r} is not part of the records. Name another column."
                )
            if not value.strip():
                raise PermanentError(f"{contract.name}: the value of {name!r} is empty.")
        self._contract = contract
        self._key = {name: value.strip() for name, value in key.items()}
        self._plain = {name: plain(known[name], value) for name, value in self._key.items()}

    @property
    def canonical(self) -> bytes:
        """Equal for equal source, columns and values. Personal: hash it with a key."""
        parts = [f"{name}={self._plain[name]}" for name in sorted(self._key)]
        return "\x1f".join(["wandle erase", self._contract.name, *parts]).encode()

    @property
    def values(self) -> list[str]:
        """The values, as in the landing and as stored. Personal."""
        return list({*self._key.values(), *self._plain.values()})

    def is_of(self, way: str) -> Callable[[Any], bool]:
        """Whether a record fetched this way is theirs."""
        columns = [column for column in self._contract.columns_of(way) if column.name in self._key]

        def theirs(record: Any) -> bool:
            if isinstance(record, str):
                return all(self._is_in(record, column) for column in columns)
            return isinstance(record, dict) and all(
                self._is_one_of(_values(column, record), column) for column in columns
            )

        return theirs

    def _is_in(self, line: str, column: Column) -> bool:
        name = column.name
        return self._key[name] in line or self._plain[name] in cleaned(line, column.clean)

    def _is_one_of(self, texts: list[str], column: Column) -> bool:
        name = column.name
        if self._key[name] in texts:
            return True
        converts = bool(column.clean or column.conversion)
        return converts and any(plain(column, text) == self._plain[name] for text in texts)


def _values(column: Column, record: Any) -> list[str]:
    """The values of a column in a record, as text; several for a list."""
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
