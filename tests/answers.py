"""Generated answers of APIs, and whether rows hold what their records say. Nothing is real data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from include.sources import paths
from include.sources.columns import Column
from include.sources.model import Contract

# Reserved by SQL, used by Wandle, by PostgreSQL, or by the notations that names go through.
HOSTILE_NAMES = (
    *("user", "order", "on", "select", "table", "group", "all", "end", "default", "current_date"),
    *("council", "day", "month", "landing_id", "record_no", "_council", "_period", "_extra"),
    *("_landing_id", "_record_no", "xmin", "ctid", "tableoid", "source", "renamed", "name"),
    *("geo.lat", "geo.lon", "geo", "a\\b", "a\\.b", "Site Name", "id", "Id", "ID", "iD", "x" * 80),
    *("x" * 79 + "y", "Straße", "日本", "{{ x }}", "{% raw %}", "{# c #}", "a: b", "#c", "it's"),
    *('say "x"', "null", "true", "1st", "", " ", "-", "*", "$ref", "@id", "%s", "$1", "a;b", "\t"),
)
names = st.sampled_from(HOSTILE_NAMES) | st.text(min_size=1, max_size=8)

_days = st.dates(date(1900, 1, 1), date(2100, 1, 1))
_times = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
_scalars: tuple[st.SearchStrategy[Any], ...] = (
    st.integers(-(10**6), 10**6),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(-1e15, 1e15),
    st.decimals(-(10**6), 10**6, places=2).map(float),
    st.booleans(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12),
    st.integers(0, 10**6).map(str),
    st.integers(0, 999).map("{:06}".format),
    st.decimals(-(10**6), 10**6, places=3).map(str),
    st.text("0123456789", min_size=15, max_size=40),
    st.sampled_from(["true", "false"]),
    st.sampled_from(["Yes", "No", "n/a", "NaN", "-", "null", "1e5", "-0", "+1", "007", "١٢"]),
    _days.map(date.isoformat),
    _times.map(lambda at: at.isoformat(timespec="seconds")),
    _times.map(lambda at: at.isoformat(sep=" ", timespec="minutes")),
    _times.map(lambda at: f"{at.isoformat(timespec='milliseconds')}+01:00"),
    st.tuples(_times, st.integers(0, 10**7 - 1)).map(
        lambda found: f"{found[0].isoformat(timespec='seconds')}.{found[1]:07}Z"
    ),
    _days.map("{:%d/%m/%Y}".format),
    _days.map("{:%d %b %Y}".format),
    _times.map("{:%d/%m/%Y %H:%M}".format),
    st.decimals(-(10**6), 10**6, places=2).map("{:,}".format),
    st.decimals(0, 10**6, places=2).map("£{:,}".format),
    st.decimals(0, 10**6, places=2).map("({:,})".format),
    st.sampled_from(["Yes", "No"]),
)
_gaps = st.sampled_from([None, ""])
_nested = st.recursive(
    st.one_of(*_scalars[:6]) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)
_kinds = st.one_of(
    st.sampled_from([st.one_of(scalar) for scalar in _scalars]),
    st.sampled_from([scalar | _gaps for scalar in _scalars]),
    st.sampled_from([scalar | st.none() for scalar in _scalars]),
    st.sampled_from([_nested, st.none(), _gaps, _scalars[0] | _scalars[2], st.one_of(*_scalars)]),
    st.dictionaries(names, st.sampled_from([*_scalars, _nested]), min_size=1, max_size=4).map(
        lambda fields: st.fixed_dictionaries({}, optional=fields) | st.none()
    ),
)


@dataclass(frozen=True)
class Answer:
    """One body, and the records that are in it."""

    body: bytes
    records: list[dict[str, Any]]
    is_csv: bool = False


@st.composite
def _records(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Records with the same fields, some of which are missing in some."""
    always = draw(st.dictionaries(names, _kinds, min_size=1, max_size=6))
    sometimes = draw(st.dictionaries(names.filter(lambda name: name not in always), _kinds))
    record = st.fixed_dictionaries(always, optional=dict([*sometimes.items()][:2]))
    return draw(st.lists(record, min_size=1, max_size=6))


