"""Datasets of a council's first year, as their publishers send them, by nothing but a contract."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from include.errors import SourceUnavailable, UnexpectedPayload
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.sources.model import contracts
from include.warehouse.schema.migrate import migrate
from tests.integration.fixture_server import Asked, Reply
from tests.integration.publishers.conftest import KEY, described, paged
from tests.sftp_server import sftp_server
from tests.spreadsheet_files import workbook

# --- Food Hygiene Rating Scheme: https://api.ratings.food.gov.uk/Help ---

RATINGS = """
name: food_ratings
period: all
extract:
  request:
    path: /Establishments
    query: {localAuthorityId: "{authority}"}
    headers: {x-api-version: "2", Accept: application/json}
  constants: {authority: ["121", "122"]}
  for_each: authority
  paging:
    kind: page
    parameter: pageNumber
    size_parameter: pageSize
    size: 2
    first: 1
    total: meta.totalCount
format: {records: establishments}
columns:
  - {name: fhrsid, path: FHRSID, type: integer, required: true}
  - {name: rating, path: RatingValue, type: text}
  - {name: rated_at, path: RatingDate, type: timestamptz, zone: Europe/London}
  - {name: longitude, path: geocode.longitude, type: double}
  - {name: authority, type: text, request: authority}
key: [fhrsid]
"""


def ratings(asked: Asked) -> Reply:
    assert asked.headers["x-api-version"] == "2"
    base = int(asked.values["localAuthorityId"]) * 10
    found = [
        {
            "FHRSID": base + place,
            "BusinessName": "Cafe",
            "RatingValue": ["5", "Exempt", "AwaitingInspection"][place],
            "RatingDate": "2026-03-12T00:00:00",
            "scores": {"Hygiene": None},
            "geocode": {"longitude": "-0.301412", "latitude": "51.41233"},
            "meta": {"totalCount": 0, "returncode": None, "pageNumber": 0},
            "links": [],
        }
        for place in range(3)
    ]
    meta = {
        "dataSource": "Lucene", "itemCount": 2, "returncode": "OK", "totalCount": 3,
        "totalPages": 2, "pageSize": 2, "pageNumber": int(asked.values["pageNumber"]),
    }  # fmt: skip
    links = [{"rel": "self", "href": "http://api.ratings.food.gov.uk/Establishments"}]
    page = paged(found, asked, "pageNumber", "pageSize")
    return Reply(json.dumps({"establishments": page, "meta": meta, "links": links}).encode())


def test_food_hygiene_ratings(api, take):
    api.on("/Establishments", ratings)

    rows = take(RATINGS, "all")

    assert len(rows) == 6
    assert rows[0] == (1210, "5", datetime(2026, 3, 12, tzinfo=UTC), -0.301412, "121")


HYGIENE_XML = """<?xml version="1.0" encoding="utf-8"?><FHRSEstablishment>
<Header><ExtractDate>2026-11-25</ExtractDate><ItemCount>1</ItemCount>
<ReturnCode>Success</ReturnCode></Header><EstablishmentCollection><EstablishmentDetail>
<FHRSID>1</FHRSID><RatingDate xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/>
<Scores/><Geocode><Longitude>-0.3</Longitude><Latitude>51.4</Latitude></Geocode>
</EstablishmentDetail></EstablishmentCollection></FHRSEstablishment>"""


def test_food_hygiene_ratings_as_a_file_for_each_authority(api, take):
    api.on("/OpenDataFiles/FHRS514en-GB.xml", Reply(HYGIENE_XML.encode(), media_type="text/xml"))

    rows = take(
        """
name: food_ratings_files
period: all
extract:
  constants: {authority: ["514"]}
  for_each: authority
  request: {path: "/OpenDataFiles/FHRS{authority}en-GB.xml"}
format: {kind: xml, records: FHRSEstablishment.EstablishmentCollection.EstablishmentDetail}
columns:
  - {name: fhrsid, path: FHRSID, type: integer, required: true}
  - {name: rated_on, path: RatingDate, type: date}
  - {name: longitude, path: Geocode.Longitude, type: double}
key: [fhrsid]
""",
        "all",
    )

    assert rows == [(1, None, -0.3)]


# --- Nomis: https://www.nomisweb.co.uk/api/v01/help ---

NOMIS_CSV = (
    '"DATE","DATE_NAME","GEOGRAPHY_CODE","GENDER_NAME","OBS_VALUE","OBS_STATUS","RECORD_OFFSET",'
    '"RECORD_COUNT"\r\n'
    '"2026-10","October 2026","E09000021","Total",3105,"A",0,2\r\n'
    '"2026-10","October 2026","E09000029","Total",,"Q",1,2\r\n'
)


def test_claimant_count_of_nomis(api, take):
    api.on("/api/v01", Reply(NOMIS_CSV.encode(), media_type="text/csv"))

    rows = take(
        """
