"""Synthetic crimes: deterministic by seed, and revised as months go by.

The lag curve of outcomes is the one measured in real data: 79% are dated after
the crime's month, 47% more than three months after it, 6% more than six, 2%
more than twelve; a third say "Status update unavailable" at exactly month + 4.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from sandbox.police.months import month_number, month_text
from sandbox.police.vocabulary import (
    ANTI_SOCIAL_BEHAVIOUR,
    CATEGORIES,
    NO_UPDATE,
    OUTCOMES,
    UNDER_INVESTIGATION,
    outcome_code,
)
from sandbox.world.places import MICRO, CouncilPlace, Street, WardPlace, digest, share

FEWEST, MOST = 25, 120
ON_AN_EDGE = 0.05
AT_A_STATION = 0.007
SHARED_PERSISTENT_ID = 0.01

# Months from the crime to its last outcome, and how many of the outcomes take that long.
LAGS = {0: 0.21, 1: 0.15, 2: 0.10, 3: 0.07, 4: 0.351, 5: 0.03, 6: 0.025}
LAGS |= {lag: 0.045 / 6 for lag in range(7, 13)} | {lag: 0.015 / 12 for lag in range(13, 25)}
LAGS |= {lag: 0.004 / 5 for lag in range(25, 30)}
LONGEST_LAG = max(LAGS)
NO_UPDATE_LAG = 4
NO_UPDATE_SHARE_AT_LAG = 0.95

IDS_OF_A_MONTH = 5_000_000
FIRST_ID_WITHOUT_PLACE = 4_000_000
IDS_OF_A_FORCE = 1_000
IDS_OF_A_COUNCIL = 10_000
FIRST_YEAR = 2000


class Crime(NamedTuple):
    """One crime; `history` is (months after the crime, outcome), oldest first."""

    category: str
    street: Street | None
    at_a_station: bool
    persistent_id: str
    id: int
    month: str
    history: tuple[tuple[int, str], ...]

    def outcome_in(self, month: str) -> dict[str, str] | None:
        """The outcome as known in `month`."""
        age = month_number(month) - month_number(self.month)
        known = [event for event in self.history if event[0] <= age]
        if not known:
            return None
        lag, outcome = known[-1]
        return {"category": outcome, "date": month_text(month_number(self.month) + lag)}


def crimes_of(place: CouncilPlace, month: str, seed: int) -> list[Crime]:
    """Every crime of a council and month, grouped by category."""
    first_id = _first_id(month) + place.number * IDS_OF_A_COUNCIL
    crimes: list[Crime] = []
    for ward in place.wards_in(month):
        rng = Random(digest(seed, place.gss_code, ward.ward.code, month))
        persistent = ""
        for _ in range(_how_many(ward, month, seed)):
            crime = _crime(ward, month, rng, first_id + len(crimes), persistent)
            persistent = crime.persistent_id or persistent
            crimes.append(crime)
    return sorted(crimes, key=_position)


def crimes_without_place(force: str, number: int, month: str, seed: int) -> list[Crime]:
    """A few crimes of a force and month that could not be mapped. `number` is the force's."""
    rng = Random(digest(seed, force, "no location", month))
    first_id = _first_id(month) + FIRST_ID_WITHOUT_PLACE + number * IDS_OF_A_FORCE
    count = 3 + int(rng.random() * 10)
    crimes = [_crime(None, month, rng, first_id + index, "") for index in range(count)]
    return sorted(crimes, key=_position)


def render(crime: Crime, seen_in: str) -> dict[str, Any]:
    """The API's crime object: always these 9 keys, coordinates as text."""
    location_type = "BTP" if crime.at_a_station else "Force"
    return {
        "category": crime.category,
        "location_type": location_type if crime.street else None,
        "location": _location(crime.street) if crime.street else None,
        "context": "",
        "outcome_status": crime.outcome_in(seen_in),
        "persistent_id": crime.persistent_id,
        "id": crime.id,
        "location_subtype": "STATION" if crime.at_a_station else "",
        "month": crime.month,
    }


