"""The requests of a partition: a single one, or one for each combination of items and window."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, Protocol
from unicodedata import category
from urllib.parse import quote

from include.councils.model import Council, Point, Ward
from include.errors import PermanentError, UnexpectedPayload
from include.extract.polygon import halves
from include.sources.extract.http import Extract, Way
from include.sources.extract.request import filled, filled_text, is_header_value
from include.sources.extract.templates import BATCH, COUNCIL_NAMES, fill
from include.sources.model import Contract
from include.sources.page import SentRequest
from include.sources.partition import Partition, Period

log = logging.getLogger(__name__)

Values = Mapping[str, Any]

# Longer ones end in a digest.
LABEL_CHARACTERS = 200


class Parents(Protocol):
    """The latest landings of other sources."""

    def value(self, name: str, values: Values) -> str:
        """The matching records of a parent, formatted and joined."""

    def records(self, name: str, columns: list[str], values: Values) -> Iterable[Values]:
        """The distinct values of these columns in the matching records of a parent."""

    def batches(self, name: str, values: Values) -> Iterable[str]:
        """The matching records of a parent, formatted, and joined so many at a time."""


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
    """Every request, in order: each item of the last loop, for each item of the one before.

    Raises what `parents` raises, and `PermanentError` if there are no requests.
    """
    extract = _http(contract)
    way = extract.ways[way_name]
    used = contract.values_used(way_name)
    joined = [name for name in used if name in extract.parents and name not in way.for_each]
    label_of = _Labels(contract, way_name, partition)
    items = _Items(contract, way_name, partition, council, parents)
    labels: set[str] = set()
    constants = {name: ",".join(texts) for name, texts in extract.constants.items()}
    for item in items.combined({**common_values(partition.period, council), **constants}):
        label = label_of(item)
        if label in labels:
            continue  # 1 and "1"
        labels.add(label)
        for window in _windows(way, partition.period):
            values = {**item, **window}
            for name in joined:
                values[name] = parents.value(name, values)
            begins = f" {window['window.start']:%Y-%m-%dT%H:%M}" if window else ""
            yield Ask(f"{label}{begins}", values)
    for loop, passed_over in items.without.items():
        if passed_over:
            log.info("%s: no %s for %d others of `for_each`", partition, loop, passed_over)
    if not labels:
        raise PermanentError(
            f"{partition}: nothing to request: found no {' with '.join(way.for_each)} that has a "
            "value in every column that requests use. Check `for_each` and `parents` in "
            f"include/sources/{contract.name}.yaml."
        )


def lacking(contract: Contract, council: Council) -> list[str]:
    """What a council's file lacks for the contract's requests: `points`, `names.londonair`."""
    if not isinstance(contract.extract, Extract) or contract.councils == "uk":
        return []
    ways = contract.extract.ways
    loops = {loop for way in ways.values() for loop in way.for_each}
    used = dict.fromkeys(name for way in ways for name in contract.values_used(way))
    names = [name.removeprefix(COUNCIL_NAMES) for name in used if name.startswith(COUNCIL_NAMES)]
    return [
        *(["points"] if "point" in loops and not council.points else []),
        *(["ward_sets"] if "ward" in loops and not council.ward_sets else []),
        *(f"names.{name}" for name in names if name not in council.names),
    ]


def require_council(contract: Contract, council: Council) -> None:
    """Raise `PermanentError` for a council whose file lacks what the requests need."""
    missing = lacking(contract, council)
    if missing:
        raise PermanentError(
            f"{contract.name} {council.name}: its requests need {', '.join(missing)} of the "
            f"council. Add {'it' if len(missing) == 1 else 'them'} to "
            f"include/councils/{council.name}.yaml."
        )


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
    request = way.request
    return SentRequest(
        method=request.method,
        url=base_url + fill(request.path, in_path),
        query={
            name: fill(found, values)
            if isinstance(found, str)
            else [fill(text, values) for text in found]
            for name, found in request.query.items()
        },
        headers={name: _header(name, text, values) for name, text in request.headers.items()},
        form={name: fill(text, values) for name, text in request.form.items()},
        body=filled(request.json_body, values),
        text=filled_text(request.text, values),
    )


def _header(name: str, template: str, values: Values) -> str:
    text = fill(template, values).strip()
    if not is_header_value(text):
        raise UnexpectedPayload(
            f"the header {name}: expected one line of Latin-1 text, found "
            f"{text[:LABEL_CHARACTERS]!r}. Retrying will not help; remove the placeholder from "
            "`request.headers` in the contract."
        )
    return text


def _is_broken(text: str) -> bool:
    """Whether it has half a surrogate pair, or a NUL."""
    return "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text)


def context_of(contract: Contract, way_name: str, values: Values) -> dict[str, str]:
    """The values of a request that the load needs."""
    return {name: str(values[name]) for name in sorted(set(contract.values_kept(way_name)))}


def _http(contract: Contract) -> Extract:
    if not isinstance(contract.extract, Extract):
        raise TypeError(f"{contract.name} is not requested by HTTP")
    return contract.extract


def common_values(period: Period, council: Council | None) -> dict[str, Any]:
    """The values of a period and a council that every request may use."""
    return period_values(period) | (council_values(council) if council else {})


def council_values(council: Council) -> dict[str, Any]:
    """The values of a council that every request, and the name of a file, may use."""
    return {
        "council.name": council.name,
        "council.title": council.title,
        "council.gss_code": council.gss_code,
        "council.police_force": council.police_force,
        "council.latitude": council.latitude,
        "council.longitude": council.longitude,
        "council.radius_km": council.radius_km,
        **{f"{COUNCIL_NAMES}{name}": text for name, text in council.names.items()},
    }


def period_values(period: Period) -> dict[str, Any]:
    """A period's first and last day, and the first of the next; of an hour, moments in UTC.

    `all` has none. The last moment of an hour is its last second.
    """
    if period.grain == "all":
        return {}
    if period.grain == "hour":
        end = period.end
        return {
            "period": period.start,
            "period.last": end - timedelta(seconds=1),
            "period.next": end,
        }
    return {
        "period": period.first_day,
        "period.last": period.last_day,
        "period.next": period.next.first_day,
    }


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


class _Items:
    """What a way's requests are made for each of."""

    def __init__(
        self,
        contract: Contract,
        way_name: str,
        partition: Partition,
        council: Council | None,
        parents: Parents,
    ) -> None:
        self._loops = contract.items_of(way_name)
        self._contract = contract
        self._constants = _http(contract).constants
        period = partition.period
        # Wards of today for what is of no day.
        self._day = period.last_day if period.grain == "all" else period.first_day
        self._council = council
        self._parents = parents
        # How many items of the loops before have none of this one.
        self.without: Counter[str] = Counter()

    def combined(self, values: Values, done: int = 0) -> Iterator[Values]:
        """The values of every combination of items, with those that are given."""
        loops = [*self._loops]
        if done == len(loops):
            yield values
            return
        for item in self._items(loops[done], values):
            yield from self.combined({**values, **item}, done + 1)

    def _items(self, loop: str, values: Values) -> Iterator[Values]:
        """The values of each item of one loop, within items of the loops before."""
        if loop == "ward":
            yield from map(ward_values, self._council.wards_on(self._day) if self._council else ())
        elif loop == "point":
            yield from map(point_values, self._council.points if self._council else ())
        elif loop in self._constants:
            yield from ({loop: text} for text in self._constants[loop])
        elif _http(self._contract).parents[loop].batch:
            batches = list(self._parents.batches(loop, values))
            self.without[loop] += not batches
            for number, joined in enumerate(batches, start=1):
                yield {loop: joined, f"{loop}.{BATCH}": number}
        else:
            columns = [name.removeprefix(f"{loop}.") for name in self._loops[loop]]
            records = list(self._parents.records(loop, columns, values))
            self.without[loop] += not records
            for record in records:
                yield {f"{loop}.{column}": record[column] for column in columns}


