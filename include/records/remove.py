"""Remove records from a body without changing any other byte."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from include.errors import PermanentError
from include.records.json import body as json_body
from include.records.json.values import without_bom, written
from include.records.line_body import bytes_before_records
from include.records.read import count_records, read_chunks, read_records, record_texts
from include.records.unpack import UTF_8, unpack
from include.sources.formats import LINES_TYPE, Format

# Replaces a single record that is removed, where the body has no list.
NOTHING = b"[]"
# Replaces JSON lines that are all removed: an empty body could be anything.
NO_LINES = b"\n"


@dataclass(frozen=True)
class Cut:
    """A body without some records.

    `lost` is the number of removed records, those of other partitions in the
    body included; `left` the number of the page's own records that remain;
    `content_type` what the body is read as.
    """

    body: bytes
    lost: int
    left: int
    content_type: str = ""


def cut_records(
    body: bytes,
    layout: Format,
    gone: Callable[[Any], bool],
    context: Mapping[str, str] | None = None,
    content_type: str = "",
) -> Cut:
    """Remove the records for which `gone` is true from a body, with their separators.

    All other records, and everything around them, keep their bytes and their
    order; a compressed body is compressed again, without any other file in
    it. XML, spreadsheets and Parquet are written as JSON lines instead, with
    all fields of all other records. Raises `PermanentError` for a body whose
    records are not contiguous, and if the result does not read as expected.
    """
    layout = layout.received_as(content_type)
    if layout.is_rewritten:
        return _rewritten(body, layout, gone, context, content_type)
    found = _cut(body, layout, gone, context, content_type)
    return replace(found, content_type=content_type)


def _rewritten(
    body: bytes,
    layout: Format,
    gone: Callable[[Any], bool],
    context: Mapping[str, str] | None,
    content_type: str,
) -> Cut:
    everything = layout.model_copy(update={"select": None})
    kept: list[bytes] = []
    lost = 0
    for chunk in read_chunks(io.BytesIO(body), len(body), everything, None, content_type):
        texts = chunk.texts(range(1, len(chunk.records) + 1))
        for number, record in enumerate(chunk.records, start=1):
            if gone(record):
                lost += 1
            else:
                # A record that is malformed stays text.
                kept.append(texts[number] if isinstance(record, dict) else written(record))
    if not lost:
        left = sum(1 for _ in _records(body, layout, context, content_type))
        return Cut(body, 0, left, content_type)
    lines = b"".join(line + b"\n" for line in kept) or NO_LINES
    if sum(1 for _ in _records(lines, everything, None, LINES_TYPE)) != len(kept):
        raise PermanentError("without these records it does not read as expected")
    left = sum(1 for _ in _records(lines, layout, context, LINES_TYPE))
    return Cut(lines, lost, left, LINES_TYPE)


def _cut(
    body: bytes,
    layout: Format,
    gone: Callable[[Any], bool],
    context: Mapping[str, str] | None,
    content_type: str,
) -> Cut:
    unpacked = unpack(io.BytesIO(body), len(body), layout, content_type)
    if unpacked.packing:
        cut = _cut(unpacked.body.read(), _plain(layout), gone, context, "")
        return replace(cut, body=unpacked.pack(cut.body)) if cut.lost else replace(cut, body=body)
    everything = layout.model_copy(update={"select": None})
    going = [gone(record) for record in _records(body, everything)]
    if not any(going):
        return Cut(body, 0, sum(1 for _ in _records(body, layout, context)))
    if not layout.in_place:
        raise PermanentError(
            "its records are not contiguous in the body, so they cannot be removed from it"
        )
    texts = list(_texts(body, everything, len(going)))
    kept = [text for text, goes in zip(texts, going, strict=True) if not goes]
    places = list(_places(body, everything, texts))
    if layout.kind in ("csv", "jsonl"):
        shorter = _without_lines(body, places, going) or NO_LINES
    elif layout.one_or_many and _is_single(body, places):
        shorter = body[: places[0][0]] + NOTHING + body[places[0][1] :]
    else:
        shorter = _without_items(body, places, going)
    left = sum(1 for _ in _records(shorter, layout, context))
    same = list(_texts(shorter, everything, len(kept))) == kept
    if not same or count_records(io.BytesIO(shorter), len(shorter), layout) != len(kept):
        raise PermanentError("without these records it does not read as expected")
    return Cut(shorter, sum(going), left)


def _plain(layout: Format) -> Format:
    """The format of an unpacked body."""
    return layout.model_copy(update={"compression": (), "encoding": UTF_8, "zip_member": ""})


def _records(
    body: bytes,
    layout: Format,
    context: Mapping[str, str] | None = None,
    content_type: str = "",
) -> Iterator[Any]:
    for chunk in read_records(io.BytesIO(body), len(body), layout, context, content_type):
        yield from chunk


def _texts(body: bytes, layout: Format, count: int) -> Iterator[bytes]:
    texts = record_texts(body, layout, range(1, count + 1))
    return (texts[number] for number in sorted(texts))


def _places(body: bytes, layout: Format, texts: list[bytes]) -> Iterator[tuple[int, int]]:
    """The span of each record; between them are only separators."""
    place = _start(body, layout)
    for text in texts:
        start = body.index(text, place)
        place = start + len(text)
        yield start, place


def _start(body: bytes, layout: Format) -> int:
    """Where the records begin, or shortly before."""
    if layout.kind == "jsonl":
        return 0
    if layout.kind == "csv":
        return bytes_before_records(io.BytesIO(body), layout)
    without = without_bom(body)
    return len(body) - len(without) + json_body.start_of_records(without, layout)


def _is_single(body: bytes, places: list[tuple[int, int]]) -> bool:
    before = body[: places[0][0]].rstrip()
    return len(places) == 1 and not before.endswith(b"[")


def _without_lines(body: bytes, places: list[tuple[int, int]], going: list[bool]) -> bytes:
    kept, last = [], 0
    for (start, end), goes in zip(places, going, strict=True):
        if goes:
            kept.append(body[last:start])
            for newline in (b"\r\n", b"\n", b"\r"):
                if body.startswith(newline, end):
                    end += len(newline)
                    break
            last = end
    return b"".join([*kept, body[last:]])


def _without_items(body: bytes, places: list[tuple[int, int]], going: list[bool]) -> bytes:
    """Each item is removed with the separator after it; the last ones, with the one before."""
    staying = [place for place, goes in zip(places, going, strict=True) if not goes]
    if not staying:
        return body[: places[0][0]] + body[places[-1][1] :]
    end_of_last = staying[-1][1]
    nexts = [start for start, _ in islice(places, 1, None)]
    kept, last = [], 0
    for (start, end), following, goes in zip(places, [*nexts, None], going, strict=True):
        if goes and end < end_of_last and following is not None:
            kept.append(body[last:start])
            last = following
    return b"".join([*kept, body[last:end_of_last], body[places[-1][1] :]])