def render_outcome(crime: Crime, outcome: str, month: str) -> dict[str, Any]:
    """The API's outcome object of a crime."""
    rendered = render(crime, month)
    del rendered["outcome_status"]
    return {
        "category": {"code": outcome_code(outcome), "name": outcome},
        "date": month,
        "person_id": None,
        "crime": rendered,
    }


def minified(content: Any) -> bytes:
    """JSON as the API writes it: no spaces, ASCII, every slash escaped."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return text.replace("/", "\\/").encode("ascii")


def degrees(micro: int) -> str:
    """Six decimals, from millionths of a degree."""
    whole, rest = divmod(abs(micro), MICRO)
    return f"{'-' if micro < 0 else ''}{whole}.{rest:06}"


def _first_id(month: str) -> int:
    return (month_number(month) - FIRST_YEAR * 12) * IDS_OF_A_MONTH


def _position(crime: Crime) -> tuple[int, int]:
    return _ORDER[crime.category], crime.id


def _how_many(ward: WardPlace, month: str, seed: int) -> int:
    usual = 30 + 75 * float(share(seed, ward.ward.code, "usual") ** 1.5)
    swing = 24 * (share(seed, ward.ward.code, month, "swing") - 0.5)
    return min(MOST, max(FEWEST, round(usual + swing)))


def _crime(ward: WardPlace | None, month: str, rng: Random, number: int, before: str) -> Crime:
    # One draw for each trait, whether it is used or not: traits stay independent.
    kind, place, which, station, lag, outcome, repeat, no_update = (rng.random() for _ in range(8))
    category = _CATEGORY.pick(kind)
    at_a_station = ward is not None and station < AT_A_STATION
    quiet = category == ANTI_SOCIAL_BEHAVIOUR
    persistent = ""
    if not quiet and not at_a_station:
        own = hashlib.sha256(f"{number}|{rng.random()}".encode()).hexdigest()
        persistent = before if before and repeat < SHARED_PERSISTENT_ID else own
    return Crime(
        category=category,
        street=_street(ward, place, which, at_a_station) if ward else None,
        at_a_station=at_a_station,
        persistent_id=persistent,
        id=number,
        month=month,
        history=() if quiet else _history(_LAG.pick(lag), outcome, no_update),
    )


def _street(ward: WardPlace, place: float, which: float, at_a_station: bool) -> Street:
    if at_a_station:
        return ward.inside[0]
    streets = ward.on_edges if ward.on_edges and place < ON_AN_EDGE else ward.inside[1:]
    return streets[int(which * len(streets))]


def _history(lag: int, outcome: float, no_update: float) -> tuple[tuple[int, str], ...]:
    silent = lag == NO_UPDATE_LAG and no_update < NO_UPDATE_SHARE_AT_LAG
    last = NO_UPDATE if silent else _OUTCOME.pick(outcome)
    return ((0, last),) if lag == 0 else ((0, UNDER_INVESTIGATION), (lag, last))


def _location(street: Street) -> dict[str, Any]:
    return {
        "latitude": degrees(street.y),
        "street": {"id": street.number, "name": street.name},
        "longitude": degrees(street.x),
    }


class _Choice:
    """Picks by weight from a number between 0 and 1."""

    def __init__(self, options: Sequence[Any], weights: Sequence[float]) -> None:
        self.options = list(options)
        self.steps = [step / sum(weights) for step in accumulate(weights)]

    def pick(self, at: float) -> Any:
        return self.options[min(bisect_right(self.steps, at), len(self.options) - 1)]


_ORDER: dict[str, int] = {category: index for index, category in enumerate(CATEGORIES)}
_CATEGORY = _Choice(list(CATEGORIES), [weight for _, weight in CATEGORIES.values()])
_OUTCOME = _Choice(list(OUTCOMES), [weight for _, weight in OUTCOMES.values()])
_LAG = _Choice(list(LAGS), list(LAGS.values()))
