"""The data of environment.data.gov.uk: generated, or recorded where possible.

ea/*.json    complete responses, each with its query under `meta.hasFormat`
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from include.councils.model import Council

from sandbox.rivers.alerts import warnings_of
from sandbox.rivers.api import RiverData
from sandbox.rivers.envelope import Writer
from sandbox.rivers.gauges import generated_network
from sandbox.rivers.measures import LEVEL, QUARTER_HOUR, Item, Network, Trait, network
from sandbox.rivers.readings import Readings
from sandbox.world.clock import Clock, Moment
from sandbox.world.payloads import holds_answers, whole_answers
from sandbox.world.places import digest, share

FOLDER = "ea"
HOUR, DAY = 3_600, 86_400
BELIEVABLE = 1_000


class GeneratedRivers:
    """Gauges around the councils, all over the country where the moment says so."""

    def __init__(self, clock: Clock, councils: dict[str, Council]) -> None:
        self._clock = clock
        self._councils = councils
        self._readings = lru_cache(2)(self._make)

    def readings(self) -> Readings:
        """The network with its readings."""
        return self._readings(self._clock.now())

    def measures(self, which: list[int]) -> list[Item]:
        """Measures with their latest reading, where they have one."""
        readings = self.readings()
        latest = Writer(readings).latest(readings.latest(tuple(which)))
        items = [(at, readings.network.measures[at]) for at in which]
        return [
            item | ({"latestReading": latest[at]} if at in latest else {}) for at, item in items
        ]

    def warnings(self) -> list[Item]:
        """The warnings in force."""
        return warnings_of(self._councils.values(), self._clock.now())

    def whole_answer(self, path: str, query: str, items: list[Item] | None) -> bytes | None:
        """None was recorded."""
        return None

    def _make(self, moment: Moment) -> Readings:
        return Readings(generated_network(self._councils.values(), moment), moment)


class RecordedRivers:
    """Recorded stations, measures and warnings; readings are generated for these measures.

    Of each list the newest recording counts. A query that was recorded, or
    that chooses every item of a recorded list, gets the recorded bytes.
    """

    def __init__(self, clock: Clock, payloads: Path) -> None:
        self._clock = clock
        self._bodies: dict[tuple[str, tuple[tuple[str, str], ...]], bytes] = {}
        self._lists: dict[str, tuple[list[Item], bytes]] = {}
        for _, body, content in whole_answers(payloads / FOLDER):
            address = urlsplit(content["meta"]["hasFormat"][0])
            path = address.path.removeprefix("/flood-monitoring/").removesuffix(".csv")
            self._bodies.setdefault((path, _pairs(address.query)), body)
            if path.startswith("id/") and "readings" not in path:
                self._lists.setdefault(path, (content["items"], body))
        self._readings = lru_cache(2)(self._make)

    @staticmethod
    def held(payloads: Path) -> bool:
        """Whether a directory has such recordings."""
        return holds_answers(payloads / FOLDER)

    def readings(self) -> Readings:
        """The recorded network with generated readings."""
        return self._readings(self._clock.now())

    def measures(self, which: list[int]) -> list[Item]:
        """Recorded measures, with the latest reading that was recorded."""
        items = self.readings().network.measures
        return [items[at] for at in which]

    def warnings(self) -> list[Item]:
        """The recorded warnings; no place was recorded with them."""
        return self._list("id/floods")

    def whole_answer(self, path: str, query: str, items: list[Item] | None) -> bytes | None:
        """The recorded body of this very query, or of all these items."""
        if items is None:
            return self._bodies.get((path, _pairs(query)))
        recorded, body = self._lists.get(path, (None, None))
        return body if recorded == items else None

    def _list(self, path: str) -> list[Item]:
        return self._lists[path][0] if path in self._lists else []

    def _make(self, moment: Moment) -> Readings:
        return Readings(
            _network_of(self._list("id/stations"), self._list("id/measures"), moment), moment
        )


def _network_of(stations: list[Item], measures: list[Item], moment: Moment) -> Network:
    known = {item["notation"] for item in measures}
    # Without a list of measures, what the stations say about theirs is enough.
    embedded = [
        measure | {"notation": notation, "stationReference": station["stationReference"]}
        | {"station": station["@id"], "label": notation, "valueType": "instantaneous"}
        for station in stations
        for measure in station.get("measures", [])
        if (notation := measure["@id"].rsplit("/", 1)[-1]) not in known
    ]  # fmt: skip
    whole = [*measures, *(embedded if not measures else [])]
    latest = [_time(item) for item in whole]
    recorded_at = max((at for at in latest if at), default=0)
    traits = [
        _trait(item, at, recorded_at, moment.seed) for item, at in zip(whole, latest, strict=True)
    ]
    return network(stations, whole, traits)


def _trait(item: Item, at: int, recorded_at: int, seed: int) -> Trait:
    """Late, silent, off the grid and broken as the measure was when it was recorded."""
    key = digest(seed, item["notation"])
    period = item.get("period") or QUARTER_HOUR
    value = item.get("latestReading", {}).get("value", 0.5)
    base = float(value[-1] if isinstance(value, list) else value)
    broken = abs(base) > BELIEVABLE and item.get("unitName") != "mm"
    age = recorded_at - at if at else 0
    return Trait(
        key=key,
        kind=LEVEL,
        base=0.5 if broken else base,
        swing=0.05 + 0.1 * min(abs(base), 10),
        period=period,
        offset=at % period,
        lag=min(age, 3 * DAY) if HOUR < age <= 7 * DAY else int(share(key, "lag") * HOUR),
        dead=not at and "latestReading" not in item and recorded_at > 0,
        silent_phase=int(share(key, "silent") * 60) if age > 7 * DAY else -1,
        sentinel=base if broken else math.nan,
        list_every=period if isinstance(value, list) else 0,
    )


def _time(item: Item) -> int:
    text = item.get("latestReading", {}).get("dateTime")
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) if text else 0


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(parse_qsl(query, keep_blank_values=True)))


def river_data(clock: Clock, councils: dict[str, Council], payloads: Path | None) -> RiverData:
    """Recorded data where the directory holds some, else generated."""
    if payloads is not None and RecordedRivers.held(payloads):
        return RecordedRivers(clock, payloads)
    return GeneratedRivers(clock, councils)
