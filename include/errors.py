"""Every error this project raises on purpose, grouped by what to do about it.

A message reads *who: what happened. What to do next.*, quotes what was
expected and what was found, and never holds a secret or a personal value.
What it quotes may come from outside: it is made printable here, for every
terminal and log.
"""

from include.printable import printable


class PipelineError(Exception):
    """Base class: catch this to catch anything the pipeline raises itself."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(printable(a) if isinstance(a, str) else a for a in arguments))


class RetryableError(PipelineError):
    """The same call may succeed later; the task should be retried."""


class PermanentError(PipelineError):
    """Retrying cannot help; a person must change the data, code or settings."""


class SourceUnavailable(RetryableError):
    """The API returned 429 or 5xx, truncated its response, or did not respond."""


class SourceRejected(PermanentError):
    """The API returned a 4xx that retrying will not change."""


class UnexpectedPayload(PermanentError):
    """The response does not have the shape that the contract describes."""


class ServiceUnavailable(RetryableError):
    """S3, PostgreSQL or another service did not respond or dropped the connection."""


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
