"""Open the place of a source's files, with the access of this deployment."""

from __future__ import annotations

from include.councils.model import Council, councils
from include.errors import PermanentError
from include.extract.files.inbox import Inbox
from include.extract.files.listing import Place
from include.jobs.lake import Lake
from include.sources.extract.files import FilesExtract
from include.sources.model import Contract


def open_place(
    contract: Contract,
    *,
    lake: Lake,
    source_dsn: str | None = None,
    rate_shared_in: str | None = None,
) -> Place:
    """The place of the contract's files; `lake` has the permissions of its role.

    `source_dsn` is the URI of the SFTP server, if the contract names one.
    Raises `PermanentError` without it.
    """
    extract = contract.extract
    if not isinstance(extract, FilesExtract):
        raise PermanentError(f"{contract.name}: is not fetched from files.")
    return Inbox(contract, lake.s3, lake.bucket)


def known_councils() -> list[Council]:
    """The councils that a name can mean."""
    return list(councils().values())
