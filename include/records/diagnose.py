"""Why a body cannot be read as the contract says, in words for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from include.errors import LandingDamaged, UnexpectedPayload
from include.records.json.values import BodyCutShort
from include.records.recognise import HEAD_BYTES, BodyKind, beginning, is_busy, recognise
from include.records.unpack import unpack
from include.sources.formats import FILES, Format

_KINDS = {
    "csv": "CSV",
    "jsonl": "lines of JSON",
    "xml": "XML",
    "spreadsheet": "a spreadsheet",
    "parquet": "a Parquet file",
    "geojson": "GeoJSON",
}
# How bodies begin that are what the contract says; of `.xls` the reader says what to do.
_OWN = {"spreadsheet": (b"PK", b"\xd0\xcf\x11\xe0"), "parquet": (b"PAR1",)}
# A larger body that starts as text is not an error message.
_SENTENCE_BYTES = HEAD_BYTES


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a body, how it begins (empty if that may be personal), and whether
    a retry may help."""

    what: str
    begins: str
    retry: bool


def diagnose(
    error: BodyCutShort | UnexpectedPayload,
    body: IO[bytes],
    size: int,
    layout: Format,
    content_type: str = "",
) -> Diagnosis:
    """Describe a body that could not be read because of `error`."""
    layout = layout.received_as(content_type)
    body.seek(0)
    head, packing = body.read(HEAD_BYTES), ""
    try:
        unpacked = unpack(body, size, layout, content_type)
    except (BodyCutShort, UnexpectedPayload) as failure:
        found = recognise(head)
        retry = isinstance(failure, BodyCutShort)
        if found is not None and head[:2] not in (b"\x1f\x8b", b"PK"):
            return _said(_instead(layout, found), head, found.retry, layout)
        return Diagnosis(str(failure), "", retry)
    head, size = unpacked.body.read(HEAD_BYTES), unpacked.size
    if unpacked.packing:
        packing = f" (received as {' in '.join(reversed(unpacked.packing))})"
    if not head.removeprefix(b"\xef\xbb\xbf").strip():
        blank = "it holds nothing but white space" if size else "it is empty (0 bytes)"
        return Diagnosis(blank + packing, "", retry=True)
    found = _recognised(head, layout) or _text_instead(error, head, size, layout)
    if found is not None:
        return _said(_instead(layout, found) + packing, head, found.retry, layout)
    retry = isinstance(error, BodyCutShort) or (
        size <= _SENTENCE_BYTES and is_busy(head.decode("utf-8", "replace"))
    )
    return _said(f"{error}{packing}", head if size else b"", retry, layout)


def not_the_data(
    address: str,
    error: BodyCutShort | UnexpectedPayload,
    body: IO[bytes],
    size: int,
    layout: Format,
    content_type: str = "",
) -> LandingDamaged:
    """The exception for a landed page, at `address`, that does not match its contract."""
    found = diagnose(error, body, size, layout, content_type)
    return LandingDamaged(
        f"{address}: {found.what}.{found.begins} Nothing was changed. Fetch the partition again; "
        "if the source's format has changed, update `format` in the contract."
    )


def _recognised(head: bytes, layout: Format) -> BodyKind | None:
    """What a body is, if that is something else than the contract says."""
    if any(head.startswith(magic) for magic in _OWN.get(layout.kind, ())):
        return None
    found = recognise(head)
    return None if found and layout.kind == "xml" and found.what == "XML" else found


def _instead_of_file(text: bytes, busy: bool, layout: Format) -> BodyKind | None:
    if layout.kind == "xml" and text.startswith(b"<"):
        return None
    if any(text.startswith(magic) for magic in _OWN.get(layout.kind, ())):
        return None
    return BodyKind("JSON" if text[:1] in (b"{", b"[") else "text", busy)


def _text_instead(error: Exception, head: bytes, size: int, layout: Format) -> BodyKind | None:
    """What a body is if it is a sentence instead of JSON, or JSON instead of CSV."""
    text = head.removeprefix(b"\xef\xbb\xbf").strip()
    busy = size <= _SENTENCE_BYTES and is_busy(text.decode("utf-8", "replace"))
    if not text:
        return None
    if layout.kind in FILES or layout.kind == "xml":
        return _instead_of_file(text, busy, layout)
    if layout.kind == "csv":
        is_json = text[:1] in (b"{", b"[") and isinstance(error, UnexpectedPayload)
        return BodyKind("JSON", busy) if is_json else None
    starts_as_json = text[:1] in (b"{", b"[", b'"') or isinstance(error, UnexpectedPayload)
    if layout.kind != "jsonl" and starts_as_json:
        return None
    if layout.kind == "jsonl" and text[:1] in (b"{", b"["):
        return None
    return BodyKind("text", busy)


def _instead(layout: Format, found: BodyKind) -> str:
    return f"expected {_KINDS.get(layout.kind, 'JSON')}, found {found.what}"


def _said(what: str, head: bytes, retry: bool, layout: Format) -> Diagnosis:
    quoted = head and not layout.evidence.personal and not _is_binary(head)
    return Diagnosis(what, f" It begins {beginning(head)}." if quoted else "", retry)


def _is_binary(head: bytes) -> bool:
    return not head.lstrip().startswith((b"<", b"\xef\xbb\xbf<")) and recognise(head) is not None
