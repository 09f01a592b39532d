"""Datasets of ten more publishers, by nothing but a contract."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from include.errors import LoadRefused, UnexpectedPayload
from tests.integration.fixture_server import Asked, Reply
from tests.integration.publishers.conftest import described
from tests.spreadsheet_files import ods

DAY = "2026-11-24"


def zipped(**files: bytes) -> bytes:
    """A zip file; a dot in a name is written `_`."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


# --- Elexon: https://bmrs.elexon.co.uk ---

FUELS = """\
HDR,FUEL INSTANTANEOUS
FUELINST,20261124,1,20261124000500,2518,0,-312
FUELINST,20261124,1,20261124001000,2531,0,-298
FTR,2
"""


def test_generation_by_fuel_of_elexon_between_a_first_and_a_last_line(api, take):
    api.on("/BMRS/FUELINST/v1", Reply(FUELS.encode(), media_type="text/csv"))

    rows = take(
        """
name: fuels
period: day
extract:
  auth: {type: api_key, secret: elexon, name: APIKey, location: query}
  request:
    path: /BMRS/FUELINST/v1
    query:
      FromDateTime: "{period:%Y-%m-%d 00:00:00}"
      ToDateTime: "{period:%Y-%m-%d 23:59:59}"
      ServiceType: csv
format:
  kind: csv
  header: [kind, day, settlement_period, published, ccgt, oil, intfr]
  skip_rows_before_header: 1
  skip_rows_at_end: 1
columns:
  - {name: settled_on, path: day, type: date, format: "%Y%m%d", required: true}
  - {name: period, path: settlement_period, type: integer, minimum: 1, maximum: 50}
  - {name: published_at, path: published, type: timestamptz, format: "%Y%m%d%H%M%S", zone: UTC}
  - {name: ccgt, type: integer}
  - {name: intfr, type: integer}
key: [published_at]
""",
        DAY,
    )

    assert rows == [
        (date(2026, 11, 24), 1, datetime(2026, 11, 24, 0, 5, tzinfo=UTC), 2518, -312),
        (date(2026, 11, 24), 1, datetime(2026, 11, 24, 0, 10, tzinfo=UTC), 2531, -298),
    ]
    assert api.asked[0].values["FromDateTime"] == "2026-11-24 00:00:00"


# --- Charity Commission: https://register-of-charities.charitycommission.gov.uk ---


def test_the_register_of_charities_is_a_zip_of_json_with_a_mark(api, take):
    charities = [
        {"organisation_number": 1, "charity_name": "Café Trust", "latest_income": 1234.50,
         "date_of_registration": "1962-05-17T00:00:00", "charity_contact_postcode": "KT1 1EU"},
        {"organisation_number": 2, "charity_name": "B", "latest_income": None,
         "date_of_registration": "2001-01-02T00:00:00", "charity_contact_postcode": None},
    ]  # fmt: skip
    body = zipped(publicextract_charity_json=b"\xef\xbb\xbf" + json.dumps(charities).encode())
    api.on("/json/publicextract.charity.zip", Reply(body, media_type="application/zip"))

    rows = take(
        """
name: charities
period: all
extract: {request: {path: /json/publicextract.charity.zip}}
columns:
  - {name: number, path: organisation_number, type: integer, required: true}
  - {name: name, path: charity_name, type: text}
  - {name: income, path: latest_income, type: "numeric(14,2)"}
  - {name: registered_on, path: date_of_registration, type: date, format: "%Y-%m-%dT00:00:00"}
key: [number]
""",
        "all",
    )

    assert rows == [
        (1, "Café Trust", Decimal("1234.50"), date(1962, 5, 17)),
        (2, "B", None, date(2001, 1, 2)),
    ]


# --- ArcGIS: https://developers.arcgis.com/rest/services-reference/query-feature-service-layer ---

TREES = """
name: trees
period: all
extract:
  request:
    path: /arcgis/rest/services/Trees/FeatureServer/0/query
    query: {where: "1=1", outFields: "*", f: json, orderByFields: OBJECTID}
  paging: {kind: offset, parameter: resultOffset, size_parameter: resultRecordCount, size: 2,
           more: exceededTransferLimit}
format: {records: features, envelope: [objectIdFieldName]}
columns:
  - {name: id, path: attributes.OBJECTID, type: integer, required: true}
  - {name: planted_at, path: attributes.Planted, type: timestamptz, format: epoch_ms}
  - {name: longitude, path: geometry.x, type: double}
key: [id]
"""


