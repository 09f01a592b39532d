"""The records of a Parquet file: the rows of its row groups, some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import msgspec

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.header import field_names
from include.records.json.values import BodyCutShort, parsed
from include.sources.formats import Format
from include.sources.limits import VALUE_BYTES

if TYPE_CHECKING:
    import pyarrow.parquet as pq

MAGIC = b"PAR1"
BUFFER_BYTES = 256 * 1024
# Of the footer, which describes every column of every row group.
FOOTER_BYTES = 8 * 1024 * 1024
MOST_ROWS_AT_ONCE = 2_000
# Items of lists that are converted at once.
FEW_ITEMS = 100_000

# A record and its bytes, written as JSON.
Line = tuple[Any, bytes]


def parquet_lines(body: IO[bytes], layout: Format) -> Iterator[Line]:
    """The rows as objects by the names of the columns, each written as JSON too.

    Raises `BodyCutShort` for a file that is not complete, `UnexpectedPayload`
    for one that is damaged or lacks a column that the contract reads, and
    `BeyondLimit`.
    """
    import pyarrow as pa

    _check_footer(body)
    try:
        yield from _lines(body, layout)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = str(error).partition("\n")[0][:200]
        raise UnexpectedPayload(f"expected a Parquet file, found a damaged one ({what})") from None


def _check_footer(body: IO[bytes]) -> None:
    """The last eight bytes are the footer's length and the magic."""
    size = body.seek(0, 2)
    body.seek(0)
    if body.read(len(MAGIC)) != MAGIC:
        raise BodyCutShort("it is not a Parquet file")
    body.seek(max(0, size - 8))
    end = body.read()
    length = int.from_bytes(end[:4], "little")
    if end[4:] != MAGIC or length > size - 12:
        raise BodyCutShort("it is a Parquet file that is not complete: its footer is missing")
    if length > FOOTER_BYTES:
        raise UnexpectedPayload(
            f"expected a Parquet file with a footer of up to {FOOTER_BYTES} bytes, found {length}"
        )
    body.seek(0)


def _lines(body: IO[bytes], layout: Format) -> Iterator[Line]:
    import pyarrow.parquet as pq

    from include.records.parquet.pages import check_pages

    file = _opened(pq, body, "ns", _texts(pq, body))
    names = field_names(file.schema_arrow.names, layout.evidence)
    old = _Int96(file)
    seen = 0
    for place in range(file.num_row_groups):
        group = file.metadata.row_group(place)
        shared = check_pages(body, group, file.schema, layout.limits.whole_bytes)
        count = _rows_at_once(group, shared, layout)
        batches = file.iter_batches(count, row_groups=[place], use_threads=False)
        coarse = old.batches(pq, body, count, place)
        for batch in batches:
            columns = old.exact(_columns(batch, layout), batch, coarse)
            seen += batch.num_rows
            for row in zip(*columns, strict=True):
                text = msgspec.json.encode(dict(zip(names, row, strict=True)))
                yield parsed(text, layout.as_sent), text
    if seen != file.metadata.num_rows:
        raise UnexpectedPayload(
            f"expected {file.metadata.num_rows} rows in a Parquet file as its footer says, found "
            f"{seen}"
        )


def _columns(batch: Any, layout: Format) -> list[list[Any]]:
    """The values of some rows, column by column. Raises `BeyondLimit` for a row of many."""
    from include.records.parquet.values import count_items, json_values

    if sum(map(count_items, batch.columns)) <= FEW_ITEMS:
        return [json_values(column) for column in batch.columns]
    limit = layout.limits.record_bytes
    found: list[list[Any]] = [[] for _ in batch.columns]
    for place in range(batch.num_rows):
        row = batch.slice(place, 1)
        items = sum(map(count_items, row.columns))
        if items * VALUE_BYTES > limit:
            what = f"expected records, found one of {items} items, counted as {VALUE_BYTES} bytes"
            raise BeyondLimit(what, "record_bytes", limit)
        for column, values in zip(row.columns, found, strict=True):
            values += json_values(column)
    return found


def _opened(pq: Any, body: IO[bytes], unit: str, shared: Sequence[str] = ()) -> pq.ParquetFile:
    return pq.ParquetFile(
        body,
        read_dictionary=list(shared),
        buffer_size=BUFFER_BYTES,
        pre_buffer=False,
        page_checksum_verification=True,
        coerce_int96_timestamp_unit=unit,
    )


def _texts(pq: Any, body: IO[bytes]) -> list[str]:
    """The columns whose values are read as they are shared: one can be long, and in every row."""
    schema = pq.read_metadata(body).schema
    columns = [schema.column(place) for place in range(len(schema))]
    return [
        column.path
        for column in columns
        if column.physical_type == "BYTE_ARRAY" and not column.max_repetition_level
    ]


def _rows_at_once(group: Any, shared: int, layout: Format) -> int:
    """How many rows are in memory at once; `shared` is the size of the longest value that those
    of lists can share. Raises `BeyondLimit` for a row group."""
    limit = layout.limits.answer_bytes
    sizes: list[int] = [
        group.column(place).total_uncompressed_size for place in range(group.num_columns)
    ]
    size: int = max(group.total_byte_size, sum(sizes))
    if size > limit:
        what = f"a row group of a Parquet file has {size} uncompressed bytes"
        raise BeyondLimit(what, "answer_bytes", limit)
    row = max(VALUE_BYTES * int(group.num_columns), size // max(1, group.num_rows), shared // 8)
    return max(1, min(MOST_ROWS_AT_ONCE, int(layout.limits.record_bytes // (4 * row))))


class _Int96:
    """Timestamps of 96 bits, which older programs write: days and nanoseconds.

    As 64-bit nanoseconds, years before 1677 and after 2262 wrap around; these
    are read in microseconds instead.
    """

    def __init__(self, file: pq.ParquetFile) -> None:
        columns = [file.schema.column(place) for place in range(len(file.schema))]
        old = [column for column in columns if column.physical_type == "INT96"]
        names = file.schema_arrow.names
        if nested := [column.path for column in old if column.path not in names]:
            raise UnexpectedPayload(
                f"expected other times within a value, found 96-bit timestamps in {nested[0]!r}: "
                "write the file with 64-bit timestamps"
            )
        self._names = [column.path for column in old]
        self._places = [names.index(name) for name in self._names]

    def batches(self, pq: Any, body: IO[bytes], count: int, group: int) -> Iterator[Any]:
        """The same columns in microseconds."""
        if not self._names:
            return iter(())
        file = _opened(pq, body, "us")
        found: Iterator[Any] = file.iter_batches(
            count, row_groups=[group], columns=self._names, use_threads=False
        )
        return found

    def exact(self, columns: list[list[Any]], batch: Any, coarse: Iterator[Any]) -> list[list[Any]]:
        """The columns, with the times that nanoseconds cannot hold."""
        if not self._names:
            return columns
        from include.records.parquet.values import moments

        other = next(coarse)
        for name, place in zip(self._names, self._places, strict=True):
            fine = batch.column(place).view("int64").to_pylist()
            wide = other.column(name).view("int64").to_pylist()
            texts = moments(other.column(name))
            columns[place] = [
                text if fine[at] is not None and fine[at] // 1000 != wide[at] else value
                for at, (value, text) in enumerate(zip(columns[place], texts, strict=True))
            ]
        return columns
