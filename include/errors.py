"""Every failure this project raises on purpose, grouped by what to do about it.

A message reads *who: what happened. What to do next.*, quotes what was
expected and what was found, and never holds a secret or a personal value.
"""


class PipelineError(Exception):
    """Base class: catch this to catch anything the pipeline raises itself."""


class RetryableError(PipelineError):
    """The same call may succeed later; the task should be retried."""


class PermanentError(PipelineError):
    """Retrying cannot help; a person must change the data, code or settings."""


class SourceUnavailable(RetryableError):
    """The API answered 429 or 5xx, cut its answer short, or did not answer at all."""


class SourceRejected(PermanentError):
    """The API answered with a 4xx that another attempt will not change."""


class UnexpectedPayload(PermanentError):
    """The API answered, but not in the shape that the contract promises."""


class ServiceUnavailable(RetryableError):
    """S3 or PostgreSQL did not answer, or dropped the connection."""


class WrongDefinition(PermanentError):
    """A contract or council file is wrong: file, field and what was expected are named."""


class UnknownName(PermanentError):
    """A source, council or period that was asked for does not exist."""


class LandingDamaged(PermanentError):
    """What S3 holds is not what the manifest says; the object's key is named."""


class LoadRefused(PermanentError):
    """A check said no to a load; nothing was changed."""


class TableOutdated(PermanentError):
    """The database is not as the contracts say; `wandle migrate` mends it."""
