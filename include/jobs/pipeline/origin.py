"""Where each source's data come from: the sandbox, the real API, or a database."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from include.errors import SourceRejected
from include.settings import Settings
from include.sources.extract.database import DatabaseExtract
from include.sources.extract.files import FilesExtract, inbox_prefix
from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract
from include.sources.rates import http_of


def described(contract: Contract, settings: Settings, way: str = "api") -> str:
    """Where a source is requested, for people: `data.police.uk, in the sandbox`."""
    if isinstance(contract.extract, DatabaseExtract):
        return f"the database {contract.extract.connection}"
    if isinstance(contract.extract, LandingExtract):
        return f"the landings of {contract.extract.source}"
    http = http_of(contract)
    if http is None:
        return _place(contract)
    base_url = http.base_url_of(way)
    host = urlsplit(base_url).netloc
    if not settings.in_sandbox(base_url, contract.name):
        return f"{host}, the real API"
    if settings.sample(contract.name, base_url).is_file():
        return f"{host}, in the sandbox, which replays the sample of `wandle new-source`"
    return f"{host}, in the sandbox"


def _place(contract: Contract) -> str:
    extract = contract.extract
    if isinstance(extract, FilesExtract) and extract.place == "sftp":
        return f"the SFTP server {extract.connection}"
    return f"the inbox {inbox_prefix(contract.name)}"


def in_sandbox(contract: Contract, settings: Settings) -> bool:
    """Whether the sandbox answers for a source."""
    http = http_of(contract)
    return http is not None and settings.in_sandbox(http.base_url, contract.name)


def explained(error: SourceRejected, contract: Contract, settings: Settings) -> SourceRejected:
    """The same failure; it says so where the sandbox refused the request, not the API."""
    http = http_of(contract)
    if http is None or not settings.sandbox_hosts or not in_sandbox(contract, settings):
        return error
    base_url = http.base_url
    host, sample = urlsplit(base_url).netloc, settings.sample(contract.name, base_url)
    if sample.is_file():
        told = f"replays one response for this source. Delete {sample} to request {host}."
    else:
        told = f"simulates a part of {host}. For all of it, use a state folder with WANDLE_LIVE=1."
    return SourceRejected(f"{error} This is the answer of the sandbox, which {told}")


def listed(contracts: Iterable[Contract], settings: Settings) -> list[str]:
    """A line for each place, with the sources that are requested there."""
    found: dict[str, list[str]] = {}
    for contract in contracts:
        found.setdefault(described(contract, settings), []).append(contract.name)
    return [f"{place}: {', '.join(sorted(names))}" for place, names in sorted(found.items())]
