"""The parts of a spreadsheet file: a zip file whose parts are read as streams."""

from __future__ import annotations

import posixpath
import zipfile
from typing import IO, cast

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.archives import open_member


class Package:
    """The parts of an opened zip file, by their path from the root; `/` before it does not count.

    `limit` is that of the uncompressed bytes of all parts that are read.
    """

    def __init__(self, archive: zipfile.ZipFile, limit: int) -> None:
        self._archive = archive
        self._names = {_plain(name): name for name in archive.NameToInfo}
        self._limit = limit
        self._read = 0

    def __contains__(self, part: str) -> bool:
        return _plain(part) in self._names

    def open(self, part: str) -> IO[bytes]:
        """A part as a stream. Raises `UnexpectedPayload` if it is not there."""
        name = self._names.get(_plain(part))
        if name is None:
            raise UnexpectedPayload(f"expected a spreadsheet, found one without {part[:80]!r}")
        return cast(IO[bytes], _Counted(open_member(self._archive, name), self))

    def count(self, size: int) -> None:
        """Count bytes that were read. Raises `BeyondLimit`."""
        self._read += size
        if self._read > self._limit:
            raise BeyondLimit(
                f"a spreadsheet holds more than {self._limit} uncompressed bytes",
                "answer_bytes",
                self._limit,
            )


def _plain(part: str) -> str:
    """A name as it is compared: programs write them with other slashes and cases."""
    return posixpath.normpath(part.replace("\\", "/")).lstrip("/").lower()


class _Counted:
    """A part that is being read."""

    def __init__(self, member: IO[bytes], package: Package) -> None:
        self._member, self._package = member, package

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *_: object) -> None:
        self._member.close()

    def read(self, count: int) -> bytes:
        """As of any file."""
        found = self._member.read(count)
        self._package.count(len(found))
        return found
