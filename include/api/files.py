"""A published file or a part of it: what `Range` asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.api.answers import CACHE, OF_ALL, Headers
from include.api.data.problems import Problem
from include.api.version import File

_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.I)


@dataclass(frozen=True)
class Part:
    """What to send of a file: from `start` to before `end`."""

    status: int
    headers: Headers
    start: int
    end: int


def headers_of(file: File, name: str) -> Headers:
    """The headers of a file, and of a 304."""
    return [
        ("content-type", file.media_type),
        ("cache-control", CACHE),
        ("accept-ranges", "bytes"),
        ("etag", f'"{file.sha256[:32]}"'),
        ("content-disposition", f'attachment; filename="{name}"'),
        *OF_ALL,
    ]


def part_of(file: File, name: str, wanted: str, if_range: str) -> Part:
    """What `Range` asks of a file; all of it without, or if the client's part is of another one.

    Several ranges are answered with the whole file, as HTTP allows. Raises
    `Problem` for a range that begins behind its end.
    """
    headers = headers_of(file, name)
    found = _RANGE.fullmatch(wanted)
    stale = bool(if_range) and if_range.strip() != f'"{file.sha256[:32]}"'
    if not found or not (found[1] or found[2]) or stale:
        return Part(200, [*headers, ("content-length", str(file.bytes))], 0, file.bytes)
    if found[1]:
        start = int(found[1])
        end = min(int(found[2]) + 1, file.bytes) if found[2] else file.bytes
        if found[2] and int(found[2]) < start:
            return Part(200, [*headers, ("content-length", str(file.bytes))], 0, file.bytes)
    else:
        start, end = max(0, file.bytes - int(found[2])), file.bytes
    if start >= end:
        raise Problem(
            416,
            f"The file has {file.bytes} bytes.",
            (("content-range", f"bytes */{file.bytes}"),),
        )
    headers += [
        ("content-length", str(end - start)),
        ("content-range", f"bytes {start}-{end - 1}/{file.bytes}"),
    ]
    return Part(206, headers, start, end)
