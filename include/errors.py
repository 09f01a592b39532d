"""Every error this project raises on purpose, grouped by what to do about it.

A message reads *who: what happened. What to do next.*, quotes what was
expected and what was found, and never holds a secret or a personal value.
What it quotes may come from outside: it is made printable here, for every
terminal and log, and secrets that this process knows are taken out.
"""

from __future__ import annotations

from include.printable import printable
from include.redact import redacted

# Of a longer message, the middle is left out: who it concerns and what to do are at its ends.
MOST_CHARACTERS = 64 * 1024


class PipelineError(Exception):
    """Base class: catch this to catch anything the pipeline raises itself."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(
            *(printable(_short(redacted(a))) if isinstance(a, str) else a for a in arguments)
        )


def _short(text: str) -> str:
    """The text, or its beginning and end if it is too long to be logged."""
    if len(text) <= MOST_CHARACTERS:
        return text
    end = MOST_CHARACTERS // 2 - 100
    left_out = len(text) - 2 * end
    return f"{text[:end]} [{left_out} characters are left out] {text[-end:]}"


class RetryableError(PipelineError):
    """The same call may succeed later; the task should be retried."""


class PermanentError(PipelineError):
    """Retrying cannot help; a person must change the data, code or settings."""


class SourceUnavailable(RetryableError):
    """The API returned 429 or 5xx, truncated its response, or did not respond.

    `pause_seconds` is how long the server asks to wait, if it does.
    """

    def __init__(self, message: str, pause_seconds: float | None = None) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds


class SourceRejected(PermanentError):
    """The API returned a 4xx that retrying will not change."""


class UnexpectedPayload(PermanentError):
    """The response does not have the shape that the contract describes."""


class ServiceUnavailable(RetryableError):
    """S3, PostgreSQL or another service did not respond or dropped the connection."""


class BeyondLimit(PermanentError):
    """More than one of the contract's `limits` allows, which `field` names.

    `what` says what was found, and `who` where: a partition and address, if known.
    """

    def __init__(self, what: str, field: str, limit: float, who: str = "") -> None:
        self.what, self.field, self.limit, self.who = what, field, limit, who
        super().__init__(
            f"{who}{': ' if who else ''}{what}, which is beyond `limits.{field}: {limit:.12g}` of "
            "the contract. Retrying will not help. If that is right for this source, raise "
            f"`limits.{field}`."
        )

    def of(self, who: str) -> BeyondLimit:
        """The same, said of `who`."""
        return BeyondLimit(self.what, self.field, self.limit, who)


class WrongDefinition(PermanentError):
    """A contract or council file is invalid; the message names file, field and expected value."""


class UnknownName(PermanentError):
    """The requested source, council or period does not exist."""


class LandingDamaged(PermanentError):
    """An object in S3 does not match its manifest; the message names its key."""


class LoadRefused(PermanentError):
    """A check failed and the load was refused; nothing was changed."""


class TableOutdated(PermanentError):
    """The database does not match the contracts; `wandle migrate` updates it."""