name: claimants
period: month
extract:
  auth: {type: api_key, secret: nomis, name: uid, location: query}
  request:
    path: /api/v01/dataset/NM_162_1.data.csv
    query:
      geography: 1811939357,1811939358
      date: "{period:%Y-%m}"
      measures: "20100"
format: {kind: csv}
columns:
  - {name: month, path: DATE, type: text, pattern: "\\\\d{4}-\\\\d\\\\d", required: true}
  - {name: area, path: GEOGRAPHY_CODE, type: text, required: true}
  - {name: claimants, path: OBS_VALUE, type: integer, null_values: [""]}
key: [area]
""",
        "2026-10",
    )

    assert rows[0] == ("2026-10", "E09000021", 3105)
    assert rows[1][2] is None
    assert api.asked[0].values["uid"] == KEY


# --- Land Registry: https://www.gov.uk/guidance/about-the-price-paid-data ---

PRICES = (
    '"{2A289EA0-3B4E-CDC8-E050-A8C063054829}","425000","2026-10-02 00:00","KT1 2AB","T","N","F",'
    '"12","","HIGH STREET","","KINGSTON UPON THAMES","KINGSTON UPON THAMES",'
    '"GREATER LONDON","A","A"'
    '\n"{2A289EA1-3B4E-CDC8-E050-A8C063054829}","310000","2026-10-09 00:00","M1 1AA","F","Y","L",'
    '"3","FLAT 2","A STREET","","MANCHESTER","MANCHESTER","GREATER MANCHESTER","A","A"\n'
)
PRICES_PAID = """
name: prices_paid
period: month
extract:
  constants: {district: [KINGSTON UPON THAMES, SUTTON]}
  request: {path: /pp-monthly-update-new-version.csv}
format:
  kind: csv
  header: [id, price, date, postcode, type, new, tenure, paon, saon, street, locality, town,
           district, county, category, status]
  select: {field: district, among: district}
columns:
  - {name: id, type: text, required: true, pattern: "\\\\{[0-9A-F-]{36}\\\\}"}
  - {name: price, type: integer, required: true}
  - {name: sold_on, path: date, type: timestamptz, zone: UTC, required: true}
  - {name: saon, type: text, null_values: [""]}
  - {name: district, type: text}
key: [id]
"""


def test_prices_paid_of_the_land_registry_have_no_header(api, take):
    api.on("/pp-monthly", Reply(PRICES.encode(), media_type="text/csv"))

    rows = take(PRICES_PAID, "2026-10")

    assert rows == [
        ("{2A289EA0-3B4E-CDC8-E050-A8C063054829}", 425000, datetime(2026, 10, 2, tzinfo=UTC), None,
         "KINGSTON UPON THAMES")
    ]  # fmt: skip


# --- Energy performance certificates: https://epc.opendatacommunities.org/docs/api ---

EPC = """
name: certificates
period: month
extract:
  auth: {type: http_basic, secret: epc}
  request:
    path: /api/v1/domestic/search
    query:
      local-authority: E09000021
      from-year: "{period:%Y}"
      from-month: "{period:%-m}"
    headers: {Accept: text/csv}
  paging:
    kind: cursor
    parameter: search-after
    size: 2
    size_parameter: size
    next: header:X-Next-Search-After
format: {kind: csv}
columns:
  - {name: lmk_key, path: lmk-key, type: text, required: true}
  - {name: rating, path: current-energy-rating, type: text}
key: [lmk_key]
"""


def certificates(asked: Asked) -> Reply:
    assert (
        asked.headers["authorization"] == "Basic " + base64.b64encode(f"us:{KEY}".encode()).decode()
    )
    after = int(asked.values.get("search-after", "0"))
    lines = [f"k{number},C\n" for number in range(after, min(after + 2, 5))]
    headers = {"X-Next-Search-After": str(after + 2)} if lines else {}
    body = "lmk-key,current-energy-rating\n" + "".join(lines)
    return Reply(body.encode(), headers=headers, media_type="text/csv")


def test_energy_certificates_have_their_cursor_in_a_header(api, take):
    api.on("/api/v1/domestic/search", certificates)

    rows = take(EPC, "2026-10")

    assert [row[0] for row in rows] == ["k0", "k1", "k2", "k3", "k4"]


# --- Planning London Datahub: Elasticsearch with a header ---

DATAHUB = """
name: datahub
period: day
extract:
  auth: {type: api_key, secret: datahub, name: X-API-AllowRequest}
  request:
    method: POST
    path: /api-guest/applications/_search
    json:
      track_total_hits: true
      size: 2
      query: {range: {last_updated: {gte: "{period:%d/%m/%Y}", lte: "{period:%d/%m/%Y}"}}}
      sort: [{id: asc}]
  paging:
    kind: cursor
    location: body
    parameter: search_after
    next: record:sort
    total: hits.total.value
format: {records: hits.hits}
columns:
  - {name: id, path: _source.id, type: text, required: true}
  - {name: borough, path: _source.borough, type: text}
  - {name: decided_on, path: _source.decision_date, type: date, format: "%d/%m/%Y"}
