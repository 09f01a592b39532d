"""Check the bucket: exists, private, versioned, encrypted, TLS only, with a lifecycle."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.checks import Check
from include.aws.failures import CONFIG, code_of

FIX = "Run `terraform apply`: the module `lake` sets it."
# Error codes S3 returns when a setting is absent.
UNSET = {
    "NoSuchBucketPolicy",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
}


def check_bucket(session: boto3.Session, bucket: str) -> Iterator[Check]:
    """One check per property; if the bucket does not exist, only that."""
    s3 = session.client("s3", config=CONFIG)
    try:
        s3.head_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        said = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        yield Check(
            "bucket: exists",
            f"s3://{bucket} returned {said}.",
            "Check that WANDLE_BUCKET is the Terraform output `bucket` and the role doctor may "
            "list it.",
        )
        return
    yield Check("bucket: exists")
    for name, look in LOOKS.items():
        try:
            problem = look(s3, bucket)
        except ClientError as error:
            if code_of(error) in UNSET:
                problem = "not configured."
            else:
                problem = f"S3 returned {code_of(error)}."
        except BotoCoreError as error:
            problem = f"S3 did not respond: {type(error).__name__}."
        yield Check(
            f"bucket: {name}",
            f"s3://{bucket}: {problem}" if problem else "",
            FIX if problem else "",
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
    return (
        ""
        if kind == "aws:kms" and key
        else f"encrypted with {kind}; expected a customer managed KMS key."
    )


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
    return "the bucket policy does not deny requests without TLS (aws:SecureTransport)."


def _lifecycle(s3: Any, bucket: str) -> str:
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    live = [rule for rule in rules if rule["Status"] == "Enabled"]
    missing = []
    if not any("AbortIncompleteMultipartUpload" in rule for rule in live):
        missing.append("incomplete multipart uploads are kept forever")
    if not any("NoncurrentVersionExpiration" in rule for rule in live):
        missing.append("deleted objects are kept forever")
    if any(_takes_landings(rule) for rule in live):
        missing.append("a rule expires landings, which only contracts may do")
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
