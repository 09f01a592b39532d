"""A body as received -> uncompressed UTF-8, which is what records are read from."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import IO

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.archives import is_workbook, open_member, opened, size_of
from include.records.json.values import BodyCutShort
from include.sources.formats import FILES, Compression, Format, is_text_encoding

IN_MEMORY_BYTES = 8 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024
UTF_8 = "utf-8"

_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
)
# The longer ones first: that of UTF-32 starts like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# ASCII is UTF-8; what is labelled Latin-1 is Windows-1252 (https://encoding.spec.whatwg.org).
_MEANT = {"ascii": UTF_8, "utf-8-sig": UTF_8, "iso8859-1": "cp1252"}
_PROLOG_BYTES = 256
_PROLOG = re.compile(rb"""\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]*)["']""")
_GZIP_ERRORS = (gzip.BadGzipFile, zlib.error, EOFError)
# A fixed moment, so that the same content always packs to the same bytes.
_PACKED_AT = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Unpacked:
    """A body to read records from; `size` is its own. `packing` is what it came as, outermost
    first: "a gzip file", "utf-16-le"."""

    body: IO[bytes]
    size: int
    packing: tuple[str, ...] = ()
    pack: Callable[[bytes], bytes] = bytes


def unpack(body: IO[bytes], size: int, layout: Format, content_type: str = "") -> Unpacked:
    """Undo compression and encoding, as the contract or the first bytes say.

    A body in plain UTF-8 is returned unchanged, and so is a file of another
    kind than text, such as a workbook; invalid UTF-8 is left to its reader.
    Raises `BodyCutShort` for an incomplete archive, and
    `UnexpectedPayload` for one that does not match the contract, or for text
    that is not in the expected encoding.
    """
    found = Unpacked(body, size)
    if _is_plain(body, layout) and _charset(content_type) in ("", UTF_8):
        return found
    layers = layout.layers or _recognised(body, layout)[:1]
    for layer in layers:
        found = _without_layer(found, layer, layout)
    left = _recognised(found.body, layout)
    wanted = "a file" if layout.kind in FILES else "text"
    if left and layers:
        words = ", ".join([*layers, *left])
        raise UnexpectedPayload(
            f"expected {wanted}, found {left[0]} within {layers[-1]}: it is compressed more than "
            f"once. Say so in the contract: `compression: [{words}]` under `format`"
        )
    if left:
        raise UnexpectedPayload(f"expected {wanted}, found {left[0]}")
    if layout.kind in FILES:
        found.body.seek(0)
        return found
    return _as_utf_8(found, layout, content_type)


def _is_plain(body: IO[bytes], layout: Format) -> bool:
    """Whether it can only be text in UTF-8, unless its charset says otherwise."""
    body.seek(0)
    head = body.read(4)
    body.seek(0)
    text = head.isascii() and b"\0" not in head and head[:2] != b"PK"
    # XML can declare its encoding.
    text = text and layout.kind not in ("xml", *FILES)
    return text and not layout.layers and not layout.encoding


def _recognised(body: IO[bytes], layout: Format) -> tuple[Compression, ...]:
    if layout.kind in FILES and is_workbook(body):
        return ()
    body.seek(0)
    head = body.read(4)
    body.seek(0)
    return tuple(name for magic, name in _MAGIC if head.startswith(magic))


def _without_layer(outer: Unpacked, layer: Compression, layout: Format) -> Unpacked:
    if _recognised(outer.body, layout) != (layer,):
        raise UnexpectedPayload(f"expected a {layer} file as `compression` says, found another")
    limit = layout.limits.answer_bytes
    if layer == "gzip":
        body = _ungzipped(outer.body, limit)
        pack: Callable[[bytes], bytes] = lambda text: gzip.compress(text, mtime=0)  # noqa: E731
    else:
        name, body = _unzipped(outer.body, layout.zip_member, limit)
        pack = lambda text: _zipped(name, text)  # noqa: E731
    outer_pack = outer.pack
    return Unpacked(
        body,
        size_of(body),
        (*outer.packing, f"a {layer} file"),
        lambda text: outer_pack(pack(text)),
    )


def _ungzipped(body: IO[bytes], limit: int) -> IO[bytes]:
    body.seek(0)
    try:
        with gzip.GzipFile(fileobj=body, mode="rb") as archive:
            return _copied(archive, limit)
    except _GZIP_ERRORS as error:
        raise BodyCutShort(f"it is a gzip file that is not complete ({error})") from None


