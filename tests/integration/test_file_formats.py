"""The same payments in every format, from an answer to the table, back again, and erased."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import BeyondLimit, SourceUnavailable, UnexpectedPayload
from include.jobs.operate.erase import erase
from include.jobs.operate.erase_subject import Subject
from include.jobs.operate.explain import explain
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.landing.inventory import stored_landings
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.schema.migrate import migrate
from tests.integration.conftest import Warehouse
from tests.integration.fixture_server import FixtureServer, Reply, serving_fixture
from tests.samples import column, contract, extracting
from tests.spreadsheet_files import ods, workbook, zipped

DAY = "2017-05"
KEY = "k" * 64
NAMES = ["id", "supplier", "amount", "paid", "at"]
PAID = date(2017, 5, 2)
AT = datetime(2017, 5, 2, 14, 5, 6)
PAYMENTS: list[list[Any]] = [
    [1, "Thames Water", 12.5, PAID, AT],
    [2, "Jo Bloggs", 0.1, PAID, AT],
    [3, "A & B <Ltd>", "unknown", PAID, AT],
    [4, None, 1234567.89, None, None],
]
EXPECTED = [
    (1, "Thames Water", Decimal("12.50"), PAID, AT.replace(tzinfo=UTC)),
    (2, "Jo Bloggs", Decimal("0.10"), PAID, AT.replace(tzinfo=UTC)),
    (4, None, Decimal("1234567.89"), None, None),
]


def payment(row: list[Any]) -> dict[str, Any]:
    """A payment as JSON writes it."""
    plain = [str(value) if isinstance(value, date) else value for value in row]
    return dict(zip(NAMES, plain, strict=True))


def as_xml() -> bytes:
    """By lxml's interface in the standard library."""
    from xml.etree import ElementTree as Tree

    root = Tree.Element("export", {"made": "2017-06-01"})
    payments = Tree.SubElement(root, "payments")
    for row in PAYMENTS:
        found = payment(row)
        written = Tree.SubElement(payments, "payment", {"id": str(found.pop("id"))})
        for name, value in found.items():
            if value is not None:
                Tree.SubElement(written, name).text = str(value)
    return Tree.tostring(root, encoding="windows-1252", xml_declaration=True)