def trees(asked: Asked) -> Reply:
    start, size = int(asked.values["resultOffset"]), int(asked.values["resultRecordCount"])
    found = [
        {"attributes": {"OBJECTID": n, "Planted": -86400000 * n}, "geometry": {"x": -0.3, "y": 51}}
        for n in range(1, 6)
    ]
    more = {"exceededTransferLimit": True} if start + size < len(found) else {}
    body = {"objectIdFieldName": "OBJECTID", "features": found[start:][:size], **more}
    # ArcGIS calls JSON text.
    return Reply(json.dumps(body).encode(), media_type="text/plain")


def test_a_layer_of_arcgis_says_that_more_follow_and_not_that_none_do(api, take):
    api.on("/FeatureServer/0/query", trees)

    rows = take(TREES, "all")

    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]
    assert rows[0][1] == datetime(1969, 12, 31, tzinfo=UTC)


def test_an_error_of_arcgis_with_status_200_is_not_an_empty_layer(api, take):
    error = {"error": {"code": 400, "message": "Cannot perform query.", "details": []}}
    api.on("/FeatureServer/0/query", error)

    with pytest.raises(UnexpectedPayload, match="error"):
        take(TREES, "all")


# --- Ordnance Survey: https://docs.os.uk/osngd (OGC API - Features) ---

BUILDINGS = """
name: buildings
period: all
extract:
  auth: {type: api_key, secret: ordnance_survey, name: key}
  request:
    path: /features/ngd/ofa/v1/collections/bld-fts-building-4/items
    query: {limit: "2", bbox: "-0.33,51.33,-0.24,51.43"}
  paging: {kind: link, next: rel:links}
format: {kind: geojson}
columns:
  - {name: id, type: text, required: true}
  - {name: floors, path: properties.numberoffloors, type: integer}
  - {name: shape, path: geometry#wkt, type: text}
key: [id]
"""


def buildings(asked: Asked) -> Reply:
    assert asked.headers["key"]
    start = int(asked.values.get("offset", "0"))
    found = [
        {"id": f"b{n}", "type": "Feature", "properties": {"numberoffloors": n},
         "geometry": {"type": "Point", "coordinates": [-0.3, 51.4]}}
        for n in range(5)
    ]  # fmt: skip
    here = "/features/ngd/ofa/v1/collections/bld-fts-building-4/items?limit=2&offset="
    links = [{"rel": "self", "href": f"{here}{start}"}]
    if start:
        links.append({"rel": "prev", "href": f"{here}{start - 2}"})
    if start + 2 < len(found):
        links.append({"rel": "next", "href": f"{here}{start + 2}", "type": "application/geo+json"})
    body = {"type": "FeatureCollection", "links": links, "features": found[start:][:2]}
    return Reply(json.dumps(body).encode(), media_type="application/geo+json")


def test_buildings_of_the_ordnance_survey_continue_at_the_link_whose_relation_is_next(api, take):
    api.on("/collections/bld-fts-building-4/items", buildings)

    rows = take(BUILDINGS, "all")

    assert [row[0] for row in rows] == ["b0", "b1", "b2", "b3", "b4"]
    assert rows[0][2] == "POINT (-0.3 51.4)"


def test_a_link_to_a_next_page_in_a_list_of_links_is_not_overlooked(api, take):
    api.on("/collections/bld-fts-building-4/items", buildings)
    unpaged = BUILDINGS.replace("  paging: {kind: link, next: rel:links}\n", "")

    with pytest.raises(UnexpectedPayload, match="'links'"):
        take(unpaged, "all")


