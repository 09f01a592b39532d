"""Fetching a partition from the sandbox into S3: pages, manifest, resuming, splitting."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.errors import (
    PermanentError,
    SourceRejected,
    SourceUnavailable,
    UnknownName,
)
from include.extract import client as asking
from include.jobs.pipeline import extract as job
from include.jobs.pipeline.extract import extract
from include.landing.write import Draft
from include.sources.extract.http import Rate
from include.sources.model import contract, contracts
from include.sources.partition import Partition, Period
from sandbox.app import create_app
from tests.integration.conftest import AS_OF, serving

BOUNDARIES = contract("police_ward_boundaries")
CRIME = contract("police_street_crime")
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
LOOSE = {"rate_per_second": 1e6, "burst": 1_000_000}


class Asked:
    """An ASGI app that counts the requests for crimes, and fails some when told to."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.forms: list[str] = []
        self.fail_after: int | None = None
        self.answer = 500

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and "crimes-street" in scope["path"]:
            self.forms.append(scope["path"])
            if self.fail_after is not None and len(self.forms) > self.fail_after:
                start = {"type": "http.response.start", "status": self.answer, "headers": []}
                await send(start)
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)


class FixedNow(datetime):
    """The clock of a job, standing still."""

    moment = NOW

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.moment


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Any:
    monkeypatch.setattr(job, "datetime", FixedNow)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    # The real limits are tested with the client; here they would only take time.
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    monkeypatch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
    FixedNow.moment = NOW
    return FixedNow


