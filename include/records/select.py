"""Which records belong to the partition, if a body also has those of others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from include.errors import UnexpectedPayload
from include.records.json.values import at
from include.sources.formats import Format, Selection
from include.sources.paths import parts


class Wanted:
    """The records that the layout selects, by values of the page's request or by null.

    No value is null: nor is a missing field, an empty list, or one of the
    layout's `null_values`. Raises `UnexpectedPayload` if `context` lacks a
    value.
    """

    def __init__(self, select: Selection, layout: Format, context: Mapping[str, str]) -> None:
        for name in select.names:
            if name not in context:
                raise UnexpectedPayload(
                    f"expected the request's value {name!r}, by which records are "
                    f"selected, found {', '.join(sorted(context)) or 'none'}"
                )
        self.field = select.field
        names = parts(select.field)
        # For a row, which has no nested fields.
        self.name = names[0] if len(names) == 1 else None
        self._values = frozenset(
            text
            for name in select.names
            # Only what is joined is a list: the name of a place can have a comma.
            for text in ([context[name]] if "." in name else context[name].split(","))
        )
        self._null = select.null
        self._null_values = layout.null_values
        self._excludes = select.excludes
        self._dates = _Dates(select.period, context) if select.period else None

    def is_selected(self, value: Any) -> bool:
        """Whether a record with this value is; of a list, one value decides."""
        if isinstance(value, list) and value:
            return any(map(self._is_listed, value)) is not self._excludes
        return self._is_listed(value) is not self._excludes

    def _is_listed(self, value: Any) -> bool:
        if self._dates:
            return self._dates.belongs(value)
        if isinstance(value, str):
            return self._null if value in self._null_values else value in self._values
        return self._null if value is None or value == [] else str(value) in self._values

    def is_record(self, record: Any) -> bool:
        """Whether a record is selected; one without fields is, so that it is not lost.

        A malformed line is if it contains one of the values, or if they do
        not say what it must contain.
        """
        if isinstance(record, dict):
            return self.is_selected(at(record, self.field))
        if isinstance(record, str) and not (self._excludes or self._null or self._dates):
            return any(value in record for value in self._values)
        return True


class _Dates:
    """The dates of a period, as text in one format."""

    def __init__(self, form: str, context: Mapping[str, str]) -> None:
        self._form = form
        self._first = date.fromisoformat(context["period"])
        self._last = date.fromisoformat(context["period.last"])
        # A column has few distinct dates.
        self._read = lru_cache(maxsize=4096)(self._is_within)

    def belongs(self, value: Any) -> bool:
        """Whether it is a date of the period, or none that can be read."""
        return self._read(value) if isinstance(value, str) else True

    def _is_within(self, text: str) -> bool:
        try:
            found = datetime.strptime(text.strip(), self._form).date()
        except ValueError:
            return True
        return self._first <= found <= self._last