def test_links_in_a_list_other_than_the_one_in_the_contract_are_not_overlooked(api, take):
    api.on("/collections/bld-fts-building-4/items", buildings)

    with pytest.raises(UnexpectedPayload, match="'links'"):
        take(BUILDINGS.replace("rel:links", "rel:link"), "all")


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ({"next": "/x"}, "expected a list of links at 'links', found dict"),
        ([{"rel": "next", "href": "/x"}, {"rel": "next", "href": "/y"}], "expected one address"),
        ([{"rel": "next"}], "expected one address"),
    ],
)
def test_links_that_do_not_name_one_next_page_prove_nothing(api, take, links, said):
    api.on("/items", {"type": "FeatureCollection", "links": links, "features": []})

    with pytest.raises(UnexpectedPayload, match=said):
        take(BUILDINGS, "all")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("rel:links", "'rel:'", "expected a list of links"),
        ("kind: link, next: rel:links", "kind: link, next: header, more: rel:links", "only `next`"),
        ("kind: link", "kind: cursor, parameter: after", "needs `kind: link`"),
    ],
)
def test_a_list_of_links_where_it_says_nothing_is_an_error_of_the_contract(before, after, said):
    with pytest.raises(ValueError, match=said):
        described(BUILDINGS.replace(before, after), "http://127.0.0.1:9")


# --- NHS Service Search and other FHIR servers: https://hl7.org/fhir/http.html#paging ---


def test_a_bundle_of_fhir_has_its_resources_below_its_entries(api, take):
    def bundle(asked: Asked) -> Reply:
        page = int(asked.values.get("_page", "1"))
        names = [["A", "B"], ["C"]][page - 1]
        links = [{"relation": "self", "url": "https://fhir.example.org/x"}]
        if page == 1:
            links.append({"relation": "next", "url": "/FHIR/R4/HealthcareService?_page=2"})
        entries = [
            {"fullUrl": f"u/{name}", "resource": {
                "resourceType": "HealthcareService", "id": name, "active": True,
                "telecom": [{"system": "phone", "value": f"020 {name}"}]}}
            for name in names
        ]  # fmt: skip
        body = {"resourceType": "Bundle", "type": "searchset", "total": 3, "link": links,
                "entry": entries}  # fmt: skip
        return Reply(json.dumps(body).encode(), media_type="application/fhir+json")

    api.on("/FHIR/R4/HealthcareService", bundle)

    rows = take(
        """
name: services
period: all
extract:
  request:
    path: /FHIR/R4/HealthcareService
    headers: {Accept: application/fhir+json}
  paging: {kind: link, next: rel:link, total: total}
format: {records: entry}
columns:
  - {name: id, path: resource.id, type: text, required: true}
  - {name: active, path: resource.active, type: boolean}
  - {name: telecom, path: resource.telecom, type: jsonb}
key: [id]
""",
        "all",
    )

    assert [row[:2] for row in rows] == [("A", True), ("B", True), ("C", True)]


# --- Met Office DataPoint and what reads as it does: XML turned into JSON ---


def test_observations_of_the_met_office_inherit_from_two_levels_and_have_a_dollar(api, take):
    periods = [
        {"type": "Day", "value": "2026-11-24Z", "Rep": [{"T": "9.1", "$": "0"},
                                                        {"T": "8.7", "$": "60"}]},
        {"type": "Day", "value": "2026-11-25Z", "Rep": {"T": "7.0", "$": "0"}},
    ]  # fmt: skip
    body = {
        "SiteRep": {
            "Wx": {"Param": [{"name": "T", "units": "C", "$": "Temperature"}]},
            "DV": {"dataDate": "2026-11-25T00:00:00Z", "type": "Obs",
                   "Location": {"i": "3781", "name": "KENLEY", "Period": periods}},
        }
    }  # fmt: skip
    api.on("/public/data/val/wxobs/all/json/3781", body)

    rows = take(
        """
name: weather
period: day
extract:
  request: {path: /public/data/val/wxobs/all/json/3781, query: {res: hourly}}
format:
  records: SiteRep.DV.Location.Period.*.Rep
  inherit: {site: i, day: value}
  one_or_many: true
columns:
  - {name: site, type: text, required: true}
  - {name: day, type: date, format: "%Y-%m-%dZ", required: true}
  - {name: minutes, path: $, type: integer, required: true}
  - {name: temperature, path: T, type: "numeric(4,1)"}
key: [site, day, minutes]
""",
        DAY,
    )

    assert rows == [
        ("3781", date(2026, 11, 24), 0, Decimal("9.1")),
        ("3781", date(2026, 11, 24), 60, Decimal("8.7")),
        ("3781", date(2026, 11, 25), 0, Decimal("7.0")),
    ]


