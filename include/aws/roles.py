"""Work as another role: STS, with credentials that are renewed before they end."""

from __future__ import annotations

from functools import cache

import boto3
import botocore.session
from botocore.credentials import RefreshableCredentials

from include.aws.failures import CONFIG, aws_errors

# What the API takes; a longer name is cut.
SESSION_NAME_LENGTH = 64


@cache
def session_as(role_arn: str, region: str) -> boto3.Session:
    """A session with the rights of a role, which this process's own credentials may assume.

    The role's name is the session's, so that CloudTrail shows which job it was.
    Credentials live for an hour, as STS allows where a role assumes another,
    and are renewed while the session is used.

    Raises `PermanentError` if the role may not be assumed, and
    `ServiceUnavailable` if STS does not answer.
    """
    sts = boto3.Session(region_name=region).client("sts", config=CONFIG)

    def assume() -> dict[str, str]:
        with aws_errors(
            f"AWS: assuming {role_arn}",
            "Does the role exist, and may this host assume it? `wandle doctor --aws` tells.",
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
