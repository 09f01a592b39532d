"""The secret with the hashes of API keys: its name, and whether it is well formed."""

from __future__ import annotations

from include.api.keys import keys_in

# What `wandle secrets set` calls it; on AWS, below `wandle/<environment>/`.
NAME = "api_keys"


def checked(text: str) -> str:
    """The secret. Raises `PermanentError`, without it, if the API could not read it."""
    keys_in(text)
    return text