# --- NHS Digital: https://digital.nhs.uk/services/organisation-data-service ---


def test_practices_of_the_nhs_are_csv_without_names_in_a_zip(api, take):
    lines = io.StringIO()
    csv.writer(lines, quoting=csv.QUOTE_ALL).writerows(
        [["H84002", "THE PRACTICE", "Y56", "QWE", "1 A ST", "", "KT1 2AB", "19740401", "", "A"],
         ["H84005", "OTHER, THE", "Y56", "QWE", "2 B ST", "", "SM1 1AA", "19740401", "20260331",
          "C"]]
    )  # fmt: skip
    body = zipped(epraccur_csv=lines.getvalue().encode(), epraccur_pdf=b"%PDF-1.4 ")
    api.on("/epraccur.zip", Reply(body, media_type="application/zip"))

    rows = take(
        """
name: practices
period: all
extract: {request: {path: /epraccur.zip}}
format:
  kind: csv
  zip_member: "*.csv"
  header: [code, name, national, icb, line_1, line_2, postcode, opened, closed, status]
  null_values: [""]
columns:
  - {name: code, type: text, required: true}
  - {name: name, type: text}
  - {name: opened_on, path: opened, type: date, format: "%Y%m%d"}
  - {name: closed_on, path: closed, type: date, format: "%Y%m%d"}
key: [code]
""",
        "all",
    )

    assert rows == [
        ("H84002", "THE PRACTICE", date(1974, 4, 1), None),
        ("H84005", "OTHER, THE", date(1974, 4, 1), date(2026, 3, 31)),
    ]


# --- Department for Transport: https://roadtraffic.dft.gov.uk/api ---


def test_traffic_counts_have_their_page_in_brackets(api, take):
    def counts(asked: Asked) -> Reply:
        page, size = int(asked.values["page[number]"]), int(asked.values["page[size]"])
        assert asked.values["filter[local_authority_id]"] == "93"
        found = [{"id": n, "count_date": "2026-05-12", "all_motor_vehicles": n * 100}
                 for n in range(1, 6)]  # fmt: skip
        links = {"next": None if page == 3 else f"https://roadtraffic.dft.gov.uk/api?page={page}"}
        body = {"current_page": page, "data": found[(page - 1) * size :][:size], "last_page": 3,
                "next_page_url": links["next"], "total": 5}  # fmt: skip
        return Reply(json.dumps(body).encode())

    api.on("/api/raw-counts", counts)

    rows = take(
        """
name: traffic
period: year
extract:
  request:
    path: /api/raw-counts
    query: {"filter[local_authority_id]": "93", "filter[year]": "{period:%Y}"}
  paging: {kind: page, parameter: "page[number]", size_parameter: "page[size]", size: 2, first: 1,
           total: total}
format: {records: data}
columns:
  - {name: id, type: integer, required: true}
  - {name: vehicles, path: all_motor_vehicles, type: integer}
key: [id]
""",
        "2026",
    )

    assert rows == [(n, n * 100) for n in range(1, 6)]


# --- Statistics as people lay them out: https://www.gov.uk/government/statistical-data-sets ---

HOUSES = """
name: houses
period: financial_year
extract: {request: {path: "/media/Live_Table_253_{period:%Y}-{period.last:%y}.ods"}}
format: {kind: spreadsheet, sheet: LT_253, skip_rows_before_header: 3, header_rows: 2,
         skip_rows_at_end: 1, null_values: ["[x]"]}
columns:
  - {name: code, path: Code, type: text, required: true}
  - {name: started, path: Private enterprise Starts, type: integer}
  - {name: finished, path: Private enterprise Completions, type: integer}
  - {name: council_finished, path: Local authority Completions, type: integer}
key: [code]
"""


