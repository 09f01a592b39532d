"""What is asked: the table, and requests of five kinds in fixed shares."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date
from itertools import cycle
from typing import NamedTuple

from tests.published_version import Table

NAME = "ward_crime_monthly"
TYPES = {
    "council": "text",
    "ward_code": "text",
    "month": "date",
    "category": "text",
    "crimes": "bigint",
}
KEY = ("council", "ward_code", "month", "category")
CATEGORIES = (
    "anti-social-behaviour", "bicycle-theft", "burglary", "criminal-damage-arson", "drugs",
    "other-crime", "other-theft", "possession-of-weapons", "public-order", "robbery",
    "shoplifting", "theft-from-the-person", "vehicle-crime", "violent-crime",
)  # fmt: skip
WARDS = {"kingston": range(400, 419), "sutton": range(500, 520)}
MONTHS = 24
# Of ten requests.
SHARES = {"hot": 4, "filtered": 2, "aggregate": 1, "unchanged": 2, "error": 1}
STATUS = {"hot": 200, "filtered": 200, "aggregate": 200, "unchanged": 304, "error": 400}
_ROOT = f"/v1/datasets/{NAME}"
HOT = f"{_ROOT}/rows?council=sutton&limit=25"
_WRONG = f"{_ROOT}/rows?concil=sutton"
# More than a server remembers of these, so that each is computed.
_DISTINCT = 8000


class Request(NamedTuple):
    """A request; `etag` is what it sends as `If-None-Match`."""

    kind: str
    path: str
    etag: str = ""


def table(shift: int = 0, months: int = MONTHS) -> Table:
    """Counts by ward, month and kind of crime; others with another `shift`."""
    rows = [
        {
            "council": council,
            "ward_code": f"E05000{ward}",
            "month": _month(month),
            "category": category,
            "crimes": (ward * 7 + month * 3 + place + shift) % 40,
        }
        for council, wards in WARDS.items()
        for ward in wards
        for month in range(months)
        for place, category in enumerate(CATEGORIES)
    ]
    return Table(TYPES, KEY, rows)


def plan(etag: str, shares: Mapping[str, int] = SHARES) -> list[Request]:
    """Requests in an order to be repeated; `etag` is that of the answer to `HOT`."""
    chance = random.Random(1)
    count = _DISTINCT // (shares.get("filtered") or shares.get("aggregate") or _DISTINCT)
    made = {"filtered": cycle(_filtered(chance)), "aggregate": cycle(_aggregates(chance))}
    always = {
        "hot": Request("hot", HOT),
        "unchanged": Request("unchanged", HOT, etag),
        "error": Request("error", _WRONG),
    }
    block = [kind for kind, share in shares.items() for _ in range(share)]
    found: list[Request] = []
    for _ in range(count):
        chance.shuffle(block)
        found += [always[kind] if kind in always else next(made[kind]) for kind in block]
    return found


def _filtered(chance: random.Random) -> list[Request]:
    paths = [
        f"{_ROOT}/rows?council={council}&ward_code=E05000{ward}&month=gte.{_month(month)}"
        f"&crimes=gte.{least}&limit={most}"
        for council, wards in WARDS.items()
        for ward in wards
        for month in range(MONTHS - 2)
        for least in range(5)
        for most in (25, 26)
    ]
    chance.shuffle(paths)
    return [Request("filtered", path) for path in paths]


def _aggregates(chance: random.Random) -> list[Request]:
    paths = [
        f"{_ROOT}/aggregate?group=category&measure=sum.crimes&ward_code=E05000{ward}"
        f"&month=gte.{_month(month)}&crimes=gte.{least}"
        for wards in WARDS.values()
        for ward in wards
        for month in range(MONTHS - 2)
        for least in range(5)
    ]
    chance.shuffle(paths)
    return [Request("aggregate", path) for path in paths]


def _month(number: int) -> date:
    return date(2024 + number // 12, number % 12 + 1, 1)
