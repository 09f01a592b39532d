"""environment.data.gov.uk/flood-monitoring: its paths and parameters, over any network.

Source: https://environment.data.gov.uk/flood-monitoring/doc/reference and
recorded answers. What the live API says to a wrong parameter or an unknown
station is not known: here it is plain text, and no client should read it.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any, Protocol

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route

from sandbox.middleware.faults import Faults
from sandbox.rivers.archive import archived
from sandbox.rivers.envelope import Writer, csv_of, envelope, enveloped
from sandbox.rivers.measures import Item, Network
from sandbox.rivers.readings import KEPT_DAYS, Readings, Span
from sandbox.rivers.selection import (
    Query,
    chosen_measures,
    chosen_stations,
    chosen_warnings,
    default_view,
    query_of,
    span_of,
)

HOST = "environment.data.gov.uk"
DEFAULT_READINGS = 500
MOST_READINGS = 10_000


class RiverData(Protocol):
    """What the API needs to know, as of the present moment."""

    def readings(self) -> Readings:
        """The network with its readings."""
        ...

    def measures(self, which: list[int]) -> list[Item]:
        """Measures with their latest reading, where they have one."""
        ...

    def warnings(self) -> list[Item]:
        """The flood warnings in force, each with its place under `lat` and `long`."""
        ...

    def whole_answer(self, path: str, query: str, items: list[Item] | None) -> bytes | None:
        """The recorded body of this very query, or of all these items."""
        ...


def river_mount(data: RiverData, *, faults: Path | None) -> Mount:
    """The API under its host's name."""
    api = RiverApi(data)
    return Mount(
        f"/{HOST}/flood-monitoring",
        routes=[Route("/{path:path}", api.answer, methods=["GET"])],
        middleware=[Middleware(Faults, control=faults)],
    )


class RiverApi:
    """Finds out what a path asks for, and answers in JSON or CSV."""

    def __init__(self, data: RiverData) -> None:
        self.data = data

    def answer(self, request: Request) -> Response:
        """Any path. Not async, so that a long answer holds up no other."""
        path, text = request.path_params["path"], request.url.query
        if path.startswith("archive/"):
            return self._archive(path.removeprefix("archive/"))
        as_csv = path.endswith(".csv")
        path = path.removesuffix(".csv")
        if not as_csv and (body := self.data.whole_answer(path, text, None)) is not None:
            return _json(body)
        query = query_of(text)
        match path.split("/"):
            case ["data", "readings"]:
                return self._readings(path, query, None, as_csv)
            case ["id", "stations" | "measures" as of, name, "readings"]:
                which = self._measures_of(of, name)
                return self._readings(path, query, which, as_csv)
            case _:
                items = self._items(path, query)
        if isinstance(items, list):
            whole = not as_csv and query.limit is None and not query.offset
            if whole and (body := self.data.whole_answer(path, text, items)) is not None:
                return _json(body)
            items = items[query.offset :][: query.limit]
        if as_csv:
            return _csv(csv_of(items if isinstance(items, list) else [items]))
        return _json(envelope(path, text, items, query.limit))

    def _items(self, path: str, query: Query) -> list[Item] | Item:
        network = self.data.readings().network
        match path.split("/"):
            case ["id", "stations"]:
                found = chosen_stations(network, query)
                return found if query.full else list(map(default_view, found))
            case ["id", "stations", reference]:
                return self._station(network, reference)
            case ["id", "stations", reference, "measures"]:
                return self.data.measures(self._measures_of("stations", reference))
            case ["id", "measures"]:
                return self.data.measures(chosen_measures(network, query))
            case ["id", "measures", notation]:
                return self.data.measures(self._measures_of("measures", notation))[0]
            case ["id", "floods"]:
                return chosen_warnings(self.data.warnings(), query)
        raise HTTPException(404, "Not found")

    def _station(self, network: Network, reference: str) -> Item:
        station = network.station(reference)
        if station is None:
            raise HTTPException(404, "Not found")
        measures = self.data.measures(network.measures_of(reference)) or station["measures"]
        return station | {"measures": measures[0] if len(measures) == 1 else measures}

    def _measures_of(self, of: str, name: str) -> list[int]:
        network = self.data.readings().network
        if of == "stations":
            if network.station(name) is None:
                raise HTTPException(404, "Not found")
            return network.measures_of(name)
        at = network.measure(name)
        if at is None:
            raise HTTPException(404, "Not found")
        return [at]

    def _readings(self, path: str, query: Query, which: list[int] | None, as_csv: bool) -> Response:
        readings = self.data.readings()
        limit = min(DEFAULT_READINGS if query.limit is None else query.limit, MOST_READINGS)
        measures = tuple(chosen_measures(readings.network, query, which))
        moment = readings.moment
        if query.latest:
            rows = readings.latest(measures).take(slice(query.offset, query.offset + limit))
        else:
            oldest = moment.as_of - timedelta(days=KEPT_DAYS)
            first, last, after = span_of(query, oldest, moment.as_of)
            rows = readings.page(
                Span(measures, first, last, after),
                offset=query.offset,
                limit=limit,
                newest_first=query.newest_first,
            )
        writer = Writer(readings)
        if as_csv:
            uris = [measure["@id"] for measure in readings.network.measures]
            lines = [f"{stamp},{uris[at]},{value}\n" for at, stamp, value in writer.table(rows)]
            return _csv("".join(["dateTime,measure,value\n", *lines]).encode())
        return _json(enveloped(path, query.text, writer.items(rows, full=query.full), limit))

    def _archive(self, name: str) -> Response:
        kind, _, day = name.removesuffix(".csv").rpartition("readings-")
        full = day.startswith("full-")
        try:
            asked = date.fromisoformat(day.removeprefix("full-"))
        except ValueError as error:
            raise HTTPException(404, "Not found") from error
        chunks = archived(self.data.readings(), asked, full=full)
        if kind or not name.endswith(".csv") or chunks is None:
            raise HTTPException(404, "Not found")
        return StreamingResponse(chunks, media_type="text/csv")


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _csv(body: Any) -> Response:
    return Response(body, media_type="text/csv")
