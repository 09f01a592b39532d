"""Response bodies in S3, as received. They never change, so any table can be built again."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore, from_url


class DamagedLanding(Exception):
    """A landing whose content is not what was written."""


def store_of(url: str) -> ObjectStore:
    """The place at s3://bucket/prefix or file:///folder, which is made if it does not exist."""
    if url.startswith("file://"):
        return LocalStore(Path(unquote(urlsplit(url).path)), mkdir=True)
    return from_url(url)


def write(store: ObjectStore, source: str, body: bytes) -> str:
    """Store a body; its key, which has the time and the checksum in it."""
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    key = f"landing/{source}/{now}-{hashlib.sha256(body).hexdigest()}.json"
    obstore.put(store, key, body, mode="create")
    return key


def latest(store: ObjectStore, source: str) -> str:
    """The key of the newest landing. Raises `LookupError` if there is none."""
    pages = obstore.list(store, prefix=f"landing/{source}/")
    keys = [item["path"] for page in pages for item in page]
    if not keys:
        raise LookupError(f"{source}: no landing. Run `ingest` first.")
    return max(keys)


def read(store: ObjectStore, key: str) -> bytes:
    """The body. Raises `DamagedLanding` if it is not the one that was written."""
    body = bytes(obstore.get(store, key).bytes())
    if hashlib.sha256(body).hexdigest() != key.removesuffix(".json").rpartition("-")[2]:
        raise DamagedLanding(f"{key}: the content is not what was written. Restore its version.")
    return body
