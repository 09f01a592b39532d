"""Explaining a row: back to its landing, page, request, and its record's own bytes."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest

from include.errors import LandingDamaged, PermanentError, UnknownName
from include.jobs.operate.explain import Explained, explain
from include.jobs.pipeline.load import load
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land, prefix_of
from tests.samples import column, contract

GAUGES = contract()
KEY = "0123456789abcdef" * 4
RESIDENTS = contract(
    column("id", "integer"),
    column("email", personal="pseudonymise"),
    column("ward", personal="keep"),
    column("phone", personal="drop"),
    column("kind"),
    name="residents",
    key=["id"],
    retention_days=30,
)
# Not as any library would write it.
ODD = (
    b'[ {"id":1 , "note":"\xc3\xa9\\u00e9"},\n '
    b'{"note" : "x","id":1.00e1, "new":{"a":[ ]}} ,{"id":"?"}]'
)
FIRST = [{"id": 5, "note": "a"}, {"id": 5, "note": "a"}, {"id": "bad"}, {"id": 6, "note": "b"}]


@pytest.fixture(autouse=True)
def environment(deployment, monkeypatch, warehouse):
    monkeypatch.setenv("WANDLE_LOADER_DSN", warehouse.dsn())


@pytest.fixture
def explained(lake, monkeypatch):
    """Explains a row of `gauges`."""

    def run(name: str = "raw.gauges", how: Any = None, **wanted: str) -> Explained:
        return explain(name, wanted, lake=lake, settings=Settings.read(), **(how or {}))

    return run


@pytest.fixture
def loaded(lake, warehouse, monkeypatch):
    """Lands pages by a contract and loads them; the manifest."""

    def run(source: Contract, *pages: Any, **how: Any) -> Any:
        monkeypatch.setitem(contracts(), source.name, source)
        manifest = land(lake, source, *pages, **how)
        load(
            source,
            source.partition("kingston", "2017-05"),
            lake=lake,
            dsn=warehouse.dsn(),
            run_id="run",
        )
        return manifest

    return run


def test_a_row_leads_to_its_page_request_and_its_records_own_bytes(loaded, explained, bucket):
    manifest = loaded(GAUGES, FIRST, ODD, counts=[4, 3], context={"ward.code": "E05000001"})

    found = explained(id="10")

    (origin,) = found.origins
    assert found.found == 1
    assert origin.record == b'{"note" : "x","id":1.00e1, "new":{"a":[ ]}}'
    assert origin.whole
    assert (origin.page_no, origin.page_record_no) == (2, 2)
    assert origin.address == f"s3://{bucket.lake.bucket}/{prefix_of(manifest)}0002.json.gz"
    assert origin.manifest.landing_id == manifest.landing_id
    assert origin.page.request.query == {"month": "2017-05"}
    assert origin.page.context == {"ward.code": "E05000001"}
    assert (origin.row["id"], origin.row["note"]) == (10, "x")


@pytest.mark.parametrize(
    ("wanted", "place", "record"),
    [
        ({"id": "5"}, (1, 1), b'{"id": 5, "note": "a"}'),
        ({"id": "6"}, (1, 4), b'{"id": 6, "note": "b"}'),
        ({"id": "1"}, (2, 1), b'{"id":1 , "note":"\xc3\xa9\\u00e9"}'),
        ({"note": "b"}, (1, 4), b'{"id": 6, "note": "b"}'),
        ({"_record_no": "4"}, (1, 4), b'{"id": 6, "note": "b"}'),
    ],
    ids=str,
)
def test_duplicates_and_quarantined_records_before_a_record_do_not_shift_it(
    loaded, explained, wanted, place, record
):
    loaded(GAUGES, FIRST, ODD, counts=[4, 3])

    (origin,) = explained(**wanted).origins

    assert (origin.page_no, origin.page_record_no) == place
    assert origin.record == record


def test_a_line_of_csv_is_shown_as_it_is(loaded, explained):
    lines = contract(format={"kind": "csv"})
    loaded(lines, b'id,note\r\n1,"a,\nb"\r\n02,c\r\n', counts=[2])

    assert explained(id="1").origins[0].record == b'1,"a,\nb"'
    assert explained(id="2").origins[0].record == b"02,c"


def test_a_record_that_is_nowhere_as_a_whole_says_so(loaded, explained):
    columnar = contract(format={"kind": "columnar"})
    loaded(columnar, b'{"id": [1, 2], "note": ["a", "b"]}', counts=[2])

    (origin,) = explained(id="2").origins

    assert json.loads(origin.record) == {"id": 2, "note": "b"}
    assert not origin.whole


def test_many_rows_are_counted_and_the_first_is_traced_back(loaded, explained):
    loaded(GAUGES, [{"id": number, "note": "same"} for number in range(9)])

    found = explained(note="same", how={"most": 2})

    assert found.found == 9
    assert [origin.row["id"] for origin in found.origins] == [0, 1]


PERSON = {"id": 1, "email": "ada@example.org", "ward": "Nonsuch", "phone": "07700", "kind": "bin"}
SECRETS = ("ada@example.org", "Nonsuch", "07700")


@pytest.fixture
def residents(loaded, warehouse, monkeypatch):
    """Loads records of living persons."""
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", KEY)
    migrate(warehouse.admin, [RESIDENTS], {})
    yield lambda *records: loaded(RESIDENTS, [*records])
    monkeypatch.delitem(contracts(), RESIDENTS.name)
    warehouse.query(f"drop table raw.{RESIDENTS.name}")


def test_personal_values_are_hidden_in_row_and_record(residents, explained):
    residents({"id": 0}, PERSON | {"remarks": "call Ada"})

    (origin,) = explained("raw.residents", id="1").origins

    assert json.loads(origin.record) == {
        "id": 1, "email": "(withheld)", "ward": "(withheld)", "phone": "(withheld)",
        "kind": "bin", "(withheld)": "(withheld)",
    }  # fmt: skip
    assert not origin.whole
    shown = str(origin)
    assert [
        secret for secret in (*SECRETS, Pseudonyms(KEY).of(SECRETS[0])) if secret in shown
    ] == []


def test_a_holder_of_the_key_may_see_the_record_and_find_it_by_the_person(residents, explained):
    residents({"id": 0}, PERSON)
    name = "raw.residents"

    (origin,) = explained(name, email="ada@example.org", how={"personal": True}).origins
    (same,) = explained(name, email=Pseudonyms(KEY).of("ada@example.org")).origins

    assert json.loads(origin.record) == PERSON
    assert origin.whole
    assert origin.row["email"] == Pseudonyms(KEY).of("ada@example.org")
    assert same.page_record_no == origin.page_record_no == 2


def test_without_the_key_nobody_sees_personal_values(residents, explained, monkeypatch):
    residents(PERSON)
    monkeypatch.delenv("WANDLE_PSEUDONYM_KEY")

    with pytest.raises(PermanentError, match="WANDLE_PSEUDONYM_KEY is not set"):
        explained("raw.residents", id="1", how={"personal": True})


@pytest.mark.parametrize(
    ("name", "wanted", "error", "said"),
    [
        ("raw.crimes", {"id": "1"}, UnknownName, "unknown source 'crimes'"),
        ("gauges", {"id": "1"}, PermanentError, "cannot be traced. Choose raw.<source>"),
        ("marts.daily_snow", {"id": "1"}, UnknownName, "unknown mart 'daily_snow'"),
        ("raw.gauges", {}, PermanentError, "Add `--key NAME=VALUE`"),
        ("raw.gauges", {"number": "1"}, PermanentError, "has no column 'number'. It has id, note"),
        ("raw.gauges", {"id; drop table raw.gauges": "1"}, PermanentError, "has no column"),
        ("raw.gauges", {"id": "one"}, PermanentError, "does not fit its column's type (id)"),
        ("raw.gauges", {"id": "99"}, PermanentError, "no matching row in raw.gauges"),
    ],
)
def test_what_cannot_be_explained_is_reported(loaded, explained, name, wanted, error, said):
    loaded(GAUGES, [{"id": 1}])

    with pytest.raises(error) as caught:
        explained(name, **wanted)

    assert said in str(caught.value)


def test_a_damaged_page_explains_nothing(loaded, explained, bucket):
    manifest = loaded(GAUGES, [{"id": 1}])
    bucket.put(prefix_of(manifest) + "0001.json.gz", b"")

    with pytest.raises(LandingDamaged, match=r"0001\.json\.gz"):
        explained(id="1")


def test_the_command_shows_the_facts_and_the_bytes(wandle, loaded):
    loaded(GAUGES, FIRST, ODD, counts=[4, 3], context={"ward.code": "E05000001"})

    code, out, _ = wandle("explain", "raw.gauges", "--key", "id=10")
    as_json = json.loads(wandle("explain", "raw.gauges", "-k", "id=10", "--json")[1])

    assert code == 0
    assert out.endswith('\n{"note" : "x","id":1.00e1, "new":{"a":[ ]}}\n')
    for fact in (
        "page 2 of 2",
        "GET https://api.test/v1/gauges  month=2017-05",
        "2 of 3 on the page",
    ):
        assert fact in out
    (row,) = as_json["rows"]
    assert base64.b64decode(row["record_base64"]) == row["record"].encode()
    assert (as_json["found"], row["page"], row["request"]["method"]) == (1, 2, "GET")


def test_a_key_without_a_value_is_requested_on_standard_error(wandle, loaded, monkeypatch):
    loaded(GAUGES, FIRST, ODD, counts=[4, 3], context={"ward.code": "E05000001"})
    monkeypatch.setattr("sys.stdin", io.StringIO("10\n"))

    code, out, _ = wandle("explain", "raw.gauges", "--key", "id", "--json")

    assert (code, json.loads(out)["found"]) == (0, 1)
