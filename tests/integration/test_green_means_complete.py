"""Whatever answers in place of a page of any source: no run is green with fewer rows.

Each source of the project is fetched from the sandbox once. Then one of its
pages is replaced by an answer that is not the data, with status 200: while
fetching, and in a landing that an earlier version took for the data.
EXAMPLES=<number> tries more of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from include.errors import LandingDamaged, LoadRefused, PipelineError
from include.extract import client as asking
from include.jobs.lake import Lake
from include.jobs.pipeline import extract as job
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.landing.manifest import LandedPage
from include.landing.read import read_pages
from include.landing.store import landing_prefix
from include.landing.write import Draft
from include.records import line_body
from include.records.evidence import Witness
from include.records.json import records as json_records
from include.sources.extract.http import Extract, Rate
from include.sources.formats import Format
from include.sources.model import Contract, every_contract
from include.sources.page import PageFacts
from include.sources.partition import Partition
from include.warehouse.schema.migrate import migrate
from sandbox.app import create_app
from tests.integration.answers_that_are_not_data import Substitute, substitutes
from tests.integration.conftest import AS_OF, S3_SESSION, Warehouse, serving

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
EXAMPLES = int(os.environ.get("EXAMPLES", "0"))
# Parents first: what others ask with is fetched before them.
PARTITIONS = (
    ("bank_holidays", "uk", "2026-11"),
    ("police_ward_boundaries", "kingston", "2026-11"),
    ("police_street_crime", "kingston", "2026-06"),
    ("flood_stations", "kingston", "2026-11-21"),
    ("flood_readings", "kingston", "2026-11-18"),
    ("flood_readings", "kingston", "2026-07-03"),
    ("flood_readings_uk", "uk", "2026-11-18"),
    ("flood_readings_uk", "uk", "2026-07-03"),
    ("weather_hourly", "kingston", "2026-10-01"),
    ("air_sensors", "kingston", "2026-11"),
    ("planning_applications", "kingston", "2026-11"),
    ("waste_collections", "kingston", "2026-09"),
)
# Answers of a login; they never become pages.
TOKENS = "/oauth2/token"
_runs = itertools.count(1)


class Clock(datetime):
    """The clock of a job, which only the next run moves."""

    moment = NOW

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.moment


class Between:
    """An ASGI app in front of the sandbox, which keeps its answers, and gives others if told to."""

    def __init__(self, sandbox: Any) -> None:
        self.asked: list[str] = []
        self.instead: dict[str, Substitute] = {}
        self._sandbox = sandbox
        self._answers: dict[str, tuple[int, list[tuple[bytes, bytes]], bytes]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._sandbox(scope, receive, send)
            return
        request = Request(scope, receive)
        sent = await request.body()
        key = f"{request.method} {request.url.path}?{request.url.query} {sent.decode()}"
        if request.url.path.endswith(TOKENS):
            await self._sandbox(scope, _receiving(sent), send)
            return
        self.asked.append(key)
        if key in self.instead:
            await _substituted(self.instead[key])(scope, receive, send)
            return
        if key not in self._answers:
            self._answers[key] = await self._of_sandbox(scope, sent)
        status, headers, body = self._answers[key]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _of_sandbox(
        self, scope: Any, sent: bytes
    ) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        messages: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self._sandbox(scope, _receiving(sent), send)
        body = b"".join(message.get("body", b"") for message in messages)
        return messages[0]["status"], messages[0]["headers"], body


def _receiving(sent: bytes) -> Any:
    """The client of an ASGI app, which sends a body and never goes."""
    incoming = [{"type": "http.request", "body": sent, "more_body": False}]

    async def receive() -> dict[str, Any]:
        while not incoming:
            await asyncio.sleep(60)
        return incoming.pop()

    return receive


def _substituted(answer: Substitute) -> Response:
    headers = {"content-type": answer.content_type} if answer.content_type else {}
    response = Response(answer.body, headers=headers)
    if answer.declared is not None:
        response.headers["content-length"] = str(answer.declared)
    return response


@dataclass
class Fetched:
    """A partition as the sandbox has it: its pages, what they were asked with, and its rows."""

    contract: Contract = field(repr=False)
    partition: Partition
    landing_id: str
    way: str
    asked: list[str] = field(repr=False)
    pages: list[tuple[LandedPage, bytes]] = field(repr=False)
    rows: int


@dataclass
class World:
    """All partitions, in S3 and PostgreSQL."""

    lake: Lake
    warehouse: Warehouse
    api: Between
    fetched: list[Fetched] = field(default_factory=list)

    def extract(self, contract: Contract, partition: Partition) -> str:
        """Land a partition."""
        Clock.moment += timedelta(seconds=1)
        run_id = f"run {next(_runs)}"
        return extract(contract, partition, lake=self.lake, run_id=run_id)

    def load(self, contract: Contract, partition: Partition, landing_id: str) -> dict[str, Any]:
        """Load a landing of it."""
        where = {"lake": self.lake, "dsn": self.warehouse.dsn(), "run_id": f"run {next(_runs)}"}
        return load(contract, partition, landing_id=landing_id, **where)

    def rows(self, partition: Partition) -> int:
        """How many rows a partition has."""
        found = self.warehouse.value(
            f"select count(*) from raw.{partition.source} where _council = '{partition.council}' "
            f"and _period = '{partition.period.first_day}'"
        )
        return int(found)

    def add(self, name: str, council: str, period: str) -> None:
        """Fetch and load a partition."""
        contract = every_contract()[name]
        partition = contract.partition(council, period)
        self.api.asked.clear()
        landing_id = self.extract(contract, partition)
        asked = list(dict.fromkeys(self.api.asked))
        manifest = self.lake.landings.manifest(partition, landing_id)
        landed = read_pages(self.lake.landings, partition, manifest)
        pages = [(page, body.read()) for page, body in landed]
        assert self.load(contract, partition, landing_id)["status"] == "loaded"
        rows = self.rows(partition)
        assert rows
        assert len(asked) == len(pages)
        way = pages[0][0].way
        self.fetched.append(Fetched(contract, partition, landing_id, way, asked, pages, rows))

    def is_green(self, item: Fetched, landing_id: str | None, *, first: bool) -> str:
        """Fetch, unless a landing is named, and load; the result if that did not fail."""
        what = (item.contract, item.partition)
        if first:
            self.warehouse.query(f"truncate ops.load, raw.{item.contract.name}")
        try:
            return str(self.load(*what, landing_id or self.extract(*what)))
        except PipelineError as failure:
            error = failure
        finally:
            self.api.instead.clear()
            if landing_id:
                # Or other sources would ask with what it holds.
                prefix = landing_prefix(item.partition, landing_id)
                self.lake.s3.delete_object(Bucket=self.lake.bucket, Key=f"{prefix}manifest.json")
            left = self.rows(item.partition)
            for other in self.fetched if first else ():
                if other.contract.name == item.contract.name:
                    self.load(other.contract, other.partition, other.landing_id)
        assert item.contract.name in str(error)
        assert landing_id is None or isinstance(error, LandingDamaged | LoadRefused)
        assert left == (0 if first else item.rows)
        return ""

    def land(self, item: Fetched, place: int, answer: Substitute) -> str:
        """Land the page and its landing's others, as a version that takes anything for data."""
        Clock.moment += timedelta(seconds=1)
        run_id = f"run {next(_runs)}"
        draft = Draft.open(
            self.lake.landings, item.partition, run_id=run_id,
            contract_hash=item.contract.contract_hash, now=Clock.moment,
        )  # fmt: skip
        for number, (page, body) in enumerate(item.pages):
            if abs(number - place) > 1:
                continue
            facts = PageFacts(**page.model_dump(include=set(PageFacts.model_fields)))
            if number == place:
                body = answer.body
                facts = facts.model_copy(
                    update={
                        "sha256": hashlib.sha256(body).hexdigest(),
                        "bytes": len(body),
                        "records": _counted(body, item.contract.layout(item.way)),
                        "headers": {"content-type": answer.content_type},
                    }
                )
            draft.add(facts, page.request, io.BytesIO(body))
        done = draft.finish(
            run_id=run_id, code_version="older", started_at=Clock.moment, parents={}
        )
        return done.landing_id


