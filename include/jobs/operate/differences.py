"""The differences between S3 and PostgreSQL, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from include.councils.model import UK
from include.jobs.pipeline.known_sources import KnownSource
from include.sources.model import Contract, broken_contracts
from include.sources.partition import Partition
from include.warehouse.read_back import Held

Kind = Literal[
    "contract",  # the contract is broken, so nothing of the source was compared
    "table",  # the raw table is missing or does not match its contract
    "no contract",  # there are data, but no contract file
    "no council",  # there are data of a council that has no file, or is not of the contract
    "removal unfinished",  # `wandle remove` was interrupted
    "never loaded",  # S3 has a finished landing, PostgreSQL has nothing
    "newer landing",  # S3 has a finished landing newer than the loaded one
    "vanished landing",  # the loaded rows refer to a landing that is missing in S3
    "altered landing",  # the landing's pages differ from the loaded ones
    "damaged landing",  # a page or manifest in S3 is damaged
    "not the data",  # a page is something else than the contract reads
    "older rules",  # loaded with another version of the contract or another pseudonym key
    "unaccounted rows",  # not in the ledger
    "row count",
    "content",
    "quarantine",
]


@dataclass(frozen=True)
class Difference:
    """A difference and what to do `next`. Without a council, it concerns the whole source."""

    source: str
    council: str
    period: str
    kind: Kind
    what: str
    next: str

    @classmethod
    def of_table(cls, contract: Contract, error: Exception) -> Difference:
        """The raw table itself is wrong."""
        return cls(contract.name, "", "", "table", str(error), "`wandle migrate`.")

    @classmethod
    def of_retired(cls, known: KnownSource, error: Exception | None) -> Difference:
        """Data of a source that nothing loads: its contract is gone, or its table is wrong."""
        what = "there are data, but its contract file is gone."
        if known.state == "disabled":
            what = "there are data, but it is switched off."
        elif known.state == "broken":
            what = f"its contract is broken: {broken_contracts()[known.name]}"
        kind: Kind = "table" if error else "no contract"
        if error:
            what = f"{what} {str(error).partition('. Run ')[0]}."
        return cls(known.name, "", "", kind, what, known.how_to_proceed)

    @classmethod
    def of_council(cls, contract: Contract, council: str, partitions: int) -> Difference:
        """Data of a council that the contract's runs do not know."""
        count = "1 partition" if partitions == 1 else f"{partitions} partitions"
        if contract.councils == UK:
            what = f"{count}, but the source belongs to no council."
        elif council == UK:
            what = f"{count} of no council, but the source has data by council."
        else:
            what = f"{count}, but the council's file is gone."
        again = f"restore include/councils/{council}.yaml, or "
        wrong = UK in (contract.councils, council)
        next_step = f"{'' if wrong else again}`wandle remove {contract.name} --council {council}`."
        return cls(contract.name, council, "", "no council", what, next_step)

    @classmethod
    def of_contract(cls, name: str, error: Exception) -> Difference:
        """The contract cannot be read."""
        return cls(name, "", "", "contract", str(error), "correct it, then verify again.")

    def __str__(self) -> str:
        place = " ".join(filter(None, (self.source, self.council, self.period)))
        return f"{place}: {self.kind}: {self.what} Next: {self.next}"


