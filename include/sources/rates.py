"""The share of a host's rate limit that each of its clients may use."""

from __future__ import annotations

from collections.abc import Container, Iterable

from include.errors import PermanentError
from include.sources.extract.files import FilesExtract
from include.sources.extract.http import Extract, Rate
from include.sources.model import Contract


def rate_for(
    contract: Contract, all_contracts: Iterable[Contract], sharing: Container[str] = ()
) -> Rate:
    """The share of its host's rate limit for the clients in `sharing` together, or for one client.

    `sharing` names the sources whose clients take turns in one place. Every
    other client, one for each of a contract's `parallel` tasks, keeps to an
    equal part of its own, so that all together never exceed the host's rate.
    Raises `PermanentError` for a source that is a database.
    """
    asked = http_of(contract)
    if asked is None:
        raise PermanentError(f"{contract.name}: rate limits apply to HTTP only.")
    clients = {
        other.name: found
        for other in (*all_contracts, contract)
        if (found := http_of(other)) is not None and found.host == asked.host
    }
    parts = sum(item.parallel for item in clients.values())
    shared = sum(item.parallel for name, item in clients.items() if name in sharing) or 1
    per_second = min(item.rate.per_second for item in clients.values())
    burst = min(item.rate.burst for item in clients.values())
    return Rate(per_second=per_second * shared / parts, burst=max(1, burst * shared // parts))


def http_of(contract: Contract) -> Extract | None:
    """How the source is requested by HTTP, if it is: an API, or links to files."""
    extract = contract.extract
    if isinstance(extract, FilesExtract):
        return extract.http
    return extract if isinstance(extract, Extract) else None
