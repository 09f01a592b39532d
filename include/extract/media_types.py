"""Whether an answer is of a type that was asked for (RFC 9110, 12.5.1)."""

from __future__ import annotations

# Sent by servers that do not know the type of a file: they say nothing of it.
_UNKNOWN = {"", "application/octet-stream", "binary/octet-stream"}


def is_accepted(content_type: str, accept: str) -> bool:
    """Whether `Accept` names a Content-Type. A type that is unknown is accepted.

    `application/json` accepts what is written in JSON, too: `application/geo+json`,
    `text/json`. Weights and parameters do not count, except that a weight of 0
    names what is not accepted.
    """
    kind = _plain(content_type)
    if not accept.strip() or kind in _UNKNOWN:
        return True
    return any(_covers(_plain(item), kind) for item in accept.split(",") if not _is_refused(item))


def _plain(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _is_refused(item: str) -> bool:
    weights = (part.strip().lower() for part in item.split(";")[1:])
    return any(part in ("q=0", "q=0.0", "q=0.00", "q=0.000") for part in weights)


def _covers(wanted: str, kind: str) -> bool:
    if wanted in ("*/*", kind):
        return True
    main, _, sub = wanted.partition("/")
    kind_main, _, kind_sub = kind.partition("/")
    if sub == "*":
        return main == kind_main
    # Written in the same syntax: JSON, XML.
    return sub in ("json", "xml") and (kind_sub == sub or kind_sub.endswith(f"+{sub}"))
