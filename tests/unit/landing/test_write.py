"""Landings as keys and bytes: ids, layout, drafts, and S3's failures turned into ours."""

from __future__ import annotations

import gzip
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from include.errors import LandingDamaged, PermanentError, ServiceUnavailable
from include.landing.manifest import read_manifest
from include.landing.read import read_pages
from include.landing.store import Landings, began_at, new_landing_id, s3_errors
from include.landing.write import Draft
from tests.samples import REQUEST, facts, partition

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
WHERE = partition()
SESSION = boto3.Session("x", "x", region_name="us-east-1")
pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def s3():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield SESSION.client("s3", endpoint_url=f"http://{host}:{port}")
    server.stop()


@pytest.fixture
def landings(s3, request) -> Landings:
    name = f"b{abs(hash(request.node.name))}"
    s3.create_bucket(Bucket=name)
    return Landings(s3, name, SESSION)


def draft(landings: Landings, run_id: str = "run", now: datetime = NOW, rules: str = "c") -> Draft:
    return Draft.open(landings, WHERE, run_id=run_id, contract_hash=rules, now=now)


def add(to: Draft, body: bytes = b"[1]", records: int = 1, **context: str) -> Any:
    return to.add(facts(body, records, **context), REQUEST, io.BytesIO(body))


def finish(what: Draft) -> Any:
    return what.finish(run_id="run", code_version="v", started_at=NOW, parents={})


@given(st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)), st.text())
def test_a_landing_id_shows_when_its_fetch_began(moment, run_id):
    assert began_at(new_landing_id(run_id, moment)) == moment


@given(st.lists(st.datetimes(datetime(2020, 1, 1), timezones=st.just(UTC)), min_size=2, max_size=5))
def test_landing_ids_sort_by_time(moments):
    ids = [new_landing_id("run", moment) for moment in sorted(moments)]

    assert ids == sorted(ids)


def test_a_landing_id_says_nothing_of_the_run_but_its_hash():
    assert "secret" not in new_landing_id("secret", NOW)
    assert new_landing_id("a", NOW) != new_landing_id("b", NOW)


def test_pages_and_manifest_have_their_places(landings):
    landing = draft(landings)
    add(landing)
    add(landing)
    finish(landing)

    prefix = f"landing/gauges/kingston/2017-05/{landing.landing_id}/"
    assert list(landings.keys("")) == [
        prefix + "0001.json.gz",
        prefix + "0002.json.gz",
        prefix + "manifest.json",
    ]


@given(body=st.binary(max_size=300))
def test_any_body_comes_back_as_it_was(s3, body):
    s3.create_bucket(Bucket="any-body")
    landing = draft(Landings(s3, "any-body", SESSION))
    add(landing, body, 0)
    manifest = finish(landing)

    pages = read_pages(Landings(s3, "any-body", SESSION), WHERE, manifest)
    ((size, read),) = ((page.bytes, file.read()) for page, file in pages)

    assert (size, read) == (len(body), body)


def test_the_same_body_gives_the_same_object(landings):
    for moment in (NOW, NOW + timedelta(days=3)):
        add(draft(landings, now=moment), b"[1, 2]", 2)

    first, second = (
        landings.s3.get_object(Bucket=landings.bucket, Key=key)["Body"].read()
        for key in landings.keys("")
    )
    assert first == second
    assert gzip.decompress(first) == b"[1, 2]"


def test_a_landing_is_unfinished_until_its_manifest_is_written(landings):
    landing = draft(landings)
    add(landing)
    assert landings.unfinished(WHERE, "run", NOW) == landing.landing_id

    finish(landing)

    assert landings.unfinished(WHERE, "run", NOW) is None
    assert landings.finished(WHERE) == [landing.landing_id]


def test_an_interrupted_landing_returns_its_pages(landings):
    landing = draft(landings)
    added = [add(landing, b"[1]", ward="Č"), add(landing, b"[2, 3]", 2)]

    resumed = draft(landings)
    kept = [
        resumed.keep(facts.model_copy(update={"context": context}), REQUEST)
        for facts, context in zip(resumed.landed, ({"ward": "Č"}, {}), strict=True)
    ]

    assert resumed.landing_id == landing.landing_id
    assert kept == added
    assert resumed.records == 3


def test_the_context_of_a_request_may_be_longer_than_s3_allows_for_metadata(landings):
    landing = draft(landings)
    stations = ",".join(f"station {number}" for number in range(1000))

    added = add(landing, stations=stations)

    resumed = draft(landings)
    (known,) = resumed.landed
    kept = known.model_copy(update={"context": {"stations": stations}})
    assert resumed.keep(kept, REQUEST) == added


def test_a_page_whose_next_cursor_is_too_long_to_be_kept_is_not_resumed(landings):
    landing = draft(landings)
    add(landing)
    long = facts(b"[2]", 1).model_copy(update={"next": "x" * 3000})
    landing.add(long, REQUEST, io.BytesIO(b"[2]"))

    assert len(draft(landings).landed) == 1


