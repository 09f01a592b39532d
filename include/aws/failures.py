"""AWS's failures turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.errors import PermanentError, ServiceUnavailable

# Time-outs on every call; the client library's own retries, with back-off.
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
    """AWS's own name of what went wrong: `AccessDenied`."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def aws_errors(doing: str, mend: str) -> Iterator[None]:
    """Turn AWS's failures into `ServiceUnavailable` or `PermanentError`.

    `doing` opens the message; `mend` says what to do where AWS said no.
    """
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status >= 500 or code_of(error) in THROTTLED:
            raise ServiceUnavailable(
                f"{doing}: {code_of(error)}. The next retry may succeed."
            ) from error
        raise PermanentError(f"{doing}: {code_of(error)}. {mend}") from error
    except BotoCoreError as error:
        raise ServiceUnavailable(
            f"{doing}: {type(error).__name__}. Is AWS reachable, and are there credentials? "
            "The next retry may succeed."
        ) from error