@pytest.fixture
def sandbox(monkeypatch, deployment) -> Iterator[Callable[..., Asked]]:
    """Serves a sandbox as the settings' one."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def serve(**options: Any) -> Asked:
            app = Asked(create_app(**({"seed": 7, "as_of": AS_OF} | LOOSE | options)))
            url = stack.enter_context(serving(app))
            monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
            return app

        yield serve


@pytest.fixture
def api(sandbox) -> Asked:
    return sandbox()


def boundaries(lake: Any, council: str = "kingston") -> str:
    return extract(
        BOUNDARIES, BOUNDARIES.partition(council, "2026-11"), lake=lake, run_id="boundaries"
    )


def crimes(lake: Any, period: str = "2026-06", run_id: str = "run", source: Any = CRIME) -> str:
    return extract(source, source.partition("kingston", period), lake=lake, run_id=run_id)


def manifest_of(lake: Any, landing_id: str, period: str = "2026-06", source: Any = CRIME) -> Any:
    where = Partition(source.name, "kingston", Period.parse(period, "month"))
    return lake.landings.manifest(where, landing_id)


def crime_ids(bucket: Any, manifest: Any) -> list[tuple[str, int]]:
    prefix = f"landing/police_street_crime/kingston/{manifest.period}/{manifest.landing_id}/"
    return [
        (page.context["ward.code"], record["id"])
        for page in manifest.pages
        for record in json.loads(gzip.decompress(bucket.body(prefix + page.name)))
    ]


def test_pages_are_stored_next_to_their_manifest_which_is_written_last(lake, bucket, api):
    landing_id = boundaries(lake)

    prefix = f"landing/police_ward_boundaries/kingston/2026-11/{landing_id}/"
    names = [f"{number:04}.json.gz" for number in range(1, 17)]
    assert bucket.listed() == [prefix + name for name in [*names, "manifest.json"]]
    written = [key for name, key in bucket.keys if name == "PutObject"]
    assert written[-1] == prefix + "manifest.json"


def test_a_landing_id_sorts_by_the_time_the_fetch_began(lake, api, clock):
    first = boundaries(lake)
    clock.moment = NOW + timedelta(seconds=1)

    assert first < boundaries(lake)
    assert first.startswith("20261121T090000000000Z-")


def test_a_page_is_the_body_as_received_and_the_manifest_describes_it(lake, bucket, api):
    manifest = manifest_of(lake, boundaries(lake), "2026-11", BOUNDARIES)

    for page in manifest.pages:
        key = f"landing/police_ward_boundaries/kingston/2026-11/{manifest.landing_id}/{page.name}"
        body = gzip.decompress(bucket.body(key))
        assert hashlib.sha256(body).hexdigest() == page.sha256
        assert (len(body), len(json.loads(body))) == (page.bytes, page.records)
        assert page.request.url.endswith(f"/metropolitan/{page.label}/boundary")
        assert page.context["ward.code"] == page.label
    assert manifest.totals.records == sum(page.records for page in manifest.pages)
    assert manifest.contract_hash == BOUNDARIES.contract_hash
    assert manifest.code_version == "test"


def test_the_polygons_come_from_the_newest_landing_of_boundaries(lake, bucket, api):
    parent = boundaries(lake)

    manifest = manifest_of(lake, crimes(lake))

    assert manifest.parents["polygon"].landing_id == parent
    first = manifest.pages[0]
    ring = json.loads(
        gzip.decompress(
            bucket.body(f"landing/police_ward_boundaries/kingston/2026-11/{parent}/0001.json.gz")
        )
    )
    assert first.request.form == {
        "date": "2026-06",
        "poly": ":".join(f"{point['latitude']},{point['longitude']}" for point in ring),
    }


def test_crimes_without_boundaries_say_what_to_fetch_first(lake, api):
    with pytest.raises(PermanentError, match="needs a landing of police_ward_boundaries"):
        crimes(lake)


def test_areas_that_are_too_large_are_split_and_no_crime_is_lost(lake, bucket, sandbox):
    sandbox()
    boundaries(lake)
    whole = crime_ids(bucket, manifest_of(lake, crimes(lake)))
    sandbox(cap=25)

    manifest = manifest_of(lake, crimes(lake, run_id="capped"))
    split = crime_ids(bucket, manifest)

    assert set(split) == set(whole)
    assert len(manifest.pages) > 16
    assert max(page.records for page in manifest.pages) <= 25
    assert any(page.label.count("/") >= 2 for page in manifest.pages)
    assert {page.context["ward.code"] for page in manifest.pages} == {
        page.label.split("/")[0] for page in manifest.pages
    }


# --- resuming --------------------------------------------------------------------------------


def interrupted(lake: Any, api: Asked, pages: int = 5, run_id: str = "run") -> None:
    """Let a fetch fail after some pages, and repair the API."""
    api.fail_after = len(api.forms) + pages
    with pytest.raises(SourceUnavailable, match="HTTP 500"):
        crimes(lake, run_id=run_id)
    api.fail_after = None
    api.forms.clear()


def test_an_interrupted_fetch_resumes_at_the_first_missing_page(lake, bucket, api):
    boundaries(lake)
    complete = manifest_of(lake, crimes(lake, run_id="complete"))
    interrupted(lake, api)

    resumed = manifest_of(lake, crimes(lake))

    assert len(api.forms) == 16 - 5
    assert crime_ids(bucket, resumed) == crime_ids(bucket, complete)
    assert resumed.pages_hash == complete.pages_hash
    assert [page.request for page in resumed.pages] == [page.request for page in complete.pages]


def test_an_interrupted_fetch_can_be_interrupted_again(lake, api):
    boundaries(lake)
    interrupted(lake, api, 5)
    interrupted(lake, api, 3)

    crimes(lake)

    assert len(api.forms) == 16 - 8


def test_a_page_that_vanished_is_fetched_again_with_those_after_it(lake, bucket, api):
    boundaries(lake)
    interrupted(lake, api)
    third = next(key for key in bucket.listed() if key.endswith("0003.json.gz") and "crime" in key)
    lake.s3.delete_object(Bucket=lake.bucket, Key=third)

    crimes(lake)

    assert len(api.forms) == 14


def test_split_areas_are_resumed_part_by_part(lake, bucket, sandbox):
    sandbox()
    boundaries(lake)
    api = sandbox(cap=25)
    complete = manifest_of(lake, crimes(lake, run_id="complete"))
    api.forms.clear()
    interrupted(lake, api, 12)

    resumed = manifest_of(lake, crimes(lake))

    assert resumed.pages_hash == complete.pages_hash


def test_another_run_fetches_again(lake, api):
    boundaries(lake)
    interrupted(lake, api)

    crimes(lake, run_id="another")

    assert len(api.forms) == 16


def test_what_was_interrupted_more_than_a_day_ago_is_fetched_again(lake, api, clock):
    boundaries(lake)
    interrupted(lake, api)
    clock.moment = NOW + timedelta(hours=25)

    crimes(lake)

    assert len(api.forms) == 16


def test_pages_requested_by_another_contract_are_fetched_again(lake, api):
    boundaries(lake)
    interrupted(lake, api)
    changed = CRIME.model_copy(update={"owner": "somebody else"})

    crimes(lake, source=changed)

    assert len(api.forms) == 16


def test_pages_requested_with_other_polygons_are_fetched_again(lake, sandbox, clock, tmp_path):
    state = tmp_path / "sandbox.json"
    api = sandbox(state=state)
    boundaries(lake)
    interrupted(lake, api)
    clock.moment = NOW + timedelta(hours=1)
    state.write_text('{"seed": 8, "as_of": "2026-11-21"}')
    boundaries(lake)

    crimes(lake)

    assert len(api.forms) == 16


def test_a_finished_landing_is_never_touched(lake, bucket, api, clock):
    boundaries(lake)
    first = crimes(lake)
    before = {key: bucket.body(key) for key in bucket.listed()}
    clock.moment = NOW + timedelta(minutes=1)

    second = crimes(lake)

    assert second != first
    assert {key: bucket.body(key) for key in before} == before


# --- what is not there -----------------------------------------------------------------------


def test_a_recent_month_that_the_source_does_not_have_is_not_published(lake, api):
    boundaries(lake)

    landing_id = crimes(lake, "2026-10")

    manifest = manifest_of(lake, landing_id, "2026-10")
    assert manifest.outcome == "not_published"
    assert manifest.answered.status == 404
    assert manifest.pages == ()


def test_an_old_month_that_the_source_does_not_have_is_a_failure(lake, bucket, api):
    boundaries(lake)

    with pytest.raises(SourceRejected, match=r"HTTP 404 .* the source does not have this period"):
        crimes(lake, "2020-01")

    assert [key for key in bucket.listed() if "street_crime" in key] == []


def empty_months(folder: Path, month: str) -> Path:
    """Recorded bodies without a single crime, for every ward of Kingston."""
    from include.councils.model import council

    bodies = folder / "police" / "crimes" / "kingston" / month
    bodies.mkdir(parents=True)
    (folder / "police" / "boundaries").mkdir()
    for ward in council("kingston").wards_on(AS_OF):
        (bodies / f"{ward.code}.json").write_bytes(b"[]")
    return folder


@pytest.mark.parametrize(
    ("month", "outcome"), [("2026-10", "not_published"), ("2017-05", "complete")]
)
def test_an_empty_month_is_unpublished_only_while_it_is_recent(
    lake, sandbox, payloads, month, outcome
):
    sandbox(payloads=empty_months(payloads, month))
    boundaries(lake)

    assert manifest_of(lake, crimes(lake, month), month).outcome == outcome


def test_recorded_bodies_arrive_byte_for_byte(lake, bucket, sandbox, payloads):
    folder = empty_months(payloads, "2017-05") / "police" / "crimes" / "kingston" / "2017-05"
    odd = b' [ {"id": 1, "category":"a",  "month":"2017-05"} ]\n'
    (folder / "E05000401.json").write_bytes(odd)
    sandbox(payloads=payloads)
    boundaries(lake)

    manifest = manifest_of(lake, crimes(lake, "2017-05"), "2017-05")

    key = f"landing/police_street_crime/kingston/2017-05/{manifest.landing_id}/0002.json.gz"
    assert gzip.decompress(bucket.body(key)) == odd


@pytest.mark.parametrize("body", [b"", b'[{"id":1'], ids=["zero bytes", "truncated"])
def test_a_body_that_stays_cut_short_names_partition_and_ward(
    lake, bucket, sandbox, payloads, body
):
    folder = empty_months(payloads, "2017-05") / "police" / "crimes" / "kingston" / "2017-05"
    (folder / "E05000402.json").write_bytes(body)
    sandbox(payloads=payloads)
    boundaries(lake)

    with pytest.raises(SourceUnavailable, match="police_street_crime kingston 2017-05, E05000402"):
        crimes(lake, "2017-05")

    assert [key for key in bucket.listed() if "street_crime" in key and "manifest" in key] == []


def test_wards_that_the_api_does_not_know_are_named_in_one_message(lake, sandbox, monkeypatch):
    from include.councils.model import council

    sandbox()
    kingston = council("kingston")
    wards = [
        ward.model_copy(update={"police_neighbourhood": f"X{number}"} if number < 2 else {})
        for number, ward in enumerate(kingston.wards_on(AS_OF))
    ]
    redrawn = kingston.ward_sets[0].model_copy(update={"wards": tuple(wards)})
    monkeypatch.setattr(
        job, "council_named", lambda name: kingston.model_copy(update={"ward_sets": (redrawn,)})
    )

    with pytest.raises(SourceRejected, match=r"E05000400 \(Alexandra\), E05000401 \(Berrylands\)"):
        boundaries(lake)


# --- what cannot be asked --------------------------------------------------------------------


@pytest.mark.parametrize("period", ["2026-10", "2026-12"])
def test_a_snapshot_of_another_period_is_refused(lake, api, period):
    with pytest.raises(PermanentError, match="is a snapshot: its API returns 2026-11 only"):
        extract(BOUNDARIES, BOUNDARIES.partition("kingston", period), lake=lake, run_id="run")


def test_an_unknown_council_is_refused(lake, api):
    with pytest.raises(UnknownName, match="unknown council 'croydon'"):
        extract(BOUNDARIES, BOUNDARIES.partition("croydon", "2026-11"), lake=lake, run_id="run")


def test_no_api_is_retryable_and_named_without_its_form(lake, api, monkeypatch):
    boundaries(lake)
    monkeypatch.setenv("WANDLE_SANDBOX_URL", "http://127.0.0.1:9")

    with pytest.raises(SourceUnavailable, match=r"no answer from .*all-crime ") as caught:
        crimes(lake)

    assert "poly" not in str(caught.value)


def test_a_draft_that_is_not_finished_is_not_a_landing(lake, bucket):
    where = Partition("gauges", "kingston", Period.parse("2026-06", "month"))
    Draft.open(lake.landings, where, run_id="r", contract_hash="c", now=NOW)

    assert lake.landings.finished(where) == []


def test_the_contracts_under_test_are_the_shipped_ones():
    assert {BOUNDARIES.name, CRIME.name} <= set(contracts())
