"""Whatever a body holds: every record is accounted for, or one clear error and nothing changed.

Thousands of mutated bodies go through the parsing, the validation and the
books; some dozens of the same go the whole way, from a server through S3 into
PostgreSQL.
"""

from __future__ import annotations

import copy
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from include.errors import PipelineError
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.sources.model import Contract
from include.warehouse.prepare import PageBody, prepare
from include.warehouse.schema.migrate import migrate
from tests.integration.conftest import Warehouse
from tests.integration.fixture_server import FixtureServer, serving_fixture
from tests.samples import column, contract, counted, extracting, partition

MANY = 2000
SEVEN_MEGABYTES = 7 * 1024 * 1024

COLUMNS = (
    column("id", "integer", required=True, minimum=0),
    column("name", pattern="[a-z ]*"),
    column("state", allowed=["open", "closed"]),
    column("level", "numeric(9,3)", null_values=[32768.47]),
    column("flow", "double"),
    column("wet", "boolean"),
    column("day", "date"),
    column("at", "timestamptz", zone="Europe/London"),
    column("more", "jsonb"),
    column("street", path="place.street.name"),
    column("label", list_value="first", list_separator="|"),
    column("reading", "numeric(9,3)", list_value="explode", list_separator="|"),
)


def of_kind(kind: str, **changes: Any) -> Contract:
    """The contract for bodies of a kind."""
    layout = {"kind": kind, "records": "data.items" if kind in ("json", "columnar") else ""}
    # The rows of a CSV have no fields within fields.
    street = [column("street", path="place")] if kind == "csv" else []
    names = {item["name"] for item in street}
    return contract(
        *(item for item in COLUMNS if item["name"] not in names),
        *street,
        **{
            "name": f"mutated_{kind}",
            "format": layout | ({"null_values": [""]} if kind == "csv" else {}),
            "key": ["id"],
            "extract": extracting(attempts=1),
            **changes,
        },
    )


KINDS = ("json", "jsonl", "csv", "columnar")
CONTRACTS = {kind: of_kind(kind) for kind in KINDS}


def record(number: int) -> dict[str, Any]:
    """A record that keeps the contract."""
    return {
        "id": number,
        "name": "at the mill",
        "state": "open",
        "level": 0.854,
        "flow": 1.5,
        "wet": True,
        "day": "2017-05-03",
        "at": "2017-05-03T10:15:00",
        "more": {"a": [1, {"b": None}]},
        "place": {"street": {"name": "High Street", "id": 3}},
        "label": "one",
        "reading": 0.26,
        "unknown": "kept",
    }


def written(kind: str, records: list[Any]) -> bytes:
    """Records as a body of a kind; NaN and lone surrogates as careless servers send them."""
    if kind == "json":
        return text({"data": {"items": records}})
    if kind == "jsonl":
        return b"".join(text(item) + b"\n" for item in records)
    named = [item for item in records if isinstance(item, dict)]
    names = sorted({name for item in named for name in item})
    if kind == "columnar":
        return text({"data": {"items": {n: [item.get(n) for item in named] for n in names}}})
    lines = [names, *([cell(item.get(name)) for name in names] for item in named)]
    return b"".join(b",".join(map(quoted, line)) + b"\r\n" for line in lines)


def text(value: Any) -> bytes:
    # Deeper than what the standard library writes is put in as text.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return "|".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value)


def quoted(value: str) -> bytes:
    found = value.encode("utf-8", "surrogatepass")
    return b'"' + found.replace(b'"', b'""') + b'"' if set(found) & set(b',"\r\n') else found


# --- mutations -------------------------------------------------------------------------------

ODD = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1.0, 2.5, 1e308, -0.0, 2**31, 2**53 + 1, 2**63, 2**64, 10**40),
        *(float("nan"), float("inf"), -float("inf"), 0.1234567, 123456789.5, 32768.47),
        *("", " ", "NaN", "null", "1e5", "0x1F", "1,5", "0.260|0.267", "a|b", "|", "open "),
        *("2017-02-30", "2017-03-26T01:30:00", "2017-10-29T01:30:00", "9999999-01-01", "24:00"),
        *("\x00", "a\x00b", "\ud800", "\udfff x", "\u202e", "\ufeff", "é", "😀", "x" * 5000),
        *([], [None], [1, 2], ["a", "b"], [[1], [2]], [0.1, "b", {}], {}, {"a": {"b": []}}),
    ]
)
NAMES = st.sampled_from(
    [*record(1), "place.street", "id\x00", "\ud800", "", "Id", "x" * 200, "_extra", "_council"]
)
Change = Callable[[list[Any]], None]


