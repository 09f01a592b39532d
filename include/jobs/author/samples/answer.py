"""One answer of an API: its records, read as a load reads them, and its paging."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from include.errors import BeyondLimit, UnexpectedPayload
from include.jobs.author.questions import Ask, refuse
from include.jobs.author.samples.csv_layout import layout_of
from include.jobs.author.samples.files import kind_of_file, sheet_layout, xml_layout
from include.jobs.author.samples.shapes import (
    EVERY,
    NOT_RECORDS,
    Shape,
    below_every,
    nameless_arrays,
    shapes,
    totals,
)
from include.records.json.values import BOM, BodyCutShort, parsed, without_bom
from include.records.read import read_records
from include.records.recognise import HEAD_BYTES, error_beside, is_error_name, recognise
from include.records.unpack import unpack
from include.sources import paths
from include.sources.extract.paging import RELATION, Paging
from include.sources.formats import Format
from include.sources.limits import Limits, weight

OFFSETS = ("offset", "_offset", "$offset", "skip", "$skip", "start", "resultoffset")
PAGES = ("page", "_page", "pagenumber", "page_number", "p")
SIZES = (
    *("limit", "_limit", "$limit", "$top", "per_page", "page_size", "pagesize", "rows", "size"),
    "resultrecordcount",
)
CURSORS = ("next_cursor", "nextcursor", "cursor", "nextpagetoken", "next_page_token", "after")
LINKS = ("next", "nextlink", "@odata.nextlink", "next_page_url", "next_url")
LISTS_OF_LINKS = ("links", "link")
MORE = ("has_more", "hasmore", "more", "exceededtransferlimit", "has_next", "hasnext")
# Larger samples are refused: their records are in memory at once.
MOST_BYTES = 64 * 1024 * 1024
LIMITS = Limits(answer_bytes=MOST_BYTES)
WINDOWS = "windows-1252"


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
        listed = self.body if isinstance(self.body, dict) else {}
        for name in LISTS_OF_LINKS:
            if names_next(listed.get(name)):
                return {"kind": "link", "next": f"{RELATION}{name}", **declared}
        return None

    def has_more(self, paging: Paging | None) -> bool:
        """Whether it is one page of several."""
        flags = (value for path, value in _scalars(self.body) if path[-1].lower() in MORE)
        return (
            (paging is not None and paging.kind in ("link", "cursor"))
            or any(value > len(self.records) for _, value in totals(self.body))
            or any(value is True for value in flags)
        )

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


def read_sample(content: bytes, records: str = "", sheet: str = "", ask: Ask = refuse) -> Sample:
    """Find the records of an answer, in JSON and XML at the path `records`.

    Text that is not UTF-8 is read as Windows-1252. Raises `UnexpectedPayload`
    if there are no records, or some that no contract can read, and
    `PermanentError` if one of several sheets must be chosen.
    """
    if kind := kind_of_file(content):
        layout: dict[str, Any] = {"kind": kind}
        remarks: list[str] = []
        if kind == "spreadsheet":
            layout, remarks = sheet_layout(content, sheet, ask, LIMITS)
        return Sample(content, None, layout, read_lines(content, layout), remarks)
    plain = _unpacked(content)
    if is_xml(plain):
        layout = xml_layout(content, plain, records, read_lines)
        remark = f"The records are the elements `{layout['records']}`."
        return Sample(content, None, layout, read_lines(content, layout), [remark])
    text, encoded = _decoded(plain)
    if weight(plain) > MOST_BYTES:
        raise UnexpectedPayload(
            f"new-source: the response holds more values than a sample of {MOST_BYTES} bytes may. "
            "Save fewer records, and pass them with `--file`."
        )
    try:
        body = parsed(without_bom(text.encode("utf-8", "surrogatepass")))
    except UnexpectedPayload as error:
        raise UnexpectedPayload(f"new-source: the response cannot be read: {error}.") from error
    except BodyCutShort:
        if records:
            raise UnexpectedPayload(
                "new-source: the response is not one JSON value, so `--records` does not apply."
            ) from None
        return _of_lines(content, text, encoded)
    return _of_json(content, body, records, encoded)


def _decoded(plain: bytes) -> tuple[str, dict[str, str]]:
    """The text, and the `encoding` that a contract needs to read it."""
    try:
        return plain.decode("utf-8-sig"), {}
    except UnicodeDecodeError as error:
        try:
            return plain.decode(WINDOWS), {"encoding": WINDOWS}
        except UnicodeDecodeError:
            raise UnexpectedPayload(
                f"new-source: the response is neither UTF-8 nor Windows-1252 ({error}). Save it as "
                "UTF-8, give it with `--file`, and name the `encoding` that the API sends under "
                "`format` in the contract."
            ) from error


def _remarks_on(encoded: dict[str, str], text: str) -> list[str]:
    if not encoded:
        return []
    place = next(number for number, character in enumerate(text) if not character.isascii())
    shown = text[max(0, place - 10) : place + 10].strip()
    return [
        f"The response is not UTF-8, and is read as Windows-1252: check `{printable_line(shown)}`."
    ]


def printable_line(text: str) -> str:
    """A text for a remark."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def is_xml(plain: bytes) -> bool:
    """Whether a text is XML, and not a page of HTML."""
    found = recognise(plain[:HEAD_BYTES])
    return found is not None and found.what == "XML"


