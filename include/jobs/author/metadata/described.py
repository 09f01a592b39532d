"""What a publisher's own description says of a dataset."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from include.errors import PermanentError
from include.jobs.author.questions import Ask

Path = tuple[str, ...]
# The body at an address; raises `PermanentError` and what a request raises.
Get = Callable[[str], bytes]

_LONGEST = 300


@dataclass(frozen=True)
class Known:
    """What is known of a field: its description, and words of a column, such as `type`."""

    description: str = ""
    words: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Described:
    """Where the records are, and what is known of them before one has been seen.

    `url` is the address of one request, `fields` are by their path in a
    record, `words` those of the contract that the description decides.
    """

    url: str
    fields: Mapping[Path, Known] = field(default_factory=dict)
    key: tuple[Path, ...] = ()
    paging: Mapping[str, Any] | None = None
    words: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    # How the API logs in, without the name of the secret.
    auth: Mapping[str, Any] | None = None
    # Whether the types are those of the values, however these look.
    is_typed: bool = False


@dataclass(frozen=True)
class Asking:
    """How to find out: by requests, by a person's answers, and by what options have given."""

    get: Get
    ask: Ask
    choice: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    def document(self, url: str) -> dict[str, Any]:
        """The JSON object at an address. Raises `PermanentError` for anything else."""
        try:
            found = json.loads(self.get(url))
        except (ValueError, RecursionError) as error:
            raise PermanentError(f"new-source: {url} is not JSON. Correct the address.") from error
        if not isinstance(found, dict):
            raise PermanentError(f"new-source: {url} is not a JSON object. Correct the address.")
        return found


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """The address with these parameters; placeholders in them stay as they are."""
    asked = "&".join(
        f"{quote(name, safe='$')}={_quoted(value)}" for name, value in parameters.items()
    )
    return f"{url}?{asked}" if asked else url


def _quoted(value: str) -> str:
    # Within braces, a percent sign begins a directive of a date's format.
    found, inside = "", False
    for character in value:
        inside = (inside or character == "{") and character != "}"
        found += character if inside or character in "{}" else quote(character, safe=",:*-_.")
    return found


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; what is none is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def sentence(text: Any) -> str:
    """A description as one line, not too long."""
    shown = " ".join(str(text or "").split())
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