class _Labels:
    """The labels of requests; no two combinations of items have the same.

    They are in messages and decide which parts of two landings are compared
    (`include/warehouse/parts.py`), so they never change for the same items.
    """

    def __init__(self, contract: Contract, way_name: str, partition: Partition) -> None:
        self._names = [name for names in contract.items_of(way_name).values() for name in names]
        self._period = str(partition.period)
        self._reserved = "%#" + ("," if len(self._names) > 1 else "")
        if _http(contract).ways[way_name].split:
            self._reserved += "/"

    def __call__(self, values: Values) -> str:
        if not self._names:
            return self._period
        label = ",".join(self._written(str(values[name])) for name in self._names)
        if len(label) <= LABEL_CHARACTERS:
            return label
        # No list of values any more, so it is not read as one.
        digest = sha256(label.encode()).hexdigest()[:16]
        return f"{label[: LABEL_CHARACTERS - len(digest) - 1].replace(',', ' ')}~{digest}"

    def _written(self, text: str) -> str:
        return "".join(
            quote(c, safe="", errors="surrogatepass")
            if c in self._reserved or not (c.isprintable() or category(c) == "Zs")
            else c
            for c in text
        )


def _windows(way: Way, period: Period) -> Iterator[Values]:
    if not way.window_minutes:
        yield {}
        return
    start, last = period.start, period.end
    while start < last:
        end = min(start + timedelta(minutes=way.window_minutes), last)
        yield {"window.start": start, "window.end": end}
        start = end
