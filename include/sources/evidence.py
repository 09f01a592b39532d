"""What an answer must contain to be accepted as a source's data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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
    return _evidence([column.record_path for column in read], read, selected_by, personal)


def evidence_of_features(
    columns: Iterable[Column], selected_by: tuple[str, ...], personal: bool
) -> Evidence:
    """The same of GeoJSON: the properties tell whose features they are; geometry, nobody's."""
    read = [column for column in columns if column.record_path]
    paths = [_in_properties(column.record_path) for column in read]
    found = _evidence(paths, read, _in_properties(selected_by), personal)
    telling = found.fields - _OF_EVERY_FEATURE
    return replace(
        found,
        fields=(telling or found.fields | {"geometry"}) | (found.fields & {"geometry#wkt"}),
        required=found.required - _OF_EVERY_FEATURE,
    )


_OF_EVERY_FEATURE = frozenset({"type", "geometry", "geometry#wkt", "properties"})


def _in_properties(path: tuple[str, ...]) -> tuple[str, ...]:
    return path[1:] if path[:1] == ("properties",) and len(path) > 1 else path


def _evidence(
    paths: Sequence[tuple[str, ...]],
    read: Sequence[Column],
    selected_by: tuple[str, ...],
    personal: bool,
) -> Evidence:
    chosen = selected_by[:1]
    named = list(zip(paths, read, strict=True))
    needed = [path[0] for path, column in named if not column.optional]
    return Evidence(
        header=tuple(dict.fromkeys((*chosen, *needed))),
        fields=frozenset((*chosen, *(path[0] for path in paths))),
        required=frozenset(path[0] for path, column in named if column.required),
        dotted=frozenset(".".join(path) for path in paths if len(path) > 1),
        personal=personal,
    )
