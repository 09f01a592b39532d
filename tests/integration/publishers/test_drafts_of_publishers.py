"""What `new-source` drafts from answers of publishers is what their contracts say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.definitions import read_definition
from include.jobs.author import new_source as job
from include.sources.model import Contract
from tests.integration.fixture_server import Asked
from tests.integration.publishers.test_more_publishers import FUELS, buildings, trees
from tests.integration.publishers.test_odd_answers import boroughs
from tests.spreadsheet_files import ods, workbook

TABLE: list[list[Any]] = [
    ["Table 253: house building", None, None, None, None, None],
    [],
    [None, None, "Private enterprise", None, "Local authority", None],
    ["Code", "Area", "Starts", "Completions", "Starts", "Completions"],
    ["E09000021", "Kingston upon Thames", 120, 96, 2, 0],
    ["E09000029", "Sutton", 310, 255, 14, 3],
    ["Source: local authority building control", None, None, None, None, None],
]
GROUPED = {
    "code": "Code",
    "area": "Area",
    "private_enterprise_starts": "Private enterprise Starts",
    "private_enterprise_completions": "Private enterprise Completions",
    "local_authority_starts": "Local authority Starts",
    "local_authority_completions": "Local authority Completions",
}


@pytest.fixture
def draft(tmp_path, monkeypatch) -> Any:
    """The contract that is drafted from an answer; the draft itself loads all of its records."""
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(job, "sync", list)

    def run(content: bytes, path: str, records: str = "") -> Contract:
        file = tmp_path / "answer"
        file.write_bytes(content)
        url = f"https://api.example.org{path}"
        options = job.Options(records=records)
        folder = _folder(tmp_path)
        job.new_source("found", url=url, file=file, period="all", folder=folder, options=options)
        return read_definition(tmp_path / "sources" / "found.yaml", Contract)

    return run


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    return folder


def paths(made: Contract) -> dict[str, str]:
    return {column.name: column.path or column.name for column in made.columns}


@pytest.mark.parametrize("file", [workbook, ods])
def test_a_header_of_two_rows_in_a_sheet(draft, file):
    made = draft(file(TABLE), "/table")

    assert (made.format.header_rows, made.format.skip_rows_before_header) == (2, 2)
    assert made.format.skip_rows_at_end == 1
    assert paths(made) == GROUPED


def test_a_header_of_two_lines_in_csv(draft):
    rows = [",".join("" if cell is None else str(cell) for cell in row) for row in TABLE[2:6]]
    made = draft("\n".join([*rows, "Source: DLUHC"]).encode() + b"\n", "/table.csv")

    assert (made.format.header_rows, made.format.skip_rows_before_header) == (2, 0)
    assert paths(made) == GROUPED


def test_names_that_repeat_below_a_single_title_are_a_header_of_one_row(draft):
    rows = [TABLE[0], *TABLE[3:6]]
    made = draft(workbook(rows), "/table")

    assert (made.format.header_rows, made.format.skip_rows_before_header) == (1, 1)
    assert paths(made)["starts_2"] == "Starts#2"


def test_features_continue_at_the_link_whose_relation_is_next(draft):
    made = draft(buildings(Asked("/", {}, {"key": "x"})).body, "/items?limit=2")

    assert made.extract.paging is not None
    assert (made.extract.paging.kind, made.extract.paging.next) == ("link", "rel:links")
    assert made.format.kind == "geojson"
    assert made.column("geometry").type == "jsonb"


def test_a_bundle_continues_at_the_link_whose_relation_is_next(draft):
    links = [{"relation": "self", "url": "x"}, {"relation": "next", "url": "/FHIR?_page=2"}]
    entries = [{"resource": {"id": name, "active": True}} for name in "AB"]
    made = draft(json.dumps({"total": 3, "link": links, "entry": entries}).encode(), "/FHIR")

    assert made.extract.paging is not None
    assert (made.extract.paging.next, made.extract.paging.total) == ("rel:link", "total")
    assert paths(made) == {"id": "resource.id", "active": "resource.active"}


def test_a_layer_of_arcgis_is_paged_by_its_offset(draft):
    page = trees(Asked("/", {"resultOffset": "0", "resultRecordCount": "2"})).body
    made = draft(page, "/query?f=json&resultOffset=0&resultRecordCount=2")

    paging = made.extract.paging
    assert paging is not None
    assert (paging.kind, paging.parameter, paging.more) == (
        "offset", "resultOffset", "exceededTransferLimit",
    )  # fmt: skip


def test_two_records_without_a_header_are_not_one_below_a_header(draft):
    made = draft(FUELS.encode(), "/fuels")

    assert (made.format.skip_rows_before_header, made.format.skip_rows_at_end) == (1, 1)
    assert made.format.header == tuple(f"field_{number}" for number in range(1, 8))


def test_moments_of_net_are_milliseconds_since_1970(draft):
    rows = [{"id": n, "At": f"/Date(179547840012{n}+0000)/"} for n in range(1, 3)]
    made = draft(json.dumps({"d": {"results": rows}}).encode(), "/jobs")

    assert (made.column("at").type, made.column("at").format) == ("timestamptz", ("epoch_ms",))


def test_months_as_columns_are_names_of_a_header(draft):
    text = "\ufeffWardName,WardCode,MajorText,202609,202610\r\n" + "".join(
        f"{name},E0501392{place},Theft,{place},0\r\n" for place, name in enumerate(("Ale", "Ber"))
    )
    made = draft(text.encode(), "/crime.csv")

    assert (made.format.header, made.format.skip_rows_before_header) == ((), 0)
    assert [column.record_path[0] for column in made.columns][3:] == ["202609", "202610"]


def test_a_line_that_does_not_distinguish_repeated_names_is_not_part_of_the_header(draft):
    text = (
        'UK-AIR\n\nSite,"London Kingston"\nDate,Time,NO2,status,unit,O3,status,unit\n'
        "24-11-2026,01:00,12.6,V,ug,1.5,V,ug\n24-11-2026,02:00,No data,,,8.1,P,ug\nEnd\n"
    )
    made = draft(text.encode(), "/KC1_2026.csv")

    assert (made.format.header_rows, made.format.skip_rows_before_header) == (1, 3)
    nitrogen = next(column for column in made.columns if column.path == "NO2")
    assert (nitrogen.type, nitrogen.null_values) == ("double", ("No data",))


def test_a_marker_for_no_value_is_null_and_a_number_of_the_school_is_the_key(draft):
    text = (
        "Web Link,Publication date,URN,Pupils,Notes\r\n"
        'http://x/1,13/03/2024,102574,420,NULL\r\nhttp://x/2,NULL,102575,"1,203",x\r\n'
        "http://x/3,14/10/2023,102576,NULL,y\r\n"
    )
    made = draft(text.encode(), "/ofsted.csv")

    found = {column.name: (column.type, column.null_values) for column in made.columns}
    assert found["publication_date"] == ("date", ("NULL",))
    assert found["pupils"] == ("numeric(18,0)", ("NULL",))
    # Among texts, it may be one of them.
    assert found["notes"] == ("text", ())
    assert made.key == ("urn",)


def test_records_below_a_star_are_drafted_with_what_is_around_them(draft):
    points = [
        {"id": f"BikePoints_{number}", "lat": 51.5,
         "additionalProperties": [{"key": key, "value": str(number)} for key in ("Bikes", "Docks")]}
        for number in (1, 2)
    ]  # fmt: skip
    made = draft(json.dumps(points).encode(), "/BikePoint", "*.additionalProperties")

    assert made.format.inherited == {"id": "id", "lat": "lat"}
    assert [column.name for column in made.columns] == ["id", "lat", "key", "value"]
    assert made.key == ("id", "key")


def test_records_below_a_star_may_be_one_or_many(draft):
    body = {"HourlyAirQualityIndex": {"LocalAuthority": boroughs()}}
    path = "HourlyAirQualityIndex.LocalAuthority.*.Site.*.Species"
    made = draft(json.dumps(body).encode(), "/AirQuality", path)

    assert made.format.one_or_many
    assert {"@SiteCode", "@LocalAuthorityName"} <= {*made.format.inherited.values()}


def test_a_list_in_a_list_has_the_records(draft):
    made = draft(json.dumps([[{"SiteCode": "A"}, {"SiteCode": "B"}]]).encode(), "/ListSensors")

    assert made.format.records == "*"
