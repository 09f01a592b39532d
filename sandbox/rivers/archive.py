"""The daily archive files of environment.data.gov.uk: every reading of a day as CSV.

Real files were empty, absent, or held lines that no CSV reader takes; two
values stood in one cell, and the order of the columns is promised nowhere. How
often, and from which day on there are files, is this sandbox's assumption.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from sandbox.rivers.envelope import Writer
from sandbox.rivers.measures import Network
from sandbox.rivers.readings import Readings
from sandbox.world.places import digest, share

FIRST_DAY = date(2017, 1, 1)
BUILT_AFTER = timedelta(days=2)
# A day that clients of the real archive skip.
NEVER_BUILT = date(2023, 4, 4)

ABSENT, EMPTY, CRLF, MALFORMED, REORDERED = 0.01, 0.015, 0.2, 0.3, 0.1

SHORT = ("dateTime", "measure", "value")
FULL = (
    "dateTime", "date", "measure", "station", "label", "stationReference", "parameter",
    "qualifier", "datumType", "period", "unitName", "valueType", "value",
)  # fmt: skip
FULL_REORDERED = (*FULL[2:9], *FULL[:2], *FULL[9:])


def archived(readings: Readings, day: date, *, full: bool) -> Iterator[bytes] | None:
    """The file of a day in chunks of an hour; None if there is no such file."""
    seed = readings.moment.seed
    built = FIRST_DAY <= day <= readings.moment.as_of - BUILT_AFTER and day != NEVER_BUILT
    if not built or share(seed, "archive", day, "absent") < ABSENT:
        return None
    return _pieces(readings, day, full)


def _pieces(readings: Readings, day: date, full: bool) -> Iterator[bytes]:
    def happens(what: str, how_often: float) -> bool:
        return share(readings.moment.seed, "archive", day, what) < how_often

    if happens("empty", EMPTY):
        return
    columns = (FULL_REORDERED if happens("reordered", REORDERED) else FULL) if full else SHORT
    end = "\r\n" if happens("crlf", CRLF) else "\n"
    malformed = full and happens("malformed", MALFORMED)
    lines = Lines(readings.network, columns, day.isoformat())
    writer = Writer(readings)
    yield (",".join(columns) + end).encode()
    for hour, rows in enumerate(readings.archive(day)):
        cells = [lines.line(*row) for row in writer.table(rows)]
        if malformed and hour % 8 == 5 and cells:
            at = digest(readings.moment.seed, day, hour) % len(cells)
            cells[at] = _broken(cells[at], hour)
        yield "".join(f"{line}{end}" for line in cells).encode()


class Lines:
    """Lines of one day, of which each measure's constant part is written once."""

    def __init__(self, network: Network, columns: tuple[str, ...], day: str) -> None:
        self.network = network
        self.columns = columns
        self.day = day
        self._templates: dict[int, str] = {}

    def line(self, measure: int, stamp: str, value: str) -> str:
        """The line of a reading, without its end."""
        if measure not in self._templates:
            self._templates[measure] = self._template(measure)
        return self._templates[measure] % (stamp, value)

    def _template(self, measure: int) -> str:
        item = self.network.measures[measure]
        station = self.network.station(item["stationReference"]) or {}
        constant = item | {
            "date": self.day,
            "measure": item["@id"],
            "label": station.get("label", item["label"]),
        }
        cells = [_escaped(constant.get(column, "")) for column in self.columns]
        cells[self.columns.index("dateTime")] = "%s"
        cells[self.columns.index("value")] = "%s"
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="").writerow(cells)
        return out.getvalue()


def _escaped(value: Any) -> str:
    text = "|".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace("%", "%%")


def _broken(line: str, hour: int) -> str:
    """Cut off, with a comma too many, or without its value."""
    match hour // 8:
        case 0:
            return line[: len(line) // 2]
        case 1:
            return line.replace(",", ",,", 1)
    return line.rpartition(",")[0] + ","
