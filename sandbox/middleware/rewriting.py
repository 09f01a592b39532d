"""Rewrite requests and responses: retype or add fields, skip or repeat pages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

# A page's parameters: where it begins and how many items it has.
OFFSETS = (("_offset", "_limit"), ("offset", "limit"))
PAGE_NUMBERS = ("_page", "page")

ADDED_FIELD = "added_by_fault"
ADDED_VALUE = "unexpected"


def page_number(query: bytes) -> int | None:
    """The page that a query requests, from 1; None without paging parameters."""
    fields = dict(parse_qsl(query.decode("latin-1")))
    for offset, limit in OFFSETS:
        if fields.get(limit, "").isdecimal() and int(fields[limit]):
            at = fields.get(offset, "0")
            return int(at) // int(fields[limit]) + 1 if at.isdecimal() else None
    for name in PAGE_NUMBERS:
        if fields.get(name, "").isdecimal():
            return int(fields[name])
    return None


def other_page(query: bytes, pages: int) -> bytes:
    """The same query for a page that many pages later."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    fields = dict(pairs)
    for offset, limit in OFFSETS:
        if limit in fields:
            moved = int(fields.get(offset, "0")) + pages * int(fields[limit])
            return _with(pairs, offset, moved)
    name = next(name for name in PAGE_NUMBERS if name in fields)
    return _with(pairs, name, int(fields[name]) + pages)


def retyped(body: bytes, field: str | None) -> bytes:
    """JSON in which each value of a field is an object around it; the records' first, if None.

    What is not JSON, or has no such field, stays as it is.
    """
    content = _parsed(body)
    records = _records(content)
    name = field or next(iter(records[0]), None) if records else field
    return body if name is None or content is None else _dumped(_retyped(content, name))


def extended(body: bytes, field: str | None) -> bytes:
    """JSON in which each record has one field more; what is not JSON stays as it is."""
    content = _parsed(body)
    records = _records(content)
    for record in records:
        record[field or ADDED_FIELD] = ADDED_VALUE
    return _dumped(content) if records else body


def _records(content: Any) -> list[dict[str, Any]]:
    """The objects of the first list of objects, from outside in, else the outermost object."""
    level = [content]
    while level:
        for one in level:
            if isinstance(one, list) and any(isinstance(item, dict) for item in one):
                return [item for item in one if isinstance(item, dict)]
        level = [
            value
            for one in level
            for value in (one.values() if isinstance(one, dict) else ())
            if isinstance(value, dict | list)
        ]
    return [content] if isinstance(content, dict) else []


def _retyped(content: Any, field: str) -> Any:
    if isinstance(content, list):
        return [_retyped(item, field) for item in content]
    if not isinstance(content, dict):
        return content
    return {
        key: {"was": value} if key == field else _retyped(value, field)
        for key, value in content.items()
    }


def _with(pairs: list[tuple[str, str]], name: str, value: int) -> bytes:
    kept = [pair for pair in pairs if pair[0] != name]
    return urlencode([*kept, (name, str(value))]).encode()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _dumped(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
