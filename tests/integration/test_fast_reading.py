"""Pages are read past boto3, by its credentials; what goes wrong is boto3's to say."""

from __future__ import annotations

import os
from typing import Any

import boto3
import pytest
from botocore.credentials import RefreshableCredentials
from botocore.session import get_session

from include.errors import LandingDamaged, PermanentError, ServiceUnavailable
from include.jobs.lake import S3_CONFIG
from include.landing.object_reader import FastReader
from include.landing.store import Landings

KEY = "landing/gauges/kingston/2017-05/1/0001.json.gz"


def body_of(landings: Landings) -> bytes:
    body, length = landings.stored(KEY)
    found = body.read()
    assert length == len(found)
    return found


def landings_of(session: boto3.Session, lake: Any, **other: str) -> Landings:
    endpoint, bucket = lake.s3.meta.endpoint_url, lake.bucket
    known = {"endpoint_url": endpoint, "bucket": bucket} | other
    s3 = session.client("s3", endpoint_url=known["endpoint_url"], config=S3_CONFIG)
    return Landings(s3, known["bucket"], session)


@pytest.fixture
def folder(folder_lake) -> Any:
    """A bucket that verifies signatures, and one object in it."""
    folder_lake.s3.put_object(Bucket=folder_lake.bucket, Key=KEY, Body=b"stored")
    return folder_lake


@pytest.fixture
def asked(monkeypatch) -> list[Any]:
    """What each fast reading came to."""
    found: list[Any] = []
    read = FastReader.read

    def reading(reader: FastReader, key: str) -> Any:
        found.append(read(reader, key))
        return found[-1]

    monkeypatch.setattr(FastReader, "read", reading)
    return found


def test_a_page_is_read_without_boto3(folder, asked):
    calls: list[Any] = []
    folder.s3.meta.events.register("before-call.s3", lambda **call: calls.append(call))

    assert body_of(folder.landings) == b"stored"

    assert [bytes(body) for body in asked] == [b"stored"]
    assert calls == []


def test_credentials_that_renew_themselves_are_read_each_time(folder, asked):
    session = get_session()
    wrong = {"access_key": "old", "secret_key": "old", "token": None}
    right = {"access_key": "test", "secret_key": "test", "token": None}
    session._credentials = RefreshableCredentials.create_from_metadata(
        metadata=wrong | {"expiry_time": "2026-01-01T00:00:00Z"},
        refresh_using=lambda: right | {"expiry_time": "2126-01-01T00:00:00Z"},
        method="sts-assume-role",
    )
    role = landings_of(boto3.Session(botocore_session=session, region_name="eu-west-2"), folder)

    assert body_of(role) == b"stored"

    assert [bytes(body) for body in asked] == [b"stored"]


@pytest.mark.parametrize(
    ("secret", "other", "key", "kind", "said"),
    [
        ("test", {}, "landing/none", LandingDamaged, "s3://wandle/landing/none"),
        ("no", {}, KEY, PermanentError, "SignatureDoesNotMatch"),
        ("test", {"bucket": "no-bucket"}, KEY, PermanentError, "NoSuchBucket"),
        ("test", {"endpoint_url": "http://127.0.0.1:9"}, KEY, ServiceUnavailable, "reachable"),
    ],
    ids=["missing", "refused", "no bucket", "unreachable"],
)
def test_what_cannot_be_read_is_reported_like_boto3_does(
    folder, asked, secret, other, key, kind, said
):
    session = boto3.Session("test", secret, region_name="eu-west-2")
    landings = landings_of(session, folder, **other)

    with pytest.raises(kind, match=said):
        landings.stored(key)

    assert asked == [None]


def test_a_role_that_may_no_longer_be_assumed_is_reported_like_boto3_does(folder, asked):
    def refused() -> None:
        raise PermanentError("AWS: assuming a role: AccessDenied")

    session = get_session()
    session._credentials = RefreshableCredentials.create_from_metadata(
        metadata={"access_key": "old", "secret_key": "old", "token": None}
        | {"expiry_time": "2026-01-01T00:00:00Z"},
        refresh_using=refused,
        method="sts-assume-role",
    )
    role = landings_of(boto3.Session(botocore_session=session, region_name="eu-west-2"), folder)

    with pytest.raises(PermanentError, match="assuming a role"):
        role.stored(KEY)

    assert asked == [None]


def test_after_a_failure_that_boto3_recovers_from_boto3_reads_on(folder, asked):
    landings = folder.landings
    with pytest.raises(LandingDamaged):
        landings.stored("landing/none")

    assert body_of(landings) == b"stored"

    assert asked == [None, None]


def test_what_boto3_reads_of_a_small_page_has_arrived_before_anybody_reads_it(folder, monkeypatch):
    monkeypatch.setattr(FastReader, "read", lambda *_: None)
    landings, arriving = folder.landings, []

    def watched(key: str) -> Any:
        arriving.append(Landings.arriving(landings, key))
        return arriving[-1]

    monkeypatch.setattr(landings, "arriving", watched)
    stored, length = landings.stored(KEY)

    [(body, _)] = arriving
    assert body._raw_stream.closed, "else it keeps a connection while it waits"
    assert (stored.read(), length) == (b"stored", 6)


def test_a_forked_process_reads_too(folder):
    landings = folder.landings
    assert body_of(landings) == b"stored"

    child = os.fork()
    if child == 0:
        os._exit(0 if body_of(landings) == b"stored" else 1)

    assert os.waitpid(child, 0)[1] == 0