def _counted(body: bytes, layout: Format) -> int:
    """The records of a body for who takes anything for data."""
    if layout.kind == "csv":
        return max(0, len(body.splitlines()) - 1)
    try:
        found = json.loads(body)
    except ValueError:
        return 0
    for name in layout.path:
        found = found.get(name) if isinstance(found, dict) else None
    return len(found) if isinstance(found, list) else 0


@pytest.fixture(scope="module")
def world(s3: Any, new_database: Any, tmp_path_factory: Any) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("WANDLE_", "AWS_", "AIRFLOW_")):
                patch.delenv(name)
        patch.setenv("WANDLE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(job, "datetime", Clock)
        patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None))
        unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
        patch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
        bucket = "wandle-green-means-complete"
        s3.create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
        )
        warehouse = new_database()
        migrate(warehouse.admin, list(every_contract().values()), {})
        sandbox = create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000)
        api = Between(sandbox)
        with serving(api) as url:
            patch.setenv("WANDLE_SANDBOX_URL", url)
            found = World(Lake(s3, bucket, S3_SESSION), warehouse, api)
            for partition in PARTITIONS:
                found.add(*partition)
            yield found


@st.composite
def replaced(draw: st.DrawFn, fetched: list[Fetched]) -> tuple[Fetched, int, Substitute]:
    """A partition, the number of one of its pages, and what comes in its place."""
    item = draw(st.sampled_from(fetched))
    place = draw(st.integers(0, len(item.pages) - 1))
    answer = draw(substitutes(item.pages[place][1], item.contract.layout(item.way)))
    return item, place, answer