def test_a_live_table_has_a_header_of_two_rows_with_merged_cells(api, take):
    table: list[list[Any]] = [
        ["Table 253: house building", None, None, None, None, None],
        ["This worksheet contains one table. Some cells refer to notes."],
        [],
        [None, None, "Private enterprise", None, "Local authority", None],
        ["Code", "Area", "Starts", "Completions", "Starts", "Completions"],
        ["E09000021", "Kingston upon Thames", 120, 96, "[x]", 0],
        ["E09000029", "Sutton", 310, 255, 14, "[x]"],
        ["Source: local authority building control", None, None, None, None, None],
    ]
    api.on("/media/Live_Table_253_2026-27.ods", Reply(ods([["Cover"]], LT_253=table)))

    rows = take(HOUSES, "2026-27")

    assert rows == [("E09000021", 120, 96, 0), ("E09000029", 310, 255, None)]


def test_a_header_of_two_lines_in_csv_says_what_is_above_and_what_below(api, take):
    body = (
        ",,Private enterprise,,Local authority,\r\n"
        "Code,Area,Starts,Completions,Starts,Completions\r\n"
        'E09000021,"Kingston, Royal Borough",120,96,[x],0\r\n'
        "Source: DLUHC\r\n"
    )
    api.on("/media/Live_Table_253_2026-27.ods", Reply(body.encode(), media_type="text/csv"))
    as_csv = HOUSES.replace("kind: spreadsheet, sheet: LT_253, skip_rows_before_header: 3",
                            "kind: csv")  # fmt: skip

    assert take(as_csv, "2026-27") == [("E09000021", 120, 96, 0)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("kind: spreadsheet, sheet: LT_253, skip_rows_before_header: 3", "kind: json", "header"),
        ("kind: spreadsheet, sheet: LT_253", "kind: csv, header: [Code]", "needs a header"),
    ],
)
def test_header_rows_without_a_header_are_an_error_of_the_contract(before, after, said):
    with pytest.raises(ValueError, match=said):
        described(HOUSES.replace(before, after), "http://127.0.0.1:9")


def test_a_header_that_lacks_its_second_row_is_refused(api, take):
    api.on("/media/Live_Table_253_2026-27.ods", Reply(ods([["Cover"]], LT_253=[["Title"]] * 4)))

    with pytest.raises(UnexpectedPayload, match="expected a header in row 5"):
        take(HOUSES, "2026-27")


# --- Contractors' systems, and others made with .NET ---


def test_moments_as_old_net_services_write_them(api, take):
    found = [
        {"Uprn": "1", "At": "/Date(1795478400123)/"},
        {"Uprn": "2", "At": "/Date(1795478400000+0100)/"},
        {"Uprn": "3", "At": None},
    ]
    api.on("/Service.svc/Jobs", {"d": {"results": found}})

    rows = take(
        """
name: jobs
period: day
extract: {request: {path: /Service.svc/Jobs}}
format: {records: d.results}
columns:
  - {name: uprn, path: Uprn, type: text, required: true}
  - {name: done_at, path: At, type: timestamptz, format: epoch_ms}
key: [uprn]
""",
        DAY,
    )

    moment = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
    assert rows == [("1", moment.replace(microsecond=123_000)), ("2", moment), ("3", None)]


# --- Web Feature Service of a council's map ---


def test_features_of_a_wfs_are_members_of_a_collection(api, take):
    body = """<?xml version="1.0" encoding="UTF-8"?>
<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:rbk="urn:rbk"
  xmlns:gml="http://www.opengis.net/gml/3.2" numberMatched="2" numberReturned="2">
<wfs:member><rbk:grit_bin gml:id="g.1"><rbk:ref>G1</rbk:ref><rbk:geom><gml:Point
 srsName="EPSG:27700"><gml:pos>518000.5 169000</gml:pos></gml:Point></rbk:geom></rbk:grit_bin>
</wfs:member><wfs:member><rbk:grit_bin gml:id="g.2"><rbk:ref>G2</rbk:ref></rbk:grit_bin>
</wfs:member></wfs:FeatureCollection>"""
    api.on("/wfs", Reply(body.encode(), media_type="application/gml+xml"))

    rows = take(
        """
name: grit_bins
period: all
extract:
  request: {path: /wfs, query: {service: WFS, request: GetFeature, typeNames: "rbk:grit_bin"}}
format: {kind: xml, records: "wfs:FeatureCollection.wfs:member.rbk:grit_bin"}
columns:
  - {name: id, path: "@gml:id", type: text, required: true}
  - {name: ref, path: "rbk:ref", type: text}
  - {name: place, path: "rbk:geom.gml:Point.gml:pos", type: text}
key: [id]
""",
        "all",
    )

    assert rows == [("g.1", "G1", "518000.5 169000"), ("g.2", "G2", None)]


