"""Which records belong to the partition, if a body also has those of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.errors import UnexpectedPayload
from include.records.json_values import at
from include.sources.formats import Selection
from include.sources.paths import parts


class Wanted:
    """The records whose field is in a list of the page's request.

    Raises `UnexpectedPayload` if `context` has no such list.
    """

    def __init__(self, select: Selection, context: Mapping[str, str]) -> None:
        if select.among not in context:
            raise UnexpectedPayload(
                f"expected the request's value {select.among!r}, by which records are "
                f"selected, found {', '.join(sorted(context)) or 'none'}"
            )
        self.field = select.field
        names = parts(select.field)
        # For a row, which has no nested fields.
        self.name = names[0] if len(names) == 1 else None
        self._among = frozenset(context[select.among].split(","))

    def is_among(self, value: Any) -> bool:
        """Whether a field matches; a list, if one of its values does."""
        values = value if isinstance(value, list) else (value,)
        return any(str(item) in self._among for item in values)

    def is_record(self, record: Any) -> bool:
        """Whether a record's field matches; a record without fields does, so that it is not lost.

        A malformed line matches if it contains one of the values.
        """
        if isinstance(record, dict):
            return self.is_among(at(record, self.field))
        if isinstance(record, str):
            return any(value in record for value in self._among)
        return True
