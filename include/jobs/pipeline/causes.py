"""Group failed partitions by cause, so that one cause is read once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# Counts, ward codes and times differ between partitions with the same cause; a status does not.
_NUMBER = re.compile(r"(?<!HTTP )(?<!\d)\d+")


@dataclass(frozen=True)
class Failure:
    """A partition that failed: in which step, how, and why."""

    source: str
    place: str
    step: str
    status: str
    error: str

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Failure:
        """The failure that an entry of the ledger records, in the form for people."""
        return cls(
            entry["source"],
            f"{entry['council']} {entry['period']}",
            entry["step"],
            entry["status"],
            entry["error"] or "no reason recorded",
        )

    @property
    def reason(self) -> str:
        """The error without the partition's name at its beginning."""
        return self.error.removeprefix(f"{self.source} {self.place}").lstrip(":, ")

    @property
    def kind(self) -> tuple[str, ...]:
        """What failures with the same cause have in common."""
        text = self.reason
        for part in self.place.split():
            text = text.replace(part, "…")
        return (self.source, self.step, self.status, _NUMBER.sub("#", text))


@dataclass(frozen=True)
class Cause:
    """Partitions of a source that failed in the same way; `first` has the reason."""

    first: Failure
    places: tuple[str, ...]

    @property
    def title(self) -> str:
        """What failed, e.g. `<source>: extract failed: sutton 2017-05`."""
        first = self.first
        return f"{first.source}: {first.step} {first.status}: {', '.join(self.places)}"


def causes(failures: Iterable[Failure]) -> list[Cause]:
    """Each cause once, in order of its first failure.

    Errors that differ only in the partition and in numbers have the same cause.
    """
    grouped: dict[tuple[str, ...], list[Failure]] = {}
    for failure in failures:
        grouped.setdefault(failure.kind, []).append(failure)
    return [
        Cause(same[0], tuple(dict.fromkeys(failure.place for failure in same)))
        for same in grouped.values()
    ]
