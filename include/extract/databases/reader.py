"""What reading needs of a database server, whichever it is: a reader, and how it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from include.errors import SourceRejected, UnexpectedPayload
from include.extract.databases.values import as_text
from include.extract.network.deadline import Deadline
from include.sources.extract.database import DatabaseExtract
from include.sources.extract.sql import Dialect, with_markers
from include.sources.page import SentRequest
from include.sources.partition import Partition

CONNECT_SECONDS = 10

Row = Sequence[Any]


@dataclass(frozen=True)
class Asked:
    """What is read: the rows of a partition; by a server, for at most `seconds`."""

    partition: Partition
    extract: DatabaseExtract
    record_bytes: int
    seconds: float

    @property
    def bound(self) -> dict[str, Any]:
        """The values of the placeholders; times in UTC. A whole table has no period."""
        period, council = self.partition.period, self.partition.council
        if period.grain == "all":
            return {"council": council}
        return {"period_start": period.start, "period_end": period.end, "council": council}

    @property
    def bound_without_zone(self) -> dict[str, Any]:
        """The same for servers whose sessions are set to UTC, and whose drivers take no zone."""
        return {
            name: value.replace(tzinfo=None) if isinstance(value, datetime) else value
            for name, value in self.bound.items()
        }

    def query(self, dialect: Dialect, marker: Any, percent: str = "%") -> str:
        """The contract's query for a server. Raises `SourceRejected`.

        It is the contract's own text: trusted, since its authors can change everything.
        """
        try:
            found = with_markers(self.extract.query.rstrip("; \n"), dialect, marker, percent)
        except ValueError as error:
            raise SourceRejected(
                f"{self.partition}: `query` does not suit {self.extract.connection!r}: {error}. "
                "Correct it in the contract."
            ) from error
        return f"({found}\n)"

    def null_key(self) -> UnexpectedPayload:
        """The failure of a row without a key, which has no place in an order."""
        return UnexpectedPayload(
            f"{self.partition}: expected a value of the key {self.extract.key!r} in every row, "
            "found null. Name a unique column under `key`."
        )

    def unreadable(self, name: str, kind: str) -> SourceRejected:
        """The failure of a column whose values would not arrive as they are."""
        return SourceRejected(
            f"{self.partition}: the column {name!r} has the type {kind}, which cannot be read "
            "without loss. Convert it to text in `query`, or leave it out."
        )

    def no_key(self, kind: str) -> SourceRejected:
        """The failure of a key by which rows cannot be paged."""
        return SourceRejected(
            f"{self.partition}: the key {self.extract.key!r} has the type {kind}, by which rows "
            "cannot be paged. Name a column of text, whole numbers, decimals, UUIDs, dates or "
            "times under `key`."
        )

    def absent(self, field: str, name: str, names: Sequence[str]) -> SourceRejected:
        """The failure of a column that the query's result does not have."""
        return SourceRejected(
            f"{self.partition}: `{field}` names the column {name!r}, which the query does not "
            f"return; its columns: {', '.join(names)}. Correct it in the contract."
        )


def page_request(extract: DatabaseExtract, partition: Partition, after: str) -> SentRequest:
    """The request of the page after a key, for the manifest."""
    bound = {name: as_text(value) for name, value in Asked(partition, extract, 0, 0).bound.items()}
    return SentRequest(
        method="SELECT",
        url=f"database:{extract.connection}",
        query=bound | ({"after": after} if after else {}),
    )


@dataclass(frozen=True)
class Failure:
    """Why a server did not give the rows, in words without values.

    `login`: it refuses user or password. `away`: it does not answer, which
    may pass. `settings`: the connection is set up wrongly, `query`: it refuses
    the query; both do not pass.
    """

    kind: Literal["login", "away", "settings", "query"]
    told: str = ""


class Reader(Protocol):
    """One connection to a server, in one read-only moment.

    All raise what is in `errors`, which `failure` explains.
    """

    errors: tuple[type[Exception], ...]
    # Whether JSON arrives as text.
    json_is_text: bool
    # By `names`: what PostgreSQL would call the type of each column; text if nothing fits.
    kinds: dict[str, str]

    def connect(self, deadline: Deadline) -> None:
        """Connect, and begin the transaction that everything is read in."""

    def watch(self, deadline: Deadline) -> None:
        """Let the deadline interrupt what is done next."""

    def names(self) -> list[str]:
        """The names of the query's columns. Raises `SourceRejected` for types it cannot read."""

    def largest_row(self) -> int:
        """The approximate size of the largest row as text, in bytes; 0 if none is large.

        Measured by the server, because a client would have to fetch the row.
        Raises `UnexpectedPayload` for a null key, if it is seen.
        """

    def rows(self, after: str, at_a_time: int) -> Iterator[Row]:
        """The rows with keys beyond `after` (all if empty), by key.

        At most `at_a_time` are held. A row without a key is among them.
        """

    def order_of(self, key: Any) -> Any:
        """A value by which keys are in the server's order; None if only the server knows it."""

    def failure(self, error: Exception) -> Failure:
        """What one of `errors` means."""

    def close(self) -> None:
        """End the transaction and the connection, whatever is left to be read."""
