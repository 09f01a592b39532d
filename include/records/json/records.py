"""The records of a JSON value: a list at a path, parallel arrays, or arrays below names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from include.errors import UnexpectedPayload
from include.records.header import field_names
from include.records.json.values import (
    BodyCutShort,
    RepeatedNames,
    parsed,
    records_without_loss,
    without_bom,
    without_loss,
)
from include.records.recognise import error_beside, is_error_name
from include.sources.formats import EVERY, Format
from include.sources.paths import joined, parts

_ABSENT = object()
NOT_PARSED = object()


def whole(
    body: bytes, layout: Format, *, around: bool = False, value: Any = NOT_PARSED
) -> list[Any]:
    """The records of a body that fits into memory.

    With `around`, the list was read before, and the body is the JSON around
    it. `value` is that of the whole body, if it is known. Raises
    `BodyCutShort`, and `UnexpectedPayload` for a body without the envelope of
    the records, or with an error beside them.
    """
    if not body:
        raise BodyCutShort("it is empty (0 bytes)")
    if value is NOT_PARSED or layout.as_sent:
        text = without_bom(body)
        plain = parsed(text, layout.as_sent)
        found = without_loss(text, plain, layout.as_sent)
    else:
        plain = found = value
    _require_envelope(layout, found)
    above, records = _found_in(found, layout)
    if found is not plain:
        records = records_without_loss(records)
    said = error_beside(above, empty=not records and not around) or _error_in_place(found, layout)
    if said:
        many = f"{len(records)} records" if records else "records" if around else "no records"
        raise UnexpectedPayload(f"expected records {_where(layout)}, found {many} and {said}")
    return records


def _error_in_place(found: Any, layout: Format) -> str:
    """What says that the single object that a body is, is an error and no record."""
    fields = layout.evidence.fields
    if not (fields and layout.one_or_many and not layout.path and isinstance(found, dict)):
        return ""
    others = {name: value for name, value in found.items() if name not in fields}
    return error_beside([others], empty=True)


def _found_in(found: Any, layout: Format) -> tuple[list[Any], list[Any]]:
    """The objects above the records, from the outermost, and the records."""
    path = layout.path
    if EVERY in path:
        first = path.index(EVERY)
        above, found = _walk(found, path[:first], layout)
        if first == 0 and found == {}:
            raise UnexpectedPayload(_no_list(layout, found))
        inherited: dict[str, Any] = {}
        for holder in above:
            inherited |= _from_above(holder, layout)
        return above, list(_gathered(found, path[first:], inherited, layout))
    above, found = _walk(found, path, layout)
    return above, _OF_KIND.get(layout.kind, _listed)(layout, found)


def _walk(found: Any, names: Sequence[str], layout: Format) -> tuple[list[Any], Any]:
    """The objects along a path, and the value at its end."""
    above: list[Any] = []
    for number, name in enumerate(names, start=1):
        may_be_absent = number == len(layout.path) and _is_known_empty(layout, found, number > 1)
        if not isinstance(found, dict) or (name not in found and not may_be_absent):
            raise UnexpectedPayload(_no_list(layout, found))
        above.append(found)
        found = found.get(name)
    return above, found


def _is_known_empty(layout: Format, holder: Any, inner: bool) -> bool:
    """Whether an object without its records is known to hold none.

    An empty nested object is. One with other fields may be anything, such as
    an error, unless the contract has an `envelope` for empty answers.
    """
    return bool(layout.envelope) or (layout.one_or_many and inner and not holder)


def _require_envelope(layout: Format, found: Any) -> None:
    for path in layout.envelope:
        place = found
        for name in parts(path):
            place = place.get(name, _ABSENT) if isinstance(place, dict) else _ABSENT
        if place is _ABSENT:
            raise UnexpectedPayload(f"expected {path!r} beside the records, found {_shape(found)}")


def _listed(layout: Format, found: Any) -> list[Any]:
    if isinstance(found, list):
        return found
    if found is None and layout.path and (layout.envelope or layout.one_or_many):
        return []
    if layout.one_or_many and isinstance(found, dict):
        return [found]
    raise UnexpectedPayload(_no_list(layout, found))


def _gathered(
    found: Any, names: Sequence[str], inherited: dict[str, Any], layout: Format
) -> Iterator[Any]:
    """The records below every branch, with the fields that they inherit."""
    if not names:
        for record in _listed(layout, found):
            yield inherited | record if isinstance(record, dict) else record
        return
    own = _from_above(found, layout)
    inherited = inherited | own
    name, *rest = names
    if name == EVERY and isinstance(found, dict | list):
        yield from _branches(found, rest, inherited, layout)
        return
    if not isinstance(found, dict):
        raise UnexpectedPayload(_no_list(layout, found))
    known = layout.one_or_many and (own or _is_known_empty(layout, found, True))
    if known and found.get(name) is None:
        return
    if name not in found:
        raise UnexpectedPayload(_no_list(layout, found))
    yield from _gathered(found.get(name), rest, inherited, layout)


def _branches(
    found: dict[str, Any] | list[Any], rest: list[str], inherited: dict[str, Any], layout: Format
) -> Iterator[Any]:
    keys = [name for name, above in layout.inherited.items() if above == EVERY]
    if layout.one_or_many and isinstance(found, dict) and _is_item(found, rest, layout):
        found = [found]
    branches = found.items() if isinstance(found, dict) else ((None, item) for item in found)
    for key, branch in branches:
        named = inherited if key is None else inherited | dict.fromkeys(keys, key)
        if rest or isinstance(branch, list):
            yield from _gathered(branch, rest, named, layout)
        elif isinstance(branch, dict):
            is_other = key is not None and layout.evidence.fields.isdisjoint(branch)
            said = error_beside([{key: branch}], empty=False) if is_other else ""
            if said:
                raise UnexpectedPayload(f"expected records {_where(layout)}, found {said}")
            yield named | branch
        elif VALUE in layout.evidence.fields and not (key and is_error_name(key)):
            yield named | {VALUE: branch}
        else:
            raise UnexpectedPayload(_no_list(layout, branch))


def _is_item(found: dict[str, Any], rest: list[str], layout: Format) -> bool:
    """Whether an object is the only item of what is a list where there are several."""
    return bool(rest) and (rest[0] in found or bool(_from_above(found, layout)))


# The field of a record that is a value alone: `counts.*` of {"counts": {"2026-11-24": 5}}.
VALUE = "#value"


def _from_above(found: Any, layout: Format) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    inner = {name: _inner(found, above) for name, above in layout.inherited.items()}
    return {name: value for name, value in inner.items() if value is not _ABSENT}


def _inner(found: Any, path: str) -> Any:
    """The value of a field, or of one in objects below; `_ABSENT` if there is none."""
    for name in parts(path):
        found = found.get(name, _ABSENT) if isinstance(found, dict) else _ABSENT
    return found


def _side_by_side(layout: Format, found: Any) -> list[Any]:
    """One record for each position of aligned arrays."""
    if found is None and layout.path and (layout.envelope or layout.one_or_many):
        return []
    where = _where(layout)
    if not isinstance(found, dict):
        raise UnexpectedPayload(f"expected an object of arrays {where}, found {_shape(found)}")
    arrays = {name: value for name, value in found.items() if isinstance(value, list)}
    single = sorted(set(found) - set(arrays)) if layout.records else []
    if not arrays or single:
        wrong = f"{', '.join(single[:8])} without one" if single else "none"
        raise UnexpectedPayload(f"expected an array for each field {where}, found {wrong}")
    field_names(list(arrays), layout.evidence)
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UnexpectedPayload(f"expected arrays of one length {where}, found {told}")
    return [dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)]


def _below_names(layout: Format, found: Any) -> list[Any]:
    """One record for each row but the first; a row of another length stays an array."""
    rows = _listed(layout, found)
    if not rows:
        return []
    first, *others = rows
    if not isinstance(first, list) or not all(isinstance(name, str) for name in first):
        raise UnexpectedPayload(
            f"expected an array of names as the first of the arrays {_where(layout)}, "
            f"found {_shape(first)}"
        )
    names = field_names(first, layout.evidence)
    return [
        dict(zip(names, row, strict=True))
        if isinstance(row, list) and len(row) == len(names)
        else row
        for row in others
    ]


_OF_KIND: Mapping[str, Callable[[Format, Any], list[Any]]] = {
    "columnar": _side_by_side,
    "rows": _below_names,
}


def _where(layout: Format) -> str:
    return f"at {joined(layout.path)!r}" if layout.path else "as the whole body"


def _no_list(layout: Format, found: Any) -> str:
    return f"expected a list of records {_where(layout)}, found {_shape(found)}"


def _shape(found: Any) -> str:
    if isinstance(found, RepeatedNames):
        return f"an object that names {found.name!r} more than once"
    if isinstance(found, dict):
        return f"an object with {', '.join(sorted(found)[:8]) or 'no fields'}"
    return "null" if found is None else type(found).__name__
