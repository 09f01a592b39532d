"""Whole landings of sources of many shapes: archives, parents, paging, interruptions."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from include.errors import PermanentError, SourceRejected, SourceUnavailable
from include.extract import client as asking
from include.jobs.pipeline import extract as job
from include.jobs.pipeline import parents
from include.jobs.pipeline.extract import extract
from include.records.read import read_records
from include.sources.extract.http import Rate
from include.sources.model import Contract
from tests.integration.conftest import serving
from tests.samples import column, contract, extracting

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
STATIONS = [
    {"ref": "A1", "river": "Hogsmill"},
    {"ref": "B2", "river": ["Wandle", "Wandle Arm"]},
    {"ref": "A1", "river": "Hogsmill"},
    {"ref": None, "river": "Thames"},
]
STATION = contract(
    column("ref"),
    column("river", list_value="first"),
    name="stations",
    period="day",
    extract=extracting(request={"path": "/stations"}),
    format={"records": "items"},
)
READINGS = contract(
    column("station", request="station.ref"),
    column("value", "integer"),
    name="readings",
    period="day",
    extract=extracting(
        attempts=1,
        for_each="station",
        parents={
            "station": {"source": "stations"},
            "all": {"source": "stations", "match": {"river": "Hogsmill"}, "each": "{ref}"},
        },
        request={"path": "/stations/{station.ref}/readings", "query": {"date": "{period}"}},
        paging={
            "kind": "offset",
            "size": 2,
            "size_parameter": "n",
            "parameter": "skip",
            "last_page": "short",
        },
        archive={
            "from_age_days": 10,
            "base_url": "https://files.test/archive",
            "request": {"path": "/{period}.csv"},
            "answers": {"not_published": [404]},
            "format": {"kind": "csv", "select": {"field": "ref", "among": "all"}},
            "paths": {"station": "ref"},
        },
    ),
    format={"records": "items"},
)


class FixedNow(datetime):
    """The clock of a job, standing still."""

    moment = NOW

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.moment


class Api:
    """Stations, their readings in pages, and a file a day; fails once told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fail_at: str | None = None
        self.app = Starlette(
            routes=[
                Route("/api.test/v1/stations", self.stations),
                Route("/api.test/v1/stations/{ref}/readings", self.readings),
                Route("/files.test/archive/{name}", self.file),
            ]
        )

    def stations(self, request: Request) -> Response:
        return JSONResponse({"items": STATIONS})

    def readings(self, request: Request) -> Response:
        ref, skip = request.path_params["ref"], int(request.query_params["skip"])
        self.asked.append(f"{ref} {skip}")
        if self.asked[-1] == self.fail_at:
            return PlainTextResponse("down", 500)
        return JSONResponse({"items": [{"value": n} for n in range(5)][skip : skip + 2]})

    def file(self, request: Request) -> Response:
        self.asked.append(request.path_params["name"])
        if request.path_params["name"] == "2026-01-01.csv":
            return PlainTextResponse("", 404)
        return PlainTextResponse("ref,value\r\nA1,1\r\nC3,2\r\nA1,3,4\r\nB2,5\r\n")


@pytest.fixture
def api(monkeypatch, deployment) -> Iterator[Api]:
    monkeypatch.setattr(job, "datetime", FixedNow)
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    monkeypatch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
    known = {"stations": STATION, "readings": READINGS}
    monkeypatch.setattr(parents, "contract", known.__getitem__)
    found = Api()
    with serving(found.app) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        yield found


def landed(lake: Any, source: Contract, day: str = "2026-11-20", run_id: str = "run") -> Any:
    landing_id = extract(source, source.partition("kingston", day), lake=lake, run_id=run_id)
    where = source.partition("kingston", day)
    return lake.landings.manifest(where, landing_id)


def bodies(bucket: Any, manifest: Any) -> list[bytes]:
    prefix = f"landing/{manifest.source}/kingston/{manifest.period}/{manifest.landing_id}/"
    return [gzip.decompress(bucket.body(prefix + page.name)) for page in manifest.pages]


def test_each_record_of_a_parent_is_requested_once_and_paged(lake, bucket, api):
    parent = landed(lake, STATION)

    manifest = landed(lake, READINGS)

    assert [(page.label, page.records) for page in manifest.pages] == [
        ("A1", 2),
        ("A1#2", 2),
        ("A1#3", 1),
        ("B2", 2),
        ("B2#2", 2),
        ("B2#3", 1),
    ]
    assert {page.context["station.ref"] for page in manifest.pages[:3]} == {"A1"}
    assert {page.way for page in manifest.pages} == {"api"}
    assert manifest.parents["station"].landing_id == parent.landing_id
    assert [len(json.loads(body)["items"]) for body in bodies(bucket, manifest)] == [2, 2, 1] * 2


