"""The counts of a load, and the records that it does not load."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    quarantine: list[Quarantined] = field(default_factory=list)
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
