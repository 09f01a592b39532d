"""The members of zip files, read so that no file takes more memory or disk than allowed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from include.errors import UnexpectedPayload
from include.records.json.values import BodyCutShort

ZIP_MAGIC = b"PK\x03\x04"
# Of damaged ones, the standard library raises these too.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError)
# Others unpack any number of bytes at once, whatever is asked of them.
_ZIP_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# The table of contents is read at once, and takes some times its size.
_CONTENTS_BYTES = 4 * 1024 * 1024


@contextmanager
def opened(body: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    """A zip file, whose body stays open.

    What is wrong with it while it is read is raised as `BodyCutShort` if it
    is not complete, and as `UnexpectedPayload` if it is of another kind.
    """
    body.seek(0)
    try:
        with zipfile.ZipFile(_InPieces(body)) as archive:
            yield archive
    except BodyCutShort:
        raise
    except NotImplementedError as error:
        raise UnexpectedPayload(f"expected a zip file, found an unknown kind ({error})") from None
    except _ZIP_ERRORS as error:
        raise BodyCutShort(f"it is a zip file that is not complete ({error})") from None
    except RuntimeError as error:
        if "password" not in str(error):
            raise
        raise UnexpectedPayload("expected a zip file, found one with a password") from None


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """One file of a zip file. Raises `UnexpectedPayload` for an unusual compression method."""
    if archive.getinfo(name).compress_type not in _ZIP_METHODS:
        raise UnexpectedPayload(
            f"expected a file in a zip file that is packed by deflate, found {name[:80]!r} "
            "packed by another method"
        )
    return archive.open(name)


class _InPieces:
    """A zip file of which only so many bytes are read at once, as for its table of contents."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self.tell, self.seek, self.seekable = body.tell, body.seek, lambda: True

    def read(self, count: int = -1) -> bytes:
        """As of any file. Raises `UnexpectedPayload` if that is too much."""
        if 0 <= count <= _CONTENTS_BYTES:
            return self._body.read(count)
        found = self._body.read(_CONTENTS_BYTES + 1)
        if len(found) > _CONTENTS_BYTES:
            raise UnexpectedPayload(
                f"expected a zip file, found one whose table of contents has more than "
                f"{_CONTENTS_BYTES} bytes"
            )
        return found

    def close(self) -> None:
        """Leave the body open."""


def is_workbook(body: IO[bytes]) -> bool:
    """Whether a zip file is an Office or OpenDocument file, which is not unpacked."""
    body.seek(0)
    is_zip = body.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    body.seek(0)
    if not is_zip:
        return False
    try:
        with opened(body) as archive:
            return "[Content_Types].xml" in archive.NameToInfo or "mimetype" in archive.NameToInfo
    finally:
        body.seek(0)


def size_of(body: IO[bytes]) -> int:
    """The size of a body, which is positioned at its start."""
    size = body.seek(0, io.SEEK_END)
    body.seek(0)
    return size