def at(records: list[Any], place: int) -> dict[str, Any]:
    """One of the records that are objects."""
    objects = [item for item in records if isinstance(item, dict)]
    return objects[place % len(objects)] if objects else {}


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """One thing that goes wrong with the records."""
    kind = draw(
        st.sampled_from(
            ["drop", "retype", "retype", "retype", "nest", "twice", "conflict", "no record", "add"]
        )
    )
    place, name = draw(st.integers(0, 7)), draw(NAMES)
    # A copy: another change may change it, or put it into itself.
    value = copy.deepcopy(draw(ODD))

    def change(records: list[Any]) -> None:
        found = at(records, place)
        match kind:
            case "drop":
                found.pop(name, None)
            case "retype" | "add":
                found[name] = value
            case "nest":
                found[name] = {"value": found.get(name), "more": [found.get(name)]}
            case "twice":
                records.append(copy.deepcopy(found))
            case "conflict":
                records.insert(0, {**found, name: value})
            case "no record":
                records.insert(place % (len(records) + 1), value)

    return change


DAMAGES: dict[str, Callable[[bytes, int, int], bytes]] = {
    "none": lambda body, place, byte: body,
    "truncated": lambda body, place, byte: body[:place],
    "empty": lambda body, place, byte: b"",
    "BOM": lambda body, place, byte: b"\xef\xbb\xbf" + body,
    "latin": lambda body, place, byte: body.replace(b"mill", b"m\xfchle\xff", 1),
    "NUL": lambda body, place, byte: body[:place] + b"\x00" + body[place:],
    "flipped": lambda body, place, byte: body[:place] + bytes([byte]) + body[place + 1 :],
    "doubled": lambda body, place, byte: body + body,
    "deep": lambda body, place, byte: body.replace(b'"High Street"', b"[" * 2000 + b"]" * 2000, 1),
    "html": lambda body, place, byte: b"<html><body>502 Bad Gateway</body></html>",
    "huge number": lambda body, place, byte: body.replace(b"1.5", b"1" * 5000, 1),
    "blanks": lambda body, place, byte: b" \n" + body + b"\n\n \n",
    "CR": lambda body, place, byte: body.replace(b"\r\n", b"\r"),
}