key: [id]
"""


def datahub(asked: Asked) -> Reply:
    said = json.loads(asked.body)
    ids = [f"Kingston-{number}" for number in range(5)]
    after = said.get("search_after")
    assert after is None or isinstance(after, list)
    found = [name for name in ids if after is None or name > after[0]][: said["size"]]
    hits = [
        {"_index": "applications", "_id": name, "_score": None, "sort": [name],
         "_source": {"id": name, "borough": "Kingston", "decision_date": "24/11/2026"}}
        for name in found
    ]  # fmt: skip
    total = {"value": 5, "relation": "eq"}
    return Reply(
        json.dumps(
            {"took": 2, "timed_out": False, "_shards": {"total": 5, "failed": 0},
             "hits": {"total": total, "max_score": None, "hits": hits}}
        ).encode()
    )  # fmt: skip


def test_the_planning_datahub_continues_after_its_last_record(api, take):
    api.on("/api-guest", datahub)

    rows = take(DATAHUB, "2026-11-24")

    assert [row[0] for row in rows] == [f"Kingston-{number}" for number in range(5)]
    assert rows[0][2] == date(2026, 11, 24)


# --- Care Quality Commission: https://api-portal.service.cqc.org.uk ---

LOCATIONS = """
name: cqc_locations
period: all
extract:
  auth: {type: api_key, secret: cqc, name: Ocp-Apim-Subscription-Key}
  request: {path: /public/v1/locations, query: {localAuthority: Kingston upon Thames}}
  paging: {kind: page, parameter: page, size_parameter: perPage, size: 2, first: 1, total: total}
format: {records: locations}
columns:
  - {name: location, path: locationId, type: text, required: true}
key: [location]
"""
LOCATION = """
name: cqc_location_details
period: all
extract:
  auth: {type: api_key, secret: cqc, name: Ocp-Apim-Subscription-Key}
  parents: {found: {source: cqc_locations}}
  for_each: found
  request: {path: "/public/v1/locations/{found.location}"}
format: {one_or_many: true}
columns:
  - {name: location, path: locationId, type: text, required: true}
  - {name: rating, path: currentRatings.overall.rating, type: text}
  - {name: services, path: gacServiceTypes, type: jsonb}
key: [location]
"""


def locations(asked: Asked) -> Reply:
    assert asked.headers["ocp-apim-subscription-key"] == KEY
    found = [{"locationId": f"1-{n}", "locationName": "Home", "postalCode": "KT"} for n in range(3)]
    page = int(asked.values["page"])
    body = {
        "total": 3, "firstPageUri": "/locations?page=1&perPage=2", "page": page,
        "previousPageUri": None, "lastPageUri": "/locations?page=2&perPage=2",
        "nextPageUri": "/locations?page=2&perPage=2" if page == 1 else None,
        "perPage": 2, "totalPages": 2, "locations": paged(found, asked, "page", "perPage"),
    }  # fmt: skip
    return Reply(json.dumps(body).encode())


def location(asked: Asked) -> Reply:
    rating = {"overall": {"rating": "Good", "reportDate": "2026-01-02"}}
    body = {
        "locationId": asked.path.rsplit("/", 1)[1],
        "currentRatings": rating,
        "gacServiceTypes": [{"name": "Nursing homes"}],
        "relationships": [],
    }
    return Reply(json.dumps(body).encode())


def test_care_homes_of_the_cqc_one_by_one(api, take):
    api.on("/public/v1/locations$", locations).on("/public/v1/locations/1-", location)

    take(LOCATIONS, "all")
    rows = take(LOCATION, "all")

    assert [row[:2] for row in rows] == [("1-0", "Good"), ("1-1", "Good"), ("1-2", "Good")]


# --- Companies House: https://developer-specs.company-information.service.gov.uk ---

COMPANIES = """
name: companies
period: day
extract:
  auth: {type: api_key, secret: companies_house, location: user_name}
  request:
    path: /advanced-search/companies
    query:
      location: kingston upon thames
      incorporated_from: "{period:%Y-%m-%d}"
      incorporated_to: "{period:%Y-%m-%d}"
  paging:
    kind: offset
    parameter: start_index
    size_parameter: size
    size: 2
    total: hits
format: {records: items}
columns:
  - {name: number, path: company_number, type: text, required: true}
  - {name: created_on, path: date_of_creation, type: date}
  - {name: sic_codes, type: jsonb}
