"""Records in a JSON body: a list at a path, or one array for each field."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import IO, Any

import ijson

from include.errors import UnexpectedPayload
from include.records.json_values import (
    BOM,
    BodyCutShort,
    exact,
    parsed,
    without_bom,
    written,
)
from include.sources.formats import Format
from include.sources.paths import parts

# The part of a path that goes through every field of an object, or every item of a list.
EVERY = "*"


def whole(body: bytes, layout: Format) -> list[Any]:
    """The records of a body that fits into memory."""
    if not body:
        raise BodyCutShort("it is empty (0 bytes)")
    found = parsed(without_bom(body), layout.as_sent)
    names = [name for name in layout.records.split(".") if name]
    if EVERY in names:
        return list(_gathered(found, names, {}, layout))
    for number, name in enumerate(names, start=1):
        if not isinstance(found, dict) or (
            name not in found and not (layout.one_or_many and number == len(names))
        ):
            raise UnexpectedPayload(_no_list(layout, found))
        found = found.get(name)
    return _rows(layout, found) if layout.kind == "columnar" else _listed(layout, found)


def _listed(layout: Format, found: Any) -> list[Any]:
    if isinstance(found, list):
        return found
    if layout.one_or_many and (found is None or isinstance(found, dict)):
        return [] if found is None else [found]
    raise UnexpectedPayload(_no_list(layout, found))


def _gathered(
    found: Any, names: list[str], inherited: dict[str, Any], layout: Format
) -> Iterator[Any]:
    """The records below every branch, with the fields that they inherit from those above."""
    if isinstance(found, dict):
        own = {name: found[name] for name in layout.inherit if name in found}
        inherited = inherited | own
    if not names:
        for record in _listed(layout, found):
            yield inherited | record if isinstance(record, dict) else record
        return
    name, *rest = names
    if name == EVERY and isinstance(found, dict | list):
        for branch in found.values() if isinstance(found, dict) else found:
            yield from _gathered(branch, rest, inherited, layout)
    elif isinstance(found, dict) and (name in found or (layout.one_or_many and not rest)):
        yield from _gathered(found.get(name), rest, inherited, layout)
    else:
        raise UnexpectedPayload(_no_list(layout, found))


def _rows(layout: Format, found: Any) -> list[Any]:
    """One record for each position of arrays that are aligned."""
    if layout.one_or_many and found is None:
        return []
    where = f"at {layout.records!r}" if layout.records else "as the whole body"
    if not isinstance(found, dict):
        raise UnexpectedPayload(
            f"expected an object of arrays {where}, found {type(found).__name__}"
        )
    arrays = {name: value for name, value in found.items() if isinstance(value, list)}
    single = sorted(set(found) - set(arrays)) if layout.records else []
    if not arrays or single:
        wrong = f"{', '.join(single[:8])} without one" if single else "none"
        raise UnexpectedPayload(f"expected an array for each field {where}, found {wrong}")
    lengths = {name: len(values) for name, values in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UnexpectedPayload(f"expected arrays of one length {where}, found {told}")
    return [dict(zip(arrays, values, strict=True)) for values in zip(*arrays.values(), strict=True)]


def streamed_value(body: IO[bytes], path: str) -> Any:
    """One value of a large body; None where there is none."""
    body.seek(0)
    if body.read(len(BOM)) != BOM:
        body.seek(0)
    return next(map(_number, ijson.items(body, ".".join(parts(path)))), None)


def _number(value: Any) -> Any:
    return exact(str(value)) if isinstance(value, Decimal) else value


def _no_list(layout: Format, found: Any) -> str:
    where = f"at {layout.records!r}" if layout.records else "as the whole body"
    shape = (
        f"an object with {', '.join(sorted(found)[:8]) or 'no fields'}"
        if isinstance(found, dict)
        else type(found).__name__
    )
    return f"expected a list of records {where}, found {shape}"


# Values are told apart by brackets and strings alone: no depth is too deep, no number too long.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s\[\]{}",:]+', re.DOTALL)


def texts(body: bytes, layout: Format) -> Iterator[bytes]:
    """The bytes of each record, in order, of a body that has been read."""
    if layout.kind == "columnar" or EVERY in layout.records.split("."):
        yield from map(written, whole(body, layout))
        return
    body = without_bom(body)
    place = start_of_records(body, layout)
    if layout.one_or_many and body[place : place + 1] == b"{":
        start, end = _value_at(body, place)
        yield body[start:end]
        return
    place += 1
    while True:
        start, place = _value_at(body, place)
        yield body[start:place]


def start_of_list(head: bytes, layout: Format) -> int | None:
    """Where in the beginning of a body its list of records begins, behind the bracket."""
    try:
        place = start_of_records(head, layout)
    except ValueError:
        return None
    return place + 1 if head[place : place + 1] == b"[" else None


def end_of_list(text: bytes) -> int | None:
    """Where the list ends whose first value stands at the beginning of a text."""
    depth = 1
    for token in _TOKEN.finditer(text):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if not depth:
            return token.start()
    return None


# Between two objects of a list; elsewhere only within strings, and lists in records.
_BETWEEN = re.compile(rb"\}\s*,\s*\{")


def some_texts(
    body: bytes, layout: Format, records: Sequence[Any], numbers: Collection[int]
) -> dict[int, bytes]:
    """The bytes of some records by their number, from 1, given all records of the body."""
    found = _between_objects(body, layout, records, numbers)
    if found is None:
        all_texts = enumerate(islice(texts(body, layout), max(numbers, default=0)), start=1)
        found = {number: text for number, text in all_texts if number in numbers}
    return found


def _between_objects(
    body: bytes, layout: Format, records: Sequence[Any], numbers: Collection[int]
) -> dict[int, bytes] | None:
    """The same where as many objects seem to stand in the body, and those are the records."""
    if layout.kind == "columnar" or EVERY in layout.records.split("."):
        return None
    body = without_bom(body)
    start = start_of_list(body, layout)
    if start is None:
        return None
    cuts = [(match.start() + 1, match.end() - 1) for match in _BETWEEN.finditer(body, start)]
    if len(cuts) != len(records) - 1:
        return None
    found = {}
    for number in numbers:
        begin = cuts[number - 2][1] if number > 1 else start
        if number == len(records):
            found[number] = slice(*_value_at(body, begin))
        else:
            found[number] = slice(begin, cuts[number - 1][0])
    given = {number: body[place].strip() for number, place in found.items()}
    same = all(
        repr(_read(text, layout)) == repr(records[number - 1]) for number, text in given.items()
    )
    return given if same else None


def _read(text: bytes, layout: Format) -> Any:
    try:
        return parsed(text, layout.as_sent)
    except BodyCutShort:
        return BodyCutShort


def start_of_records(body: bytes, layout: Format) -> int:
    """Where the list, or the single record, begins."""
    place = _bracket(body, 0)
    for wanted in filter(None, layout.records.split(".")):
        name = None
        place += 1
        while name != wanted:
            if name is not None:
                _, place = _value_at(body, place)
            start, place = _value_at(body, place)
            name = parsed(body[start:place])
        place = _bracket(body, place)
    return place


def _value_at(body: bytes, place: int) -> tuple[int, int]:
    """Where the next value starts and ends."""
    start, depth = -1, 0
    for token in _TOKEN.finditer(body, place):
        start = token.start() if start < 0 else start
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if not depth:
            return start, token.end()
    raise ValueError(f"no value at {place}")


def _bracket(body: bytes, place: int) -> int:
    match = _TOKEN.search(body, place)
    return match.start() if match else len(body)
