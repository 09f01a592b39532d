"""Fetch the response that a contract is drafted from."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from include.definitions import validated
from include.errors import BeyondLimit, PermanentError, SourceRejected, SourceUnavailable
from include.extract.client import Client
from include.jobs.author.address import Address
from include.settings import Settings
from include.sources.extract.addresses import host_name, host_of
from include.sources.extract.auth import REFUSED
from include.sources.extract.http import Extract
from include.sources.limits import Limits
from include.sources.page import SentRequest

# A response is read at once, and a person waits for it.
LIMITS = Limits(answer_bytes=64 * 1024 * 1024, request_seconds=60)

# A status ends the command at once; it is a person who waits.
_FAILURES = frozenset(range(400, 600))
_NO_HEADERS: Mapping[str, str] = {}


def fetched(
    address: Address, target: str, settings: Settings, headers: Mapping[str, str] = _NO_HEADERS
) -> tuple[bytes, str]:
    """The body at `target`, a path with its query, and a remark on where it came from.

    A host that the sandbox plays is requested there. Raises what `Client`
    raises, `WrongDefinition` for headers that no contract can have, such as a
    secret, and `PermanentError` or `SourceUnavailable` for a failure.
    """
    extract = validated(
        {
            "base_url": address.base_url,
            # May be in the user's own network: a person has named it.
            "private_hosts": [host_name(host_of(address.base_url))],
            "rate": {"per_second": 1, "burst": 1},
            "parallel": 1,
            "attempts": 2,
            "request": {"path": "/", "headers": {**headers}},
        },
        Extract,
        "new-source",
    )
    plays = bool(settings.sandbox_url) and settings.in_sandbox(address.base_url)
    url = (settings.api_url(address.base_url) if plays else address.base_url) + target
    client = Client(extract, extract.rate, limits=LIMITS, public_only=not plays)
    request = SentRequest(method="GET", url=url, headers={**headers})
    try:
        answer = client.ask("new-source", request, accept=_FAILURES, check=lambda _: None)
    except BeyondLimit as error:
        raise PermanentError(
            f"new-source: {error.what}. Save a smaller response and pass it with --file."
        ) from None
    except SourceRejected as error:
        raise SourceRejected(f"{error} Or save the response and pass it with --file.") from None
    if answer.status >= 500:
        raise SourceUnavailable(
            f"new-source: HTTP {answer.status} from {answer.url}. Try again later, or save a "
            "response and pass it with --file."
        )
    if answer.status in REFUSED:
        raise PermanentError(
            f"new-source: HTTP {answer.status} from {answer.url}: the API asks for a login. Save a "
            "response and pass it with --file together with --url; then put `auth` into the "
            "contract."
        )
    if answer.status >= 400:
        raise PermanentError(
            f"new-source: HTTP {answer.status} from {answer.url}. Correct the address. If the API "
            "wants a header, such as its version, pass it with --header."
        )
    where = "the sandbox" if plays else "the real API"
    return answer.body.read(), f"The response is from {urlsplit(url).path} of {where}."


def public(url: str, settings: Settings) -> str:
    """The address of the API itself, for one of the sandbox."""
    sandbox = settings.sandbox_url
    if sandbox and url.startswith(f"{sandbox}/"):
        return "https://" + url.removeprefix(f"{sandbox}/")
    return url
