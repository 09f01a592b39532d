"""Values that a source's requests take from the latest landing of another source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, product
from typing import Any

from include.councils.model import UK
from include.errors import PermanentError, UnexpectedPayload
from include.jobs.lake import Lake
from include.landing.manifest import Manifest, ParentLanding
from include.landing.read import read_pages
from include.landing.store import ROOT, page_prefix
from include.records.diagnose import not_the_data
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.sources.columns import Column
from include.sources.extract.http import Extract
from include.sources.extract.templates import fill, placeholders
from include.sources.formats import Format
from include.sources.model import Contract, contract
from include.sources.partition import Partition
from include.warehouse.columns.convert import plain

Values = Mapping[str, Any]
Row = tuple[Any, ...]
Match = tuple[str | None, ...]


class ParentLandings:
    """The parents of a source, for one council. Each landing is read once, when first needed.

    `used` names the landings that were read.
    """

    def __init__(self, child: Contract, council: str, lake: Lake) -> None:
        self._child = child
        self._council = council
        self._lake = lake
        self._found: dict[tuple[str, ...], dict[Match, list[tuple[Match, Row]]]] = {}
        self.used: dict[str, ParentLanding] = {}

    def value(self, name: str, values: Values) -> str:
        """The parent's matching records, formatted and joined as the contract says.

        Raises `PermanentError` if the parent was never landed, or has no
        matching record.
        """
        parent = self._child.extract.parents[name]
        columns = list(placeholders(parent.each))
        written = (
            fill(parent.each, dict(zip(columns, row, strict=True)))
            for row in self._matching(name, columns, values)
        )
        return parent.join.join(written)

    def records(self, name: str, columns: list[str], values: Values) -> Iterator[Values]:
        """The distinct values of these columns in the parent's matching records.

        Skips records that lack one of them. Raises as `value` does; but there
        may be none that match a record of another parent, or a constant.
        """
        for row in dict.fromkeys(self._matching(name, columns, values)):
            if None not in row:
                yield dict(zip(columns, row, strict=True))

    def batches(self, name: str, values: Values) -> Iterator[str]:
        """The parent's matching records, formatted and joined, as many at a time as `batch` says.

        Skips records that lack a column, and repeated ones. Raises as `records` does.
        """
        parent = self._child.extract.parents[name]
        columns = list(dict.fromkeys(placeholders(parent.each)))
        written = [fill(parent.each, found) for found in self.records(name, columns, values)]
        for start in range(0, len(written), parent.batch):
            yield parent.join.join(written[start : start + parent.batch])

    def _matching(self, name: str, columns: list[str], values: Values) -> list[Row]:
        parent = self._child.extract.parents[name]
        key = (name, *columns)
        if key not in self._found:
            self._found[key] = self._read(name, columns)
        wanted = {column: _filled(texts, values) for column, texts in parent.match.items()}
        unlike = [_filled(texts, values) for texts in parent.unlike.values()]
        found = [
            row
            for match in product(*wanted.values())
            for compared, row in self._found[key].get(match, ())
            if not any(value in texts for value, texts in zip(compared, unlike, strict=True))
        ]
        if not found and not self._is_within_others(name):
            what = ", ".join(
                f"{column} {' or '.join('null' if text is None else text for text in texts)}"
                for column, texts in wanted.items()
            )
            raise PermanentError(
                f"{self._child.name} {self._council}: the latest landing of {parent.source} "
                f"({self.used[name].landing_id}) holds nothing{' for ' if what else ''}{what}. "
                f"Fetch it again: `wandle ingest {parent.source} --council {self._council}`."
            )
        return found

    def _is_within_others(self, name: str) -> bool:
        """Whether a loop over a parent's records depends on the item of another loop."""
        extract = self._child.extract
        if not isinstance(extract, Extract):
            return False
        used = [n for _, text in extract.parents[name].texts() for n in placeholders(text)]
        others = {*extract.parents, *extract.constants} - {name}
        looped = any(name in way.for_each for way in extract.ways.values())
        return looped and any(item.partition(".")[0] in others for item in used)

    def _read(self, name: str, columns: list[str]) -> dict[Match, list[tuple[Match, Row]]]:
        parent = self._child.extract.parents[name]
        source = contract(parent.source)
        partition, manifest = self._latest(source)
        self.used[name] = ParentLanding(
            source=source.name,
            council=partition.council,
            period=str(partition.period),
            landing_id=manifest.landing_id,
        )
        found: dict[Match, list[tuple[Match, Row]]] = {}
        for row in self._rows(source, partition, manifest, {*parent.compared, *columns}):
            match = tuple(_text(row[column]) for column in parent.match)
            compared = tuple(_text(row[column]) for column in parent.unlike)
            values = tuple(row[column] for column in columns)
            found.setdefault(match, []).append((compared, values))
        return found

    def _rows(
        self, source: Contract, partition: Partition, manifest: Manifest, needed: set[str]
    ) -> Iterator[dict[str, Any]]:
        for page, body in read_pages(self._lake.landings, partition, manifest):
            layout = source.layout(page.way)
            columns = [column for column in source.columns_of(page.way) if column.name in needed]
            chunks = read_records(body, page.bytes, layout, page.context, page.content_type)
            try:
                for position, record in enumerate(chain.from_iterable(chunks), start=1):
                    yield {
                        column.name: _value(column, layout, record, page.context, position)
                        for column in columns
                    }
            except (BodyCutShort, UnexpectedPayload) as error:
                prefix = page_prefix(partition, manifest)
                address = self._lake.landings.address(prefix + page.name)
                raise not_the_data(
                    address, error, body, page.bytes, layout, page.content_type
                ) from None

    def _latest(self, source: Contract) -> tuple[Partition, Manifest]:
        landings = self._lake.landings
        council = UK if source.councils == "uk" else self._council
        for text in reversed(landings.folders(f"{ROOT}{source.name}/{council}/")):
            partition = source.partition(council, text)
            manifest = landings.newest_complete(partition)
            if manifest:
                return partition, manifest
        raise PermanentError(
            f"{self._child.name} {self._council}: needs a landing of {source.name}; none found. "
            f"Fetch it first: `wandle ingest {source.name} --council {self._council}`, or run "
            f"the DAG ingest_{source.name}."
        )


def _filled(texts: Match, values: Values) -> Match:
    """What a column is compared with, each once."""
    filled = (None if text is None else fill(text, values) for text in texts)
    return tuple(dict.fromkeys(filled))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _value(
    column: Column, layout: Format, record: Any, context: Mapping[str, str], position: int
) -> Any:
    """The record's value for a column; None if it is null or not a single value."""
    if column.request:
        return context[column.request]
    if column.position:
        return position
    for name in column.record_path:
        record = record.get(name) if isinstance(record, dict) else None
    if isinstance(record, list) and record and column.list_value in ("first", "last"):
        record = record[0 if column.list_value == "first" else -1]
    if isinstance(record, list | dict):
        return None
    nulls = (*layout.null_values, *column.null_values)
    found = plain(column, record)
    return None if record in nulls or found in nulls else found
