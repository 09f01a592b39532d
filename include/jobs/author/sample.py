"""One answer of an API: its records, read as a load reads them, and its paging."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from include.errors import UnexpectedPayload
from include.jobs.author.shapes import Shape, shapes, totals
from include.records.json_values import BodyCutShort, parsed, without_bom
from include.records.read import read_records
from include.sources import paths
from include.sources.formats import Format

OFFSETS = ("offset", "_offset", "$offset", "skip", "$skip", "start", "resultoffset")
PAGES = ("page", "_page", "pagenumber", "page_number", "p")
SIZES = (
    *("limit", "_limit", "$limit", "$top", "per_page", "page_size", "pagesize", "rows", "size"),
    "resultrecordcount",
)
CURSORS = ("next_cursor", "nextcursor", "cursor", "nextpagetoken", "next_page_token", "after")
LINKS = ("next", "nextlink", "@odata.nextlink", "next_page_url", "next_url")
MORE = ("has_more", "hasmore", "more", "exceededtransferlimit", "has_next", "hasnext")
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Sample:
    """One answer as read: `format` is that of a contract, `remarks` explain what was guessed."""

    content: bytes
    body: Any
    format: dict[str, Any]
    records: list[dict[str, Any]]
    remarks: list[str] = field(default_factory=list)

    def paging(self, query: dict[str, str]) -> dict[str, Any] | None:
        """How to request the next page, from the request's parameters and the body."""
        lower = {name.lower(): name for name in query}
        size_name = next((lower[name] for name in SIZES if name in lower), "")
        size = _number(query.get(size_name, "")) or len(self.records)
        sized = {"size": size} | ({"size_parameter": size_name} if size_name else {})
        known = [*totals(self.body)]
        total = next((path for path, value in known if value >= len(self.records)), ())
        declared = {"total": paths.joined(total)} if total else {}
        flags = (path for path, value in _scalars(self.body) if isinstance(value, bool))
        more = next((path for path in flags if path[-1].lower() in MORE), ())
        declared |= {"more": paths.joined(more)} if more else {}
        for kind, names in (("offset", OFFSETS), ("page", PAGES)):
            asked = next((lower[name] for name in names if name in lower), "")
            if asked:
                first = _number(query[asked])
                return {"kind": kind, **sized, "parameter": asked, "first": first, **declared}
        for path, value in _scalars(self.body):
            last = path[-1].lower()
            if last in LINKS and isinstance(value, str) and value.startswith(("http", "/", "?")):
                return {"kind": "link", "next": paths.joined(path), **declared}
            if last in CURSORS and isinstance(value, str) and value:
                parameter = {"parameter": "cursor"}
                return {"kind": "cursor", "next": paths.joined(path), **parameter, **declared}
        return None

    def incomplete(self) -> str:
        """Evidence of more records, without a known way to request them."""
        for path, value in totals(self.body):
            if value > len(self.records):
                return f"`{paths.joined(path)}` declares {value} records"
        for path, value in _scalars(self.body):
            last = path[-1].lower()
            if (last in MORE and value is True) or (last in LINKS + CURSORS and value is None):
                return f"`{paths.joined(path)}` is present"
        return ""


def read_sample(content: bytes, records: str = "") -> Sample:
    """Find the records of an answer: JSON, JSON lines or CSV; in JSON at the path `records`.

    Raises `UnexpectedPayload` if there are none, or some that no contract can read.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnexpectedPayload(f"new-source: the answer is not UTF-8 ({error}).") from error
    try:
        body = parsed(without_bom(content))
    except BodyCutShort:
        if records:
            raise UnexpectedPayload(
                "new-source: the answer is not one JSON value, so `--records` does not apply."
            ) from None
        return _of_lines(content, text)
    return _of_json(content, body, records)


def _of_json(content: bytes, body: Any, records: str) -> Sample:
    known = shapes(body)
    chosen = [shape for shape in known if not records or shape.path == _path(records)]
    if records and known and not chosen:
        raise UnexpectedPayload(f"new-source: no records at {records!r}. Choose {_listed(known)}.")
    reasons = []
    for shape in chosen:
        layout = shape.layout
        try:
            found = _read(content, layout)
        except (BodyCutShort, UnexpectedPayload) as error:
            reasons.append(f" At {shape}: {error}.")
            continue
        others = [other for other in known if other is not shape]
        remark = f"The records are taken from {shape}."
        if others:
            remark += f" Others: {_listed(others)}. Choose with `--records`."
        return Sample(content, body, layout, found, [remark])
    raise UnexpectedPayload(
        "new-source: the answer has no list of objects and no arrays of equal length. "
        "Request a period that has data." + "".join(reasons[:3])
    )


def _path(records: str) -> tuple[str, ...]:
    try:
        return paths.parts(records)
    except ValueError as error:
        raise UnexpectedPayload(f"new-source: `--records`: {error}.") from error


def _listed(known: list[Shape]) -> str:
    more = f" and {len(known) - 5} more" if len(known) > 5 else ""
    return ", ".join(map(str, known[:5])) + more


def _of_lines(content: bytes, text: str) -> Sample:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        layout: dict[str, Any] = {"kind": "jsonl"}
        return Sample(content, None, layout, _read_lines(content, layout))
    delimiter = max(DELIMITERS, key=first.count)
    layout = {"kind": "csv", "delimiter": delimiter, "null_values": [""]}
    if delimiter not in first or first.lstrip().startswith(("<", "[", '{"')):
        raise UnexpectedPayload(
            f"new-source: the answer is neither JSON nor CSV with a header: it starts with "
            f"{first[:60]!r}. Save an answer that has records, and pass it with `--file`."
        )
    return Sample(content, None, layout, _read_lines(content, layout))


def _read_lines(content: bytes, layout: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return _read(content, layout)
    except (BodyCutShort, UnexpectedPayload) as error:
        raise UnexpectedPayload(
            f"new-source: the answer cannot be read as {layout['kind']}: {error}. Save one "
            "that is complete, and pass it with `--file`."
        ) from error


def _read(content: bytes, layout: dict[str, Any]) -> list[dict[str, Any]]:
    """The records, as a load reads them. Raises `UnexpectedPayload` if some are not objects."""
    layout_read = Format.model_validate(layout)
    chunks = read_records(io.BytesIO(content), len(content), layout_read)
    records = [record for chunk in chunks for record in chunk]
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise UnexpectedPayload(
                f"record {number} does not have the fields that the header names"
                if layout_read.kind == "csv"
                else f"record {number} is not a JSON object"
            )
    if not records:
        raise UnexpectedPayload("it has no records")
    return records


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _scalars(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, dict) and name:
            yield from _scalars(inner, (*path, name))
        elif name and not isinstance(inner, list):
            yield (*path, name), inner