key: [number]
"""


def companies(asked: Asked) -> Reply:
    assert (
        asked.headers["authorization"] == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
    )
    start = int(asked.values["start_index"])
    found = [
        {"company_number": f"0{number}", "date_of_creation": "2026-11-24", "sic_codes": ["56101"]}
        for number in range(3)
    ]
    body = {"etag": "x", "hits": 3, "kind": "search#advanced-search", "items": found[start:][:2]}
    return Reply(json.dumps(body).encode())


def test_companies_house_takes_the_key_as_a_user_name(api, take):
    api.on("/advanced-search", companies)

    rows = take(COMPANIES, "2026-11-24")

    assert [row[0] for row in rows] == ["00", "01", "02"]


# --- TfL: https://api.tfl.gov.uk ---


def test_bike_points_of_tfl(api, take):
    body = [
        {"$type": "Tfl.Api.Presentation.Entities.Place", "id": "BikePoints_1",
         "additionalProperties": [{"key": "NbBikes", "value": "4"}], "lat": 51.529163}
    ]  # fmt: skip
    api.on("/BikePoint", body)

    rows = take(
        """
name: bike_points
period: hour
snapshot: true
extract:
  auth: {type: api_key, secret: tfl, name: app_key, location: query}
  request: {path: /BikePoint}
columns:
  - {name: id, type: text, required: true}
  - {name: kind, path: $type, type: text}
  - {name: properties, path: additionalProperties, type: jsonb}
key: [id]
""",
        f"{datetime.now(UTC):%Y-%m-%dT%H}",
    )

    assert rows[0][:2] == ("BikePoints_1", "Tfl.Api.Presentation.Entities.Place")


# --- NHS Organisation Data Service: https://directory.spineservices.nhs.uk/ORD ---

SURGERIES = """
name: surgeries
period: all
extract:
  request: {path: /ORD/2-0-0/organisations, query: {PostCode: KT, _format: json}}
  paging:
    kind: offset
    parameter: Offset
    size_parameter: Limit
    size: 2
    first: 1
    total: header:X-Total-Count
format: {records: Organisations}
columns:
  - {name: id, path: OrgId, type: text, required: true}
key: [id]
"""


def surgeries(asked: Asked) -> Reply:
    start, limit = int(asked.values["Offset"]), int(asked.values["Limit"])
    if start > 3:
        return Reply(b'{"errorCode":406,"errorText":"Offset beyond the end"}', 406)
    found = [{"OrgId": f"H8{number}", "Name": "A SURGERY"} for number in range(3)]
    page = found[start - 1 :][:limit]
    return Reply(json.dumps({"Organisations": page}).encode(), headers={"X-Total-Count": "3"})


def test_surgeries_have_their_total_in_a_header(api, take):
    api.on("/ORD", surgeries)

    assert [row[0] for row in take(SURGERIES, "all")] == ["H80", "H81", "H82"]


# --- Explore education statistics: https://api.education.gov.uk/statistics/docs ---

ABSENCE = """
name: absence
period: all
extract:
  request:
    method: POST
    path: /v1/data-sets/7a1b/query
    json: {indicators: [abc], criteria: {geographicLevels: {in: [LA]}}}
  paging:
    kind: page
    location: body
    parameter: page
    size_parameter: pageSize
    size: 2
    first: 1
    total_pages: paging.totalPages
format: {records: results}
columns:
  - {name: year, path: timePeriod.period, type: text, required: true}
  - {name: area, path: locations.LA, type: text, required: true}
  - {name: rate, path: values.abc, type: "numeric(8,4)", null_values: [z, c]}
key: [year, area]
"""


def absence(asked: Asked) -> Reply:
    said = json.loads(asked.body)
    found = [
        {"timePeriod": {"code": "AY", "period": f"{year}/{year + 1}"}, "geographicLevel": "LA",
         "locations": {"NAT": "x", "LA": "k"}, "filters": {}, "values": {"abc": value}}
        for year, value in ((2023, "6.9"), (2024, "z"), (2025, "7.1"))
    ]  # fmt: skip
    # Beyond the last page it sends the last page again.
    page = min(said["page"], 2)
    results = found[(page - 1) * 2 :][:2]
    paging = {"page": page, "pageSize": 2, "totalResults": 3, "totalPages": 2}
    return Reply(json.dumps({"paging": paging, "results": results, "warnings": []}).encode())


def test_education_statistics_declare_the_number_of_pages(api, take):
    api.on("/v1/data-sets", absence)

    rows = take(ABSENCE, "all")

    assert [(row[0], row[2]) for row in rows] == [
        ("2023/2024", Decimal("6.9")), ("2024/2025", None), ("2025/2026", Decimal("7.1")),
    ]  # fmt: skip


# --- ONS: https://developer.ons.gov.uk/observations ---


def test_observations_of_the_ons_by_the_newest_version(api, take):
    version = {"id": "7", "href": "https://api.beta.ons.gov.uk/v1/datasets/x/versions/7"}
    api.on("/v1/datasets/wellbeing$", {"id": "wellbeing", "links": {"latest_version": version}})
    observation = {
        "dimensions": {"geography": {"id": "E09000021", "label": "Kingston"}},
        "metadata": {"CV": "1"},
        "observation": "7.55",
    }
    api.on(
        "/versions/7/observations$",
        {"limit": 10000, "offset": 0, "total_observations": 1, "observations": [observation]},
    )
    take(
        """
