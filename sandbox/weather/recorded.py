"""Recorded answers of archive-api.open-meteo.com, each for its exact query.

open_meteo/*.json    complete responses; they contain place, days and variables
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sandbox.weather.grid import cell_of
from sandbox.weather.variables import units
from sandbox.world.payloads import holds_answers, whole_answers

FOLDER = "open_meteo"


class RecordedWeather:
    """The recorded answers of a payload directory; none without one."""

    def __init__(self, payloads: Path | None = None) -> None:
        self._answers = [] if payloads is None else list(whole_answers(payloads / FOLDER))

    @staticmethod
    def held(payloads: Path) -> bool:
        """Whether a directory has such recordings."""
        return holds_answers(payloads / FOLDER)

    def answer(
        self,
        places: Sequence[tuple[float, float]],
        first: date,
        last: date,
        hourly: list[str],
        daily: list[str],
        zone: str,
        asked_units: dict[str, str],
    ) -> bytes | None:
        """The body that was recorded for these cells, days, columns, zone and units."""
        cells = [cell_of(*place) for place in places]
        for _, body, content in self._answers:
            parts = content if isinstance(content, list) else [content]
            if [(part["latitude"], part["longitude"]) for part in parts] == cells and all(
                part["timezone"] == zone
                and _fits(part, "hourly", hourly, first, last, asked_units)
                and _fits(part, "daily", daily, first, last, asked_units)
                for part in parts
            ):
                return body
        return None


def _fits(
    part: dict[str, Any],
    kind: str,
    names: list[str],
    first: date,
    last: date,
    asked_units: dict[str, str],
) -> bool:
    columns = part.get(kind, {})
    if sorted(columns.keys() - {"time"}) != sorted(names):
        return False
    if not names:
        return True
    recorded = part[f"{kind}_units"]
    wanted = units(kind, names, asked_units)
    days = columns["time"][0][:10], columns["time"][-1][:10]
    return days == (first.isoformat(), last.isoformat()) and all(
        recorded[name] == wanted[name] for name in names
    )
