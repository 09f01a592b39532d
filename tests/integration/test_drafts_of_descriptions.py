"""`new-source` by what publishers say of their data: OpenAPI, CKAN, ArcGIS; then a real fetch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.definitions import read_definition
from include.errors import PermanentError
from include.jobs.author import new_source
from include.jobs.pipeline.extract import extract
from include.sources.model import Contract
from tests.integration.fixture_server import Asked, FixtureServer, Reply, serving_fixture

TREES = [
    {"attributes": {"OBJECTID": n, "Species": "Oak", "Felled": None if n % 2 else 1782864000000},
     "geometry": {"x": -0.3, "y": 51.4}}
    for n in range(1, 6)
]  # fmt: skip
LAYER = {
    "name": "Trees",
    "description": "Trees that the council owns.",
    "capabilities": "Query",
    "geometryType": "esriGeometryPoint",
    "objectIdField": "OBJECTID",
    "maxRecordCount": 2,
    "advancedQueryCapabilities": {"supportsPagination": True},
    "fields": [
        {"name": "OBJECTID", "type": "esriFieldTypeOID", "alias": "OBJECTID"},
        {"name": "Species", "type": "esriFieldTypeString", "alias": "Common name"},
        {"name": "Felled", "type": "esriFieldTypeDate", "alias": "When it was felled"},
    ],
}
SERVICE = "/arcgis/rest/services/Trees/FeatureServer"


@pytest.fixture
def places(tmp_path, monkeypatch, deployment) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(new_source, "sync", list)
    monkeypatch.setenv("WANDLE_LIVE", "1")
    made = tmp_path / "sources"
    made.mkdir()
    return made


@pytest.fixture
def api() -> Iterator[tuple[FixtureServer, str]]:
    server = FixtureServer()
    with serving_fixture(server) as url:
        yield server, url


def drafted(places: Path, url: str, file: Path | None = None, **how: Any) -> tuple[Contract, str]:
    asked = {name: how.pop(name) for name in ("asked", "council") if name in how}
    options = new_source.Options(**how)
    found = new_source.new_source(
        "things", url=url, file=file, period="day", folder=places, options=options, **asked
    )
    return read_definition(places / "things.yaml", Contract), "\n".join(found.remarks)


def fetched(made: Contract, lake: Any) -> int:
    """How many records a real fetch of the contract lands."""
    where = made.partition("uk", str(datetime.now(UTC).date()))
    landing = extract(made, where, lake=lake, run_id="run")
    return lake.landings.manifest(where, landing).totals.records


def features(asked: Asked) -> Reply | Any:
    first, size = int(asked.values["resultOffset"]), int(asked.values["resultRecordCount"])
    found = TREES[first : first + size]
    more = {"exceededTransferLimit": True} if first + size < len(TREES) else {}
    return Reply(_json({"fields": LAYER["fields"], "features": found, **more}))


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


@pytest.fixture
def arcgis(api) -> tuple[FixtureServer, str]:
    server, url = api
    server.on(f"{SERVICE}$", {"layers": [{"id": 0, "name": "Trees"}, {"id": 3, "name": "Old"}]})
    server.on(f"{SERVICE}/0$", LAYER)
    server.on(f"{SERVICE}/0/query$", features)
    return server, url


def test_an_arcgis_layer_is_paged_with_the_types_of_its_fields(places, arcgis, lake):
    _, url = arcgis

    made, said = drafted(places, url + SERVICE, choice="Trees")

    assert made.extract.request.path == f"{SERVICE}/0/query"
    assert made.extract.paging.more == "exceededTransferLimit"
    assert made.extract.paging.size == 2
    columns = {column.name: column for column in made.columns}
    assert (columns["felled"].type, columns["felled"].format) == ("timestamptz", ("epoch_ms",))
    assert columns["felled"].description == "When it was felled"
    assert made.key == ("objectid",)
    assert (made.title, made.snapshot) == ("Trees", True)
    assert "WGS 84" in said
    assert fetched(made, lake) == 5


def test_a_service_of_several_layers_asks_which_one(places, arcgis):
    _, url = arcgis

    with pytest.raises(PermanentError, match=r"which one\. Pass --choose: one of Trees, Old\."):
        drafted(places, url + SERVICE)

    asked = []
    made, _ = drafted(places, url + SERVICE, ask=lambda question: asked.append(question) or "Trees")

    assert asked[0].choices == ["Trees", "Old"]
    assert made.extract.request.path.endswith("/0/query")


def test_what_an_arcgis_server_refuses_is_reported_in_its_words(places, api):
    server, url = api
    server.on(f"{SERVICE}/0$", {"error": {"code": 499, "message": "Token Required"}})

    with pytest.raises(PermanentError, match=r"answers 499: Token Required"):
        drafted(places, f"{url}{SERVICE}/0")


PACKAGE = {
    "success": True,
    "result": {
        "title": "Spending",
        "license_title": "Open Government Licence",
        "organization": {"title": "Smallville"},
        "resources": [
            {"id": "r1", "name": "Rows", "format": "CSV", "datastore_active": True},
            {"id": "r2", "name": "File", "format": "csv", "url": "/files/spend.csv"},
            {"id": "r3", "name": "Notes", "format": "PDF", "url": "/notes.pdf"},
        ],
    },
}
ROWS = [
    {"_id": n, "amount": f"{n}.50", "paid": "2026-11-01T00:00:00", "code": f"00{n}"}
    for n in range(1, 4)
]
FIELDS = [
    {"id": "_id", "type": "int"},
    {"id": "amount", "type": "numeric"},
    {"id": "paid", "type": "timestamp"},
    {"id": "code", "type": "text", "info": {"notes": "Code of the service."}},
]


def datastore(asked: Asked) -> Reply:
    first, size = int(asked.values.get("offset", 0)), int(asked.values["limit"])
    links = {"start": "/api/3/action/datastore_search", "next": f"/api?offset={first + size}"}
    found = {"fields": FIELDS, "records": ROWS[first : first + size], "total": 3, "_links": links}
    return Reply(_json({"success": True, "result": found}))


@pytest.fixture
def ckan(api) -> tuple[FixtureServer, str]:
    server, url = api
    server.on("/api/3/action/package_show$", PACKAGE)
    server.on("/api/3/action/datastore_search$", datastore)
    server.on(
        "/files/spend.csv$",
        Reply(
            "Paid;Net\n01/11/2026;£1,234.50\n30/11/2026;(2.00)\n".encode("cp1252"),
            media_type="text/csv",
        ),
    )
    return server, url


def test_rows_of_a_ckan_resource_are_paged_with_the_types_of_its_fields(places, ckan, lake):
    _, url = ckan

    made, _ = drafted(places, f"{url}/dataset/spending", choice="Rows")

    assert made.extract.request.path == "/api/3/action/datastore_search"
    assert made.extract.request.query == {"resource_id": "r1", "sort": "_id"}
    assert made.extract.paging.total == "result.total"
    assert {column.name: column.type for column in made.columns} == {
        "id": "integer",
        "amount": "double",
        "paid": "timestamptz",
        "code": "text",
    }
    assert made.column("code").description == "Code of the service."
    assert made.key == ("id",)
    assert (made.title, made.publisher) == ("Spending", "Smallville")
    assert made.licence == "Open Government Licence"
    assert fetched(made, lake) == 3


def test_a_file_of_a_ckan_resource_is_read_as_it_is_written(places, ckan, lake):
    _, url = ckan

    made, said = drafted(places, f"{url}/dataset/spending", choice="File")

    assert made.extract.request.path == "/files/spend.csv"
    assert (made.format.kind, made.format.delimiter) == ("csv", ";")
    assert made.format.encoding == "cp1252"
    assert made.column("paid").format == ("%d/%m/%Y",)
    assert made.column("net").type == "numeric(18,2)"
    assert "not UTF-8" in said
    assert fetched(made, lake) == 2


def test_resources_that_no_contract_reads_are_not_offered(places, ckan):
    _, url = ckan

    with pytest.raises(PermanentError, match=r"--choose: one of Rows, File\."):
        drafted(places, f"{url}/dataset/spending")


API = """
openapi: 3.1.0
info: {title: Libraries, version: "1", license: {name: OGL 3.0}}
servers: [{url: "/v1"}]
paths:
  /loans/{area}:
    parameters:
      - {name: area, in: path, required: true, schema: {type: string}}
    get:
      operationId: listLoans
      summary: Loans of a day
      parameters:
        - {name: day, in: query, required: true, schema: {type: string, format: date}}
        - {name: limit, in: query, schema: {type: integer, maximum: 50}}
        - {$ref: "#/components/parameters/offset"}
        - {name: sort, in: query, schema: {type: string}}
      responses:
        "200":
          content:
            application/json:
              schema:
                type: object
                properties:
                  total: {type: integer}
                  items: {type: array, items: {$ref: "#/components/schemas/Loan"}}
  /branches:
    get: {responses: {"200": {content: {application/json: {schema: {type: array, items: {}}}}}}}
  /loans:
    post: {responses: {"201": {}}}