# Each is fetched, and reloaded, first and in place of rows.
many = settings(
    max_examples=EXAMPLES or 40, suppress_health_check=list(HealthCheck), print_blob=True
)


def test_every_source_that_is_requested_over_http_is_tried():
    http = {name for name, item in every_contract().items() if isinstance(item.extract, Extract)}
    archived = {name for name in http if getattr(every_contract()[name].extract, "archive", None)}

    assert {name for name, _, _ in PARTITIONS} == http
    assert all(sum(other == name for other, _, _ in PARTITIONS) == 2 for name in archived)


@given(data=st.data(), first=st.booleans())
@many
def test_no_fetch_is_green_with_an_answer_that_is_not_the_data(world, data, first):
    item, place, answer = data.draw(replaced(world.fetched))
    world.api.instead[item.asked[place]] = answer

    assert world.is_green(item, None, first=first) == ""


@given(data=st.data(), first=st.booleans())
@many
def test_no_landing_of_an_answer_that_is_not_the_data_is_loaded(world, data, first):
    item, place, answer = data.draw(replaced(world.fetched))
    # Lines that were cut off between two records are noticed only by their length, while fetching.
    assume(not (answer.kind == "cut short" and item.contract.layout(item.way).kind == "csv"))

    assert world.is_green(item, world.land(item, place, answer), first=first) == ""


def _answered(world: World, name: str, period: str, answer: Substitute) -> tuple[Fetched, int]:
    """A partition one of whose pages, not the first, is answered so."""
    item = next(
        item
        for item in world.fetched
        if (item.contract.name, str(item.partition.period)) == (name, period)
    )
    place = min(1, len(item.pages) - 1)
    world.api.instead[item.asked[place]] = answer
    return item, place


def test_without_the_envelope_as_evidence_a_station_would_be_lost(world, monkeypatch):
    monkeypatch.setattr(json_records, "_is_known_empty", lambda layout, holder, inner: True)
    monkeypatch.setattr(json_records, "error_beside", lambda objects, empty: "")
    answer = Substitute("an error", b'{"error": {"status": 503, "message": "Unavailable"}}')
    item, place = _answered(world, "flood_readings", "2026-11-18", answer)

    said = world.is_green(item, None, first=True)

    assert f"'loaded': {item.rows - item.pages[place][0].records}," in said


def test_without_the_header_as_evidence_values_would_be_lost(world, monkeypatch):
    monkeypatch.setattr(line_body, "field_names", lambda names, evidence: names)
    item, place = _answered(world, "flood_readings_uk", "2026-07-03", Substitute("", b""))
    body = item.pages[place][1].replace(b"qualifier", b"qualifies", 1)
    world.api.instead[item.asked[place]] = Substitute("another header", body)

    assert "'status': 'loaded'" in world.is_green(item, None, first=True)


def test_without_the_fields_as_evidence_errors_in_a_list_would_be_records(world, monkeypatch):
    monkeypatch.setattr(Witness, "end", lambda self: None)
    answer = Substitute("a list of errors", b'[{"error": "busy"}]')
    item, _ = _answered(world, "police_street_crime", "2026-06", answer)

    assert "'status': 'loaded'" in world.is_green(item, None, first=True)


def test_the_same_with_the_data_is_green(world):
    for item in world.fetched:
        assert "'status': 'loaded'" in world.is_green(item, None, first=True)