name: ons_versions
period: all
extract: {request: {path: /v1/datasets/wellbeing}}
format: {one_or_many: true}
columns:
  - {name: id, type: text, required: true}
  - {name: version, path: links.latest_version.id, type: text, required: true}
key: [id]
""",
        "all",
    )

    rows = take(
        """
name: wellbeing
period: all
extract:
  parents: {newest: {source: ons_versions}}
  for_each: newest
  request:
    path: /v1/datasets/wellbeing/editions/time-series/versions/{newest.version}/observations
format: {records: observations}
columns:
  - {name: area, path: dimensions.geography.id, type: text, required: true}
  - {name: value, path: observation, type: "numeric(5,2)"}
  - {name: version, request: newest.version, type: text}
key: [area]
""",
        "all",
    )

    assert rows == [("E09000021", Decimal("7.55"), "7")]


# --- UK-AIR: https://uk-air.defra.gov.uk/data_files/site_data ---

UK_AIR = (
    "Data supplied by UK-AIR on 26/11/2026\r\n"
    "All Data GMT hour ending\r\n"
    "\r\n"
    "Kingston\r\n"
    "Date,time,Nitrogen dioxide,status,unit,Ozone,status,unit\r\n"
    "25-11-2026,01:00,12.43125,V,ugm-3,No data,,\r\n"
    "25-11-2026,24:00,9.18,P,ugm-3,40.1,P,ugm-3\r\n"
)


def test_hourly_air_quality_of_uk_air(api, take):
    api.on("/data_files", Reply(UK_AIR.encode(), media_type="text/csv"))

    rows = take(
        """