components:
  parameters:
    offset: {name: offset, in: query, schema: {type: integer, default: 0}}
  schemas:
    Loan:
      allOf:
        - {type: object, properties: {loanNo: {type: string, description: Its number.}}}
        - type: object
          properties:
            lentAt: {type: string, format: date-time}
            fee: {type: number, description: In pounds.}
            parent: {$ref: "#/components/schemas/Loan"}
"""
LOANS = [
    {"loanNo": f"00{n}", "lentAt": "2026-07-03T10:00:00Z", "fee": n / 4, "parent": None}
    for n in range(1, 4)
]


@pytest.fixture
def openapi(api) -> tuple[FixtureServer, str]:
    server, url = api
    server.on("^/docs/openapi.yaml$", Reply(API.encode(), media_type="application/yaml"))

    def loans(asked: Asked) -> Reply:
        first, size = int(asked.values["offset"]), int(asked.values["limit"])
        return Reply(_json({"total": 3, "items": LOANS[first : first + size]}))

    server.on("^/v1/loans/", loans)
    return server, url


def test_an_operation_of_an_openapi_document_is_requested_with_the_types_of_its_answer(
    places, openapi, lake
):
    server, url = openapi

    made, _ = drafted(
        places,
        f"{url}/docs/openapi.yaml",
        choice="listLoans",
        parameters={"area": "{council.gss_code}", "day": "{period:%Y-%m-%d}"},
        asked="2026-07-03",
        council="kingston",
    )

    assert server.asked[-1].path == "/v1/loans/E09000021"
    assert made.extract.request.path == "/v1/loans/{council.gss_code}"
    assert made.extract.request.query == {"day": "{period:%Y-%m-%d}"}
    paging = made.extract.paging
    assert (paging.parameter, paging.size, paging.size_parameter) == ("offset", 50, "limit")
    assert paging.total == "total"
    # Its text looks like a number.
    assert made.column("loan_no").type == "text"
    assert made.column("loan_no").description == "Its number."
    assert made.column("lent_at").type == "timestamptz"
    assert (made.title, made.publisher, made.licence) == ("Loans of a day", "Libraries", "OGL 3.0")
    assert made.councils == "each"


def test_what_an_openapi_document_leaves_open_is_asked_for(places, openapi):
    _, url = openapi
    document = f"{url}/docs/openapi.yaml"

    with pytest.raises(PermanentError, match=r"--choose: one of listLoans, GET /branches"):
        drafted(places, document)
    with pytest.raises(PermanentError, match=r"parameter 'area'\. Pass --parameter area=VALUE"):
        drafted(places, document, choice="listLoans")
    with pytest.raises(PermanentError, match=r"'day'.* such as \{period:%Y-%m-%d\}"):
        drafted(places, document, choice="listLoans", parameters={"area": "x"})


def test_a_saved_document_and_a_saved_answer_do_without_a_request(places, openapi, tmp_path):
    _, url = openapi
    document = tmp_path / "openapi.yaml"
    document.write_text(API.replace('"/v1"', f'"{url}/v1"'))

    made, _ = drafted(
        places, "", document, choice="listLoans", parameters={"area": "a", "day": "2026-07-03"}
    )

    assert made.extract.base_url == url


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("openapi: 3.0.0\npaths: {}", "no GET request"),
        ("openapi: 3.0.0\nx: [[", "cannot be read"),
        ("openapi: 3.0.0\nx: &a [*a]", "an alias within"),
        ("swagger: 2.0.0", "no `paths`"),
        (
            "openapi: 3.0.0\npaths: {/a: {$ref: '#/paths/~1b'}, /b: {$ref: '#/paths/~1a'}}",
            "no GET request",
        ),
    ],
)
def test_a_hostile_document_is_one_sentence(places, tmp_path, text, said):
    file = tmp_path / "openapi.yaml"
    file.write_text(text)

    with pytest.raises(Exception, match=rf"^new-source: .*{said}"):
        drafted(places, "https://api.example.org/openapi.yaml", file)


@pytest.mark.parametrize(
    ("scheme", "auth"),
    [
        ("{type: apiKey, in: header, name: X-Key}", {"type": "api_key", "name": "X-Key"}),
        ("{type: http, scheme: Bearer}", {"type": "bearer"}),
        ("{type: http, scheme: basic}", {"type": "http_basic"}),
        (
            "{type: oauth2, flows: {clientCredentials: {tokenUrl: /token, scopes: {}}}}",
            {"type": "oauth2_client_credentials"},
        ),
    ],
)
def test_a_login_is_that_of_the_document_and_its_secret_has_the_name_of_the_source(
    places, api, tmp_path, scheme, auth
):
    server, url = api
    document = API + f"  securitySchemes: {{login: {scheme}}}\nsecurity: [{{login: []}}]\n"
    server.on("^/openapi.yaml$", Reply(document.encode(), media_type="application/yaml"))
    server.on("^/v1/", Reply(b"", 401))
    answer = tmp_path / "answer.json"
    answer.write_bytes(_json({"total": 3, "items": LOANS}))
    how = {"choice": "listLoans", "parameters": {"area": "a", "day": "2026-07-03"}}

    with pytest.raises(PermanentError, match="asks for a login: save a response"):
        drafted(places, f"{url}/openapi.yaml", **how)
    made, said = drafted(places, f"{url}/openapi.yaml", answer, **how)

    found = made.extract.auth.model_dump(include=set(auth))
    assert (found, made.extract.auth.secret) == (auth, "things")
    assert "wandle secrets set things" in said
