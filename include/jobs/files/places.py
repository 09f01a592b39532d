"""Open the place of a source's files, with the access of this deployment."""

from __future__ import annotations

from include.councils.model import Council, councils
from include.errors import PermanentError
from include.extract.client import Client
from include.extract.files.inbox import Inbox
from include.extract.files.links import Links
from include.extract.files.listing import Place
from include.jobs.lake import Lake
from include.jobs.logins import SecretOf, login_of
from include.settings import Settings
from include.sources.extract.files import FilesExtract
from include.sources.model import Contract, contracts
from include.sources.rates import http_of, rate_for


def open_place(
    contract: Contract,
    *,
    lake: Lake,
    source_dsn: str | None = None,
    secret_of: SecretOf | None = None,
    rate_shared_in: str | None = None,
) -> Place:
    """The place of the contract's files; `lake` has the permissions of its role.

    `source_dsn` is the URI of the SFTP server, if the contract names one,
    `secret_of` finds its secret (see `login_of`).
    Raises `PermanentError` without it.
    """
    extract = contract.extract
    if not isinstance(extract, FilesExtract):
        raise PermanentError(f"{contract.name}: is not fetched from files.")
    if extract.place == "inbox":
        return Inbox(contract, lake.s3, lake.bucket)
    if extract.place == "sftp":
        # Its library takes 15 MB, even in jobs that read no files.
        from include.extract.files.sftp import Sftp

        return Sftp(contract, source_dsn)
    return _links(contract, secret_of, rate_shared_in)


def _links(contract: Contract, secret_of: SecretOf | None, rate_shared_in: str | None) -> Links:
    http = http_of(contract)
    if http is None:
        raise TypeError(f"{contract.name} is not fetched from links")
    settings, every = Settings.read(), contracts()
    sharing = every.keys() - settings.serverless_sources if rate_shared_in else ()
    client = Client(
        http,
        rate_for(contract, every.values(), sharing),
        rate_shared_in,
        limits=contract.limits,
        login=login_of(contract, settings, "api", secret_of),
        public_only=not settings.in_sandbox(http.base_url, contract.name),
    )
    return Links(contract, client, settings.api_url(http.base_url, contract.name))


def known_councils() -> list[Council]:
    """The councils that a name can mean."""
    return list(councils().values())
