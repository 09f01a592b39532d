"""Recognise answers that are not data by their content, and whether to retry them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

# How much of a body is inspected, and how much is quoted.
HEAD_BYTES = 4096
QUOTED_CHARACTERS = 160

# The first bytes of files: https://en.wikipedia.org/wiki/List_of_file_signatures
_SIGNATURES: Mapping[bytes, str] = {
    b"\x1f\x8b": "a gzip file",
    b"PK\x03\x04": "a zip file",
    b"PK\x05\x06": "an empty zip file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ\x00": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"7z\xbc\xaf\x27\x1c": "a 7z file",
    b"%PDF-": "a PDF document",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"RIFF": "a RIFF file, such as a WebP image",
    b"II*\x00": "a TIFF image",
    b"MM\x00*": "a TIFF image",
    b"\x00\x00\x01\x00": "an icon",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\x00": "an SQLite database",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Office document, such as .xls",
}

_HTML = re.compile(
    rb"<(!doctype\s+html|html|head|body|title|script|style|meta|div|form|center|h\d|p|br|pre)\b",
    re.I,
)
_PASSWORD = re.compile(rb"type\s*=\s*[\"']?password", re.I)
_SIGN_IN = re.compile(
    rb"<(form|title|h1)\b.*?(sign[\s_-]?in\b|log[\s_-]?[io]n\b|single sign-on|authenticat)",
    re.I | re.S,
)
_NOT_SHOWN = re.compile(r"<(script|style)\b.*?(</\1>|$)|<[^>]*>", re.I | re.S)
_BUSY = re.compile(
    r"again.{0,30}later|later.{0,20}again|(try|trying|do so) (it |this )?(again|later)|"
    r"come back|please retry|retry (after|in)|temporar|unavailable|overload|too many requests|"
    r"too busy|is busy|server busy|busy,|^\W*busy\W*$|rate.?limit|throttl|"
    r"(under|scheduled|planned|down for|ongoing) (emergency )?maintenance|maintenance mode|"
    r"tim(ed|e)[ -]?out|bad gateway|gateway time|internal server error|not ready|"
    r"could not (connect|reach)|connection (refused|reset|failed)",
    re.I,
)
# How the line begins that a server writes in place of the rest of its answer.
_FAILURE = re.compile(
    r"^\W*((fatal|internal|server|query|database|unhandled|sql|fetch|export)[ _]){0,2}"
    r"(error|exception|failure|failed|aborted|traceback|timeout)\b|^\s*<(html|!doctype|br|b)\b",
    re.I,
)
_STATUS = re.compile(r"^\W*(408|429|5\d\d)\b|\b(status|code)\W{1,6}(408|429|5\d\d)\b", re.I)


@dataclass(frozen=True)
class BodyKind:
    """What a body is, in a few words, and whether a retry may help."""

    what: str
    retry: bool = False


def recognise(head: bytes) -> BodyKind | None:
    """What a body is, by its first bytes; None if it may be JSON, JSON lines or CSV."""
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            return BodyKind(what)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return _markup(text)
    if b"\x00" in head or _looks_binary(head):
        return BodyKind("binary data")
    return None


def _markup(text: bytes) -> BodyKind:
    shown = _NOT_SHOWN.sub(" ", text.decode("utf-8", "replace"))
    if not _HTML.match(text) and b"<html" not in text[:1024].lower():
        return BodyKind("XML", retry=is_busy(shown))
    if _PASSWORD.search(text) or _SIGN_IN.search(text):
        return BodyKind("a sign-in page (HTML)")
    return BodyKind("a web page (HTML)", retry=is_busy(shown))


def _looks_binary(head: bytes) -> bool:
    """Whether it contains control characters that texts do not have."""
    return any(byte < 9 or 13 < byte < 27 for byte in head[:512])


def is_busy(text: str) -> bool:
    """Whether a sentence says that a retry may succeed."""
    return bool(_BUSY.search(text) or _STATUS.search(text))


def is_failure(text: str) -> bool:
    """Whether a line begins as an error message does."""
    return bool(_FAILURE.match(text))


def beginning(head: bytes) -> str:
    """The first characters of a body, for quoting."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    shown = " ".join(text.split())
    return repr(shown[:QUOTED_CHARACTERS] + ("..." if len(shown) > QUOTED_CHARACTERS else ""))


_ERROR_NAMES = frozenset({"error", "errors", "exception", "exceptions", "fault"}) | {
    *("errormessage", "errormsg", "errorcode", "errordescription", "errordetail", "errordetails"),
    *("faultstring", "faultcode", "haserror", "haserrors", "iserror"),
}
_SAYS_NAMES = frozenset({"message", "msg", "detail", "details", "reason", "description"}) | {
    *("status", "statustext"),
}
_FLAG_NAMES = frozenset({"success", "ok", "successful", "issuccess"})
_STATUS_NAMES = frozenset({"status", "statuscode", "resultcode", "responsecode"})
_PARTIAL_NAMES = frozenset({"partial", "ispartial", "partialresults", "truncated"}) | {
    *("istruncated", "incomplete", "isincomplete", "aborted"),
}
_FAILED = frozenset({"error", "errors", "fail", "failed", "failure", "aborted"}) | {
    *("partial", "incomplete", "truncated", "timeout", "timed_out", "timed out"),
}
_NO_ERROR = frozenset({"", "0", "200", "none", "null", "ok", "false", "no error", "success"})


@lru_cache(maxsize=1024)
def _plain(name: str) -> str:
    """A name as it is compared: `@odata.has_more` is hasmore."""
    return name.rpartition(".")[2].lower().replace("_", "").replace("-", "")


def is_error_name(name: str) -> bool:
    """Whether a field with this name describes an error."""
    return _plain(name) in _ERROR_NAMES or _plain(name) in _SAYS_NAMES


def error_beside(objects: Iterable[Any], *, empty: bool) -> str:
    """The field of these objects that reports an error; empty if none does.

    If there are no records (`empty`), sentences count too.
    """
    for found in objects:
        for name, value in found.items() if isinstance(found, dict) else ():
            if _says_error(_plain(name), value, empty):
                return f"`{name}`"
    return ""


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _says_error(name: str, value: Any, empty: bool) -> bool:
    if name in _ERROR_NAMES:
        return _is_error(value)
    if name in _FLAG_NAMES:
        return value is False or str(value).lower() in ("false", "no", "0")
    if name in _PARTIAL_NAMES:
        return _is_true(value)
    if name == "shards" and isinstance(value, dict):
        # https://www.elastic.co/guide/en/elasticsearch/reference/current/search-search.html
        return type(value.get("failed")) is int and value["failed"] > 0
    if name == "status" and isinstance(value, str) and value.lower() in _FAILED:
        return True
    if type(value) is int and (name in _STATUS_NAMES or (name == "code" and empty)):
        return 400 <= value <= 599
    return empty and name in _SAYS_NAMES and isinstance(value, str) and is_busy(value)


def _is_error(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_is_error, value.values()))
    if isinstance(value, list):
        return bool(value)
    return bool(value) and str(value).strip().lower() not in _NO_ERROR
