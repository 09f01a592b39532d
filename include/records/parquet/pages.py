"""How much memory the pages of a Parquet file take, before one is unpacked.

Page headers are structs of Thrift's compact protocol:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift,
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any

from include.errors import BeyondLimit, UnexpectedPayload

# One header, with its statistics, which hold a smallest and a largest value.
_HEADER_BYTES = 1024 * 1024
_FIRST_READ = 1024
_MOST_PAGES = 1_000_000
_MOST_DEPTH = 16
# How many times `limits.whole_bytes` the pages may have that are unpacked at once.
AT_ONCE = 8
# All items of a row group can be those of one list; unpacked, most take a few bytes.
ITEMS = 4
_DICTIONARY = 2
_STRUCT, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET = 12, 1, 2, 3, 7, 8, 9, 10


@dataclass(frozen=True)
class Page:
    """A page: its kind, its sizes, the number of its values, and where its header ends."""

    kind: int
    values: int
    unpacked: int
    packed: int
    end: int


def check_pages(body: IO[bytes], group: Any, schema: Any, limit: int) -> int:
    """The bytes of the largest dictionary page of values within others; 0 if there is none.

    Of each column, one page is unpacked at once, and its dictionary. Raises
    `BeyondLimit`, naming `limits.whole_bytes`, if these are too large, and
    `UnexpectedPayload` if a header is damaged.
    """
    together = inner = 0
    for place in range(group.num_columns):
        column = group.column(place)
        dictionary = data = values = 0
        for page in _pages(body, column):
            if page.kind == _DICTIONARY:
                dictionary = max(dictionary, page.unpacked)
            else:
                data = max(data, page.unpacked)
                values += page.values
        together += dictionary + data
        if schema.column(place).max_repetition_level:
            inner = max(inner, dictionary)
            _refuse_many(values, limit)
    if together > AT_ONCE * limit:
        raise BeyondLimit(
            f"the pages of a Parquet file, read at once, have {together} bytes, of which an "
            "eighth counts",
            "whole_bytes",
            limit,
        )
    return inner


def _refuse_many(values: int, limit: int) -> None:
    """Raise `BeyondLimit` for lists that have more items than is right for one row."""
    if values > ITEMS * limit:
        raise BeyondLimit(
            f"the lists of a column of a Parquet file have {values} items in one row group, of "
            "which a quarter counts",
            "whole_bytes",
            limit,
        )


def _pages(body: IO[bytes], column: Any) -> list[Page]:
    if not column.num_values:
        return []
    start = column.data_page_offset
    if column.has_dictionary_page and column.dictionary_page_offset:
        start = min(start, column.dictionary_page_offset)
    end = start + column.total_compressed_size
    found: list[Page] = []
    while start < end:
        page = _page(body, start)
        if page.packed < 0 or page.unpacked < 0 or len(found) > _MOST_PAGES:
            raise UnexpectedPayload("expected a Parquet file, found a page without a size")
        found.append(page)
        start = page.end + page.packed
    return found


def _page(body: IO[bytes], start: int) -> Page:
    for size in (_FIRST_READ, _HEADER_BYTES):
        body.seek(start)
        header = _Header(body.read(size))
        try:
            fields = header.fields()
        except IndexError:
            continue
        values = max(0, header.values)
        sizes = fields.get(2, -1), fields.get(3, -1)
        return Page(fields.get(1, -1), values, *sizes, start + header.place)
    raise UnexpectedPayload("expected a Parquet file, found a damaged page header")


class _Header:
    """Reads the whole numbers of a struct, and skips all other fields.

    Raises `IndexError` at the end of the text, and `UnexpectedPayload` for
    what no struct contains.
    """

    def __init__(self, text: bytes) -> None:
        self._text = text
        self.place = 0
        # The first field of the header of a data page.
        self.values = 0

    def fields(self, depth: int = 0) -> dict[int, int]:
        """The whole numbers of a struct by the numbers of their fields."""
        found: dict[int, int] = {}
        number = 0
        while mark := self._byte():
            kind, step = mark & 15, mark >> 4
            number = number + step if step else self._number()
            value = self._value(kind, depth)
            if value is not None:
                found[number] = value
        return found

    def _value(self, kind: int, depth: int) -> int | None:
        if depth > _MOST_DEPTH:
            raise UnexpectedPayload("expected a Parquet file, found a damaged page header")
        if kind in (4, 5, 6):
            return self._number()
        if kind == _STRUCT:
            inner = self.fields(depth + 1)
            self.values = max(self.values, inner.get(1, 0)) if not depth else self.values
        elif kind in (_LIST, _SET):
            mark = self._byte()
            self._skip_items(mark & 15, mark >> 4 if mark >> 4 < 15 else self._varint(), depth)
        elif kind not in (_TRUE, _FALSE):
            self._skip({_BYTE: 1, _DOUBLE: 8}.get(kind) or self._length(kind))
        return None

    def _skip_items(self, kind: int, count: int, depth: int) -> None:
        for _ in range(count):
            if kind in (_TRUE, _FALSE):
                self._byte()
            else:
                self._value(kind, depth + 1)

    def _length(self, kind: int) -> int:
        if kind != _BINARY:
            raise UnexpectedPayload("expected a Parquet file, found a damaged page header")
        return self._varint()

    def _skip(self, count: int) -> None:
        self.place += count
        if self.place > len(self._text):
            raise IndexError

    def _byte(self) -> int:
        self.place += 1
        return self._text[self.place - 1]

    def _varint(self) -> int:
        found = shift = 0
        while (byte := self._byte()) & 128:
            found |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise UnexpectedPayload("expected a Parquet file, found a damaged page header")
        return found | byte << shift

    def _number(self) -> int:
        word = self._varint()
        return (word >> 1) ^ -(word & 1)
