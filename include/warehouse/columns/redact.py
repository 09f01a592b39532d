"""Redact records with personal data that are not loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from include.records.json.values import json_text
from include.sources.columns import Column

WITHHELD = "(withheld)"


@dataclass
class _Place:
    shown: bool = False
    whole: bool = False
    personal: bool = False
    below: dict[str, _Place] = field(default_factory=dict)


class Withholding:
    """Keeps only those values of a record that the contract names as not personal."""

    def __init__(self, columns: Iterable[Column]) -> None:
        self._root = _Place()
        for column in columns:
            place = self._root
            for name in column.record_path:
                place = place.below.setdefault(name, _Place())
            place.personal |= column.personal != "no"
            place.shown = True
            place.whole |= column.type == "jsonb"

    def record(self, record: Any) -> bytes:
        """The record as JSON, redacted; ASCII only."""
        return json_text(_seen(record, self._root) if type(record) is dict else WITHHELD).encode()


def _seen(value: Any, place: _Place | None) -> Any:
    if value is None:
        return None
    if place is None or place.personal:
        return WITHHELD
    if isinstance(value, dict) and place.below:
        return {
            name if name in place.below else WITHHELD: _seen(item, place.below.get(name))
            for name, item in value.items()
        }
    if isinstance(value, dict | list) and not (place.whole and not place.below):
        return WITHHELD
    return value if place.shown else WITHHELD
