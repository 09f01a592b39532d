"""Records in lines: CSV by its header, and one JSON value a line."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import IO, Any

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.header import field_names, names_of_rows
from include.records.json.values import BOM, BodyCutShort, parsed
from include.records.lines import HeldBack, is_ended, lines, without_ending
from include.records.recognise import is_busy, is_failure
from include.records.select import Wanted
from include.sources.formats import Format
from include.sources.limits import VALUE_BYTES, weight

# A record and the bytes of its line, or lines where a quoted field goes over several.
Line = tuple[Any, bytes]

# Rows are limited by the contract.
csv.field_size_limit(sys.maxsize)
# What the parser says of a quote that is open at the end.
_OPEN_AT_END = "unexpected end of data"
_A_LIST = "expected lines of JSON, found a JSON list: say `kind: json` under `format`"


def json_lines(body: IO[bytes], layout: Format, *, may_be_empty: bool = True) -> Iterator[Line]:
    """Each line's value; a line that is not JSON is returned as text.

    Raises `BodyCutShort` for one whose last line breaks off, and for one of 0
    bytes unless that means no records; `UnexpectedPayload` for a JSON list.
    """
    empty = True
    limit = layout.limits.record_bytes
    for line in lines(body, limit):
        empty = False
        _refuse_heavy(weight(line), limit)
        text = without_ending(line)
        if not text.strip():
            continue
        try:
            value = parsed(text, layout.as_sent)
            if isinstance(value, list) and isinstance(next(iter(value), None), dict):
                raise UnexpectedPayload(_A_LIST)
            yield value, text
        except BodyCutShort:
            if text.strip() == b"[":
                raise UnexpectedPayload(_A_LIST) from None
            if text == line:
                raise BodyCutShort("its last line is cut short") from None
            yield _decoded(text), text
    if empty and not may_be_empty:
        raise BodyCutShort("it is empty (0 bytes)")


def _refuse_heavy(size: int, limit: int) -> None:
    """Raise `BeyondLimit` for a line of so many values that it is too large once read."""
    if size > limit:
        what = (
            f"expected lines, found one of {size} bytes, a value counted as at least {VALUE_BYTES}"
        )
        raise BeyondLimit(what, "record_bytes", limit)


def csv_lines(
    body: IO[bytes], layout: Format, wanted: Wanted | None = None, *, complete: bool = True
) -> Iterator[Line]:
    """Each row as an object by the header; one with more or fewer fields is returned as text.

    So is the header where it is repeated.

    With `wanted`, only the rows that it takes. `complete` says that all of
    the body is known to be there, even where its last line has no ending.
    Raises `BodyCutShort` for one that may lack its end, or has an error message
    for it, and `UnexpectedPayload` for another header, and for quotes that never close.
    """
    rows = _Rows(body, layout, complete)
    header = _header(rows, layout)
    place = header.index(wanted.name) if wanted and wanted.name in header else None
    again = (rows.lowest_header or header) if layout.evidence.header else None
    odd = ""
    for fields, raw in rows:
        if not complete and not is_ended(raw):
            raise BodyCutShort(
                "its last line has no line end, and how long the answer is was not declared: it "
                "may be cut short"
            )
        if fields is not None and len(fields) == len(header) and fields != again:
            odd = ""
            if wanted is None or wanted.is_selected(None if place is None else fields[place]):
                yield dict(zip(header, fields, strict=True)), without_ending(raw)
        elif fields != []:
            odd = line = _decoded(without_ending(raw))
            if wanted is None or wanted.is_record(line):
                yield line, without_ending(raw)
    rows.check_end(len(header))
    if is_failure(odd) or (layout.delimiter not in odd and is_busy(odd)):
        raise BodyCutShort("its last line is an error message: the answer was broken off")


def bytes_before_records(body: IO[bytes], layout: Format) -> int:
    """The number of bytes of a CSV body before its first record."""
    rows = _Rows(body, layout, complete=True)
    _header(rows, layout)
    found = lines(body, layout.limits.record_bytes)
    above = sum(map(len, islice(found, layout.skip_rows_before_header)))
    body.seek(0)
    mark = len(BOM) if body.read(len(BOM)) == BOM else 0
    return mark + above + (0 if layout.header else rows.consumed)


def _header(rows: _Rows, layout: Format) -> list[str]:
    fields, raw = next(rows, (None, b""))
    if not raw:
        raise BodyCutShort("it is empty" if layout.header else "it has no header line")
    if raw.lstrip().startswith(b"<"):
        raise BodyCutShort("it is a page of HTML or XML instead of CSV")
    if layout.header:
        rows.put_back(fields, raw)
        names = field_names(list(layout.header), layout.evidence)
        if fields is not None and len(fields) != len(names):
            raise UnexpectedPayload(
                f"expected {len(names)} fields, as `format.header` names, found {len(fields)} in "
                "the first line"
            )
        return names
    if not is_ended(raw) and not rows.complete:
        raise BodyCutShort("its header line has no end")
    if not fields:
        found = "quotes that do not match" if raw.strip() else "an empty line"
        raise UnexpectedPayload(f"expected a header line, found {found}")
    names = [name.strip() for name in fields]
    if layout.header_rows > 1:
        names = _names_below(names, rows, layout.header_rows)
    return field_names(names, layout.evidence)


def _names_below(first: list[str], rows: _Rows, count: int) -> list[str]:
    """The names of a header of several lines."""
    lines = [first]
    for fields, _ in islice(rows, count - 1):
        if fields is None:
            raise UnexpectedPayload("expected a header line, found quotes that do not match")
        lines.append([name.strip() for name in fields])
    rows.lowest_header = lines[-1]
    found = names_of_rows([dict(enumerate(line)) for line in lines])
    return [found.get(place, "") for place in range(max(map(len, lines)))]


class _Rows:
    """Rows of CSV with their bytes; fields are None where quotes do not match.

    Such a row extends as far as a lenient reader reads it, and each of its
    lines is returned separately: possibly quoted text is never read as rows.
    """

    def __init__(self, body: IO[bytes], layout: Format, complete: bool) -> None:
        limit = layout.limits.record_bytes
        found = lines(body, limit, skip=layout.skip_rows_before_header)
        self._footer = HeldBack(found, layout.skip_rows_at_end)
        self._source = iter(self._footer) if layout.skip_rows_at_end else found
        self._taken: list[bytes] = []
        self._broken: deque[bytes] = deque()
        self._again: list[tuple[list[str] | None, bytes]] = []
        self._layout = layout
        self._marks = (layout.delimiter.encode(),)
        self._number = self._size = 0
        self._reader = self._read_on()
        self.complete = complete
        self.consumed = 0
        # Of a header of several lines, the last.
        self.lowest_header: list[str] = []

    def __iter__(self) -> _Rows:
        return self

    def put_back(self, fields: list[str] | None, raw: bytes) -> None:
        """Return this row again, as the next one."""
        self._again.append((fields, raw))

    def __next__(self) -> tuple[list[str] | None, bytes]:
        if self._again:
            return self._again.pop()
        if self._broken:
            return None, self._broken.popleft()
        self._taken.clear()
        try:
            fields = next(self._reader)
        except csv.Error as error:
            self._read_over(str(error))
            return None, self._broken.popleft()
        taken = self._taken
        raw = taken[0] if len(taken) == 1 else b"".join(taken)
        self.consumed += len(raw)
        return fields, raw

    def check_end(self, fields: int) -> None:
        """Raise `UnexpectedPayload` if a line that is to be left out below looks like a record."""
        held = self._footer.held
        if self._layout.skip_rows_at_end and len(held) < self._layout.skip_rows_at_end:
            raise UnexpectedPayload(f"expected lines below the records, found {len(held)}")
        for line in held:
            values = next(csv.reader([_decoded(line)], delimiter=self._layout.delimiter), [])
            if len(values) == fields > 1 and all(map(str.strip, values)):
                raise UnexpectedPayload(
                    f"expected {self._layout.skip_rows_at_end} lines below the records as "
                    "`skip_rows_at_end` says, found one with a value for each field"
                )

    def _read_over(self, error: str) -> None:
        """Find where a row ends whose quotes do not match."""
        first = self._number - len(self._taken) + 1 + self._layout.skip_rows_before_header
        if _OPEN_AT_END in error and not self.complete:
            raise BodyCutShort(f"it ends within quotes that open in line {first}")
        if _OPEN_AT_END in error:
            raise UnexpectedPayload(
                f"expected quotes that close, found some from line {first} on that never do. If "
                "quotes have no meaning in this file, set `quote: ''` under `format`"
            )
        again = chain(map(_decoded, list(self._taken)), self._texts())
        with suppress(csv.Error):
            next(csv.reader(again, **self._dialect(), strict=False), None)
        self._broken.extend(self._taken)
        # A reader whose source has ended stays ended.
        self._reader = self._read_on()

    def _read_on(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), **self._dialect(), strict=True)

    def _dialect(self) -> dict[str, Any]:
        quote = self._layout.quote
        quoting = csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE
        return {
            "delimiter": self._layout.delimiter,
            "quotechar": quote or None,
            "quoting": quoting,
        }

    def _refuse_large(self, more: int) -> None:
        """Raise `BeyondLimit` for a row over several lines that grows too large."""
        if len(self._taken) == 1:
            self._size = weight(self._taken[0], self._marks)
        self._size += more
        limit = self._layout.limits.record_bytes
        if self._size > limit:
            first = self._number - len(self._taken) + 1 + self._layout.skip_rows_before_header
            raise BeyondLimit(
                f"expected rows, found one of more than {limit} bytes from line {first} on (do its "
                "quotes close?)",
                "record_bytes",
                limit,
            )

    def _texts(self) -> Iterator[str]:
        for line in self._source:
            if self._taken:
                self._refuse_large(weight(line, self._marks))
            _refuse_heavy(weight(line, self._marks), self._layout.limits.record_bytes)
            self._taken.append(line)
            self._number += 1
            yield _decoded(line)


def _decoded(line: bytes) -> str:
    """As text; invalid UTF-8 becomes lone surrogates, which break a rule."""
    return line.decode("utf-8", "surrogateescape")
