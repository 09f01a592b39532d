"""API keys: only their hashes are known here, each with a rate of its own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from include.api.limits import Rate
from include.errors import PermanentError

_HASH = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXPECTED = (
    'Expected a list such as [{"name": "dashboard", "sha256": "<64 hex digits>", "per_second": '
    '100, "burst": 200}].'
)


@dataclass(frozen=True)
class Key:
    """Whose key it is, and how many requests it may make."""

    name: str
    rate: Rate


def keys_in(text: str) -> dict[str, Key]:
    """The keys of a secret, by their SHA-256. Raises `PermanentError`, without their hashes."""
    try:
        found = json.loads(text)
        keys = {}
        for number, one in enumerate(found, start=1):
            name, sha256 = one["name"], one["sha256"]
            rate = Rate(float(one["per_second"]), int(one["burst"]))
            if not (_NAME.fullmatch(name) and _HASH.fullmatch(sha256)):
                raise PermanentError(f"serve: key {number} has a wrong name or hash. {_EXPECTED}")
            if rate.per_second < 0 or rate.burst < 1:
                raise PermanentError(f"serve: key {number} has a wrong rate. {_EXPECTED}")
            keys[sha256] = Key(name, rate)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PermanentError(
            f"serve: the secret with the API keys is malformed. {_EXPECTED}"
        ) from None
    return keys


def key_of(given: str, keys: Mapping[str, Key]) -> Key | None:
    """The key that a client gave; None if it is not known."""
    return keys.get(hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest())
