"""How environment.data.gov.uk writes an answer: the JSON envelope, readings, and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from sandbox.rivers.measures import URI, Item, Network
from sandbox.rivers.readings import Readings, Rows

FORMATS = ("csv", "rdf", "ttl", "html")
LICENCE = "http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/"


def envelope(path: str, query: str, items: Any, limit: int | None = None) -> bytes:
    """The answer to `path`, with `items` a list or one object; `limit` where one applied."""
    return enveloped(path, query, _json(items), limit)


def enveloped(path: str, query: str, items: bytes, limit: int | None) -> bytes:
    """The same of items that are JSON already."""
    query = f"?{query}" if query else ""
    meta: dict[str, Any] = {
        "publisher": "Environment Agency",
        "licence": LICENCE,
        "documentation": f"{URI}/doc/reference",
        "version": "0.9",
        "comment": "Status: Beta service",
        "hasFormat": [f"{URI}/{path}.{form}{query}" for form in FORMATS],
    }
    if limit is not None:
        meta["limit"] = limit
    head = _json({"@context": f"{URI}/meta/context.jsonld", "meta": meta})
    return head[:-1] + b',"items":' + items + b"}"


class Writer:
    """Writes the readings of a network."""

    def __init__(self, readings: Readings) -> None:
        self.readings = readings
        self.network: Network = readings.network

    def items(self, rows: Rows, *, full: bool) -> bytes:
        """A JSON list of readings; in the full view each with its date and its measure whole."""
        names, written = self._notations, []
        for measure, stamp, value in self._cells(rows, "[", ",", "]"):
            name = names[measure]
            date = f'"date":"{stamp[:10]}",' if full else ""
            of = self._measure(measure) if full else f'"{URI}/id/measures/{name}"'
            written.append(
                f'{{"@id":"{URI}/data/readings/{name}/{stamp.replace(":", "-")}",{date}'
                f'"dateTime":"{stamp}","measure":{of},"value":{value}}}'
            )
        return f"[{','.join(written)}]".encode()

    def table(self, rows: Rows) -> Iterator[tuple[int, str, str]]:
        """Measure, time and value as CSV has them: two values joined by a pipe."""
        return self._cells(rows, "", "|", "")

    def latest(self, rows: Rows) -> dict[int, Item]:
        """Each measure's reading as its item embeds it."""
        found = {}
        for measure, stamp, value in self._cells(rows, "[", ",", "]"):
            name = self._notations[measure]
            found[measure] = {
                "@id": f"{URI}/data/readings/{name}/{stamp.replace(':', '-')}",
                "date": stamp[:10],
                "dateTime": stamp,
                "measure": f"{URI}/id/measures/{name}",
                "value": json.loads(value),
            }
        return found

    def _cells(
        self, rows: Rows, begin: str, between: str, end: str
    ) -> Iterator[tuple[int, str, str]]:
        stamps = np.datetime_as_string(rows.at.astype("datetime64[s]")).tolist()
        second = self.readings.second_value(rows)
        plain = np.isnan(second).tolist()
        columns = (rows.measure.tolist(), stamps, rows.value.tolist(), second.tolist(), plain)
        for measure, stamp, value, other, is_plain in zip(*columns, strict=True):
            text = f"{value}" if is_plain else f"{begin}{value}{between}{other}{end}"
            yield measure, f"{stamp}Z", text

    @cached_property
    def _notations(self) -> list[str]:
        return [item["notation"] for item in self.network.measures]

    def _measure(self, at: int) -> str:
        if at not in self._whole:
            item = self.network.measures[at]
            station = self.network.station(item["stationReference"])
            label = station["label"] if station else item["label"]
            whole = {
                "@id": item["@id"],
                **{key: item[key] for key in ("parameter", "period", "qualifier") if key in item},
                "station": {"@id": item["station"], "label": label},
                **{key: item[key] for key in ("stationReference", "unitName", "valueType")},
            }
            self._whole[at] = _json(whole).decode()
        return self._whole[at]

    @cached_property
    def _whole(self) -> dict[int, str]:
        return {}


def csv_of(items: Iterable[Item]) -> bytes:
    """Items as CSV: lists joined by pipes, of an object its URI alone."""
    rows = [{key: _cell(value) for key, value in item.items()} for item in items]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return "|".join(map(_cell, value))
    return str(value.get("@id", "")) if isinstance(value, dict) else str(value)


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
