"""Turn S3 errors into retryable or permanent ones, with the S3 error code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from include.errors import PermanentError, PipelineError, ServiceUnavailable

# Retryable error codes beside those of status 5xx; all others are permanent.
_RETRYABLE = {
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
}
_MISSING = {"NoSuchKey", "404"}


@contextmanager
def object_errors(
    doing: str, missing: type[PipelineError], told: str = "no such object."
) -> Iterator[None]:
    """Raise `missing` with what is `told` for an object that is not there.

    Other errors are `ServiceUnavailable` or `PermanentError`. `doing` starts
    the message, e.g. `S3: writing s3://bucket/key`.
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _MISSING:
            raise missing(f"{doing}: {told}") from error
        if status >= 500 or code in _RETRYABLE:
            raise ServiceUnavailable(f"{doing}: {code}. Try again later.") from error
        raise PermanentError(
            f"{doing}: {code}. Check the bucket name and this role's permissions."
        ) from error
    except BotoCoreError as error:
        raise ServiceUnavailable(
            f"{doing}: {type(error).__name__}. Check that S3 is reachable. Try again later."
        ) from error
