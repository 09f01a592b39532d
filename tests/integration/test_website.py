"""The published versions as a web server in front of the bucket shows them, and its copies of them.

Moto's S3 and CloudFront. The versions have one file each: what is in them does not matter here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.publish import versions as jobs
from include.publish.front import CURRENT, front
from include.publish.versions import ROOT, Entry, Published, with_version

SOURCE = "police_street_crime"
FIRST, SECOND = "1" * 16, "2" * 16
LONG_AGO = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture
def published(lake) -> Published:
    return Published(lake.s3, lake.bucket)


@pytest.fixture
def dsn(migrated) -> str:
    return str(migrated.dsn("wandle_transformer"))


@pytest.fixture
def publish(published) -> Callable[[str], None]:
    """Write a version with one dataset of the source, and make it the current one."""

    def write(version: str) -> None:
        described = {"datasets": {"crimes": {"sources": [{"name": SOURCE}]}}, "kept": {}}
        published.write_version(version, described, [("data/x.csv", b"x", "text/csv")])
        entry = Entry(version, LONG_AGO.isoformat(), {})
        published.write_index(with_version(published.index(), entry))

    return write


@pytest.fixture
def distribution(s3, monkeypatch) -> Iterator[Callable[[], list[str]]]:
    """A distribution that the settings name; returns the paths invalidated so far."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL_CLOUDFRONT": s3.meta.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("cloudfront", region_name="eu-west-2")
    made = client.create_distribution(
        DistributionConfig={
            "CallerReference": "x",
            "Comment": "",
            "Enabled": True,
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "published",
                        "DomainName": "x.s3.eu-west-2.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "published",
                "ViewerProtocolPolicy": "redirect-to-https",
            },
        }
    )["Distribution"]["Id"]
    monkeypatch.setenv("WANDLE_DISTRIBUTION", made)

    def invalidated() -> list[str]:
        listed = client.list_invalidations(DistributionId=made)["InvalidationList"].get("Items", [])
        return [
            path
            for item in listed
            for path in client.get_invalidation(DistributionId=made, Id=item["Id"])["Invalidation"][
                "InvalidationBatch"
            ]["Paths"]["Items"]
        ]

    yield invalidated
    client.delete_distribution(Id=made, IfMatch=client.get_distribution(Id=made)["ETag"])


def current_versions(lake) -> set[str]:
    """The versions that the files at fixed addresses name."""
    bodies = {
        name: lake.s3.get_object(Bucket=lake.bucket, Key=f"{ROOT}{name}")["Body"].read().decode()
        for name in ("index.html", "current.js", CURRENT)
    }
    assert json.loads(bodies[CURRENT])["version"] in bodies["index.html"]
    return {one for one in (FIRST, SECOND) for body in bodies.values() if one in body}


def test_readers_are_sent_to_the_current_version_and_to_no_other(publish, lake, dsn):
    publish(FIRST)
    publish(SECOND)
    newest = current_versions(lake)

    jobs.use(FIRST, dsn=dsn, lake=lake)
    chosen = current_versions(lake)
    jobs.use("latest", dsn=dsn, lake=lake)
    jobs.withdraw(SECOND, dsn=dsn, lake=lake)

    assert (newest, chosen, current_versions(lake)) == ({SECOND}, {FIRST}, {FIRST})


def test_links_to_a_version_are_never_cached_and_a_version_always_is(publish, lake):
    publish(FIRST)

    kept = {
        item["Key"].removeprefix(ROOT): lake.s3.head_object(Bucket=lake.bucket, Key=item["Key"])[
            "CacheControl"
        ]
        for item in lake.s3.list_objects_v2(Bucket=lake.bucket, Prefix=ROOT)["Contents"]
    }

    assert {name for name, control in kept.items() if control == "no-cache"} == {
        "index.json",
        *front(FIRST),
    }
    assert "immutable" in kept[f"{FIRST}/data/x.csv"]


def test_readers_are_sent_to_the_new_version_after_an_interruption(publish, published, lake):
    publish(FIRST)
    lake.s3.delete_object(Bucket=lake.bucket, Key=f"{ROOT}{CURRENT}")

    published.lead_to(SECOND)

    assert current_versions(lake) == {SECOND}


def test_an_erasure_deletes_the_copies_too(publish, lake, dsn, distribution):
    publish(FIRST)
    publish(SECOND)

    assert jobs.forget(["another_source"], dsn=dsn, lake=lake) == []
    assert distribution() == []
    assert jobs.forget([SOURCE], dsn=dsn, lake=lake) == [FIRST]

    assert distribution() == ["/*"]


def test_versions_that_are_withdrawn_or_past_retention_leave_no_copies(
    publish, lake, dsn, distribution, monkeypatch
):
    monkeypatch.setattr("include.publish.versions.KEPT", 1)
    publish(FIRST)
    publish(SECOND)

    assert jobs.expire(dsn=dsn, lake=lake, delete=False) == [FIRST]
    assert distribution() == []
    assert jobs.expire(dsn=dsn, lake=lake, delete=True) == [FIRST]
    assert distribution() == ["/*"]
    publish(FIRST)
    jobs.withdraw(SECOND, dsn=dsn, lake=lake)

    assert distribution() == ["/*", "/*"]


@pytest.mark.parametrize("again", ["forget", "withdraw", "expire"])
def test_a_deletion_whose_copies_stay_fails_and_is_finished_by_the_next(
    again, publish, published, lake, dsn, distribution, bucket, monkeypatch
):
    monkeypatch.setattr("include.publish.versions.KEPT", 1)
    publish(FIRST)
    publish(SECOND)
    run = {
        "forget": lambda: jobs.forget([SOURCE], dsn=dsn, lake=lake),
        "withdraw": lambda: jobs.withdraw(FIRST, dsn=dsn, lake=lake),
        "expire": lambda: jobs.expire(
            dsn=dsn, lake=lake, delete=True, now=datetime.now(UTC) + timedelta(days=2)
        ),
    }[again]
    with monkeypatch.context() as wrong:
        wrong.setenv("WANDLE_DISTRIBUTION", "ENOSUCH")
        with pytest.raises(
            PermanentError,
            match=r"the CloudFront distribution ENOSUCH keeps: NoSuchDistribution.*can still",
        ):
            run()
    assert not [key for key in bucket.listed() if key.endswith(f"{FIRST}/data/x.csv")]
    assert current_versions(lake) == {SECOND}

    run()

    assert distribution() == ["/*"]
    assert not [key for key in bucket.listed() if FIRST in key]


def test_cloudfront_that_does_not_answer_is_retryable(
    publish, lake, dsn, distribution, monkeypatch
):
    publish(FIRST)
    publish(SECOND)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDFRONT", "http://127.0.0.1:1")

    with pytest.raises(ServiceUnavailable, match="keeps: EndpointConnectionError"):
        jobs.forget([SOURCE], dsn=dsn, lake=lake)
