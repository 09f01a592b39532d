"""Whether the records of an answer are the source's data."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from include.errors import UnexpectedPayload
from include.records.json.values import BodyCutShort
from include.records.recognise import error_beside, is_busy, is_error_name, is_failure
from include.sources.evidence import Evidence
from include.sources.paths import joined

NAMES_SHOWN = 8


class Witness:
    """Inspects the records of one answer until one proves that it is the source's data.

    The proof is a field that the contract reads or, if other records look
    like errors, every field that it requires. A field that an error could
    have, such as `message`, proves nothing if the contract reads others too;
    nor does an `inherited` field, which comes from above the records.
    """

    def __init__(self, evidence: Evidence, inherited: Collection[str] = ()) -> None:
        self._evidence = evidence
        self._telling = _telling(evidence, frozenset(inherited))
        self._last: Any = None
        self._convinced = not evidence.fields
        self._records = 0
        self._known = False
        self._others: set[str] = set()

    def see(self, records: Sequence[Any]) -> None:
        """Inspect the next records."""
        if records:
            self._last = records[-1]
        if self._convinced:
            return
        self._records += len(records)
        for record in records:
            if not isinstance(record, dict):
                continue
            if not self._evidence.dotted.isdisjoint(record):
                _refuse_dotted(self._evidence.dotted & record.keys(), record)
            known = not self._telling.isdisjoint(record)
            if known and self._evidence.required <= record.keys():
                self._convinced = True
                return
            self._known |= known
            if len(self._others) < NAMES_SHOWN:
                self._others |= record.keys() - self._evidence.fields

    def end(self) -> None:
        """Raise `UnexpectedPayload` if there were records, but none of the source's.

        Raises `BodyCutShort` if the last of them is an error message.
        """
        if self._convinced and self._ends_in_error():
            raise BodyCutShort("its last record is an error message: the answer was broken off")
        if self._convinced or not self._records:
            return
        looks_wrong = any(map(is_error_name, self._others))
        if self._known and not looks_wrong:
            return
        wanted = self._evidence.required if self._known else self._evidence.fields
        found = ""
        if self._others and not self._evidence.personal:
            found = f", found {', '.join(sorted(self._others)[:NAMES_SHOWN])}"
        raise UnexpectedPayload(
            f"expected records with {', '.join(sorted(wanted)[:NAMES_SHOWN])}, found "
            f"{self._records} without{found}"
        )

    def _ends_in_error(self) -> bool:
        last = self._last
        if not self._evidence.fields:
            return False
        if isinstance(last, str):
            return is_failure(last) or is_busy(last)
        return (
            isinstance(last, dict)
            and self._telling.isdisjoint(last)
            and bool(error_beside([last], empty=True))
        )


@lru_cache(maxsize=64)
def _telling(evidence: Evidence, inherited: frozenset[str]) -> frozenset[str]:
    """The fields of which one proves that a record is the source's."""
    own = evidence.fields.difference(inherited) or evidence.fields
    named = frozenset(name for name in own if not is_error_name(name))
    return (named | evidence.required.intersection(own)) or own


def _refuse_dotted(names: Collection[str], record: dict[str, Any]) -> None:
    """Raise for a field name with a dot where the contract expects a nested field."""
    for name in sorted(names):
        first, _, rest = name.partition(".")
        if first not in record:
            raise UnexpectedPayload(
                f"expected the field {rest!r} in {first!r} as the column's path says, found a "
                f"field {name!r}: write its `path` as {joined([name])}"
            )
