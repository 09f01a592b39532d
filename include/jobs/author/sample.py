"""What one answer of an API says of its shape: records, columns, types, a key, the paging."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations
from typing import Any

from include.errors import UnexpectedPayload

DEEPEST = 6
MOST_RECORDS = 5_000
MOST_KEY_COLUMNS = 3

INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(?P<zone>Z|[-+]\d{2}:?\d{2})?"
)

OFFSETS = ("offset", "_offset", "$offset", "skip", "$skip", "start")
PAGES = ("page", "_page", "pagenumber", "page_number", "p")
SIZES = ("limit", "_limit", "$limit", "$top", "per_page", "page_size", "pagesize", "rows", "size")
CURSORS = ("next_cursor", "nextcursor", "cursor", "nextpagetoken", "next_page_token", "after")
TOTALS = ("total", "totalcount", "total_count", "totalresults", "count", "numfound")


@dataclass(frozen=True)
class Field:
    """A field of the records: where it stands, and the type that fits all its values."""

    path: str
    type: str
    without_zone: bool
    blank_is_null: bool
    always_there: bool


@dataclass(frozen=True)
class Sample:
    """One answer, read."""

    body: Any
    format: dict[str, Any]
    records: list[dict[str, Any]]

    def fields(self) -> list[Field]:
        """Every field of the records, objects taken apart, in the order of their first mention."""
        values: dict[str, list[Any]] = {}
        for record in self.records:
            for path, value in _leaves(record):
                values.setdefault(path, []).append(value)
        # What is an object in one record and a list in another is one column.
        whole = {path for path, found in values.items() if any(map(_is_list, found))}
        for path in [path for path in values if _above(path) & whole]:
            for outer in _above(path) & whole:
                values[outer].append({})
            del values[path]
        return [_field(path, found, len(self.records)) for path, found in values.items()]

    def key(self, fields: list[Field]) -> list[str]:
        """The paths of the fewest fields that tell the records apart; none if none do."""
        if len(self.records) < 2:
            return []
        able = [field for field in fields if field.always_there and _can_be_key(field)]
        able.sort(
            key=lambda field: not re.search(r"(?i)(id|code|ref|key|no|time|date)$", field.path)
        )
        rows = [dict(_leaves(record)) for record in self.records]
        for count in range(1, MOST_KEY_COLUMNS + 1):
            for chosen in combinations(able, count):
                seen = {tuple(str(row[field.path]) for field in chosen) for row in rows}
                if len(seen) == len(rows):
                    return [field.path for field in chosen]
        return []

    def paging(self, query: dict[str, str]) -> dict[str, Any] | None:
        """How the next page is asked for, from the request's parameters and the body."""
        lower = {name.lower(): name for name in query}
        size_name = next((lower[name] for name in SIZES if name in lower), "")
        size = int(query[size_name]) if query.get(size_name, "").isdigit() else len(self.records)
        sized = {"size": size} | ({"size_parameter": size_name} if size_name else {})
        above = list(_scalars(self.body)) if isinstance(self.body, dict) else []
        total = next((path for path, value in above if _is_total(path, value, self.records)), "")
        declared = {"total": total} if total else {}
        for kind, names in (("offset", OFFSETS), ("page", PAGES)):
            asked = next((lower[name] for name in names if name in lower), "")
            if asked and size:
                first = int(query[asked]) if query[asked].isdigit() else 0
                return {"kind": kind, **sized, "parameter": asked, "first": first, **declared}
        for path, value in above:
            last = path.rsplit(".", 1)[-1].lower()
            if last in ("next", "nextlink", "@odata.nextlink") and str(value).startswith("http"):
                return {"kind": "link", "next": path, **declared}
            if last in CURSORS and isinstance(value, str) and value:
                return {"kind": "cursor", "next": path, "parameter": "cursor", **declared}
        return None


