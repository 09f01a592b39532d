"""Records in lines: CSV by its header, and one JSON value a line."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterator
from typing import IO, Any

from include.errors import UnexpectedPayload
from include.records.json_values import BOM, BodyCutShort, parsed
from include.records.select import Wanted
from include.sources.formats import Format

# A record and the bytes of its line, or lines where a quoted field goes over several.
Line = tuple[Any, bytes]


def json_lines(body: IO[bytes], layout: Format) -> Iterator[Line]:
    """Each line's value; a line that is no JSON is given as text."""
    for line in _lines(body):
        text = line.rstrip(b"\r\n")
        if not text.strip():
            continue
        try:
            yield parsed(text, layout.as_sent), text
        except BodyCutShort:
            if text == line:
                raise BodyCutShort("its last line is cut short") from None
            yield _decoded(text), text


def csv_lines(body: IO[bytes], layout: Format, wanted: Wanted | None = None) -> Iterator[Line]:
    """Each row as an object by the header; one with more or fewer fields is given as text.

    With `wanted`, only the rows that it takes.
    """
    rows = _Rows(body, layout.delimiter)
    header = _header(rows)
    place = header.index(wanted.field) if wanted and wanted.field in header else None
    for fields, raw in rows:
        if fields is not None and len(fields) == len(header):
            if wanted is None or (place is not None and wanted.is_among(fields[place])):
                yield dict(zip(header, fields, strict=True)), raw.rstrip(b"\r\n")
        elif fields != []:
            if not raw.endswith(b"\n"):
                raise BodyCutShort("its last line is cut short")
            line = _decoded(raw.rstrip(b"\r\n"))
            if wanted is None or wanted.is_record(line):
                yield line, raw.rstrip(b"\r\n")


def _header(rows: _Rows) -> list[str]:
    fields, raw = next(rows, (None, b""))
    if not raw.strip():
        raise BodyCutShort("it has no header line")
    if raw.lstrip().startswith(b"<"):
        raise BodyCutShort("it is a page of HTML or XML instead of CSV")
    header = [name.strip() for name in fields or ()]
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if not header or twice:
        raise UnexpectedPayload(
            f"expected a header line that names each field once, found {', '.join(twice)!r} twice"
        )
    return header


class _Rows:
    """Rows of CSV with the bytes that they stand in; fields are None where quotes do not close.

    Of a row whose quotes do not close only the first line is taken for it.
    """

    def __init__(self, body: IO[bytes], delimiter: str) -> None:
        self._source = _lines(body)
        self._again: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._reader = csv.reader(self._texts(), delimiter=delimiter, strict=True)
        self._delimiter = delimiter

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> tuple[list[str] | None, bytes]:
        self._taken.clear()
        try:
            fields = next(self._reader)
        except csv.Error:
            first, *rest = self._taken
            self._again.extendleft(reversed(rest))
            # A reader whose source has ended stays ended.
            self._reader = csv.reader(self._texts(), delimiter=self._delimiter, strict=True)
            return None, first
        return fields, self._taken[0] if len(self._taken) == 1 else b"".join(self._taken)

    def _texts(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._source, None)
            if line is None:
                return
            self._taken.append(line)
            yield _decoded(line)


def _lines(body: IO[bytes]) -> Iterator[bytes]:
    body.seek(0)
    first = body.readline().removeprefix(BOM)
    if first:
        yield first
    yield from body


def _decoded(line: bytes) -> str:
    """As text; bytes that are no UTF-8 become lone surrogates, which break a rule."""
    return line.decode("utf-8", "surrogateescape")