name: uk_air
period: year
extract: {request: {path: "/data_files/site_data/KI1_{period:%Y}.csv"}}
format: {kind: csv, skip_rows_before_header: 4, null_values: ["", No data]}
columns:
  - {name: on_day, path: Date, type: date, format: "%d-%m-%Y", required: true}
  - {name: hour_ending, path: time, type: text, pattern: "\\\\d\\\\d:00", required: true}
  - {name: no2, path: Nitrogen dioxide, type: "numeric(10,5)"}
  - {name: no2_status, path: status, type: text}
  - {name: ozone, path: Ozone, type: "numeric(10,5)"}
  - {name: ozone_status, path: status#2, type: text}
key: [on_day, hour_ending]
""",
        "2026",
    )

    assert rows[0] == (date(2026, 11, 25), "01:00", Decimal("12.43125"), "V", None, None)
    assert rows[1][1:3] == ("24:00", Decimal("9.18000"))


# --- Find a Tender, Contracts Finder: https://standard.open-contracting.org ---


def test_awards_of_release_packages(api, take):
    release = {
        "ocid": "ocds-h6vhtk-1", "id": "1-2026", "date": "2026-11-24T09:00:00Z",
        "tag": ["award", "contract"], "buyer": {"name": "Kingston"},
        "awards": [{"id": "1", "suppliers": [{"name": "A Ltd"}]}],
        "tender": {"items": [{"id": 1}], "value": {"amount": 1500000.50, "currency": "GBP"}},
    }  # fmt: skip
    page = {"uri": "x", "version": "1.1", "extensions": [], "releases": [release]}

    def packages(asked: Asked) -> Reply:
        if asked.values.get("cursor"):
            return Reply(json.dumps(page | {"releases": [release | {"id": "2-2026"}]}).encode())
        url = f"{api.url}/api/1.0/ocdsReleasePackages?cursor=abc"
        return Reply(json.dumps(page | {"links": {"next": url}}).encode())

    api.on("/api/1.0/ocdsReleasePackages", packages)

    rows = take(
        """
name: tenders
period: day
extract:
  request:
    path: /api/1.0/ocdsReleasePackages
    query: {updatedFrom: "{period:%Y-%m-%d}T00:00:00", updatedTo: "{period:%Y-%m-%d}T23:59:59"}
  paging: {kind: link, next: links.next}
format: {records: releases}
columns:
  - {name: ocid, type: text, required: true}
  - {name: release, path: id, type: text, required: true}
  - {name: released_at, path: date, type: timestamptz, required: true}
  - {name: amount, path: tender.value.amount, type: "numeric(14,2)"}
  - {name: tags, path: tag, type: jsonb}
key: [release]
""",
        "2026-11-24",
    )

    assert [row[1] for row in rows] == ["1-2026", "2-2026"]
    assert rows[0][3] == Decimal("1500000.50")


# --- GraphQL ---

ISSUES = """
name: reports
period: day
extract:
  auth: {type: bearer, secret: reports}
  request:
    method: POST
    path: /graphql
    json:
      query: "query($after: String) {{ reports(after: $after) {{ nodes {{ id }} }} }}"
      variables: {area: E09000021}
  paging:
    kind: cursor
    location: body
    parameter: variables.after
    next: data.reports.pageInfo.endCursor
    more: data.reports.pageInfo.hasNextPage
format: {records: data.reports.nodes}
columns:
  - {name: id, type: integer, required: true}
key: [id]
"""


def graphql(asked: Asked) -> Reply:
    said = json.loads(asked.body)
    assert said["query"].startswith("query($after: String) { reports(")
    after = said["variables"].get("after")
    info = {"endCursor": "b" if after else "a", "hasNextPage": after is None}
    reports = {"nodes": [{"id": 2 if after else 1}], "pageInfo": info}
    return Reply(json.dumps({"data": {"reports": reports}}).encode())


def test_graphql_has_its_cursor_among_the_variables(api, take):
    api.on("/graphql", graphql)

    assert take(ISSUES, "2026-11-24") == [(1,), (2,)]


def test_an_error_of_graphql_is_not_data(api, take):
    api.on("/graphql", {"errors": [{"message": "Field 'x' doesn't exist"}], "data": None})

    with pytest.raises(UnexpectedPayload, match=r"doesn't exist|errors"):
        take(ISSUES, "2026-11-24")


# --- Socrata, Opendatasoft ---


def test_socrata_takes_its_token_and_parameters_with_dollars(api, take):
    def rows_of(asked: Asked) -> Reply:
        assert asked.headers["x-app-token"] == KEY
        assert asked.values["$where"] == "date >= '2026-11-24' and date < '2026-11-25'"
        found = [{"id": str(number), "amount": "1.50"} for number in range(3)]
        return Reply(json.dumps(found[int(asked.values["$offset"]) :][:2]).encode())

    api.on("/resource/abcd-1234.json", rows_of)

    rows = take(
        """
name: camden_parking
period: day
extract:
  auth: {type: api_key, secret: socrata, name: X-App-Token}
  request:
    path: /resource/abcd-1234.json
    query:
      $where: date >= '{period:%Y-%m-%d}' and date < '{period.next:%Y-%m-%d}'
      $order: ":id"
  paging: {kind: offset, parameter: $offset, size_parameter: $limit, size: 2}
columns:
  - {name: id, type: integer, required: true}
  - {name: amount, type: "numeric(8,2)"}
key: [id]
""",
        "2026-11-24",
    )

    assert len(rows) == 3


# --- Dates as their API wants them ---


def test_an_api_that_takes_moments_as_seconds_since_1970(api, take):
    def sensors(asked: Asked) -> Reply:
        assert asked.values == {"from": "1795651200", "to": "1795737600000", "on": "26-Nov-2026"}
        return Reply(b'[{"id": 1, "at": 1795651260}]')

    api.on("/sensors", sensors)

    rows = take(
        """
name: sensors
period: day
extract:
  request:
    path: /sensors
    query: {from: "{period:epoch}", to: "{period.next:epoch_ms}", "on": "{period:%d-%b-%Y}"}
columns:
  - {name: id, type: integer, required: true}
  - {name: measured_at, path: at, type: timestamptz, format: epoch, required: true}
key: [id]
""",
        "2026-11-26",
    )

    assert rows == [(1, datetime(2026, 11, 26, 0, 1, tzinfo=UTC))]


def test_a_financial_year_in_the_path_and_records_by_their_date(api, take):
    found = {"2026-11-24": {"visits": 5}, "2026-11-25": {"visits": 7}}
    api.on("/stats/2026-27$", {"days": found})

    rows = take(
        """
name: visits
period: financial_year
extract: {request: {path: "/stats/{period:%Y}-{period.last:%y}"}}
format: {records: "days.*", inherit: {date: "*"}}
columns:
  - {name: visited_on, path: date, type: date, required: true}
  - {name: visits, type: integer, required: true}
key: [visited_on]
""",
        "2026-27",
    )

    assert rows == [(date(2026, 11, 24), 5), (date(2026, 11, 25), 7)]


COUNTS = """
name: counts
period: all
extract: {request: {path: /counts}}
format: {records: "counts.*", inherit: {date: "*"}}
columns:
  - {name: counted_on, path: date, type: date, required: true}
  - {name: visits, path: "#value", type: integer, required: true}
key: [counted_on]
"""


def test_an_object_of_numbers_by_their_date(api, take):
    api.on("/counts", {"counts": {"2026-11-24": 5, "2026-11-25": 7}})

    rows = take(COUNTS, "all")

    assert rows == [(date(2026, 11, 24), 5), (date(2026, 11, 25), 7)]


def test_an_object_with_an_error_is_not_an_object_of_values(api, take):
    api.on("/counts", {"error": "Unauthorised"})

    with pytest.raises(UnexpectedPayload, match="error"):
        take(COUNTS, "all")


def test_data_of_graphql_next_to_errors_is_incomplete(api, take):
    reports = {"nodes": [{"id": 1}], "pageInfo": {"endCursor": None, "hasNextPage": False}}
    errors = [{"message": "Timed out in shard 3", "path": ["reports"]}]
    api.on("/graphql", {"data": {"reports": reports}, "errors": errors})

    with pytest.raises((UnexpectedPayload, SourceUnavailable), match="errors"):
        take(ISSUES, "2026-11-24")


# --- What goes wrong at first ---


def test_a_file_that_gains_a_field_is_refused_whole(api, take):
    wider = PRICES.replace('"A","A"', '"A","A","X"')
    api.on("/pp-monthly", Reply(wider.encode(), media_type="text/csv"))

    with pytest.raises(UnexpectedPayload, match=r"expected 16 fields.*`format.header`.*found 17"):
        take(PRICES_PAID, "2026-10")


def test_a_column_that_the_header_does_not_name_is_an_error_of_the_contract():
    with pytest.raises(ValueError, match=r"`format.header` names no field 'tenur'"):
        described(PRICES_PAID.replace("path: date", "path: tenur"), "http://127.0.0.1:9")


def test_the_header_that_a_publisher_adds_goes_to_quarantine(api, take):
    named = described(PRICES_PAID, "http://127.0.0.1:9").format.header
    api.on("/pp-monthly", Reply((",".join(named) + "\n" + PRICES).encode(), media_type="text/csv"))

    take(
        PRICES_PAID.replace("select: {field: district, among: district}", "")
        + "checks: {max_quarantined_share: 1}\n",
        "2026-10",
    )

    assert take.books == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"total": "header:"}, "name of a header"),
        ({"next": "record:"}, "field of the last record"),
        ({"total": "record:n"}, "only `next` is read in a record"),
        ({"kind": "link", "next": "record:id"}, "needs `kind: cursor`"),
        ({"total_pages": "pages"}, "`total_pages` needs `kind: page`"),
    ],
)
def test_a_place_that_says_nothing_of_paging_is_an_error_of_the_contract(wrong, said):
    from include.sources.extract.paging import Paging

    fields = {"kind": "cursor", "parameter": "after", "next": "next"} | wrong
    with pytest.raises(ValueError, match=said):
        Paging.model_validate(fields)


def test_a_number_of_pages_that_changes_is_fetched_again(api, take):
    pages = [3, 2, 2, 2]

    def shrinking(asked: Asked) -> Reply:
        found = json.loads(absence(asked).body)
        found["paging"]["totalPages"] = pages.pop(0)
        return Reply(json.dumps(found).encode())

    api.on("/v1/data-sets", shrinking)

    assert len(take(ABSENCE, "all")) == 3
    assert len(api.asked) == 4


def test_a_missing_number_of_pages_proves_nothing(api, take):
    api.on("/v1/data-sets", {"results": [], "paging": {}})

    with pytest.raises(UnexpectedPayload, match="expected the number of pages at"):
        take(ABSENCE, "all")


def test_a_missing_header_with_the_total_proves_nothing(api, take):
    api.on("/ORD", {"Organisations": []})

    with pytest.raises(UnexpectedPayload, match="'header:X-Total-Count', found none"):
        take(SURGERIES, "all")


def test_a_cursor_in_lines_of_csv_is_that_of_the_last_one(api, take):
    def after(asked: Asked) -> Reply:
        first = int(asked.values.get("after", "0")) + 1
        lines = "".join(f"{number},x\n" for number in range(first, min(first + 2, 6)))
        return Reply(b"id,note\n" + lines.encode(), media_type="text/csv")

    api.on("/cases.csv", after)

    rows = take(
        """
name: cases
period: all
extract:
  request: {path: /cases.csv}
  paging: {kind: cursor, parameter: after, next: record:id}
format: {kind: csv}
columns:
  - {name: id, type: integer, required: true}
key: [id]
""",
        "all",
    )

    assert [row[0] for row in rows] == [1, 2, 3, 4, 5]


def test_a_server_that_allows_one_request_a_minute_is_waited_for(api, take, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    slow = Reply(b"Slow down", 429, {"Retry-After": "61"})
    api.on("/counts", slow, {"counts": {"2026-11-24": 5}})

    assert take(COUNTS, "all") == [(date(2026, 11, 24), 5)]
    assert max(waited) >= 61


# --- Files ---


def test_dumps_of_sensors_in_a_folder_by_the_hour(
    lake, database, deployment, monkeypatch, tmp_path
):
    (tmp_path / "sftp" / "dumps").mkdir(parents=True)
    source = described(
        """
name: bins
period: hour
extract: {kind: files, from: sftp, connection: bins, folder: /dumps,
          pattern: '{period:%Y}/{period:%m}/{period:%d}/bins-{period:%H}00(?P<part>-\\d+)?\\.jsonl'}
format: {kind: jsonl}
columns:
  - {name: topic, type: text, required: true}
  - {name: sent_at, path: payload.ts, type: timestamptz, format: epoch_ms, required: true}
  - {name: fill, path: payload.fill_pct, type: integer, minimum: 0, maximum: 100}
key: [topic, sent_at]
""".replace("\\\\", "\\"),
        "",
    )
    monkeypatch.setitem(contracts(), source.name, source)
    migrate(database.admin, [source], {})
    where = source.partition("uk", "2026-11-05T09")
    with sftp_server(tmp_path / "sftp") as server:
        for part in ("-1", "-2"):
            path = server.folder / "dumps/2026/11/05" / f"bins-0900{part}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            line = {"topic": f"bins/{part}", "payload": {"ts": 1793869200123, "fill_pct": 71}}
            path.write_text(json.dumps(line) + "\n")
            os.utime(path, (1.7e9, 1.7e9))
        extract(source, where, lake=lake, run_id="run", source_dsn=server.uri())
    load(source, where, lake=lake, dsn=database.dsn(), run_id="run")

    assert database.query("select topic, fill from raw.bins order by topic") == [
        ("bins/-1", 71), ("bins/-2", 71),
    ]  # fmt: skip


def test_housing_benefit_of_a_financial_year_in_a_workbook(api, take):
    sheet: list[list[Any]] = [
        ["Table 1: Housing Benefit claimants by local authority", None, None, None],
        ["Great Britain, financial year 2026 to 2027", None, None, None],
        [],
        [None, None, "Tenure", None],
        ["Code", "Area", "Social", "Private"],
        ["E09000021", "Kingston upon Thames", 2811, "[c]"],
        ["E09000029", "Sutton", 3105.0, 1204],
        [],
        ["Source: DWP", None, None, None],
    ]
    api.on("/hb-2026-27.xlsx", Reply(workbook([["Cover"]], Table_1=sheet), media_type=""))

    rows = take(
        """
name: housing_benefit
period: financial_year
extract: {request: {path: "/hb-{period:%Y}-{period.last:%y}.xlsx"}}
format: {kind: spreadsheet, sheet: Table_1, skip_rows_before_header: 4, skip_rows_at_end: 1,
         null_values: ["[c]"]}
columns:
  - {name: code, path: Code, type: text, required: true}
  - {name: social, path: Social, type: integer}
  - {name: private, path: Private, type: integer}
key: [code]
""",
        "2026-27",
    )

    assert rows == [("E09000021", 2811, None), ("E09000029", 3105, 1204)]


def test_a_feed_with_dates_of_email(api, take):
    feed = """<?xml version="1.0"?><rss version="2.0"><channel><title>Planning</title>
<item><guid isPermaLink="false">26/1</guid><title>A &amp; B</title>
<pubDate>Tue, 24 Nov 2026 09:00:00 GMT</pubDate></item></channel></rss>"""
    api.on("/rss", Reply(feed.encode(), media_type="application/rss+xml"))

    rows = take(
        """
name: notices
period: all
extract: {request: {path: /rss}}
format: {kind: xml, records: rss.channel.item}
columns:
  - {name: id, path: "guid.#text", type: text, required: true}
  - {name: title, type: text}
  - {name: published_at, path: pubDate, type: timestamptz, format: "%a, %d %b %Y %H:%M:%S GMT",
     zone: UTC}
key: [id]
""",
        "all",
    )

    assert rows == [("26/1", "A & B", datetime(2026, 11, 24, 9, tzinfo=UTC))]


# --- SOAP, as contractors' systems have it ---

ROUNDS = """
name: rounds
period: day
extract:
  constants: {depot: ["Villiers & Co"]}
  for_each: depot
  request:
    method: POST
    path: /Collections.asmx
    headers: {Content-Type: text/xml; charset=utf-8, SOAPAction: '"urn:GetRounds"'}
    text: >-
      <s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetRounds
      xmlns="urn:x"><Depot>{depot}</Depot><Day>{period:%Y-%m-%d}</Day></GetRounds></s:Body></s:Envelope>
format: {kind: xml, records: "soap:Envelope.soap:Body.GetRoundsResponse.Round"}
columns:
  - {name: id, path: "@id", type: integer, required: true}
  - {name: missed, path: Missed, type: integer}
key: [id]
"""


def test_soap_is_requested_with_an_envelope_of_xml(api, take):
    def soap(asked: Asked) -> Reply:
        assert b"<Depot>Villiers &amp; Co</Depot><Day>2026-11-24</Day>" in asked.body
        assert asked.headers["content-type"] == "text/xml; charset=utf-8"
        body = """<?xml version="1.0" encoding="utf-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<GetRoundsResponse xmlns="urn:x"><Round id="7"><Missed>2</Missed></Round></GetRoundsResponse>
</soap:Body></soap:Envelope>"""
        return Reply(body.encode(), media_type="text/xml")

    api.on("/Collections.asmx", soap)

    assert take(ROUNDS, "2026-11-24") == [(7, 2)]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("method: POST", "method: GET", "`text` needs `method: POST`"),
        ("Content-Type: text/xml; charset=utf-8, ", "", "needs the header Content-Type"),
        ("{period:%Y-%m-%d}", "{periods}", "periods"),
    ],
)
def test_a_text_that_cannot_be_sent_is_an_error_of_the_contract(before, after, said):
    with pytest.raises(ValueError, match=said):
        described(ROUNDS.replace(before, after), "http://127.0.0.1:9")
