"""The job roles: each exists, and this host may assume it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.checks import Check
from include.aws.failures import CONFIG, code_of
from include.errors import PipelineError

MEND = "Run `terraform apply`: the module `identity` makes it and lets the host assume it."


def check_roles(
    doctor: boto3.Session, roles: Iterable[str], assume: Callable[[str], boto3.Session]
) -> Iterator[Check]:
    """One check for each ARN; `assume` makes a session of one, or raises."""
    iam = doctor.client("iam", config=CONFIG)
    for arn in roles:
        name = arn.rpartition("/")[2]
        problem = _missing(iam, name)
        if not problem:
            try:
                assume(arn)
            except PipelineError as error:
                problem = f"{error} "
        yield Check(f"role: {name}", problem.strip(), MEND if problem else "")


def _missing(iam: object, name: str) -> str:
    """Whether there is no such role; other answers leave it to the assuming."""
    try:
        iam.get_role(RoleName=name)  # type: ignore[attr-defined]
    except ClientError as error:
        return "there is no such role." if code_of(error) == "NoSuchEntity" else ""
    except BotoCoreError as error:
        return f"IAM does not answer: {type(error).__name__}."
    return ""
