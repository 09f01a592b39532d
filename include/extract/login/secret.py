"""The value of a secret, and where it is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from include.errors import PermanentError
from include.redact import keep_secret

# What no header, form or URL can hold as it is.
_NOT_IN_A_SECRET = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Secret:
    """A value, and the user name or client ID that belongs to it, if any.

    `made_up` says that it is the sandbox's own, which protects nothing.
    """

    name: str
    password: str = field(repr=False)
    login: str = field(default="", repr=False)
    made_up: bool = False


# The secret as it is now; None if it is not set.
ReadSecret = Callable[[], Secret | None]


def how_to_set(name: str) -> str:
    """What a person does to set a secret."""
    return f"`wandle secrets set {name}`"


def checked(who: str, name: str, found: Secret | None, *, needs_login: bool) -> Secret:
    """The secret, which messages and logs no longer show from now on.

    Raises `PermanentError` if it is not set, lacks its user name, or holds
    what cannot be sent.
    """
    if found is None or not found.password:
        raise PermanentError(
            f"{who}: the secret {name!r} is not set. Set it with {how_to_set(name)}, then run "
            "this again."
        )
    keep_secret(found.password, name)
    if _NOT_IN_A_SECRET.search(found.password + found.login):
        raise PermanentError(
            f"{who}: the secret {name!r} holds control characters, such as a line end, which "
            f"cannot be sent. Set it again with {how_to_set(name)}."
        )
    if needs_login and not found.login:
        raise PermanentError(
            f"{who}: the secret {name!r} has no user name or client ID. Set it again with "
            f"`wandle secrets set {name} --login LOGIN`."
        )
    return found
