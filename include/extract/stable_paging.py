"""Read what can move while it is paged until two passes hold the same records."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from tempfile import SpooledTemporaryFile, TemporaryFile
from typing import IO, Any

import orjson

from include.errors import SourceUnavailable
from include.extract.fetched import Fetched
from include.records.json_values import json_text
from include.records.read import read_records
from include.sources.formats import Format

MOST_PASSES = 6
IN_MEMORY_BYTES = 8 * 1024 * 1024
COPY_BYTES = 1024 * 1024
_MODULUS = 2**256


def until_two_agree(
    who: str, layout: Format, read: Callable[[], Iterable[Fetched]]
) -> Iterator[Fetched]:
    """Yield the pages of the first pass that holds the same records as one before it.

    `read` makes one pass. One pass at a time is kept, in a temporary file.
    Raises `SourceUnavailable` if `MOST_PASSES` are all different.
    """
    seen: set[tuple[int, int]] = set()
    for _ in range(MOST_PASSES):
        with TemporaryFile() as kept:
            pages, content = _one_pass(kept, layout, read())
            if content in seen:
                yield from _given_back(kept, pages)
                return
            seen.add(content)
    raise SourceUnavailable(
        f"{who}: {MOST_PASSES} passes through the pages, and no two held the same records. "
        "The next retry may succeed; if none does, ask in windows small enough for one page."
    )


def _one_pass(
    kept: IO[bytes], layout: Format, read: Iterable[Fetched]
) -> tuple[list[Fetched], tuple[int, int]]:
    pages, count, content = [], 0, 0
    for page in read:
        with page.body as body:
            for chunk in read_records(body, page.facts.bytes, layout, page.facts.context):
                count += len(chunk)
                for record in chunk:
                    content = (content + _digest(record)) % _MODULUS
            body.seek(0)
            shutil.copyfileobj(body, kept, COPY_BYTES)
        pages.append(replace(page, body=kept))
    return pages, (count, content)


def _given_back(kept: IO[bytes], pages: list[Fetched]) -> Iterator[Fetched]:
    kept.seek(0)
    for page in pages:
        body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115, closed by its reader
        left = page.facts.bytes
        while left and (piece := kept.read(min(left, COPY_BYTES))):
            left -= body.write(piece)
        body.seek(0)
        yield replace(page, body=body)


def _digest(record: Any) -> int:
    try:
        text = orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = json_text(record, sort=True).encode()
    return int.from_bytes(hashlib.sha256(text).digest())
