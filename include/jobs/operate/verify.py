"""Compare PostgreSQL with S3, partition by partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

from include.errors import (
    LandingDamaged,
    PermanentError,
    TableOutdated,
    UnexpectedPayload,
    UnknownName,
)
from include.jobs.followers.derive import home_of
from include.jobs.lake import Lake
from include.jobs.operate.differences import Difference, Place
from include.jobs.pipeline.known_sources import (
    KnownSource,
    belongs,
    known_names,
    partition_at,
    retired,
)
from include.jobs.pipeline.selection import EVERYTHING, Selection
from include.jobs.rules import known_rules_hash
from include.landing.manifest import LandedPage, Manifest
from include.landing.read import AHEAD, read_page
from include.landing.store import ROOT, Landings
from include.records.diagnose import diagnose
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.settings import Settings
from include.sources.extract.landing import LandingExtract
from include.sources.formats import Format
from include.sources.model import Contract, broken_contracts, contracts, every_contract
from include.sources.partition import Partition, Period
from include.sources.raw_table import SCHEMA
from include.warehouse import read_back
from include.warehouse.books import ledger, removals, stored
from include.warehouse.connection import ArrowCursor, connect, connect_for_arrow, rows
from include.warehouse.schema import raw_table

Entry = Mapping[str, Any]


@dataclass
class Verified:
    """The number of compared partitions, the differences, and what could not be compared."""

    partitions: int = 0
    differences: list[Difference] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


def verify(
    *,
    lake: Lake,
    dsn: str,
    selection: Selection = EVERYTHING,
    deep: bool = False,
    progress: Callable[[str, int, int], None] = lambda doing, done, total: None,
) -> Verified:
    """Compare landings, ledger, raw rows and quarantine of the selected partitions.

    Row counts and content hashes are computed from the rows in the raw table.
    With `deep`, every page of the loaded and of the newest landing is read: it
    must match its manifest, and hold what the contract reads. Changes nothing.

    Raises `UnknownName`, and `PermanentError` if there is nothing to compare.
    """
    done = Verified()
    for known in _sources(lake, dsn, selection):
        with connect_for_arrow(dsn) as connection, connection.cursor() as cursor:
            if known.state in ("broken", "gone"):
                done.differences.append(Difference.of_retired(known, None))
            if known.contract is None:
                continue
            in_use = known.state == "enabled"
            comparing = _Comparing(known.contract, lake.landings, cursor, deep, done, in_use)
            try:
                places = comparing.places(selection)
            except TableOutdated as error:
                done.differences.append(
                    Difference.of_table(known.contract, error)
                    if in_use
                    else Difference.of_retired(known, error)
                )
                continue
            for number, partition in enumerate(places, start=1):
                progress(str(partition), number, len(places))
                connection.rollback()
                done.differences += comparing.compare(partition)
            done.differences += comparing.of_councils()
            done.partitions += len(places)
    if not selection.sources:
        broken = broken_contracts().keys() - {found.source for found in done.differences}
        done.differences += [
            Difference.of_contract(name, broken_contracts()[name]) for name in sorted(broken)
        ]
    if not done.partitions and not done.differences:
        raise PermanentError(
            "verify: no matching partitions in S3 or the warehouse. See `wandle ledger`."
        )
    return done


class _Comparing:
    """One source, compared partition by partition."""

    def __init__(
        self,
        contract: Contract,
        landings: Landings,
        cursor: ArrowCursor,
        deep: bool,
        done: Verified,
        in_use: bool,
    ) -> None:
        self._contract = contract
        self._landings = landings
        self._cursor = cursor
        self._deep = deep
        self._done = done
        self._in_use = in_use
        self._rules_hash = _rules_hash(contract, done)
        self._not_of_contract: Counter[str] = Counter()

    def places(self, selection: Selection) -> list[Partition]:
        """The selected partitions on either side. Raises `TableOutdated`."""
        name = f"{SCHEMA}.{self._contract.name}"
        found = rows(self._cursor, raw_table.COLUMNS_QUERY, name)
        raw_table.require(self._contract, {row["attname"]: row["format_type"] for row in found})
        known = {
            partition_at(self._contract.name, name, day, {self._contract.name: self._contract})
            for name, day in read_back.partitions(self._cursor, self._contract)
        }
        known |= set(self._landed(self._contract.name))
        if isinstance(self._contract.extract, LandingExtract) and self._in_use:
            start = Period.of(self._contract.start, self._contract.period)
            followed = self._landed(self._contract.extract.source)
            known |= {where for where in followed if where.period >= start}
        return sorted(filter(selection.has, known))

    def _landed(self, source: str) -> Iterator[Partition]:
        prefix = f"{ROOT}{source}/"
        for council in self._landings.folders(prefix):
            for text in self._landings.folders(f"{prefix}{council}/"):
                try:
                    period = self._contract.parse_period(text)
                except UnknownName as error:
                    self._done.passed_over.append(f"{prefix}{council}/{text}/ in S3: {error}")
                    continue
                yield Partition(self._contract.name, council, period)

    def compare(self, partition: Partition) -> Iterator[Difference]:
        """The differences of one partition, in one snapshot of the warehouse."""
        of_contract = belongs(self._contract, partition.council)
        place = Place(self._contract, partition, retired=not (self._in_use and of_contract))
        read_back.begin(self._cursor)
        entry = ledger.current_load(self._cursor, partition)
        attempt = ledger.newest_attempt(self._cursor, partition)
        found = read_back.held(self._cursor, self._contract, partition)
        manifests: dict[str, Manifest] = {}
        yield from self._newest(place, entry, attempt, manifests)
        if not of_contract and (found.rows or found.quarantined or entry or manifests):
            self._not_of_contract[partition.council] += 1
        if entry is None and (found.rows or found.quarantined):
            yield place.unaccounted(found)
        pointed_at = {*found.landings, *([entry["landing_id"]] if entry else ())}
        for landing_id in sorted(pointed_at - manifests.keys()):
            try:
                manifests[landing_id] = self._landings.manifest(partition, landing_id)
            except LandingDamaged as error:
                yield place.vanished(landing_id, str(error))
        if entry:
            loaded = manifests.get(entry["landing_id"])
            if loaded and loaded.pages_hash != entry["pages_hash"]:
                yield place.altered(entry)
            older = self._rules_hash not in (None, entry["rules_hash"])
            yield from place.contents(entry, found, older_rules=older)
        if self._deep:
            for manifest in manifests.values():
                yield from self._damaged_pages(place, manifest)

    def of_councils(self) -> Iterator[Difference]:
        """The councils that had data when compared, and are not of the contract."""
        for council, partitions in sorted(self._not_of_contract.items()):
            yield Difference.of_council(self._contract, council, partitions)

    def _newest(
        self, place: Place, entry: Entry | None, attempt: Entry | None, found: dict[str, Manifest]
    ) -> Iterator[Difference]:
        """Check whether the newest landing is loaded, and add any difference to `found`."""
        try:
            newest = self._landings.newest_complete(place.partition)
        except LandingDamaged as error:
            yield place.damaged(str(error))
            return
        if isinstance(self._contract.extract, LandingExtract) and not place.retired:
            home = home_of(self._contract, place.partition)
            followed = self._landings.newest_complete(home)
            read = newest.pages_in.landing_id if newest and newest.pages_in else ""
            if followed and followed.landing_id > read:
                yield place.not_followed(home.source, followed.landing_id)
        if newest is None:
            return
        found[newest.landing_id] = newest
        if removals.removed_by_hand(self._cursor, place.partition.source, newest.landing_id):
            yield place.not_removed(newest.landing_id)
        elif place.retired:
            return
        elif entry is None or newest.landing_id > entry["landing_id"]:
            yield place.not_loaded(newest.landing_id, entry, attempt)

    def _damaged_pages(self, place: Place, manifest: Manifest) -> Iterator[Difference]:
        layouts = {page.way: self._contract.layout(page.way) for page in manifest.pages}

        def check(number: int) -> Difference | None:
            page = manifest.pages[number]
            try:
                with read_page(self._landings, place.partition, manifest, page) as body:
                    wrong = _not_the_data(page, body, layouts[page.way])
            except LandingDamaged as error:
                return place.damaged(str(error))
            return place.not_the_data(manifest.landing_id, page.name, wrong) if wrong else None

        with ThreadPoolExecutor(AHEAD, thread_name_prefix="verify") as pool:
            said = pool.map(check, range(len(manifest.pages)))
            yield from (difference for difference in said if difference)


def _not_the_data(page: LandedPage, body: IO[bytes], layout: Format) -> str:
    """Why a page's body is not what the contract reads; empty if it is."""
    try:
        chunks = read_records(body, page.bytes, layout, page.context, page.content_type)
        records = sum(map(len, chunks))
    except (BodyCutShort, UnexpectedPayload) as error:
        found = diagnose(error, body, page.bytes, layout, page.content_type)
        return f"{found.what}.{found.begins}"
    if records != page.records:
        return f"expected {page.records} records as the manifest says, found {records}."
    return ""


def _rules_hash(contract: Contract, done: Verified) -> str | None:
    known = known_rules_hash(contract, Settings.read())
    if known is None:
        done.passed_over.append(f"{contract.name}: changed rules; WANDLE_PSEUDONYM_KEY is not set")
    return known


def _sources(lake: Lake, dsn: str, selection: Selection) -> list[KnownSource]:
    """The selected ones: those in use, then those that have data all the same.

    Raises as `Selection.check` does for a name that neither a file nor data have.
    """
    found = [KnownSource(name, contract, "enabled") for name, contract in contracts().items()]
    with connect(dsn) as connection, connection.cursor() as cursor:
        out_of_use = retired(lake, cursor)
        councils = stored.councils(cursor)
    out_of_use_names = {one.name for one in out_of_use} | (every_contract().keys() - contracts())
    selection.check(known_names(out_of_use_names, councils))
    return [
        one
        for one in (*found, *out_of_use)
        if not selection.sources or one.name in selection.sources
    ]
