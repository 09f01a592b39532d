"""The counts of a load, and the records that it does not load."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import IO

import msgspec

from include.warehouse.columns.hashing import ContentHash
from include.warehouse.columns.unknown_fields import Drift


@dataclass(frozen=True)
class Quarantined:
    """A record that is not loaded: its place, the rule it broke, and its own bytes.

    Without its personal data. `responsible` is who must fix it.
    """

    record_no: int
    page: str
    page_record_no: int
    column: str | None
    rule: str
    value: str | None
    record: bytes
    responsible: str = "publisher"


# Quarantined records to hold in memory; others are in a temporary file.
HELD_RECORDS = 2_000
HELD_BYTES = 4 * 1024 * 1024
_LENGTH_BYTES = 8


class Quarantine:
    """The records that a load does not load, in order, in constant memory."""

    def __init__(self) -> None:
        # Made when it is needed.
        self._file: IO[bytes] | None = None
        self._held: list[Quarantined] = []
        self._held_bytes = self._written = 0

    def extend(self, records: Iterable[Quarantined]) -> None:
        """Add records."""
        for record in records:
            self._held.append(record)
            self._held_bytes += len(record.record)
            if len(self._held) >= HELD_RECORDS or self._held_bytes >= HELD_BYTES:
                self._write()

    def __len__(self) -> int:
        return self._written + len(self._held)

    def __iter__(self) -> Iterator[Quarantined]:
        for some in self.batches():
            yield from some

    def batches(self) -> Iterator[list[Quarantined]]:
        """The records in lists that fit into memory, none of them empty."""
        place = 0
        while self._file is not None:
            self._file.seek(place)
            length = int.from_bytes(self._file.read(_LENGTH_BYTES))
            if not length:
                break
            yield _DECODER.decode(self._file.read(length))
            place += _LENGTH_BYTES + length
        if self._held:
            yield list(self._held)

    def _write(self) -> None:
        text = msgspec.msgpack.encode(self._held)
        if self._file is None:
            self._file = SpooledTemporaryFile(max_size=HELD_BYTES)  # noqa: SIM115, when freed
        self._file.seek(0, os.SEEK_END)
        self._file.write(len(text).to_bytes(_LENGTH_BYTES))
        self._file.write(text)
        self._written += len(self._held)
        self._held.clear()
        self._held_bytes = 0


_DECODER = msgspec.msgpack.Decoder(list[Quarantined])


@dataclass
class Counts:
    """The counts of a load, or of one batch of it.

    `records` = `loaded` + quarantined + `duplicates`; they count the source's
    records. `rows` are those of the raw table, more than `loaded` where the
    contract makes a row of each value of a list. `filled` are the columns that
    hold a value, `differences` what the contract expected and records had
    instead, by column and rule.
    """

    records: int = 0
    loaded: int = 0
    duplicates: int = 0
    rows: int = 0
    content: ContentHash = field(default_factory=ContentHash)
    quarantine: Quarantine = field(default_factory=Quarantine)
    filled: set[str] = field(default_factory=set)
    differences: dict[tuple[str, str], str] = field(default_factory=dict)
    drift: Drift = field(default_factory=Drift)

    def add(self, batch: Counts) -> None:
        """Add the next batch."""
        self.records += batch.records
        self.loaded += batch.loaded
        self.duplicates += batch.duplicates
        self.rows += batch.rows
        self.content.merge(batch.content)
        self.quarantine.extend(batch.quarantine)
        self.filled |= batch.filled
        self.differences = batch.differences | self.differences
        self.drift.merge(batch.drift)