def _unzipped(body: IO[bytes], wanted: str, limit: int) -> tuple[str, IO[bytes]]:
    with opened(body) as archive:
        name = _member(archive, wanted)
        with open_member(archive, name) as member:
            return name, _copied(member, limit)


def _member(archive: zipfile.ZipFile, wanted: str) -> str:
    names = [item.filename for item in archive.infolist() if not item.is_dir()]
    if "[Content_Types].xml" in names:
        raise UnexpectedPayload(
            "expected text, found an Office document, such as .xlsx, which `kind: spreadsheet` "
            "reads"
        )
    fitting = [name for name in names if fnmatchcase(name, wanted)] if wanted else names
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(name[:80] for name in names[:8]) or "none"
    if wanted:
        raise UnexpectedPayload(
            f"expected one file like {wanted!r} in a zip file, found {len(fitting)} of {shown}"
        )
    raise UnexpectedPayload(
        f"expected one file in a zip file, found {len(names)}: {shown}. Name one as `zip_member` "
        "under `format`"
    )


def _zipped(name: str, text: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, _PACKED_AT), text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def _copied(source: IO[bytes] | gzip.GzipFile, limit: int) -> IO[bytes]:
    copy = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed when it is freed
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        size += len(chunk)
        if size > limit:
            copy.close()
            raise BeyondLimit(
                f"an archive holds more than {limit} uncompressed bytes", "answer_bytes", limit
            )
        copy.write(chunk)
    copy.seek(0)
    return copy


def _as_utf_8(found: Unpacked, layout: Format, content_type: str) -> Unpacked:
    found.body.seek(0)
    head = found.body.read(_PROLOG_BYTES)
    found.body.seek(0)
    mark, encoding = next(((m, name) for m, name in _MARKS if head.startswith(m)), (b"", ""))
    encoding = encoding or _without_mark(
        head[:4], layout.encoding, content_type, _in_prolog(head) if layout.kind == "xml" else ""
    )
    if encoding == UTF_8:
        return found
    found.body.seek(len(mark))
    body = _decoded(found.body, encoding)
    outer_pack = found.pack
    return Unpacked(
        body,
        size_of(body),
        (*found.packing, encoding),
        lambda text: outer_pack(mark + text.decode(UTF_8).encode(encoding)),
    )


def _in_prolog(head: bytes) -> str:
    """The encoding that an XML body in a superset of ASCII declares; empty if it declares none.

    Programs that write text to a string first declare UTF-16, whatever they send.
    """
    found = _PROLOG.match(head)
    name = found[1].decode() if found else ""
    if not name or name.lower().startswith(("utf-16", "utf-32", "ucs-", "iso-10646")):
        return ""
    if not is_text_encoding(name):
        raise UnexpectedPayload(
            f"expected XML in an encoding that is known, found {name[:40]!r}: name it as "
            "`encoding` under `format`"
        )
    return codecs.lookup(name).name


def _without_mark(head: bytes, declared: str, content_type: str, in_prolog: str) -> str:
    """The encoding of a body without a byte order mark."""
    zeros = tuple(byte == 0 for byte in head)
    patterns: dict[tuple[bool, ...], str] = {
        (True, False, True, False): "utf-16-be",
        (False, True, False, True): "utf-16-le",
        (True, True, True, False): "utf-32-be",
        (False, True, True, True): "utf-32-le",
    }
    found = patterns.get(zeros) or declared or _charset(content_type) or in_prolog
    return _MEANT.get(found, found) or UTF_8


@lru_cache
def _charset(content_type: str) -> str:
    if "charset" not in content_type.lower():
        return ""
    message = Message()
    message["content-type"] = content_type
    try:
        charset = message.get_content_charset() or UTF_8
    except (TypeError, ValueError):  # two parameters `charset*`, or one with a huge number
        return UTF_8
    return codecs.lookup(charset).name if is_text_encoding(charset) else UTF_8


def _decoded(body: IO[bytes], encoding: str) -> IO[bytes]:
    copy = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed when it is freed
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := body.read(CHUNK_BYTES):
            copy.write(decoder.decode(chunk).encode(UTF_8, "surrogatepass"))
        copy.write(decoder.decode(b"", final=True).encode(UTF_8, "surrogatepass"))
    except UnicodeError as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else error
        raise UnexpectedPayload(
            f"expected text in {encoding}, found bytes that are not ({reason}). Name its "
            "`encoding` under `format`"
        ) from None
    copy.seek(0)
    return copy
