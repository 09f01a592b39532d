"""Values that a source's requests take from the latest landing of another source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from include.errors import PermanentError
from include.jobs.lake import Lake
from include.landing.manifest import Manifest, ParentLanding
from include.landing.reading import read_pages
from include.landing.store import ROOT
from include.sources.model import Column, Contract, contract
from include.sources.partition import Partition
from include.sources.records import read_records
from include.sources.templates import fill, placeholders

Values = Mapping[str, Any]


class ParentLandings:
    """The parents of one source, for one council; each landing is read once, when first needed.

    `used` names the landings that were read.
    """

    def __init__(self, child: Contract, council: str, lake: Lake) -> None:
        self._child = child
        self._council = council
        self._lake = lake
        self._written: dict[str, dict[tuple[str, ...], list[str]]] = {}
        self.used: dict[str, ParentLanding] = {}

    def value(self, name: str, values: Values) -> str:
        """The parent's matching records, written and joined as the contract says.

        Raises `PermanentError` if the parent was never landed, or holds no
        record that matches.
        """
        parent = self._child.extract.parents[name]
        if name not in self._written:
            self._written[name] = self._read(name)
        wanted = tuple(fill(text, values) for text in parent.match.values())
        found = self._written[name].get(wanted)
        if not found:
            what = ", ".join(
                f"{column} {text}" for column, text in zip(parent.match, wanted, strict=True)
            )
            raise PermanentError(
                f"{self._child.name} {self._council}: the latest landing of {parent.source} "
                f"({self.used[name].landing_id}) holds nothing for {what}. Fetch it again: "
                f"`wandle ingest {parent.source} --council {self._council}`."
            )
        return parent.join.join(found)

    def _read(self, name: str) -> dict[tuple[str, ...], list[str]]:
        parent = self._child.extract.parents[name]
        source = contract(parent.source)
        partition, manifest = self._latest(source)
        self.used[name] = ParentLanding(
            source=source.name,
            council=partition.council,
            period=str(partition.period),
            landing_id=manifest.landing_id,
        )
        needed = {*parent.match, *placeholders(parent.each)}
        columns = [column for column in source.columns if column.name in needed]
        written: dict[tuple[str, ...], list[str]] = {}
        for row in self._rows(source, partition, manifest, columns):
            key = tuple(str(row[column]) for column in parent.match)
            written.setdefault(key, []).append(fill(parent.each, row))
        return written

    def _rows(
        self, source: Contract, partition: Partition, manifest: Manifest, columns: list[Column]
    ) -> Iterator[dict[str, Any]]:
        for page, body in read_pages(self._lake.landings, partition, manifest):
            position = 0
            for chunk in read_records(body, page.bytes, source.format):
                for record in chunk:
                    position += 1
                    yield {
                        column.name: _value(column, record, page.context, position)
                        for column in columns
                    }

    def _latest(self, source: Contract) -> tuple[Partition, Manifest]:
        landings = self._lake.landings
        for text in reversed(landings.folders(f"{ROOT}{source.name}/{self._council}/")):
            partition = Partition(source.name, self._council, source.parse_period(text))
            manifest = landings.newest_complete(partition)
            if manifest:
                return partition, manifest
        raise PermanentError(
            f"{self._child.name} {self._council}: needs a landing of {source.name}, and there is "
            f"none. Fetch it first: `wandle ingest {source.name} --council {self._council}`, or "
            f"the DAG ingest_{source.name}."
        )


def _value(column: Column, record: Any, context: Mapping[str, str], position: int) -> Any:
    if column.request:
        return context[column.request]
    if column.position:
        return position
    for name in column.record_path:
        record = record.get(name) if isinstance(record, dict) else None
    return record
