"""Put a file into the inbox of a source."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from include.errors import PermanentError
from include.extract.files.listing import File
from include.extract.files.matching import Match, Matcher
from include.jobs.files.places import known_councils
from include.jobs.lake import Lake
from include.sources.extract.files import FilesExtract, inbox_prefix
from include.sources.model import Contract


def put(contract: Contract, path: Path, *, lake: Lake, name: str, now: datetime) -> Match:
    """Upload a file under a name that belongs to a partition; returns to which.

    Raises `PermanentError` for a source without an inbox, a name that belongs
    to no partition and a file that is too large, and `ServiceUnavailable`.
    """
    extract = contract.extract
    if not isinstance(extract, FilesExtract) or extract.place != "inbox":
        raise PermanentError(f"{contract.name}: has no inbox (`from: inbox` in its contract).")
    key = inbox_prefix(contract.name) + name
    size = path.stat().st_size
    file = File(name, key, key, size, now)
    match = Matcher(contract, known_councils(), now).match([file])[0]
    if not match.partitions:
        raise PermanentError(
            f"{contract.name}: {name[:200]!r} belongs to no partition: "
            f"{match.problem or '`extract.ignore` names it'}. Give it another name by `--as`, "
            f"one that matches {extract.pattern}"
        )
    if size > contract.limits.answer_bytes:
        raise PermanentError(
            f"{contract.name}: {name} has {size} bytes, which is beyond `limits.answer_bytes: "
            f"{contract.limits.answer_bytes}` of the contract. If that is right for this source, "
            "raise it."
        )
    with lake.landings.writing(key, size):
        lake.s3.upload_file(str(path), lake.bucket, key)
    return match