def _unpacked(content: bytes) -> bytes:
    """The text of an answer. Raises `UnexpectedPayload` for what can be neither JSON nor CSV."""
    layout = Format().with_limits(LIMITS)
    try:
        plain = unpack(io.BytesIO(content), len(content), layout).body.read()
    except BeyondLimit as error:
        raise UnexpectedPayload(
            f"new-source: {error.what}, and a sample is at most {MOST_BYTES} bytes. Save fewer "
            "records, and pass them with `--file`."
        ) from error
    except (BodyCutShort, UnexpectedPayload) as error:
        found = recognise(content[:HEAD_BYTES])
        what = f"{error}." if content[:2] in (b"PK", b"\x1f\x8b") or not found else found.what
        raise UnexpectedPayload(f"new-source: the response cannot be read: {what}") from error
    found = recognise(plain[:HEAD_BYTES])
    if found is not None and found.what != "XML":
        raise UnexpectedPayload(
            f"new-source: expected data, found {found.what}. Is there another address, or "
            "a parameter such as `format=json`?"
        )
    if not plain.removeprefix(BOM).strip():
        raise UnexpectedPayload("new-source: the response is empty. Give one that has records.")
    return plain


def _of_json(content: bytes, body: Any, records: str, encoded: dict[str, str]) -> Sample:
    known = shapes(body)
    chosen = [shape for shape in known if not records or shape.path == _path(records)]
    if EVERY in _path(records) and not chosen:
        chosen = below_every(body, _path(records))
    if records and known and not chosen:
        raise UnexpectedPayload(f"new-source: no records at {records!r}. Choose {_listed(known)}.")
    if known and not records:
        _require_names(body, known)
    said = error_beside([body], empty=True)
    reasons = [f" It says {said}."] if said else []
    if isinstance(body, dict) and not known:
        reasons.append(f" It is one object, with {', '.join(sorted(body)[:8]) or 'no fields'}.")
    for shape in chosen:
        layout = {**shape.layout, **encoded}
        if _are_features(body, shape):
            layout = {"kind": "geojson", **encoded}
        try:
            found = _read(content, layout)
            _require_fields(found)
        except (BodyCutShort, UnexpectedPayload) as error:
            reasons.append(f" At {shape}: {error}.")
            continue
        others = [other for other in known if other is not shape]
        remark = f"The records are taken from {shape}."
        if others:
            remark += f" Others: {_listed(others)}. Choose with `--records`."
        return Sample(content, body, layout, found, [remark, *_remarks_on(encoded, str(body))])
    raise UnexpectedPayload(
        "new-source: the response has no list of objects and no arrays of equal length. "
        "Request a period that has data." + "".join(reasons[:3])
    )


def _are_features(body: Any, shape: Shape) -> bool:
    """Whether the records are those of a whole document of GeoJSON."""
    if shape.path != ("features",) or body.get("type") != "FeatureCollection":
        return False
    return all(feature.get("type") == "Feature" for feature in body["features"])


def _require_names(body: Any, known: list[Shape]) -> None:
    """Raise `UnexpectedPayload` if the records are arrays, and their names are in a list."""
    rows = nameless_arrays(body)
    if rows is not None and NOT_RECORDS.intersection(map(str.lower, known[0].path)):
        raise UnexpectedPayload(
            f"new-source: the records are arrays at `{paths.joined(rows)}`, and their names are "
            "elsewhere, which no contract can read. Ask for objects or CSV, or choose "
            f"{_listed(known)} with `--records`."
        )


def _require_fields(records: list[dict[str, Any]]) -> None:
    """Raise `UnexpectedPayload` for records without a field, and for a single one that is an
    error."""
    if not any(map(any, records)):
        raise UnexpectedPayload("its records have no fields")
    said = error_beside(records, empty=True) if len(records) == 1 else ""
    if said and all(map(is_error_name, records[0])):
        raise UnexpectedPayload(f"its only record is an error message, {said}")


def _path(records: str) -> tuple[str, ...]:
    try:
        return paths.parts(records)
    except ValueError as error:
        raise UnexpectedPayload(f"new-source: `--records`: {error}.") from error


def _listed(known: list[Shape]) -> str:
    more = f" and {len(known) - 5} more" if len(known) > 5 else ""
    return ", ".join(map(str, known[:5])) + more


def _of_lines(content: bytes, text: str, encoded: dict[str, str]) -> Sample:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.lstrip().startswith("{"):
        layout: dict[str, Any] = {"kind": "jsonl", **encoded}
        return Sample(content, None, layout, read_lines(content, layout))
    found = layout_of(text)
    if found is None or first.lstrip().startswith(("<", "[", '{"')):
        raise UnexpectedPayload(
            f"new-source: the response is neither JSON nor CSV with a header: it starts with "
            f"{first[:60]!r}. Save a response that has records, and pass it with `--file`."
        )
    layout = {**found.format, **encoded}
    remarks = [*found.remarks, *_remarks_on(encoded, text)]
    return Sample(content, None, layout, read_lines(content, layout), remarks)


def read_lines(content: bytes, layout: dict[str, Any]) -> list[dict[str, Any]]:
    try:
        return _read(content, layout)
    except (BodyCutShort, UnexpectedPayload) as error:
        raise UnexpectedPayload(
            f"new-source: the response cannot be read as {layout['kind']}: {error}. Save one "
            "that is complete, and pass it with `--file`."
        ) from error


def _read(content: bytes, layout: dict[str, Any]) -> list[dict[str, Any]]:
    """The records, as a load reads them. Raises `UnexpectedPayload` if some are not objects."""
    layout_read = Format.model_validate(layout).with_limits(LIMITS)
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


def names_next(links: Any) -> bool:
    """Whether a list of links names the next page."""
    objects = (link for link in links if isinstance(link, dict)) if isinstance(links, list) else ()
    return any("next" in (link.get("rel"), link.get("relation")) for link in objects)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _scalars(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        if isinstance(inner, dict) and name:
            yield from _scalars(inner, (*path, name))
        elif name and not isinstance(inner, list):
            yield (*path, name), inner
