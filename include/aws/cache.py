"""The copies that CloudFront keeps of published files."""

from __future__ import annotations

import logging
from uuid import uuid4

import boto3

from include.aws.failures import CONFIG, aws_errors

log = logging.getLogger(__name__)


def forget_copies(session: boto3.Session, distribution: str) -> str:
    """Invalidate every copy of a distribution; the invalidation's ID.

    CloudFront fetches each file from the bucket again when it is next requested.
    Raises `PermanentError` if there is no such distribution, or the role may
    not do this, and `ServiceUnavailable`.
    """
    client = session.client("cloudfront", config=CONFIG)
    with aws_errors(
        f"AWS: deleting the copies that the CloudFront distribution {distribution} keeps",
        "Deleted files can still be read there. Check that WANDLE_DISTRIBUTION is its ID and this "
        "role may cloudfront:CreateInvalidation on it, then run the same again.",
    ):
        done = client.create_invalidation(
            DistributionId=distribution,
            InvalidationBatch={
                "Paths": {"Quantity": 1, "Items": ["/*"]},
                "CallerReference": uuid4().hex,
            },
        )["Invalidation"]
    log.info("AWS: invalidation %s of distribution %s", done["Id"], distribution)
    return str(done["Id"])
