"""Turn AWS errors into `PipelineError`s."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.errors import PermanentError, ServiceUnavailable

# Timeouts on every call, and the client library's own retries with backoff.
CONFIG = Config(
    connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
)
THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
}


def code_of(error: ClientError) -> str:
    """The AWS error code, e.g. `AccessDenied`."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_errors(doing: str, fix: str) -> Iterator[None]:
    """Turn AWS errors into `ServiceUnavailable` (5xx, throttling, no response) or `PermanentError`.

    `doing` starts the message; `fix` says what to do if AWS refused the request.
    """
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or code_of(error) in THROTTLED:
            raise ServiceUnavailable(f"{doing}: {code_of(error)}. Try again later.") from error
        raise PermanentError(f"{doing}: {code_of(error)}. {fix}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(
            f"{doing}: {type(error).__name__}. Check network access and credentials. "
            "Try again later."
        ) from error
