"""What an answer must contain to be accepted as a source's data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.sources.columns import Column


@dataclass(frozen=True)
class Evidence:
    """What an answer must contain to be accepted as the source's data.

    `header` are the names that a header (or the fields of arrays side by side)
    must have, in the contract's order; `fields` those that a record can have,
    of which one must be there; `required` those without which no record is
    complete; `dotted` are the paths that lead into other fields, as names with
    dots. With `personal`, no part of an answer may be quoted.
    """

    header: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    dotted: frozenset[str] = frozenset()
    personal: bool = False


def evidence_of(
    columns: Iterable[Column], selected_by: tuple[str, ...], personal: bool
) -> Evidence:
    """What these columns, and the field that records are selected by, require."""
    read = [column for column in columns if column.record_path]
    chosen = selected_by[:1]
    needed = [column.record_path[0] for column in read if not column.optional]
    return Evidence(
        header=tuple(dict.fromkeys((*chosen, *needed))),
        fields=frozenset((*chosen, *(column.record_path[0] for column in read))),
        required=frozenset(column.record_path[0] for column in read if column.required),
        dotted=frozenset(
            ".".join(column.record_path) for column in read if len(column.record_path) > 1
        ),
        personal=personal,
    )