def test_an_interrupted_landing_returns_the_bodies_of_its_pages(landings):
    landing = draft(landings)
    for body in (b"[1]", b"[2, 3]"):
        add(landing, body)

    resumed = draft(landings)

    assert [resumed.reread(number).read() for number in (1, 2)] == [b"[1]", b"[2, 3]"]


def test_a_page_of_an_interrupted_landing_that_was_damaged_is_not_returned(landings):
    landing = draft(landings)
    add(landing, b"[1]")
    add(landing, b"[2]")
    first, second = landings.keys("")
    head = landings.s3.head_object(Bucket=landings.bucket, Key=first)
    other = landings.s3.get_object(Bucket=landings.bucket, Key=second)["Body"].read()
    landings.s3.put_object(Bucket=landings.bucket, Key=first, Body=other, Metadata=head["Metadata"])

    with pytest.raises(LandingDamaged, match=r"0001\.json\.gz: expected 3 bytes"):
        draft(landings).reread(1)


def test_pages_that_are_withdrawn_are_not_resumed_and_others_take_their_place(landings):
    landing = draft(landings)
    for body in (b"[1]", b"[2]", b"[3]", b"[4]"):
        add(landing, body)

    landing.withdraw(3)
    assert [page.sha256 for page in draft(landings).landed] == [facts(b"[1]", 1).sha256]

    add(landing, b"[5]")
    manifest = finish(landing)
    assert [body.read() for _, body in read_pages(landings, WHERE, manifest)] == [b"[1]", b"[5]"]
    assert (
        landings.s3.get_object(Bucket=landings.bucket, Key=list(landings.keys(""))[3])[
            "Body"
        ].read()
        == b""
    )


@pytest.mark.parametrize(
    "other",
    [{"run_id": "other"}, {"now": NOW + timedelta(hours=24)}],
    ids=["another run", "a day later"],
)
def test_an_interrupted_landing_is_left_alone_by(landings, other):
    landing = draft(landings)
    add(landing)

    assert draft(landings, **other).landing_id != landing.landing_id


def test_pages_of_another_contract_are_not_taken_over(landings):
    landing = draft(landings)
    add(landing)

    assert list(draft(landings, rules="other").landed) == []


def test_the_newest_landing_with_data_is_found(landings):
    for minute, outcome in enumerate(["complete", "complete", "not_published"]):
        landing = draft(landings, now=NOW + timedelta(minutes=minute))
        add(landing)
        landing.finish(run_id="run", code_version="v", started_at=NOW, parents={}, outcome=outcome)

    newest = landings.newest_complete(WHERE)

    assert newest.landing_id == landings.finished(WHERE)[1]


def test_the_pages_hash_depends_on_bytes_order_and_context(landings):
    def hashed(minute: int, *pages: tuple[bytes, str]) -> str:
        landing = draft(landings, now=NOW + timedelta(minutes=minute), run_id=str(minute))
        for body, ward in pages:
            add(landing, body, ward=ward)
        return finish(landing).pages_hash

    same = [hashed(0, (b"[1]", "A"), (b"[2]", "B")), hashed(1, (b"[1]", "A"), (b"[2]", "B"))]
    others = [
        hashed(2, (b"[2]", "B"), (b"[1]", "A")),
        hashed(3, (b"[1]", "B"), (b"[2]", "B")),
        hashed(4, (b"[1]", "A")),
    ]

    assert same[0] == same[1]
    assert len({same[0], *others}) == 4


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"format": 1}', b'{"format": "x"}'])
def test_what_is_not_a_manifest_is_named(body):
    with pytest.raises(LandingDamaged, match="s3://b/k: not a manifest"):
        read_manifest("s3://b/k", body)


def test_a_newer_manifest_is_distinguished_from_a_wrong_one():
    with pytest.raises(LandingDamaged, match="format 7 is newer than this version reads"):
        read_manifest("s3://b/k", b'{"format": 7, "what": "ever"}')


def refused(code: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject"
    )


@pytest.mark.parametrize(
    ("failure", "ours"),
    [
        (refused("SlowDown", 503), ServiceUnavailable),
        (refused("InternalError", 500), ServiceUnavailable),
        (refused("RequestTimeout", 400), ServiceUnavailable),
        (refused("AccessDenied", 403), PermanentError),
        (refused("NoSuchBucket", 404), PermanentError),
        (refused("NoSuchKey", 404), LandingDamaged),
        (EndpointConnectionError(endpoint_url="x"), ServiceUnavailable),
        (ConnectTimeoutError(endpoint_url="x"), ServiceUnavailable),
    ],
    ids=str,
)
def test_a_failure_of_s3_names_its_kind(failure, ours):
    with pytest.raises(ours, match="S3: writing it: ") as caught, s3_errors("S3: writing it"):
        raise failure

    assert type(caught.value) is ours
