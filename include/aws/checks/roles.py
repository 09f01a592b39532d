"""The job roles: each exists, and this host may assume it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.checks import Check
from include.aws.failures import CONFIG, code_of
from include.errors import PipelineError

FIX = "Run `terraform apply`: the module `identity` creates it and lets the host assume it."


def check_roles(
    doctor: boto3.Session, roles: Iterable[str], assume: Callable[[str], boto3.Session]
) -> Iterator[Check]:
    """One check per ARN; `assume` returns a session for it, or raises."""
    iam = doctor.client("iam", config=CONFIG)
    for arn in roles:
        name = arn.rpartition("/")[2]
        problem = _missing(iam, name)
        if not problem:
            try:
                assume(arn)
            except PipelineError as error:
                problem = f"{error} "
        yield Check(f"role: {name}", problem.strip(), FIX if problem else "")


def _missing(iam: object, name: str) -> str:
    """The problem if the role does not exist; other errors are left to assuming the role."""
    try:
        iam.get_role(RoleName=name)  # type: ignore[attr-defined]
    except ClientError as error:
        return "the role does not exist." if code_of(error) == "NoSuchEntity" else ""
    except BotoCoreError as error:
        return f"IAM did not respond: {type(error).__name__}."
    return ""
