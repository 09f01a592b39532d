"""The files of a place, and what every place can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Protocol

from include.errors import BeyondLimit

# Longer names are those of no file system, and of no object in S3.
MOST_NAME_BYTES = 1024


@dataclass(frozen=True)
class File:
    """A file as its place lists it.

    `name` is what the contract's pattern is compared with. `address` names the
    file in manifests: the place and the path, without a secret. `key` is how
    the place finds it. `is_settled` is false while it may still be being written.
    `trouble` is why it must not be read. A link that is not `is_certain` to lead
    to a file counts only if its name matches.
    """

    name: str
    address: str
    key: str
    size: int | None = None
    modified: datetime | None = None
    etag: str = ""
    is_settled: bool = True
    trouble: str = ""
    is_certain: bool = True

    @property
    def headers(self) -> dict[str, str]:
        """What hints at a change, as a page's headers have it."""
        found = {
            "etag": self.etag,
            "last-modified": self.modified.astimezone(UTC).isoformat() if self.modified else "",
            "content-length": "" if self.size is None else str(self.size),
        }
        return {name: value for name, value in found.items() if value}

    @property
    def problem(self) -> str:
        """Why no pattern is compared with the name; empty for a proper one."""
        if len(self.name.encode(errors="surrogatepass")) > MOST_NAME_BYTES:
            return f"its name is longer than {MOST_NAME_BYTES} bytes"
        if not self.name.isprintable():
            return "its name has characters that cannot be printed"
        if {"", ".", ".."} & {*self.name.split("/")}:
            return "its name is not a plain relative path"
        return ""


def is_changed(now: dict[str, str], landed: dict[str, str]) -> bool:
    """Whether a file's hints (`File.headers`) differ from those that it was landed with.

    An ETag decides alone; without one, size and time do. A file without
    either counts as unchanged: nothing says otherwise.
    """
    if "etag" in now and "etag" in landed:
        return now["etag"] != landed["etag"]
    return any(name in landed and landed[name] != value for name, value in now.items())


@dataclass
class Received:
    """The bytes of a file, at their beginning, and what hints at a change of just these."""

    body: IO[bytes]
    sha256: str
    size: int
    headers: dict[str, str]
    redirects: tuple[str, ...] = ()


class Place(Protocol):
    """Where the files of a source are."""

    address: str

    def files(self) -> Iterator[File]:
        """Every file. Raises `SourceUnavailable`, `SourceRejected` and `BeyondLimit`."""

    def read(self, who: str, file: File) -> Received:
        """The bytes of a file; `who` opens every message. Raises as `files` does."""


def limited(files: Iterator[File], most: int, who: str) -> Iterator[File]:
    """The files. Raises `BeyondLimit` if there are more than `most`."""
    for number, file in enumerate(files, start=1):
        if number > most:
            raise BeyondLimit(f"expected files, found more than {most}", "files", most, who)
        yield file
