"""How S3 and PostgreSQL may differ, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.read_back import Held

Kind = Literal[
    "table",  # the raw table is missing or not as its contract says
    "never loaded",  # S3 holds a finished landing, PostgreSQL nothing
    "newer landing",  # S3 holds a finished landing that is newer than what is loaded
    "vanished landing",  # what is loaded points to a landing that S3 does not hold
    "altered landing",  # the landing's pages are not those that were loaded
    "damaged landing",  # a page or manifest in S3 is not what it should be
    "older rules",  # loaded by another state of the contract, or another key for pseudonyms
    "unaccounted rows",  # the ledger knows nothing of them
    "row count",
    "content",
    "quarantine",
]


@dataclass(frozen=True)
class Difference:
    """One thing that differs; `next` is what to do. Without a council, it is of a whole source."""

    source: str
    council: str
    period: str
    kind: Kind
    what: str
    next: str

    @classmethod
    def of_table(cls, contract: Contract, error: Exception) -> Difference:
        """The raw table itself is not as it should be."""
        return cls(contract.name, "", "", "table", str(error), "`wandle migrate`.")

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.source, self.council, self.period)))
        return f"{place}: {self.kind}: {self.what} Next: {self.next}"


class Place:
    """Words the differences of one partition."""

    def __init__(self, contract: Contract, partition: Partition) -> None:
        self.partition = partition
        self._contract = contract
        self._options = (
            f"{partition.source} --council {partition.council} --period {partition.period}"
        )

    def not_loaded(
        self, landing_id: str, entry: Mapping[str, Any] | None, attempt: Mapping[str, Any] | None
    ) -> Difference:
        """A finished landing is newer than what is loaded, if anything is."""
        tried = "no load of it was tried."
        if attempt and attempt["landing_id"] == landing_id:
            tried = f"its load was {attempt['status']}: {attempt['error']}"
        if entry is None:
            what = f"S3 holds landing {landing_id}; {tried}"
            return self._said("never loaded", what, self._reload())
        what = f"S3 holds landing {landing_id}, loaded is {entry['landing_id']}; {tried}"
        return self._said("newer landing", what, self._reload())

    def vanished(self, landing_id: str, why: str) -> Difference:
        """What is loaded points to a landing that cannot be found."""
        again = f", or fetch it again: `wandle ingest {self._options}`"
        return self._said(
            "vanished landing",
            f"rows or ledger point to landing {landing_id}: {why}",
            "restore the deleted objects from their versions"
            f"{'' if self._contract.snapshot else again}.",
        )

    def altered(self, entry: Mapping[str, Any]) -> Difference:
        """The manifest is not the one that was loaded."""
        return self._said(
            "altered landing",
            f"the manifest of landing {entry['landing_id']} lists other pages than were loaded.",
            "find out who wrote it, restore its version of "
            f"{entry['started_at']:%Y-%m-%d %H:%M} UTC, then {self._reload(force=True)}",
        )

    def damaged(self, why: str) -> Difference:
        """A page or a manifest is not what it should be; the message says what to do."""
        return self._said(
            "damaged landing", why, "restore the object's version, then run `wandle verify` again."
        )

    def unaccounted(self, found: Held) -> Difference:
        """Rows that no entry of the ledger brought."""
        what = f"{found.rows} rows and {found.quarantined} quarantined records, none in the ledger."
        return self._said("unaccounted rows", what, f"{self._reload()} It replaces them.")

    def contents(
        self, entry: Mapping[str, Any], found: Held, *, older_rules: bool
    ) -> Iterator[Difference]:
        """Whether the rows and the quarantine are those that the ledger speaks of."""
        if older_rules:
            what = "loaded by another state of the contract, or another key, than there is now."
            yield self._said("older rules", what, self._reload())
        if found.rows != entry["rows"]:
            what = f"the ledger says {entry['rows']} rows, the raw table holds {found.rows}."
            yield self._said("row count", what, self._reload())
        elif found.content_hash != entry["content_hash"] and not older_rules:
            # Where a type was widened since, the same value has another hash.
            what = (
                f"the ledger says content {entry['content_hash']}, the {found.rows} rows "
                f"have {found.content_hash}."
            )
            yield self._said("content", what, self._reload(force=True))
        expected = (entry["quarantined"], entry["quarantine_hash"])
        if expected != (found.quarantined, found.quarantine_hash):
            what = (
                f"the ledger says {expected[0]} records with hash {expected[1]}, "
                f"quarantine holds {found.quarantined} with {found.quarantine_hash}."
            )
            yield self._said("quarantine", what, self._reload(force=True))

    def _reload(self, *, force: bool = False) -> str:
        # Without force, a load that finds pages, rules and row count unchanged does nothing.
        return f"`wandle reload {self._options}{' --force' if force else ''}`."

    def _said(self, kind: Kind, what: str, next_step: str) -> Difference:
        where = self.partition
        return Difference(where.source, where.council, str(where.period), kind, what, next_step)
