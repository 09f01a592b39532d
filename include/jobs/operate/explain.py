"""Trace a row to its landing, page and request, and to the original record in S3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.pipeline.known_sources import readable_contract
from include.landing.manifest import LandedPage, Manifest
from include.landing.read import read_page
from include.landing.store import page_prefix
from include.records.read import read_records, record_texts
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.sources.partition import Partition, Period
from include.sources.raw_table import EXTRA, LINEAGE
from include.transform.mart_rows import mart_rows, marts
from include.warehouse import find_rows
from include.warehouse.books import stored
from include.warehouse.columns.convert import plain
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.columns.redact import WITHHELD, Withholding
from include.warehouse.connection import connect

RAW, MARTS = "raw.", "marts."
PSEUDONYM_DIGITS = 64


@dataclass(frozen=True)
class Origin:
    """The origin of one raw row.

    `page_record_no` counts from 1; `page` is the manifest's entry. `record`
    holds the original bytes; if `whole` is false, only part of them: without
    personal values, or as JSON if the record is spread over the body. For a row
    that a mart's row is looked up in, `dimension` is the model.
    """

    partition: Partition
    row: dict[str, Any]
    manifest: Manifest
    address: str
    page: LandedPage
    page_no: int
    page_record_no: int
    record: bytes
    whole: bool
    dimension: str = ""


@dataclass(frozen=True)
class Explained:
    """The number of matching raw rows, and the origins of the first ones.

    For a row of a mart: the row, the number of raw rows per landing, and the
    rows of dimensions that it was joined with.
    """

    found: int
    origins: list[Origin]
    mart_row: dict[str, Any] | None = None
    landings: dict[str, int] | None = None
    dimensions: list[Origin] = field(default_factory=list)


def explain(
    name: str,
    wanted: Mapping[str, str],
    *,
    lake: Lake,
    settings: Settings,
    most: int = 3,
    personal: bool = False,
) -> Explained:
    """Trace the rows of `raw.<source>` or `marts.<mart>` with these values to S3.

    A source that is switched off or whose contract file is gone is read by its
    recorded contract, as long as its table is there. Personal values in rows
    and records are hidden; `personal` shows them, and requires the pseudonym
    key, which would reveal them anyway.

    Raises `UnknownName` or `PermanentError` for an unknown table, column or
    value, `WrongSetting` without the key, and `LandingDamaged` if S3 lacks
    what the row refers to.
    """
    if not wanted:
        raise PermanentError(
            f"explain: no row of {name} selected. Add `--key NAME=VALUE`, once or more."
        )
    if personal:
        settings.need("pseudonym_key")
    if name.startswith(RAW):
        dsn = settings.need("loader_dsn")
        source = _source(name.removeprefix(RAW), dsn)
        with connect(dsn) as connection, connection.cursor() as cursor:
            asked = _as_stored(source, wanted, settings)
            found, rows = find_rows.raw_rows(cursor, source, asked, most)
        if not found:
            raise PermanentError(
                f"explain: no matching row in {name}. Check whether the record is in quarantine "
                "(`wandle quarantine`) and its partition is loaded (`wandle ledger`)."
            )
        return Explained(found, [_origin(source, row, lake, personal) for row in rows])
    if not name.startswith(MARTS):
        known = ", ".join(f"{MARTS}{known}" for known in marts())
        raise PermanentError(
            f"explain: {name} cannot be traced. Choose raw.<source> (`wandle sources`), {known}."
        )
    return _explain_mart(name, wanted, lake, settings, most, personal)


def _explain_mart(
    name: str,
    wanted: Mapping[str, str],
    lake: Lake,
    settings: Settings,
    most: int,
    personal: bool,
) -> Explained:
    mart = mart_rows(name.removeprefix(MARTS))
    if mart.computed:
        raise PermanentError(f"explain: no row of {name} leads back to records: {mart.computed}.")
    landings: Counter[str] = Counter()
    raw: list[tuple[Contract, dict[str, Any]]] = []
    with connect(settings.need("transformer_dsn")) as connection, connection.cursor() as cursor:
        row = find_rows.mart_row(cursor, mart.name, mart.key, _whole_months(wanted, mart.key))
        for model in mart.made_of:
            source = _source(model.source, settings.need("loader_dsn"))
            counts, places = find_rows.rows_of_model(cursor, model, mart.name, mart.key, row, most)
            landings.update(counts)
            raw += [(source, _row_at(cursor, source, place, name)) for place in places]
        joined = [
            (dimension.model, source, _row_at(cursor, source, place, name))
            for dimension in mart.dimensions
            for source in (_source(dimension.source, settings.need("loader_dsn")),)
            for place in find_rows.rows_of_dimension(cursor, dimension, mart.name, mart.key, row)
        ]
    if not landings:
        raise _replaced(name)
    origins = [_origin(source, found_row, lake, personal) for source, found_row in raw]
    dimensions = [
        replace(_origin(source, found_row, lake, personal), dimension=model)
        for model, source, found_row in joined
    ]
    return Explained(landings.total(), origins, row, dict(landings), dimensions)


def _source(name: str, dsn: str) -> Contract:
    """The contract to read a raw table by. Raises `PermanentError` if the table is gone."""
    found = readable_contract(name, dsn, "explain")
    with connect(dsn) as connection, connection.cursor() as cursor:
        if not stored.has_table(cursor, name):
            raise PermanentError(
                f"explain: there is no table raw.{name}. "
                + (
                    "Create it: `wandle migrate`."
                    if name in contracts()
                    else "Its landings in S3 are all that is left: `wandle remove` lists them."
                )
            )
    return found


def _row_at(cursor: Any, source: Contract, place: Mapping[str, Any], name: str) -> dict[str, Any]:
    asked = {f"_{column}": str(value) for column, value in place.items()}
    _, found = find_rows.raw_rows(cursor, source, asked, 1)
    if not found:
        raise _replaced(name)
    return found[0]


def _replaced(name: str) -> PermanentError:
    return PermanentError(
        f"explain: the raw rows of this row of {name} have been replaced since it was built. "
        "Build the marts again: `wandle transform`."
    )


def _whole_months(wanted: Mapping[str, str], types: Mapping[str, str]) -> dict[str, str]:
    """A month may be written as 2017-05."""
    return {
        name: f"{value}-01" if types.get(name) == "date" and len(value) == len("2017-05") else value
        for name, value in wanted.items()
    }


def _as_stored(source: Contract, wanted: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """The values as stored in the raw table: clean, and personal ones as pseudonyms."""
    columns = {column.name: column for column in source.raw_columns()}
    stored = dict(wanted)
    for name in columns.keys() & wanted:
        replaced = columns[name].personal == "pseudonymise"
        if replaced and len(wanted[name]) == PSEUDONYM_DIGITS:
            continue
        stored[name] = str(plain(columns[name], wanted[name]))
        if replaced:
            stored[name] = Pseudonyms(settings.need("pseudonym_key")).of(stored[name])
    return stored


def _origin(source: Contract, row: Mapping[str, Any], lake: Lake, personal: bool) -> Origin:
    period = Period.starting(row["_period"], source.period)
    partition = Partition(source.name, row["_council"], period)
    manifest = lake.landings.manifest(partition, row["_landing_id"])
    number, position = _place(partition, manifest, row["_record_no"])
    page = manifest.pages[number - 1]
    with read_page(lake.landings, partition, manifest, page) as body:
        record, whole = _record(source, page, body, position, personal)
    hidden = set() if personal else {c.name for c in source.columns if c.personal != "no"}
    hidden |= {EXTRA} if source.personal and not personal else set()
    return Origin(
        partition=partition,
        row={
            name: WITHHELD if name in hidden and value is not None else value
            for name, value in row.items()
            if name not in LINEAGE
        },
        manifest=manifest,
        address=lake.landings.address(page_prefix(partition, manifest) + page.name),
        page=page,
        page_no=number,
        page_record_no=position,
        record=record,
        whole=whole,
    )


def _place(partition: Partition, manifest: Manifest, record_no: int) -> tuple[int, int]:
    """The page that holds a record of a landing, and the record's number in it, both from 1."""
    left = record_no
    for number, page in enumerate(manifest.pages, start=1):
        if left <= page.records:
            return number, left
        left -= page.records
    raise PermanentError(
        f"{partition}: a row refers to record {record_no} of landing {manifest.landing_id}, which "
        f"has {manifest.totals.records}. Run `wandle verify {partition.source}`."
    )


def _record(
    source: Contract, page: LandedPage, body: Any, position: int, personal: bool
) -> tuple[bytes, bool]:
    layout = source.layout(page.way)
    if source.personal and not personal:
        before = 0
        for chunk in read_records(body, page.bytes, layout, page.context, page.content_type):
            if position <= before + len(chunk):
                withholding = Withholding(source.columns_of(page.way))
                return withholding.record(chunk[position - before - 1]), False
            before += len(chunk)
    found = record_texts(body.read(), layout, {position}, page.context, page.content_type)
    return found[position], layout.in_place
