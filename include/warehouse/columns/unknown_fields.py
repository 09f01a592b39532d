"""The fields of records that the contract does not name: names, types, samples."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.records.json.values import json_text
from include.sources.model import Contract
from include.warehouse.columns.cast import typed
from include.warehouse.columns.flatten import MOST_FIELDS
from include.warehouse.columns.hashing import json_forms

SAMPLES = 3
# A longer sample is truncated; a longer name cannot be a column.
SAMPLE_CHARACTERS = 200
NAME_CHARACTERS = 200
# Values of a batch that are inspected for a field's type.
LOOKED_AT = 2_000

_SCALARS = ("boolean", "integer", "double", "date", "timestamptz", "text")
_ZEROS_FIRST = ("0", "+", "-0")


@dataclass
class Field:
    """One unknown field: the type that holds every value so far, and some of them.

    `in_texts` says that the source has texts only, whatever they mean.
    """

    way: str
    type: str
    samples: list[Any] = field(default_factory=list)
    in_texts: bool = False


@dataclass
class Drift:
    """The unknown fields of a landing, by dotted path."""

    fields: dict[str, Field] = field(default_factory=dict)

    def add(
        self, contract: Contract, way: str, unknown: Mapping[tuple[str, ...], Sequence[Any]]
    ) -> None:
        """Add the values of unknown fields. For personal data, no values are kept."""
        in_texts = contract.layout(way).kind in ("csv", "xml")
        inner = {path for column in contract.columns_of(way) for path in _above(column.record_path)}
        for path, values in unknown.items():
            name = field_name(path)
            some = [value for value in values[:LOOKED_AT] if value is not None]
            found = "jsonb" if path in inner else type_of(some, in_texts)
            self._add(name, Field(way, found, [] if contract.personal else some, in_texts))

    def merge(self, other: Drift) -> None:
        """Add the unknown fields of later records."""
        for name, found in other.fields.items():
            self._add(name, found)

    def _add(self, name: str, found: Field) -> None:
        known = self.fields.get(name)
        if known is None:
            if len(self.fields) >= MOST_FIELDS:
                return
            known = self.fields[name] = Field(found.way, found.type, in_texts=found.in_texts)
        known.type = wider(known.type, found.type, found.in_texts)
        add_samples(known.samples, found.samples)


def _above(path: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    return (path[:length] for length in range(1, len(path)))


def add_samples(samples: list[Any], values: Iterable[Any]) -> None:
    """Fill up to `SAMPLES`; after that, only a value of another kind replaces the last."""
    kinds = set(map(type, samples))
    for value in values:
        full = len(samples) >= SAMPLES
        if full and type(value) in kinds:
            continue
        cut = _sample(value)
        if cut in samples or (full and type(cut) in kinds):
            continue
        samples[SAMPLES - 1 :] = [cut]
        kinds.add(type(cut))


def _sample(value: Any) -> Any:
    """A value that jsonb can hold, truncated if it is long."""
    try:
        json_forms(value)
        text = json_text(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return "not to be shown"
    if len(text) > SAMPLE_CHARACTERS or "\\u0000" in text or "\\ud" in text:
        return f"{text[:SAMPLE_CHARACTERS]}...".replace("\\", "/")
    return value


def field_name(path: Sequence[str]) -> str:
    """A path as it is listed: dotted, with escapes where needed."""
    parts = (part.replace("\\", "\\\\").replace(".", "\\.") for part in path)
    # Neither half a surrogate pair nor NUL is printable.
    plain = (part if part.isprintable() else json.dumps(part)[1:-1] for part in parts)
    return ".".join(plain)[:NAME_CHARACTERS]


def type_of(values: Sequence[Any], in_texts: bool = False) -> str:
    """The narrowest type of a contract that holds all of these values; `unknown` if there are none.

    Texts count as numbers only with `in_texts`, if a source has nothing else,
    and if no leading zero would be lost.
    """
    if not values:
        return "unknown"
    kinds = set(map(type, values))
    if kinds & {dict, list}:
        return "jsonb"
    no_number = str in kinds and (not in_texts or any(map(_loses_zeros, values)))
    for candidate in _SCALARS:
        if no_number and candidate in ("integer", "double", "boolean"):
            continue
        if not typed(list(values), candidate).wrong.any():
            return candidate
    return "jsonb"


def _loses_zeros(value: Any) -> bool:
    return type(value) is str and value.startswith(_ZEROS_FIRST) and value[1:2].isdigit()


def wider(one: str, other: str, in_texts: bool = False) -> str:
    """A type that holds the values of both types."""
    both = {one, other}
    if one == other or "unknown" in both:
        return other if one == "unknown" else one
    if both == {"integer", "double"}:
        return "double"
    if both <= {"date", "timestamptz", "text"} or (in_texts and "jsonb" not in both):
        return "text"
    return "jsonb"
