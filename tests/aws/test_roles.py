"""A job works as its own role, and can do nothing beyond it."""

from __future__ import annotations

import json

import boto3
import pytest
import requests

from include.errors import PermanentError
from include.jobs.lake import S3_CONFIG, Lake
from include.settings import Settings, WrongSetting
from tests.aws.conftest import BUCKET, REGION

HOST_MAY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": "arn:aws:iam::123456789012:role/wandle-dev-load",
        }
    ],
}
LOAD_MAY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{BUCKET}/landing/*",
        }
    ],
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def lake(aws, moto_url, monkeypatch):
    """A bucket, a role for loading, and a host that may assume it; from here on rights count."""
    s3, iam = aws.client("s3"), aws.client("iam")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=BUCKET, Key="landing/a", Body=b"page")
    for job in ("load", "extract-bank_holidays"):
        iam.create_role(RoleName=f"wandle-dev-{job}", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(
        RoleName="wandle-dev-load", PolicyName="may", PolicyDocument=json.dumps(LOAD_MAY)
    )
    iam.create_user(UserName="host")
    iam.put_user_policy(UserName="host", PolicyName="may", PolicyDocument=json.dumps(HOST_MAY))
    key = iam.create_access_key(UserName="host")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    requests.post(f"{moto_url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    session = boto3.Session(region_name=REGION)
    yield Lake(session.client("s3", config=S3_CONFIG), BUCKET, session)
    requests.post(f"{moto_url}/moto-api/reset-auth", data=b"inf", timeout=10)


def test_a_job_does_as_its_role_what_the_host_may_not(lake):
    with pytest.raises(lake.s3.exceptions.ClientError, match=r"AccessDenied|Forbidden"):
        lake.s3.get_object(Bucket=BUCKET, Key="landing/a")

    read = lake.as_job("load").s3.get_object(Bucket=BUCKET, Key="landing/a")["Body"].read()

    assert read == b"page"


def test_a_job_can_do_nothing_beyond_its_role(lake):
    with pytest.raises(lake.s3.exceptions.ClientError, match=r"AccessDenied|Forbidden"):
        lake.as_job("load").s3.put_object(Bucket=BUCKET, Key="landing/b", Body=b"")


def test_a_role_that_the_host_may_not_assume_is_named_with_what_to_do(lake):
    with pytest.raises(
        PermanentError,
        match=r"role/wandle-dev-extract-bank_holidays: AccessDenied.*wandle doctor --aws",
    ):
        lake.as_job("extract-bank_holidays")


def test_a_job_s_session_is_named_after_it(aws):
    sts = Settings.read().session("extract-police_street_crime").client("sts")

    who = sts.get_caller_identity()["Arn"]

    assert "wandle-dev-extract-police_street_crime" in who


def test_where_settings_name_no_role_a_job_works_as_it_is(aws, monkeypatch):
    monkeypatch.delenv("WANDLE_JOB_ROLE")
    lake = Lake(aws.client("s3"), BUCKET, aws)

    assert lake.as_job("load") is lake


def test_a_pattern_without_a_place_for_the_job_is_refused(aws, monkeypatch):
    monkeypatch.setenv("WANDLE_JOB_ROLE", "arn:aws:iam::123456789012:role/one-for-all")

    with pytest.raises(WrongSetting, match=r"WANDLE_JOB_ROLE.*\{job\}"):
        Settings.read().session("load")