def as_geojson() -> bytes:
    """Features without a place."""
    features = [
        {"type": "Feature", "id": row[0], "geometry": None, "properties": payment(row)}
        for row in PAYMENTS
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def as_parquet() -> bytes:
    """An amount as text, for one is none."""
    ids, suppliers, amounts, paid, at = map(list, zip(*PAYMENTS, strict=True))
    table = pa.table(
        {
            "id": pa.array(ids, pa.int32()),
            "supplier": pa.array(suppliers).dictionary_encode(),
            "amount": list(map(str, amounts)),
            "paid": pa.array(paid, pa.date32()),
            "at": pa.array(at, pa.timestamp("ns", "Europe/London")),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=2)
    return file.getvalue()


TITLED: list[list[Any]] = [["Payments over 500 pounds"], [], NAMES, *PAYMENTS, [], ["Total"]]
SKIPPED = {"kind": "spreadsheet", "skip_rows_before_header": 2, "skip_rows_at_end": 1}
# The body, the format, and where a field is in a record.
FORMATS: dict[str, tuple[Callable[[], bytes], dict[str, Any], Callable[[str], str]]] = {
    "xlsx": (
        lambda: workbook([["read me"]], May=TITLED), {**SKIPPED, "sheet": "May"}, str,
    ),
    "ods": (lambda: ods(TITLED), SKIPPED, str),
    "xlsx in a zip": (
        lambda: zipped({"readme.txt": "x", "may.xlsx": workbook(TITLED)}),
        {**SKIPPED, "zip_member": "*.xlsx"}, str,
    ),
    "xml": (
        as_xml, {"kind": "xml", "records": "export.payments.payment"},
        lambda name: "@id" if name == "id" else name,
    ),
    "geojson": (as_geojson, {"kind": "geojson"}, lambda name: f"properties.{name}"),
    "parquet": (as_parquet, {"kind": "parquet"}, str),
}  # fmt: skip


def made(name: str, **changes: Any) -> Contract:
    """The contract of the payments in one of these formats."""
    _, layout, path = FORMATS[name]
    return contract(
        column("id", "integer", path=path("id"), required=True),
        column("supplier", path=path("supplier"), **changes.pop("supplier", {})),
        column("amount", "numeric(12,2)", path=path("amount")),
        column("paid", "date", path=path("paid")),
        column("at", "timestamptz", path=path("at"), zone="UTC"),
        name="payments",
        key=["id"],
        extract=extracting(attempts=1, request={"path": "/payments"}),
        format=changes.pop("format", layout),
        **changes,
    )


@pytest.fixture(scope="module")
def database(new_database) -> Warehouse:
    """A database with the table of the payments."""
    found = new_database()
    migrate(found.admin, [made("xlsx"), places()], {})
    return found


@pytest.fixture
def table(database) -> Iterator[Warehouse]:
    """The same without a row."""
    yield database
    ops = ("landing", "load", "quarantine", "schema_drift", "removal", "contract")
    tables = [*(f"ops.{name}" for name in ops), "raw.payments", "raw.places"]
    database.query(f"truncate {', '.join(tables)} restart identity")


@pytest.fixture
def server(deployment, monkeypatch) -> Iterator[FixtureServer]:
    """Answers as configured."""
    found = FixtureServer()
    with serving_fixture(found) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", KEY)
        yield found


@pytest.fixture
def loading(lake, table, server, monkeypatch):
    """Fetches a body and loads it; the ledger's entry."""

    def run(source: Contract, body: bytes | None = None) -> dict[str, Any]:
        monkeypatch.setitem(contracts(), source.name, source)
        where = source.partition("kingston", DAY)
        if body is not None:
            server.on(f"/{source.name}", Reply(body, media_type="application/octet-stream"))
            extract(source, where, lake=lake, run_id="run")
        return load(source, where, lake=lake, dsn=table.dsn(), run_id="run")

    return run


@pytest.mark.parametrize("name", FORMATS)
def test_payments_arrive_with_every_value(loading, table, name):
    entry = loading(made(name), FORMATS[name][0]())

    assert entry["status"] == "loaded"
    assert table.query("select id, supplier, amount, paid, at from raw.payments order by id") == (
        EXPECTED
    )
    ((rule, value, record),) = table.query("select rule, value, record from ops.quarantine")
    assert (rule, value) == ("type", '"unknown"')
    assert "A &" in record
    assert loading(made(name))["status"] == "unchanged"


@pytest.mark.parametrize("name", FORMATS)
def test_a_row_leads_back_to_its_record(loading, lake, table, monkeypatch, name):
    loading(made(name), FORMATS[name][0]())
    monkeypatch.setenv("WANDLE_LOADER_DSN", table.dsn())

    found = explain("raw.payments", {"id": "2"}, lake=lake, settings=Settings.read())

    (origin,) = found.origins
    assert b"Jo Bloggs" in origin.record
    assert b"Thames" not in origin.record
    assert origin.page_record_no == 2


def everything(bucket: Any) -> bytes:
    """Each object of the bucket, and what is in each of its pages' files."""
    bodies = [(key, bucket.body(key)) for key in bucket.listed()]
    return b"\n".join(gzip.decompress(b) if key.endswith(".gz") else b for key, b in bodies)


@pytest.mark.parametrize("name", FORMATS)
def test_a_person_is_erased_and_the_others_are_not(loading, lake, bucket, table, name):
    source = made(name, supplier={"personal": "pseudonymise"}, retention_days=36_000)
    loading(source, FORMATS[name][0]())
    before = table.query("select id, supplier from raw.payments order by id")

    erase(
        source,
        Subject(source, {"supplier": "Jo Bloggs"}),
        lake=lake,
        dsn=table.dsn(),
        by="somebody",
        rebuild=lambda: None,
    )

    assert before[0] == (1, Pseudonyms(KEY).of("Thames Water"))
    assert table.query("select id, supplier from raw.payments order by id") == [
        row for row in before if row[0] != 2
    ]
    left = everything(bucket)
    assert b"Jo Bloggs" not in left
    assert b"Thames Water" in left
    (stored,) = stored_landings(lake.landings, "payments")
    manifest = lake.landings.manifest(stored.partition, stored.landing_id)
    assert (manifest.totals.records, manifest.erased) == (3, 1)
    assert loading(source)["status"] == "unchanged"


OTHERS = {
    "a sign-in page": (b"<html><form>sign in <input type=password></form></html>", "sign-in page"),
    "JSON": (b'{"error": "no such file"}', "error"),
    "a zip file": (zipped({"a.txt": "x"}), "found"),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("other", OTHERS)
def test_another_file_fails_by_name_and_changes_nothing(loading, lake, table, name, other):
    loading(made(name), FORMATS[name][0]())
    body, said = OTHERS[other]

    with pytest.raises((UnexpectedPayload, SourceUnavailable), match=said):
        loading(made(name), body)

    assert table.value("select count(*) from raw.payments") == 3


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "xlsx in a zip"])
def test_a_file_that_is_cut_short_is_retried(loading, table, name):
    body = FORMATS[name][0]()

    with pytest.raises(SourceUnavailable, match="Try again later"):
        loading(made(name), body[: len(body) * 9 // 10])


def test_a_bomb_fails_by_the_limit_that_it_is_beyond(loading):
    from tests.spreadsheet_files import parts, text_rows

    body = zipped(parts(text_rows([NAMES]) + " " * 64_000_000))
    source = made("ods", limits={"answer_bytes": 2**21}, format={"kind": "spreadsheet"})

    with pytest.raises(BeyondLimit, match=r"`limits.answer_bytes: 2097152` of the contract"):
        loading(source, body)


# --- GeoJSON ------------------------------------------------------------------------------------

POINT = {"type": "Point", "coordinates": [-0.30, 51.41]}
PLACES = [
    {"type": "Feature", "id": "a", "properties": {"name": "Hogsmill"}, "geometry": POINT},
    {"type": "Feature", "id": "b", "properties": {"name": "Nowhere"}, "geometry": None},
    {"type": "Feature", "id": "c", "properties": {"name": "Wandle"}, "geometry": POINT},
]


def places(**changes: Any) -> Contract:
    """Places, with their geometry as jsonb and as text."""
    return contract(
        column("id", required=True),
        column("name", path="properties.name"),
        column("geometry", "jsonb"),
        column("wkt", path="geometry#wkt"),
        name="places",
        key=["id"],
        **{
            "extract": extracting(attempts=1, request={"path": "/places"}),
            "format": {"kind": "geojson"},
        }
        | changes,
    )


def collection(features: list[Any], **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features, **more}).encode()


def test_geometry_arrives_as_json_and_as_well_known_text(loading, table):
    body = collection(PLACES).replace(b"-0.3,", b"-0.30,")

    loading(places(), body)

    assert table.query("select id, name, geometry::text, wkt from raw.places order by id") == [
        (
            "a",
            "Hogsmill",
            '{"type": "Point", "coordinates": [-0.30, 51.41]}',
            "POINT (-0.30 51.41)",
        ),
        ("b", "Nowhere", None, None),
        ("c", "Wandle", '{"type": "Point", "coordinates": [-0.30, 51.41]}', "POINT (-0.30 51.41)"),
    ]


@pytest.mark.parametrize(
    "more",
    [{"exceededTransferLimit": True}, {"properties": {"exceededTransferLimit": True}}],
    ids=["beside", "in properties"],
)
def test_features_that_an_api_left_out_are_never_green(loading, more):
    with pytest.raises(UnexpectedPayload, match=r"another page in .*exceededTransferLimit"):
        loading(places(), collection(PLACES, **more))


def test_a_collection_in_pages_within_json(lake, table, server):
    paging = {"kind": "offset", "size": 2, "size_parameter": "n", "parameter": "at"}
    source = places(
        extract=extracting(attempts=1, request={"path": "/places"}, paging=paging),
        format={"kind": "geojson", "records": "data.features"},
    )

    def answer(asked: Any) -> Reply:
        at = int(asked.values["at"])
        found = {"type": "FeatureCollection", "features": PLACES[at : at + 2]}
        return Reply(json.dumps({"data": found}).encode())

    server.on("/places", answer)
    where = source.partition("kingston", DAY)
    extract(source, where, lake=lake, run_id="run")

    load(source, where, lake=lake, dsn=table.dsn(), run_id="run")
    assert table.value("select string_agg(id, '' order by id) from raw.places") == "abc"


# --- XML ----------------------------------------------------------------------------------------


def paged_xml(at: int, total: int = 3) -> bytes:
    """One entry of a feed a page; the total is that of the feed."""
    entry = f"<place id='{'abc'[at]}'><name>n{at}</name></place>" if at < 3 else ""
    return f"<feed total='{total}'><places>{entry}</places></feed>".encode()


def feed(**paging: Any) -> Contract:
    """Places in XML."""
    found = {"kind": "offset", "size": 1, "size_parameter": "n", "parameter": "at", **paging}
    return places(
        extract=extracting(
            attempts=1, request={"path": "/places"}, **({"paging": found} if paging else {})
        ),
        format={"kind": "xml", "records": "feed.places.place"},
    ).model_copy(
        update={
            "columns": contract(
                column("id", path="@id", required=True), column("name"), key=["id"]
            ).columns
        }
    )


def test_xml_in_pages_is_read_to_the_total_that_it_declares(lake, table, server):
    source = feed(total="feed.@total")
    server.on("/places", lambda asked: Reply(paged_xml(int(asked.values["at"]))))
    where = source.partition("kingston", DAY)

    extract(source, where, lake=lake, run_id="run")
    load(source, where, lake=lake, dsn=table.dsn(), run_id="run")

    assert table.value("select string_agg(id, '' order by id) from raw.places") == "abc"


def test_xml_with_fewer_records_than_it_says_is_never_green(lake, server):
    source = feed()
    server.on("/places", paged_xml(0))

    with pytest.raises((UnexpectedPayload, SourceUnavailable), match="3"):
        extract(source, source.partition("kingston", DAY), lake=lake, run_id="run")
