"""Files of the standard that others have written: what becomes a contract, and what is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.definitions import read_definition
from include.errors import PermanentError, PipelineError
from include.jobs.author.odcs import exchange
from include.sources.model import Contract

DOCUMENTS = Path(__file__).parent / "documents"
ORDERS = DOCUMENTS / "orders_postgres.odcs.yaml"
AIR = DOCUMENTS / "air_quality_api.odcs.yaml"
SALES = DOCUMENTS / "snowflake.odcs.json"


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(exchange, "sync", list)
    made = tmp_path / "sources"
    made.mkdir()
    return made


def imported(places: Path, file: Path, **how: Any) -> tuple[Contract, str]:
    """The contract that was written, and all remarks."""
    drafted = exchange.import_odcs(file, folder=places, **how)
    return read_definition(drafted.files[0], Contract), "\n".join(drafted.remarks)


def test_a_table_of_postgresql_is_read_by_its_key_with_rules_and_people(places):
    made, _ = imported(places, ORDERS)

    assert (made.name, made.period, made.retention_days) == ("orders", "day", 732)
    assert made.publication_lag_days == 2
    assert (made.owner, made.publisher) == ("Ada", "ACME")
    assert made.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert "real-time" in made.description
    assert made.extract.connection == "production"
    assert made.extract.query == (
        "select order_id, order_timestamp, order_total, customer_email, customer_born, country, "
        "state, details from public.orders_v1"
    )
    assert made.extract.key == "order_id"
    assert made.checks.min_records == 100
    columns = {column.name: column for column in made.columns}
    assert {name: column.type for name, column in columns.items()} == {
        "order_id": "text",
        "order_timestamp": "timestamptz",
        "order_total": "numeric(10,2)",
        "customer_email": "text",
        "customer_born": "date",
        "country": "text",
        "state": "text",
        "details": "jsonb",
    }
    assert columns["order_timestamp"].path == ""
    assert columns["order_timestamp"].zone == "UTC"
    assert columns["customer_email"].personal == "pseudonymise"
    assert columns["customer_email"].pattern == "(?s:.{0,254})"
    assert columns["customer_born"].personal == "drop"
    assert columns["country"].pattern == "[A-Z]{2}"
    assert columns["state"].allowed == ("open", "shipped", "7")
    assert (columns["order_total"].minimum, columns["order_total"].maximum) == (0, 1_000_000)


@pytest.mark.parametrize(
    "left",
    ["roles", "price", "relationships", "availability: 99.9 %", "fresh", "at most once a minute"],
)
def test_what_no_contract_can_express_is_reported(places, left):
    _, said = imported(places, ORDERS)

    assert left in said


def test_an_api_is_requested_at_its_address_and_objects_within_are_flattened(places):
    made, said = imported(places, AIR, table="readings", name="air_readings")

    assert made.name == "air_readings"
    assert made.extract.base_url == "https://air.example.org"
    assert made.extract.request.path == "/v2/readings"
    assert made.key == ("reading_id",)
    assert [(column.name, column.path, column.type) for column in made.columns] == [
        ("reading_id", "readingId", "integer"),
        ("code", "site.code", "text"),
        ("open_since", r"site.open\.since", "date"),
        ("measured_at", "measured at", "timestamptz"),
        ("values", "", "jsonb"),
        ("note", "", "text"),
    ]
    assert (made.licence, made.owner, made.enabled) == ("OGL 3.0", "Environment", False)
    assert made.publication_lag_days == 2
    assert "'0 * * * ? *' is not a cron expression" in said
    assert "`note` has no type" in said


def test_an_address_that_is_given_counts_more_than_the_server_of_the_file(places):
    made, _ = imported(
        places, AIR, table="readings", url="https://b.example.org/{council.gss_code}/2026-07-03"
    )

    assert made.extract.base_url == "https://b.example.org"
    assert made.extract.request.path == "/{council.gss_code}/{period:%Y-%m-%d}"
    assert (made.councils, str(made.start)) == ("each", "2026-07-03")


def test_a_server_that_cannot_be_read_needs_an_address(places):
    with pytest.raises(PermanentError, match=r"does not say where .* Pass --url"):
        imported(places, SALES)

    made, said = imported(places, SALES, url="https://sales.example.org/all")

    assert [column.type for column in made.columns] == ["numeric(38,0)", "timestamptz", "jsonb"]
    assert [column.zone for column in made.columns] == ["", "", ""]
    assert "snowflake" in said


def test_one_of_several_objects_must_be_chosen(places):
    with pytest.raises(PermanentError, match=r"--table: sites, readings"):
        imported(places, AIR)


def test_a_source_that_exists_is_not_overwritten(places):
    imported(places, ORDERS)

    with pytest.raises(PermanentError, match=r"orders\.yaml exists"):
        imported(places, ORDERS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "not a data contract"),
        ("dataContractSpecification: 1.1.0", "not a data contract"),
        ("kind: DataContract\napiVersion: v2.2.2", "expected v3"),
        ("kind: DataContract\napiVersion: v3.1.0\nid: a", "'version' is a required property"),
        (
            "kind: DataContract\napiVersion: v3.1.0\nid: a\nversion: 1.0.0\n"
            "schema: [{name: a, properties: [{name: b, logicalType: money}]}]",
            "refuses `schema.0.properties.0.logicalType`: 'money'",
        ),
        ("kind: DataContract\napiVersion: v3.1.0\nid: a\nversion: 1.0.0", "no `schema`"),
        ("a: &a [*a]", "an alias within"),
        ("[" * 100, "nested deeper"),
        ("a: \xff", "not YAML in UTF-8"),
        ("#" * 5_000_000, "the limit"),
    ],
)
def test_what_is_not_a_file_of_the_standard_is_one_sentence(places, tmp_path, text, said):
    file = tmp_path / "odd.yaml"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(PipelineError, match=said):
        imported(places, file)
    assert list(places.iterdir()) == []


def test_a_rule_that_no_value_can_meet_is_refused_with_its_place(places, tmp_path):
    file = tmp_path / "odd.yaml"
    file.write_text(
        "kind: DataContract\napiVersion: v3.2.0\nid: a\nversion: '1'\nschema:\n"
        "- name: a\n  properties:\n  - {name: b, logicalType: date, enum: [{value: tomorrow}]}\n"
    )

    with pytest.raises(PipelineError, match=r"columns\.0\.allowed\.0`: no value of `type: date`"):
        imported(places, file, url="https://a.example.org/b")


def test_a_pattern_of_another_engine_is_left_out_and_reported(places, tmp_path):
    file = tmp_path / "odd.yaml"
    file.write_text(
        "kind: DataContract\napiVersion: v3.2.0\nid: a\nversion: '1'\nschema:\n- name: a\n"
        "  properties:\n"
        "  - {name: b, logicalType: string, logicalTypeOptions: {pattern: '(?=a)b'}}\n"
        "  - {name: c, logicalType: string, logicalTypeOptions: {pattern: 'b|c'}}\n"
    )

    made, said = imported(places, file, url="https://a.example.org/b")

    assert [column.pattern for column in made.columns] == ["", "(?s:.*)(?:b|c)(?s:.*)"]
    assert "`b` has a pattern that cannot be checked" in said


def test_a_key_and_columns_have_the_names_that_the_database_has(places, tmp_path):
    file = tmp_path / "odd.yaml"
    file.write_text(
        "kind: DataContract\napiVersion: v3.2.0\nid: a\nversion: '1'\nservers:\n"
        "- {server: S 1, type: postgres, host: h, port: 5432, database: d, schema: Crm}\n"
        "schema:\n- name: cases\n  properties:\n"
        "  - {name: case, physicalName: 50% ID, physicalType: int, primaryKey: true}\n"
    )

    made, _ = imported(places, file)

    assert made.extract.query == 'select "50%% ID" from "Crm".cases'
    assert (made.extract.key, made.extract.connection) == ("50% ID", "s_1")
    assert made.columns[0].record_path == ("50% ID",)


@pytest.mark.parametrize(
    ("server", "place"),
    [
        ("type: mysql, host: h, port: 3306, database: Crm", "`Crm`.cases"),
        ("type: sqlserver, host: h, database: d, schema: dbo", "dbo.cases"),
        ("type: oracle, host: h, port: 1521, serviceName: s", "cases"),
    ],
)
def test_a_table_is_named_as_its_server_names_it(places, tmp_path, server, place):
    file = tmp_path / "odd.yaml"
    file.write_text(
        "kind: DataContract\napiVersion: v3.2.0\nid: a\nversion: '1'\nservers:\n"
        f"- {{server: crm, {server}}}\n"
        "schema:\n- name: cases\n  properties:\n"
        "  - {name: id, physicalType: int, primaryKey: true}\n"
    )

    made, _ = imported(places, file)

    assert made.extract.query == f"select id from {place}"
