"""The requests of a partition: a single one, or one per ward, point, parent record, window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Protocol
from urllib.parse import quote

from include.councils.model import Council, Point, Ward
from include.errors import UnexpectedPayload
from include.extract.polygon import halves
from include.printable import one_line
from include.sources.extract import Extract, Way
from include.sources.model import Contract
from include.sources.page import SentRequest
from include.sources.partition import Partition, Period
from include.sources.templates import fill, placeholders

Values = Mapping[str, Any]

LABEL_CHARACTERS = 200


class Parents(Protocol):
    """The latest landings of other sources."""

    def value(self, name: str, values: Values) -> str:
        """The matching records of a parent, formatted and joined."""

    def records(self, name: str, columns: list[str], values: Values) -> Iterable[Values]:
        """The distinct values of these columns in the matching records of a parent."""


@dataclass(frozen=True)
class Ask:
    """One request, for one page or many; `depth` counts how often it was split."""

    label: str
    values: Values
    depth: int = 0


def way_for(contract: Contract, period: Period, today: date) -> str:
    """The way to request a period on this day: `api` or `archive`."""
    archive = contract.extract.archive if isinstance(contract.extract, Extract) else None
    old = archive and (today - period.last_day).days >= archive.from_age_days
    return "archive" if old else "api"


def asks(
    contract: Contract,
    way_name: str,
    partition: Partition,
    council: Council | None,
    parents: Parents,
) -> Iterator[Ask]:
    """Every request, in order. Raises what `parents` raises."""
    extract = _http(contract)
    way = extract.ways[way_name]
    joined = [name for name in _used(contract, way_name) if name in extract.parents]
    common = common_values(partition.period, council)
    for item, of_item in _items(contract, way_name, partition, council, parents, common):
        for window in _windows(way, partition.period):
            values = {**common, **of_item, **window}
            for name in joined:
                values[name] = parents.value(name, values)
            begins = f" {window['window.start']:%Y-%m-%dT%H:%M}" if window else ""
            yield Ask(f"{item}{begins}", values)


def split(way: Way, ask: Ask) -> list[Ask]:
    """The parts of an area with too many records. Raises `SourceRejected`."""
    # Ensured by the contract: `too_large` needs `split`.
    name = str(way.split)
    return [
        Ask(f"{ask.label}/{number}", {**ask.values, name: piece}, ask.depth + 1)
        for number, piece in enumerate(halves(ask.values[name]), start=1)
    ]


def request_of(way: Way, base_url: str, values: Values) -> SentRequest:
    """The request of a way with its placeholders replaced; values in the path are quoted.

    Raises `UnexpectedPayload` for values, of a parent's records, that no
    address can hold, or that lead to another path.
    """
    for name, value in values.items():
        if isinstance(value, str) and (value in (".", "..") or _is_broken(value)):
            raise UnexpectedPayload(
                f"{name}: expected a value for an address, found {value[:LABEL_CHARACTERS]!r} in "
                "the landing of another source. Retrying will not help; fetch that one again."
            )
    in_path = {
        name: quote(value, safe=",:") if isinstance(value, str) else value
        for name, value in values.items()
    }
    return SentRequest(
        method=way.request.method,
        url=base_url + fill(way.request.path, in_path),
        query={name: fill(text, values) for name, text in way.request.query.items()},
        form={name: fill(text, values) for name, text in way.request.form.items()},
    )


def _is_broken(text: str) -> bool:
    """Whether it has half a surrogate pair, or a NUL."""
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def context_of(contract: Contract, way_name: str, values: Values) -> dict[str, str]:
    """The values of a request that the load needs."""
    return {name: str(values[name]) for name in sorted(set(_kept(contract, way_name)))}


def _kept(contract: Contract, way_name: str) -> Iterator[str]:
    for column in contract.columns_of(way_name):
        if column.request:
            yield column.request
    select = contract.layout(way_name).select
    if select:
        yield select.among


def _used(contract: Contract, way_name: str) -> dict[str, None]:
    """The names of the values that a way's requests and columns use, in order."""
    way = _http(contract).ways[way_name]
    asked = [name for text in way.request.texts() for name in placeholders(text)]
    return dict.fromkeys((*asked, *_kept(contract, way_name), *filter(None, [way.split])))


def _http(contract: Contract) -> Extract:
    if not isinstance(contract.extract, Extract):
        raise TypeError(f"{contract.name} is not requested by HTTP")
    return contract.extract


def common_values(period: Period, council: Council | None) -> dict[str, Any]:
    """The values of a period and a council that every request may use."""
    values: dict[str, Any] = {
        "period": period.first_day,
        "period.last": period.last_day,
        "period.next": period.next.first_day,
    }
    if council:
        values |= {
            "council.name": council.name,
            "council.title": council.title,
            "council.gss_code": council.gss_code,
            "council.police_force": council.police_force,
            "council.latitude": council.latitude,
            "council.longitude": council.longitude,
            "council.radius_km": council.radius_km,
        }
    return values


def ward_values(ward: Ward) -> dict[str, Any]:
    """The values of a ward."""
    return {
        "ward.code": ward.code,
        "ward.name": ward.name,
        "ward.police_neighbourhood": ward.police_neighbourhood,
    }


def point_values(point: Point) -> dict[str, Any]:
    """The values of a weather point."""
    return {
        "point.name": point.name,
        "point.latitude": point.latitude,
        "point.longitude": point.longitude,
    }


def _items(
    contract: Contract,
    way_name: str,
    partition: Partition,
    council: Council | None,
    parents: Parents,
    common: Values,
) -> Iterator[tuple[str, Values]]:
    way = _http(contract).ways[way_name]
    if way.for_each == "partition":
        yield str(partition.period), {}
    elif way.for_each == "ward":
        for ward in council.wards_on(partition.period.first_day) if council else ():
            yield ward.code, ward_values(ward)
    elif way.for_each == "point":
        for point in council.points if council else ():
            yield point.name, point_values(point)
    else:
        prefix = f"{way.for_each}."
        columns = [
            name.removeprefix(prefix)
            for name in _used(contract, way_name)
            if name.startswith(prefix)
        ]
        for record in parents.records(way.for_each, columns, common):
            # Values of an API, in every message about the request.
            label = one_line(",".join(str(record[column]) for column in columns)[:LABEL_CHARACTERS])
            yield label, {f"{prefix}{column}": record[column] for column in columns}


def _windows(way: Way, period: Period) -> Iterator[Values]:
    if not way.window_minutes:
        yield {}
        return
    start = datetime.combine(period.first_day, time(), UTC)
    last = datetime.combine(period.next.first_day, time(), UTC)
    while start < last:
        end = min(start + timedelta(minutes=way.window_minutes), last)
        yield {"window.start": start, "window.end": end}
        start = end