def read_sample(body: bytes) -> Sample:
    """Find the records of an answer: JSON, JSON lines or CSV. Raises `UnexpectedPayload`."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnexpectedPayload(f"new-source: the answer is not UTF-8 ({error}).") from error
    try:
        return _of_json(json.loads(text))
    except json.JSONDecodeError:
        pass
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("{"):
        records = [json.loads(line) for line in lines[:MOST_RECORDS]]
        return Sample(None, {"kind": "jsonl"}, records)
    return _of_csv(text)


def _of_json(body: Any) -> Sample:
    columnar = list(_columnar(body))
    lists = sorted(_lists(body), key=lambda found: -len(found[1]))
    if columnar and (not lists or len(columnar[0][2]) > len(lists[0][1])):
        path, names, rows = columnar[0]
        records = [dict(zip(names, row, strict=True)) for row in rows[:MOST_RECORDS]]
        return Sample(body, {"kind": "columnar", "records": path}, records)
    if not lists:
        raise UnexpectedPayload(
            "new-source: the answer holds no list of objects and no arrays of one length. "
            "Give one that has records: ask for a period that has data."
        )
    path, found = lists[0]
    return Sample(body, {"records": path} if path else {}, found[:MOST_RECORDS])


def _of_csv(text: str) -> Sample:
    try:
        delimiter = csv.Sniffer().sniff(text[:8_192], delimiters=",;\t|").delimiter
    except csv.Error:
        delimiter = ","
    rows = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    records = [dict(row) for row, _ in zip(rows, range(MOST_RECORDS), strict=False)]
    if not records or len(rows.fieldnames or ()) < 2:
        raise UnexpectedPayload(
            "new-source: the answer is neither JSON nor CSV with a header and records. "
            "Save one such answer and give it with `--file`."
        )
    return Sample(None, {"kind": "csv", "delimiter": delimiter, "null_values": [""]}, records)


def _lists(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            yield path, value
    elif isinstance(value, dict) and depth < DEEPEST:
        for name, inner in value.items():
            if "." not in name:
                yield from _lists(inner, f"{path}.{name}" if path else name, depth + 1)


def _columnar(value: Any, path: str = "") -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    if not isinstance(value, dict):
        return
    arrays = {
        name: inner
        for name, inner in value.items()
        if isinstance(inner, list) and not any(isinstance(item, dict | list) for item in inner)
    }
    lengths = {len(inner) for inner in arrays.values()}
    if len(arrays) > 1 and len(lengths) == 1 and lengths != {0}:
        yield path, list(arrays), list(zip(*arrays.values(), strict=True))
    for name, inner in value.items():
        if "." not in name:
            yield from _columnar(inner, f"{path}.{name}" if path else name)


def _leaves(record: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if "." in name:
            continue  # no path leads there; it stays in `_extra`
        here = f"{path}.{name}" if path else name
        if isinstance(value, dict) and value and here.count(".") < DEEPEST:
            yield from _leaves(value, here)
        else:
            yield here, value


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _above(path: str) -> set[str]:
    parts = path.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def _scalars(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        here = f"{path}.{name}" if path else name
        if isinstance(inner, dict):
            yield from _scalars(inner, here)
        elif not isinstance(inner, list):
            yield here, inner


def _is_total(path: str, value: Any, records: list[Any]) -> bool:
    number = isinstance(value, int) and not isinstance(value, bool)
    return number and path.rsplit(".", 1)[-1].lower() in TOTALS and value >= len(records)


def _can_be_key(field: Field) -> bool:
    return field.type not in ("jsonb", "double", "boolean")


def _field(path: str, values: list[Any], records: int) -> Field:
    known = [value for value in values if value is not None and value != ""]
    kinds = {_type(value) for value in known}
    if not kinds:
        fits = "text"
    elif len(kinds) == 1:
        fits = kinds.pop()
    elif kinds == {"integer", "double"}:
        fits = "double"
    elif kinds == {"date", "timestamptz"}:
        fits = "timestamptz"
    else:
        fits = "jsonb" if "jsonb" in kinds else "text"
    moments = [MOMENT.fullmatch(str(value)) for value in known] if fits == "timestamptz" else []
    return Field(
        path=path,
        type=fits,
        without_zone=any(moment is None or not moment["zone"] for moment in moments),
        blank_is_null=fits != "text" and "" in values,
        always_there=len(known) == records,
    )


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(2**63) <= value < 2**63 else "text"
    if isinstance(value, float):
        return "double"
    if isinstance(value, dict | list):
        return "jsonb"
    return _type_of_text(value)


def _type_of_text(text: str) -> str:
    if text in ("true", "false"):
        return "boolean"
    if INTEGER.fullmatch(text):
        return "integer"
    if NUMBER.fullmatch(text) and not re.match(r"-?0\d", text):
        return "double"
    try:
        if DAY.fullmatch(text):
            date.fromisoformat(text)
            return "date"
        if MOMENT.fullmatch(text):
            datetime.fromisoformat(text)
            return "timestamptz"
    except ValueError:
        pass
    return "text"
