"""The bucket: there, private, versioned, encrypted, TLS only, with a lifecycle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.checks import Check
from include.aws.failures import CONFIG, code_of

MEND = "Run `terraform apply`: the module `lake` sets it."
# How S3 says that nothing of the kind was set.
UNSET = {
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
}


def check_bucket(session: boto3.Session, bucket: str) -> Iterator[Check]:
    """Each property of the bucket; only that it is missing, where it is."""
    s3 = session.client("s3", config=CONFIG)
    try:
        s3.head_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        said = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        yield Check(
            "bucket: exists",
            f"s3://{bucket} answers {said}.",
            "Is WANDLE_BUCKET the output `bucket` of Terraform, and may the role doctor list it?",
        )
        return
    yield Check("bucket: exists")
    for name, look in LOOKS.items():
        try:
            problem = look(s3, bucket)
        except ClientError as error:
            if code_of(error) in UNSET:
                problem = "nothing of the kind is set."
            else:
                problem = f"S3 answers {code_of(error)}."
        except BotoCoreError as error:
            problem = f"S3 does not answer: {type(error).__name__}."
        yield Check(
            f"bucket: {name}",
            f"s3://{bucket}: {problem}" if problem else "",
            MEND if problem else "",
        )


def _private(s3: Any, bucket: str) -> str:
    found = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    wanted = (
        *("BlockPublicAcls", "BlockPublicPolicy"),
        *("IgnorePublicAcls", "RestrictPublicBuckets"),
    )
    missing = [name for name in wanted if not found.get(name)]
    return f"public access is not blocked: {', '.join(missing)} off." if missing else ""


def _owned(s3: Any, bucket: str) -> str:
    rules = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    found = [rule["ObjectOwnership"] for rule in rules]
    return "" if found == ["BucketOwnerEnforced"] else f"object ownership is {', '.join(found)}."


def _versioned(s3: Any, bucket: str) -> str:
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")
    return "" if status == "Enabled" else f"versioning is {status}; expected Enabled."


def _encrypted(s3: Any, bucket: str) -> str:
    found = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    rule = found[0]["ApplyServerSideEncryptionByDefault"]
    kind, key = rule["SSEAlgorithm"], rule.get("KMSMasterKeyID")
    return "" if kind == "aws:kms" and key else f"encrypted by {kind}; expected a key of its own."


def _tls_only(s3: Any, bucket: str) -> str:
    arn = f"arn:aws:s3:::{bucket}"
    policy = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])
    for statement in policy["Statement"]:
        condition = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        if (
            statement["Effect"] == "Deny"
            and str(condition).lower() == "false"
            and statement.get("Principal") in ("*", {"AWS": "*"})
            and "s3:*" in _listed(statement.get("Action"))
            and {arn, f"{arn}/*"} <= set(_listed(statement.get("Resource")))
        ):
            return ""
    return "its policy does not refuse requests without TLS (aws:SecureTransport)."


def _lifecycle(s3: Any, bucket: str) -> str:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    live = [rule for rule in rules if rule["Status"] == "Enabled"]
    missing = []
    if not any("AbortIncompleteMultipartUpload" in rule for rule in live):
        missing.append("uploads that broke off are kept for ever")
    if not any("NoncurrentVersionExpiration" in rule for rule in live):
        missing.append("what was deleted is kept for ever")
    if any(_takes_landings(rule) for rule in live):
        missing.append("a rule lets landings expire, which the contracts alone decide")
    return f"{'; '.join(missing)}." if missing else ""


def _takes_landings(rule: dict[str, Any]) -> bool:
    prefix = rule.get("Filter", {}).get("Prefix") or rule.get("Prefix") or ""
    expires = {"Days", "Date"} & set(rule.get("Expiration", {}))
    return bool(expires) and ("landing/".startswith(prefix) or prefix.startswith("landing/"))


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


LOOKS: dict[str, Callable[[Any, str], str]] = {
    "private": _private,
    "owned by this account": _owned,
    "versioned": _versioned,
    "encrypted": _encrypted,
    "TLS only": _tls_only,
    "lifecycle": _lifecycle,
}