def _json(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _in_envelope(records: list[dict[str, Any]], envelope: str) -> Any:
    total = len(records)
    columns = [{"id": f"c{number}", "type": "text"} for number in range(total + 5)]
    return {
        "list": records,
        "results": {"results": records, "count": total},
        "ckan": {"result": {"fields": columns, "records": records, "total": total}},
        "deep": {"data": {"page": {"items": records}}, "links": [{"rel": "self"}] * (total + 1)},
        "odata": {"@odata.context": "x", "@odata.count": total, "value": records},
        "unusual": {"status": "ok", "Widgets": records},
        "declared": {"total": total, "a": records, "b": columns},
    }[envelope]


_ENVELOPES = ("list", "results", "ckan", "deep", "odata", "unusual", "declared")
in_json = st.tuples(_records(), st.sampled_from(_ENVELOPES)).map(
    lambda found: Answer(_json(_in_envelope(*found)), found[0])
)
# A single line is one JSON value.
in_lines = (
    _records()
    .filter(lambda records: len(records) > 1)
    .map(lambda records: Answer(b"".join(_json(record) + b"\n" for record in records), records))
)


@st.composite
def geojson(draw: st.DrawFn) -> Answer:
    """Features, some without geometry or properties."""
    points = st.fixed_dictionaries(
        {"type": st.just("Point"), "coordinates": st.lists(_scalars[3], max_size=3)}
    )
    feature = {
        "type": st.just("Feature"),
        "id": st.integers(1, 10**6).map("s.{}".format),
        "geometry": st.none() | points,
        "properties": st.none() | st.dictionaries(names, st.one_of(*_scalars), max_size=4),
    }
    found = draw(st.lists(st.fixed_dictionaries(feature), min_size=1, max_size=6))
    return Answer(_json({"type": "FeatureCollection", "features": found}), found)


def _has_a_name(header: list[str]) -> bool:
    """Whether a first line is more than values: a single one of those is read as a record."""
    return any(
        any(map(str.isalpha, name)) and name.lower() not in ("null", "true", "false")
        for name in header
    )


@st.composite
def in_csv(draw: st.DrawFn) -> Answer:
    """A table of texts, in one of the usual notations."""
    header = draw(
        st.lists(
            names.map(str.strip).filter(lambda name: name and name.isprintable()),
            min_size=2,
            max_size=5,
            unique=True,
        ).filter(_has_a_name)
    )
    printable = st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=10)
    texts = [draw(st.sampled_from([*_scalars[6:], printable])) for _ in header]
    rows = draw(
        st.lists(st.tuples(*(text | st.just("") for text in texts)), min_size=1, max_size=6)
    )
    delimiter, ending = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n"]))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *rows])
    mark = "\ufeff" if draw(st.booleans()) else ""
    records = [dict(zip(header, row, strict=True)) for row in rows]
    return Answer((mark + file.getvalue()).encode(), records, is_csv=True)


answers = st.one_of(in_json, in_json, in_lines, geojson(), in_csv())


def same(expected: Any, found: Any) -> bool:
    """Whether two JSON values are equal; numbers by their digits, true is not 1."""
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float | Decimal) and isinstance(found, int | float | Decimal):
        return Decimal(str(expected)) == Decimal(str(found))
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            same(value, found[name]) for name, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same, expected, found))
    return type(expected) is type(found) and expected == found


def difference(contract: Contract, answer: Answer, rows: Iterable[Mapping[str, Any]]) -> str:
    """What rows lack of the records of an answer, or have differently; empty if nothing.

    A row has its columns, `_extra` and `record_no`. A record may have no row
    if an equal one has.
    """
    by_number = {row["record_no"]: row for row in rows}
    kept = [answer.records[number - 1] for number in by_number]
    for number, record in enumerate(answer.records, start=1):
        if number not in by_number:
            if not any(same(_cells(contract, record), _cells(contract, other)) for other in kept):
                return f"record {number} has no row: {record}"
            continue
        row = by_number[number]
        left = deepcopy(record)
        for column in contract.columns:
            value, known = _take(left, record, column), row[column.name]
            if not _holds(column, value, known, blank_is_null=answer.is_csv):
                return f"record {number}: {column.name} is {known!r}, expected {value!r}"
        if not same(_without_nothing(left), _without_nothing(row["_extra"] or {})):
            return f"record {number}: _extra is {row['_extra']!r}, expected {left!r}"
    return ""


def _cells(contract: Contract, record: dict[str, Any]) -> list[Any]:
    left = deepcopy(record)
    values = [_take(left, record, column) for column in contract.columns]
    return [*(None if value == "" else value for value in values), _without_nothing(left)]


def _take(left: dict[str, Any], record: Any, column: Column) -> Any:
    *above, last = paths.parts(column.path or column.name)
    place: Any = left
    for name in above:
        record = record.get(name) if isinstance(record, dict) else None
        place = place.get(name) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place.pop(last, None)
    return record.get(last) if isinstance(record, dict) else None


def _holds(column: Column, value: Any, known: Any, *, blank_is_null: bool) -> bool:
    if value is None or value in column.null_values or (value == "" and blank_is_null):
        return known is None
    match column.type:
        case "jsonb":
            return same(value, known)
        case "text":
            return type(known) is str and bool(value == known)
        case "boolean":
            return known is (value in (True, "true", *column.true_values))
        case "date" | "timestamptz" if column.format:
            moment = datetime.strptime(value.strip(), column.format[0]).replace(tzinfo=UTC)
            return bool(known == (moment.date() if column.type == "date" else moment))
        case "date":
            return bool(known == date.fromisoformat(value))
        case "timestamptz":
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return bool(known == moment)
        case _:
            digits = str(value)
            if column.number:
                digits = "".join(c for c in digits if c.isdigit() or c == ".")
                digits = f"-{digits}" if "-" in value or "(" in value else digits
            return known is not None and Decimal(digits) == Decimal(str(known))


def _without_nothing(value: Any) -> Any:
    """Without objects that hold nothing, and nulls in place of them."""
    if not isinstance(value, dict):
        return value
    inner = {name: _without_nothing(item) for name, item in value.items()}
    return {name: item for name, item in inner.items() if item not in ({}, None)}