def test_a_parents_records_that_are_missing_say_what_to_fetch(lake, api):
    with pytest.raises(PermanentError, match="needs a landing of stations"):
        landed(lake, READINGS)


@pytest.mark.parametrize(
    ("day", "way"), [("2026-11-12", "api"), ("2026-11-11", "archive"), ("2026-11-10", "archive")]
)
def test_a_periods_age_decides_where_it_is_requested(lake, api, day, way):
    landed(lake, STATION)

    assert {page.way for page in landed(lake, READINGS, day).pages} == {way}


def test_an_archive_is_landed_whole_and_its_records_are_those_of_the_parents(lake, bucket, api):
    landed(lake, STATION)

    manifest = landed(lake, READINGS, "2026-10-01")

    (page,) = manifest.pages
    assert page.request.url.endswith("/files.test/archive/2026-10-01.csv")
    assert page.context == {"all": "A1,A1"}
    assert manifest.parents.keys() == {"all"}
    (body,) = bodies(bucket, manifest)
    assert body.count(b"\n") == 5
    chunks = read_records(io.BytesIO(body), page.bytes, READINGS.layout(page.way), page.context)
    assert [row for chunk in chunks for row in chunk] == [{"ref": "A1", "value": "1"}, "A1,3,4"]
    assert page.records == 2


def test_a_day_that_the_archive_lacks_is_a_failure(lake, api):
    landed(lake, STATION)

    with pytest.raises(SourceRejected, match=r"HTTP 404 .* does not have this period"):
        landed(lake, READINGS, "2026-01-01")


def test_an_interrupted_landing_is_resumed_in_the_middle_of_paging(lake, bucket, api):
    landed(lake, STATION)
    complete = landed(lake, READINGS, run_id="complete")
    api.fail_at = "B2 2"
    with pytest.raises(SourceUnavailable, match="B2#2: HTTP 500"):
        landed(lake, READINGS)
    api.fail_at = None
    api.asked.clear()

    resumed = landed(lake, READINGS)

    assert api.asked == ["B2 2", "B2 4"]
    assert [page.request for page in resumed.pages] == [page.request for page in complete.pages]
    assert [page.context for page in resumed.pages] == [page.context for page in complete.pages]
    assert resumed.pages_hash == complete.pages_hash


def test_another_landing_of_the_parent_restarts_only_where_it_differs(lake, api, monkeypatch):
    landed(lake, STATION)
    api.fail_at = "B2 2"
    with pytest.raises(SourceUnavailable):
        landed(lake, READINGS)
    api.fail_at = None
    api.asked.clear()
    monkeypatch.setitem(STATIONS[0], "ref", "A0")
    monkeypatch.setattr(FixedNow, "moment", NOW + timedelta(minutes=1))
    landed(lake, STATION, run_id="later")

    manifest = landed(lake, READINGS)

    assert api.asked[:1] == ["A0 0"]
    assert [page.label for page in manifest.pages][::3] == ["A0", "B2", "A1"]


@pytest.mark.parametrize(
    ("compare", "found"),
    [
        ({"match": {"river": "Hogsmill"}}, ["A1"]),
        ({"match": {"river": ["Wandle", "Hogsmill"]}}, ["B2", "A1"]),
        ({"match": {"river": None}}, ["D4"]),
        ({"match": {"river": [None, "Wandle"]}}, ["D4", "B2"]),
        ({"not": {"river": ["Hogsmill", None]}}, ["B2", "N"]),
        ({"not": {"river": None, "ref": ["B2", "N"]}}, ["A1"]),
        ({"match": {"river": "None"}}, ["N"]),
    ],
    ids=str,
)
def test_records_of_a_parent_are_compared_with_texts_null_and_lists(
    lake, api, monkeypatch, compare, found
):
    more = [{"ref": "D4"}, {"ref": "N", "river": "None"}]
    monkeypatch.setitem(globals(), "STATIONS", [*STATIONS, *more])
    landed(lake, STATION)
    station = {"source": "stations", **compare}
    source = contract(
        name="readings",
        extract=extracting(
            request={"path": "/{station.ref}"}, for_each="station", parents={"station": station}
        ),
    )

    records = parents.ParentLandings(source, "kingston", lake).records("station", ["ref"], {})

    assert [record["ref"] for record in records] == found
