"""Classify dbt and PostgreSQL errors as retryable or permanent, and say what to do next."""

from __future__ import annotations

import re

from include.disk import DiskFull
from include.errors import (
    PermanentError,
    PipelineError,
    RetryableError,
    ServiceUnavailable,
    TableOutdated,
)
from include.printable import one_line


class DbtStopped(RetryableError):
    """The dbt process exited during a command."""


class BuildFailed(PermanentError):
    """A model failed to build or a test failed; the message names the nodes."""


# dbt passes on server messages without their SQLSTATE.
_PASSES = re.compile(
    r"connection to server|could not connect|could not translate host name|server closed the"
    r"|connection already closed|connection has been closed|connection not open"
    r"|terminating connection|could not receive data|could not send data"
    r"|database system is (?:starting|shutting|in recovery)|too many clients|connection slots"
    r"|due to lock timeout|deadlock detected|could not serialize|no space left on device"
    r"|out of shared memory",
    re.IGNORECASE,
)
_NOT_MIGRATED = re.compile(
    r"relation \"(?:raw|ops)\.[^\"]+\" does not exist|schema \"[^\"]+\" does not exist"
    r"|permission denied for",
    re.IGNORECASE,
)
_WRONG_LOGIN = re.compile(
    r"(?:password )?authentication failed|role \"[^\"]+\" does not exist|no pg_hba.conf entry"
    r"|database \"[^\"]+\" does not exist",
    re.IGNORECASE,
)
# PostgreSQL quotes row values in these lines; they may be personal.
_QUOTES_VALUES = ("DETAIL:", "CONTEXT:", "Failing row", "LINE ")
_QUOTED_VALUE = re.compile(
    r"(invalid input (?:syntax|value)[^:]*|date/time field value out of range): \"[^\"]*\""
)
_LONGEST = 1_000


def without_values(message: str | None) -> str | None:
    """A dbt message on one line, without the lines in which PostgreSQL quotes row values."""
    if message is None:
        return None
    kept: list[str] = []
    for line in map(str.strip, message.splitlines()):
        if line.startswith(_QUOTES_VALUES) or line.startswith(("compiled code at", "^")):
            continue
        if line:
            kept.append(line)
    text = one_line(_QUOTED_VALUE.sub(r"\1", " ".join(kept)))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def passes_by_itself(message: str | None) -> bool:
    """Whether the same statement may succeed later."""
    text = message or ""
    return bool(_PASSES.search(text)) and not _WRONG_LOGIN.search(text)


def next_step(message: str | None) -> str:
    """What to do about a failed node."""
    if _NOT_MIGRATED.search(message or ""):
        return "Run `wandle migrate`, then clear this task."
    return (
        "Fix the data (reload or ingest it again), or the model or test in dbt_project/, then "
        "clear this task: it rebuilds what failed and everything downstream."
    )


def failure(who: str, message: str) -> PipelineError:
    """The error for a failed dbt command or connection."""
    text = (without_values(message) or "no message").rstrip(".")
    if _WRONG_LOGIN.search(text):
        return PermanentError(
            f"{who}: {text}. Check the connection `wandle_transformer` (WANDLE_TRANSFORMER_DSN)."
        )
    if "no space left on device" in text.lower():
        return DiskFull(
            f"{who}: {text}. Free some space on the disk of the database server or of dbt's "
            "folder, then try again."
        )
    if passes_by_itself(text):
        return ServiceUnavailable(f"{who}: {text}. Try again later.")
    if _NOT_MIGRATED.search(text):
        return TableOutdated(f"{who}: {text}. Run `wandle migrate`, then try again.")
    return PermanentError(f"{who}: {text}. Retrying will not help; fix it in dbt_project/.")
