"""How many requests fetching a partition needs, counted without sending one."""

from __future__ import annotations

from datetime import datetime

from include.councils.model import UK
from include.councils.model import council as council_named
from include.extract.requests import asks, require_council, way_for
from include.jobs.lake import Lake
from include.jobs.pipeline.parents import ParentLandings
from include.sources.extract.database import DatabaseExtract
from include.sources.extract.http import Extract
from include.sources.model import Contract
from include.sources.partition import Partition


class Requests:
    """Counts the requests of partitions of one source; landings of its parents are read once."""

    def __init__(self, contract: Contract, *, lake: Lake, now: datetime) -> None:
        self._contract = contract
        self._lake = lake.as_job(f"extract-{contract.name}")
        self._now = now
        self._parents: dict[str, ParentLandings] = {}

    def of(self, partition: Partition) -> int | None:
        """The requests without those for further pages; of a database, its queries.

        None where the number of files decides. Raises `PermanentError` if a
        parent has not been landed, or the council's file lacks what requests need.
        """
        extract = self._contract.extract
        if isinstance(extract, DatabaseExtract):
            return 1
        if not isinstance(extract, Extract):
            return None
        council = None if self._contract.councils == UK else council_named(partition.council)
        if council is not None:
            require_council(self._contract, council)
        parents = self._parents.setdefault(
            partition.council, ParentLandings(self._contract, partition.council, self._lake)
        )
        way = way_for(self._contract, partition.period, self._now.date())
        return sum(1 for _ in asks(self._contract, way, partition, council, parents))