# --- What is asked for by many IDs at a time: Fingertips, postcodes.io, TfL ---

STATIONS = """
name: stations
period: all
extract: {request: {path: /stations}}
columns:
  - {name: code, type: text, required: true}
  - {name: closed_on, type: date}
key: [code]
"""

LEVELS = """
name: levels
period: day
extract:
  parents:
    stations: {source: stations, match: {closed_on: null}, each: "{code}", batch: 2}
  for_each: stations
  request:
    path: /levels
    query: {ids: "{stations}", day: "{period:%Y-%m-%d}"}
columns:
  - {name: code, type: text, required: true}
  - {name: level, type: "numeric(6,2)"}
key: [code]
"""


def stations(*codes: str) -> list[dict[str, Any]]:
    closed = [{"code": "OLD", "closed_on": "2020-01-01"}]
    return closed + [{"code": code, "closed_on": None} for code in codes]


def levels(asked: Asked) -> Reply:
    codes = asked.values["ids"].split(",")
    assert len(codes) <= 2
    found = [{"code": code, "level": 1.5} for code in codes if not code.startswith("X")]
    return Reply(json.dumps(found).encode())


def test_records_of_a_parent_are_requested_so_many_at_a_time(api, take):
    api.on("/stations", stations("A", "B", "C", "C", "D", "E"))
    api.on("/levels", levels)
    take(STATIONS, "all")

    rows = take(LEVELS, DAY)

    assert [row[0] for row in rows] == ["A", "B", "C", "D", "E"]
    asked = [one.values["ids"] for one in api.asked if one.path == "/levels"]
    assert asked == ["A,B", "C,D", "E"]


def test_a_batch_that_had_records_and_has_none_is_refused_by_its_number(api, take):
    api.on("/stations", stations("A", "B", "C", "D"), stations("A", "B", "X1", "X2"))
    api.on("/levels", levels)
    take(STATIONS, "all")
    take(LEVELS, DAY)
    take(STATIONS, "all")

    with pytest.raises(LoadRefused, match="2 had 2, has none"):
        take(LEVELS, DAY)


def test_a_batch_goes_into_a_body_of_json_as_a_list(api, take):
    def lookup(asked: Asked) -> Reply:
        codes = json.loads(asked.body)["postcodes"]
        return Reply(json.dumps({"result": [{"code": c, "level": 1} for c in codes]}).encode())

    api.on("/stations", stations("KT1 1EU", "SM1 1AA", "KT2 2AB"))
    api.on("/postcodes", lookup)
    take(STATIONS, "all")

    rows = take(
        LEVELS.replace('each: "{code}"', "each: '\"{code}\"'")
        .replace("path: /levels", "path: /postcodes")
        .replace('query: {ids: "{stations}", day: "{period:%Y-%m-%d}"}',
                 "method: POST\n    headers: {Content-Type: application/json}\n"
                 "    text: '{{\"postcodes\": [{stations}]}}'")
        .replace("columns:", "format: {records: result}\ncolumns:", 1),
        DAY,
    )  # fmt: skip

    assert [row[0] for row in rows] == ["KT1 1EU", "SM1 1AA", "KT2 2AB"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('each: "{code}", ', "", "`batch` needs `each`"),
        ("for_each: stations", "for_each: partition", "needs the name in `for_each`"),
        ('ids: "{stations}"', "ids: x", r"no request uses \{stations\}"),
    ],
)
def test_a_batch_that_no_request_takes_is_an_error_of_the_contract(before, after, said):
    with pytest.raises(ValueError, match=said):
        described(LEVELS.replace(before, after), "http://127.0.0.1:9")