class Place:
    """Describes the differences of one partition; nothing loads a `retired` one any more."""

    def __init__(self, contract: Contract, partition: Partition, *, retired: bool = False) -> None:
        self.partition = partition
        self.retired = retired
        self._contract = contract
        self._options = (
            f"{partition.source} --council {partition.council} --period {partition.period}"
        )

    def not_loaded(
        self, landing_id: str, entry: Mapping[str, Any] | None, attempt: Mapping[str, Any] | None
    ) -> Difference:
        """A finished landing is newer than the loaded one, if any."""
        tried = "it has not been loaded yet."
        if attempt and attempt["landing_id"] == landing_id:
            tried = f"its load was {attempt['status']}: {attempt['error']}"
        if entry is None:
            what = f"S3 has landing {landing_id}; {tried}"
            return self._said("never loaded", what, self._reload())
        what = f"S3 has landing {landing_id}, {entry['landing_id']} is loaded; {tried}"
        return self._said("newer landing", what, self._reload())

    def not_followed(self, source: str, landing_id: str) -> Difference:
        """The source whose landings are read has a newer one."""
        what = f"{source} has landing {landing_id}, which has not been read."
        return self._said("newer landing", what, f"`wandle ingest {self._options}`.")

    def not_removed(self, landing_id: str) -> Difference:
        """A landing that was recorded as removed is still in S3."""
        what = f"landing {landing_id} was removed, but is still in S3."
        return self._said("removal unfinished", what, f"`wandle remove {self._options} --yes`.")

    def vanished(self, landing_id: str, why: str) -> Difference:
        """The loaded rows refer to a landing that is missing in S3."""
        again = f", or fetch it again: `wandle ingest {self._options}`"
        return self._said(
            "vanished landing",
            f"rows or ledger refer to landing {landing_id}: {why}",
            "restore the deleted objects from their versions"
            f"{'' if self._contract.snapshot or self.retired else again}.",
        )

    def altered(self, entry: Mapping[str, Any]) -> Difference:
        """The manifest differs from the loaded one."""
        return self._said(
            "altered landing",
            f"the manifest of landing {entry['landing_id']} does not list the loaded pages.",
            "find out who changed it, restore its version of "
            f"{entry['started_at']:%Y-%m-%d %H:%M} UTC, then {self._reload(force=True)}",
        )

    def damaged(self, why: str) -> Difference:
        """A page or a manifest is damaged; the message says what to do."""
        return self._said(
            "damaged landing", why, "restore the object's version, then run `wandle verify` again."
        )

    def not_the_data(self, landing_id: str, page: str, why: str) -> Difference:
        """What was landed is an error page, a login, or another format."""
        again = (
            "the source returns only current data: keep what is loaded until the next snapshot."
            if self._contract.snapshot or self.retired
            else f"fetch it again: `wandle ingest {self._options}`."
        )
        return self._said("not the data", f"{page} of landing {landing_id}: {why}", again)

    def unaccounted(self, found: Held) -> Difference:
        """Rows without a ledger entry."""
        what = (
            f"{found.rows} rows and {found.quarantined} quarantined records without a ledger entry."
        )
        return self._said("unaccounted rows", what, f"{self._reload()} This replaces them.")

    def contents(
        self, entry: Mapping[str, Any], found: Held, *, older_rules: bool
    ) -> Iterator[Difference]:
        """Compare the rows and the quarantine with the ledger."""
        if older_rules and not self.retired:
            what = "loaded with another version of the contract, or another pseudonym key."
            yield self._said("older rules", what, self._reload())
        if found.rows != entry["rows"]:
            what = f"the ledger says {entry['rows']} rows, the raw table has {found.rows}."
            yield self._said("row count", what, self._reload())
        elif found.content_hash != entry["content_hash"] and not older_rules:
            # If a type was widened since, the same value has a different hash.
            what = (
                f"the ledger says content {entry['content_hash']}, the {found.rows} rows "
                f"have {found.content_hash}."
            )
            yield self._said("content", what, self._reload(force=True))
        expected = (entry["quarantined"], entry["quarantine_hash"])
        if expected != (found.quarantined, found.quarantine_hash):
            what = (
                f"the ledger says {expected[0]} records with hash {expected[1]}, "
                f"quarantine has {found.quarantined} with {found.quarantine_hash}."
            )
            yield self._said("quarantine", what, self._reload(force=True))

    def _reload(self, *, force: bool = False) -> str:
        if self.retired:
            return f"Nothing loads it any more; `wandle remove {self._options}` removes it."
        # Without force, a load does nothing if pages, rules and row count are unchanged.
        return f"`wandle reload {self._options}{' --force' if force else ''}`."

    def _said(self, kind: Kind, what: str, next_step: str) -> Difference:
        where = self.partition
        return Difference(where.source, where.council, str(where.period), kind, what, next_step)
