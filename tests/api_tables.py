"""Tables with a column of every type, and plain Python for what the read API does with them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.published_version import Table

TYPES = {
    "council": "text",
    "day": "date",
    "number": "bigint",
    "small": "integer",
    "price": "numeric(12,2)",
    "long": "numeric(38,10)",
    "level": "double precision",
    "is_open": "boolean",
    "seen_at": "timestamp with time zone",
    "local_at": "timestamp without time zone",
    "note": "text",
    "tags": "jsonb",
}
_NOTES = ("", "a,b", 'say "hello"', "Ä & ö", "line\nbreak", "eq.x", "gte.1", "100%", "+1", "🐟")
SHAPE = '{"type": "Point", "coordinates": [-0.3, 51.4]}'
PLACES = Table(
    {"place": "text", "geometry": "jsonb"},
    ("place",),
    [{"place": "a", "geometry": SHAPE}, {"place": "b", "geometry": None}],
)
LONG = Decimal("12345678901234567890.0123456789")
# As they are: arithmetic would round them.
_LONG = (LONG, LONG.copy_negate(), Decimal("0E-10"), Decimal("0.0000000001"))


def crimes_of_wards() -> Table:
    """Counts by ward, month and kind."""
    types = {"council": "text", "ward_code": "text", "month": "date", "category": "text"}
    rows = [
        {
            "council": council,
            "ward_code": f"E050{ward:05}",
            "month": date(2024 + month // 12, month % 12 + 1, 1),
            "category": category,
            "crimes": (ward * 7 + month * 3) % 40,
        }
        for council, first in (("kingston", 0), ("sutton", 50))
        for ward in range(first, first + 20)
        for month in range(24)
        for category in ("burglary", "drugs", "robbery")
    ]
    return Table(types | {"crimes": "bigint"}, ("council", "ward_code", "month", "category"), rows)


def every_type(count: int = 300, seed: int = 1) -> Table:
    """A table with a column of every type, most with nulls and with repeated values."""
    return Table(TYPES, ("council", "day"), list(_rows(count, random.Random(seed))))  # noqa: S311


def _rows(count: int, chance: random.Random) -> Iterable[dict[str, Any]]:
    def some(value: Any) -> Any:
        return None if chance.random() < 0.15 else value

    for place in range(count):
        moment = datetime(2026, 1, 1, 12, 30, tzinfo=UTC) + timedelta(
            hours=chance.randint(0, 2000), microseconds=chance.choice((0, 5))
        )
        yield {
            "council": "kingston" if place < count // 2 else "sutton",
            "day": date(2025, 12, 1) + timedelta(days=place % (count // 2)),
            "number": some(chance.randint(-5, 5) * chance.choice((1, 2**60))),
            "small": some(chance.randint(0, 200)),
            "price": some(Decimal(chance.randint(-10_000, 10_000)) / 100),
            "long": some(chance.choice(_LONG)),
            "level": some(chance.choice((0.0, -0.0, 1.5, -2.25, 1e300, 0.1, float("nan")))),
            "is_open": some(chance.random() < 0.5),
            "seen_at": some(moment),
            "local_at": some(moment.replace(tzinfo=None)),
            "note": some(chance.choice(_NOTES)),
            "tags": some(chance.choice(("[1, 2]", '{"a": "b"}', "null"))),
        }


def cleaned(value: Any) -> Any:
    """A value as it is compared: what JSON has no number for is null."""
    return None if isinstance(value, float) and value != value else value


def compared(operator: str, value: Any, low: Any, high: Any) -> bool:
    """Whether a value meets a condition with a literal that stands for `low` to `high`."""
    if value is None:
        return False
    tests: dict[str, Callable[[], bool]] = {
        "eq": lambda: low <= value <= high,
        "neq": lambda: not low <= value <= high,
        "gt": lambda: value > high,
        "gte": lambda: value >= low,
        "lt": lambda: value < low,
        "lte": lambda: value <= high,
    }
    return tests[operator]()


def as_json(value: Any) -> Any:
    """A value as an answer has it, once its numbers are read as decimals."""
    value = cleaned(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, datetime):
        text = value.isoformat()
        return text.replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return Decimal(repr(value + 0.0))
    return Decimal(value) if isinstance(value, int) else value