@st.composite
def damages(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """One thing that goes wrong with the bytes of a body, mostly nothing."""
    damage = DAMAGES[draw(st.sampled_from(["none"] * 8 + ["truncated", *DAMAGES]))]
    share, byte = draw(st.floats(0, 1)), draw(st.integers(0, 255))
    return lambda body: damage(body, int(share * len(body)), byte)


@dataclass(frozen=True)
class Case:
    """A source of some kind, and the bodies that it serves."""

    kind: str
    bodies: tuple[bytes, ...]

    def __repr__(self) -> str:
        shown = ", ".join(f"{body[:400]!r}... ({len(body)} bytes)" for body in self.bodies)
        return f"Case({self.kind}, {shown})"


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Bodies of one landing, each changed and damaged."""
    kind = draw(st.sampled_from(KINDS))
    bodies = []
    for page in range(draw(st.integers(1, 2))):
        records: list[Any] = [
            record(page * 5 + number) for number in range(draw(st.integers(0, 5)))
        ]
        for change in draw(st.lists(changes(), max_size=4)):
            change(records)
        bodies.append(draw(damages())(written(kind, records)))
    return Case(kind, tuple(bodies))


def one(kind: str, **changed: Any) -> Case:
    """Two records, one of them with a changed field."""
    return Case(kind, (written(kind, [record(1) | changed, record(2)]),))


def deep(levels: int) -> Case:
    body = written("json", [record(1), record(2)])
    return Case("json", (body.replace(b'"High Street"', b"[" * levels + b"]" * levels, 1),))


# What becomes of them.
HUGE: dict[str, list[Case]] = {
    "loaded": [
        *(one(kind, name="x" * SEVEN_MEGABYTES) for kind in KINDS),
        one("json", unknown="x" * SEVEN_MEGABYTES),
        one("json", more={"a": "x" * SEVEN_MEGABYTES}),
        one("json", label=["x" * SEVEN_MEGABYTES, "b"]),
        one("json", id="9" * SEVEN_MEGABYTES),
        deep(900),
    ],
    "refused": [
        Case("json", (b"[" * SEVEN_MEGABYTES,)),
        Case("json", (b'"' + b"x" * (2 * SEVEN_MEGABYTES),)),
        Case("jsonl", (b"x" * SEVEN_MEGABYTES,)),
        Case("csv", (b"x," * SEVEN_MEGABYTES,)),
        deep(20_000),
        deep(400_000),
    ],
}
BECOMES = [(case, became) for became, some in HUGE.items() for case in some]


# --- parsing, validation and the books -------------------------------------------------------


def landed(source: Contract, case: Case) -> list[PageBody] | None:
    """The pages that an extract would land; None if it would refuse one of them."""
    pages = []
    for number, body in enumerate(case.bodies, start=1):
        stream = io.BytesIO(body)
        try:
            found = sum(map(len, read_records(stream, len(body), source.layout(), {})))
        except (BodyCutShort, PipelineError):
            return None
        stream.seek(0)
        pages.append(PageBody(f"{number:04}.json.gz", {}, found, len(body), stream))
    return pages


def assert_balanced(source: Contract, case: Case) -> str:
    """That the books of a case balance, and what became of it."""
    pages = landed(source, case)
    if pages is None:
        return "refused"
    counts, batches = counted(prepare(source, partition(source.name), "landing", pages))

    assert counts.records == sum(page.records for page in pages)
    assert counts.records == counts.loaded + len(counts.quarantine) + counts.duplicates
    assert counts.rows == sum(batch.num_rows for batch in batches)
    numbers = {number for batch in batches for number in batch.column("_record_no").to_pylist()}
    assert len(numbers) == counts.loaded
    assert numbers.isdisjoint(item.record_no for item in counts.quarantine)
    for item in counts.quarantine:
        assert item.record
        assert item.rule
    for batch in batches:
        assert_postgresql_takes(batch)
    return "quarantined" if counts.quarantine else "loaded"


def assert_postgresql_takes(batch: pa.RecordBatch) -> None:
    """No text that PostgreSQL has no room for: COPY would fail as a whole."""
    for array in batch.columns:
        storage = array.storage if isinstance(array, pa.ExtensionArray) else array
        if pa.types.is_string(storage.type) or pa.types.is_large_string(storage.type):
            storage.validate(full=True)
            assert not any(value and "\x00" in value for value in storage.to_pylist())


def test_every_record_of_thousands_of_mutated_bodies_is_accounted_for():
    became: Counter[str] = Counter()

    @settings(max_examples=MANY, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases())
    @example(case=Case("json", (b'{"data":{"items":[{"id":1,"more":"\\ud800"},{"id":NaN}]}}',)))
    @example(case=Case("json", (b'{"data":{"items":[{"id":1,"id":2},{"id":1e400}]}}',)))
    @example(case=Case("csv", (b'id,name\r\n1,a\r\n2,b,c\r\n3\r\n4,"open\r\n',)))
    @example(case=Case("csv", (b"id,id\n1,2\n",)))
    def mutated(case: Case) -> None:
        became[assert_balanced(CONTRACTS[case.kind], case)] += 1

    mutated()

    assert became.total() >= MANY
    assert min(became[kind] for kind in ("loaded", "quarantined", "refused")) >= MANY / 30


@pytest.mark.parametrize("case", [case for case, _ in BECOMES], ids=range(len(BECOMES)))
def test_every_record_of_a_huge_body_is_accounted_for(case):
    assert_balanced(CONTRACTS[case.kind], case)


def test_books_that_do_not_balance_are_noticed():
    source = CONTRACTS["json"]
    body = written("json", [record(1), record(2)])
    short = PageBody("0001.json.gz", {}, 3, len(body), io.BytesIO(body))

    with pytest.raises(PipelineError, match="expected 3 records as the manifest says, found 2"):
        list(prepare(source, partition(source.name), "landing", [short]))


# --- the whole way ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database(new_database) -> Warehouse:
    found: Warehouse = new_database()
    migrate(found.admin, list(CONTRACTS.values()), {})
    return found


@pytest.fixture
def api(deployment, monkeypatch) -> Iterator[FixtureServer]:
    server = FixtureServer()
    with serving_fixture(server) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        yield server


def state_of(database: Warehouse, source: Contract) -> list[Any]:
    """What a failure must not change."""
    return [
        database.query(f"select * from raw.{source.name} order by _record_no"),
        database.query(
            "select record_no, rule, record from ops.quarantine "
            f"where source = '{source.name}' order by record_no"
        ),
    ]


def ingest(source: Contract, case: Case, api: FixtureServer, lake: Any, dsn: str) -> dict[str, Any]:
    """Fetch and load the case as one partition."""
    api.on("/gauges$", case.bodies[0])
    landing_id = extract(
        source, source.partition("kingston", "2017-05"), lake=lake, run_id=f"run {len(api.asked)}"
    )
    where = {"lake": lake, "dsn": dsn, "run_id": "run", "landing_id": landing_id}
    return load(source, source.partition("kingston", "2017-05"), **where)


@pytest.fixture
def whole_way(api, lake, database) -> Callable[[Case], str]:
    """Take a case from the server to the warehouse, and say what became of it."""

    def go(case: Case) -> str:
        source, dsn = CONTRACTS[case.kind], database.dsn()
        before = state_of(database, source)
        refused = None
        try:
            entry = ingest(source, case, api, lake, dsn)
        except PipelineError as error:
            refused = str(error)
        if refused is not None:
            assert source.name in refused
            assert state_of(database, source) == before
            return "refused"
        books = (entry["loaded"], entry["quarantined"], entry["duplicates"])
        assert sum(books) == entry["records"]
        raw = f"from raw.{source.name}"
        kept = f"from ops.quarantine where source = '{source.name}'"
        if entry["status"] == "loaded":
            assert database.value(f"select count(distinct _record_no) {raw}") == books[0]
            assert database.value(f"select count(*) {kept}") == books[1]
        return str(entry["status"])

    return go


def test_dozens_of_mutated_bodies_pass_through_the_whole_pipeline(whole_way):
    became: list[str] = []

    @settings(max_examples=60, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases())
    def mutated(case: Case) -> None:
        became.append(whole_way(case))

    mutated()

    assert {"loaded", "refused"} <= set(became)


@pytest.mark.parametrize(("case", "became"), BECOMES, ids=range(len(BECOMES)))
def test_huge_bodies_pass_through_the_whole_pipeline(whole_way, case, became):
    assert whole_way(case) == became
