"""The readings of a landing as rows of their raw table, as a person would write it by hand."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa

from include.jobs.lake import lake_of
from include.landing.store import landing_prefix
from include.settings import Settings
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.readings import SOURCE

# The columns that the records and their landing fill; all others are null.
COLUMNS = (
    *("measure", "date_time", "value", "reading_uri"),
    *("_council", "_period", "_landing_id", "_record_no"),
)

Row = tuple[Any, ...]


class Landed:
    """The pages of a task's landing."""

    def __init__(self, task: Task) -> None:
        contract = contract_of(SOURCE)
        where = contract.partition(task.council, task.period)
        self._lineage = (task.council, where.period.first_day, task.landing_id)
        self._lake = lake_of(Settings.read())
        self._prefix = landing_prefix(where, task.landing_id)
        self._pages = self._lake.landings.manifest(where, task.landing_id).pages

    @property
    def keys(self) -> list[str]:
        """Each page's key in the bucket."""
        return [self._prefix + page.name for page in self._pages]

    def pages(self) -> Iterator[list[Row]]:
        """Yield each page's rows."""
        for key, first in self._numbered():
            yield self._rows(self._body(key), first)

    def columns(self) -> Iterator[list[Any]]:
        """Yield each page's columns, in the order of `COLUMNS`."""
        for key, first in self._numbered():
            found = list(zip(*_records(self._body(key)), strict=True))
            count = len(found[0])
            constants = [pa.repeat(pa.scalar(value), count) for value in self._lineage]
            yield [*found, *constants, pa.array(range(first, first + count))]

    def file_rows(self, key: str, path: str) -> list[Row]:
        """The rows of a page that was downloaded to a file."""
        first = next(first for of, first in self._numbered() if of == key)
        with gzip.open(path) as file:
            return self._rows(file.read(), first)

    def _numbered(self) -> Iterator[tuple[str, int]]:
        """Each page's key, and its first record's number."""
        first = 1
        for page, key in zip(self._pages, self.keys, strict=True):
            yield key, first
            first += page.records

    def _body(self, key: str) -> bytes:
        stored = self._lake.s3.get_object(Bucket=self._lake.bucket, Key=key)["Body"].read()
        return gzip.decompress(stored)

    def _rows(self, body: bytes, first: int) -> list[Row]:
        lineage = self._lineage
        return [(*values, *lineage, number) for number, values in enumerate(_records(body), first)]


def _records(body: bytes) -> Iterator[Row]:
    return (
        (item["measure"], item["dateTime"], item["value"], item["@id"])
        for item in orjson.loads(body)["items"]
    )
