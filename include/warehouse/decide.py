"""Decide what a load does with a landing, from what is known so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from include.warehouse.books.ledger import Landing

# The first two end the load; after `compare`, more is known and the decision is made again.
Decision = Literal["not_published", "unchanged", "compare", "replace"]


@dataclass(frozen=True)
class Known:
    """The facts about a load, first before and then after the landing is read.

    `rules_hash` is that of the rules of this load, `current` the ledger entry
    of the rows that the raw table should have of the partition, `present` the
    number of rows that it has, None until counted. `starts_the_same` says whether
    the rows of the landing's first batch are in the table; `content` is its
    `content_hash` and `quarantine_hash`. Both are None until it has been read.
    With `new_table`, the landing goes into a new table beside the raw table.
    """

    landing: Landing
    rules_hash: str
    current: Mapping[str, Any] | None
    forced: bool
    present: int | None = None
    starts_the_same: bool | None = None
    content: tuple[str, str] | None = None
    new_table: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the current load has the same pages and the same rules."""
        return self.current is not None and (self.landing.pages_hash, self.rules_hash) == (
            self.current["pages_hash"],
            self.current["rules_hash"],
        )


def decide(known: Known) -> Decision:
    """Whether a landing is skipped (and why), compared with the table, or copied into it.

    `compare` reads the landing without copying it: first one batch and, if the
    table has its rows, all of it. If the table was emptied or edited, so that
    the ledger no longer describes it, or with `force`, a landing is always
    copied.
    """
    current, landing = known.current, known.landing
    if landing.outcome == "not_published":
        return "not_published"
    if known.forced or known.new_table or current is None:
        return "replace"
    if known.present is None:
        return "compare"
    if current["rows"] != known.present:
        return "replace"
    if known.content is not None:
        same = known.content == (current["content_hash"], current["quarantine_hash"])
        return "unchanged" if same else "replace"
    if known.accepted:
        return "unchanged"
    if landing.records != current["records"] or known.starts_the_same is False:
        return "replace"
    return "compare"
