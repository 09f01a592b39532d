"""Assume a role through STS, with credentials that renew before they expire."""

from __future__ import annotations

from functools import cache

import boto3
import botocore.session
from botocore.credentials import RefreshableCredentials

from include.aws.failures import CONFIG, aws_errors

# The API limit; longer names are cut.
SESSION_NAME_LENGTH = 64


@cache
def session_as(role_arn: str, region: str) -> boto3.Session:
    """A session with the rights of a role, which this process's own credentials may assume.

    The session is named after the role, so CloudTrail shows which job it was.
    Credentials last one hour, the STS limit for role chaining, and renew while
    the session is in use.

    Raises `PermanentError` if the role may not be assumed, and
    `ServiceUnavailable` if STS does not respond.
    """
    sts = boto3.Session(region_name=region).client("sts", config=CONFIG)

    def assume() -> dict[str, str]:
        with aws_errors(
            f"AWS: assuming {role_arn}",
            "Check that the role exists and this host may assume it: `wandle doctor --aws`.",
        ):
            answer = sts.assume_role(
                RoleArn=role_arn,
                RoleSessionName=role_arn.rpartition("/")[2][:SESSION_NAME_LENGTH],
            )["Credentials"]
        return {
            "access_key": answer["AccessKeyId"],
            "secret_key": answer["SecretAccessKey"],
            "token": answer["SessionToken"],
            "expiry_time": answer["Expiration"].isoformat(),
        }

    session = botocore.session.get_session()
    # The client library has no public way to hand over credentials that renew themselves.
    session._credentials = RefreshableCredentials.create_from_metadata(
        metadata=assume(), refresh_using=assume, method="sts-assume-role"
    )
    return boto3.Session(botocore_session=session, region_name=region)
