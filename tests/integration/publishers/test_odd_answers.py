"""Answers that are nested, counted or laid out in ways that a first contract gets wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.errors import UnexpectedPayload
from tests.integration.fixture_server import Asked, Reply

# --- London Air (LAQN): https://api.erg.ic.ac.uk/AirQuality/help ---

LAQN = """
name: laqn
period: all
extract: {request: {path: /AirQuality/Hourly/MonitoringIndex/GroupName=London/Json}}
format:
  records: HourlyAirQualityIndex.LocalAuthority.*.Site.*.Species
  one_or_many: true
  inherit: {borough: "@LocalAuthorityName", site: "@SiteCode"}
columns:
  - {name: borough, type: text, required: true}
  - {name: site, type: text, required: true}
  - {name: species, path: "@SpeciesCode", type: text, required: true}
  - {name: air_index, path: "@AirQualityIndex", type: integer, null_values: ["-"]}
key: [site, species]
"""


def species(code: str, index: str) -> dict[str, str]:
    return {"@SpeciesCode": code, "@AirQualityIndex": index, "@IndexSource": "Measurement"}


def borough(name: str, *sites: Any, **others: Any) -> dict[str, Any]:
    """One site is an object, several are a list, none is nothing."""
    found = {"Site": sites[0] if len(sites) == 1 else [*sites]} if sites else {}
    return {"@LocalAuthorityName": name, **found, **others}


def boroughs() -> list[dict[str, Any]]:
    two = [species("NO2", "1"), species("SO2", "2")]
    return [
        borough("Barking", {"@SiteCode": "BG1", "Species": two},
                {"@SiteCode": "BG2", "Species": species("NO2", "1")}),
        borough("Barnet"),
        borough("Bexley", {"@SiteCode": "BX1", "Species": species("O3", "-")}),
        borough("Brent", {"@SiteCode": "BT1"}),
        borough("Bromley", Site=None),
    ]  # fmt: skip


def test_one_or_many_holds_at_every_level_of_the_path(api, take):
    body = {"HourlyAirQualityIndex": {"@TimeToLive": "38", "LocalAuthority": boroughs()}}
    api.on("/AirQuality", body)

    assert take(LAQN, "all") == [
        ("Barking", "BG1", "NO2", 1),
        ("Barking", "BG1", "SO2", 2),
        ("Barking", "BG2", "NO2", 1),
        ("Bexley", "BX1", "O3", None),
    ]


def test_without_the_option_an_object_where_a_list_belongs_is_an_error(api, take):
    body = {"HourlyAirQualityIndex": {"LocalAuthority": boroughs()[2:3]}}
    api.on("/AirQuality", body)

    with pytest.raises(UnexpectedPayload, match="expected a list of records"):
        take(LAQN.replace("one_or_many: true", "one_or_many: false"), "all")


# --- Carbon intensity: https://carbon-intensity.github.io/api-definitions ---


def test_a_record_inherits_a_field_within_an_object_around_it(api, take):
    mix = [{"fuel": "gas", "perc": 98.5}, {"fuel": "wind", "perc": 1.5}]
    half_hour = {"from": "2026-11-24T00:00Z", "intensity": {"forecast": 120, "index": "moderate"},
                 "generationmix": mix}  # fmt: skip
    api.on("/regional", {"data": {"regionid": 13, "data": [half_hour]}})

    rows = take(
        """
name: carbon
period: day
extract: {request: {path: "/regional/intensity/{period:%Y-%m-%d}T00:00Z/pt24h/regionid/13"}}
format:
  records: data.data.*.generationmix
  inherit: {region: regionid, began_at: from, forecast: intensity.forecast}
columns:
  - {name: region, type: integer, required: true}
  - {name: forecast, type: integer, required: true}
  - {name: fuel, type: text, required: true}
  - {name: share, path: perc, type: "numeric(5,2)"}
key: [fuel]
""",
        "2026-11-24",
    )

    assert [row[:3] for row in rows] == [(13, 120, "gas"), (13, 120, "wind")]


# --- Environment Agency, linked data: https://environment.data.gov.uk/bwq/doc/api-reference ---

WATERS = """
name: waters
period: all
extract: {request: {path: /doc/bathing-water.json}}
format: {records: result.items}
columns:
  - {name: id, path: _about, type: text, required: true}
  - {name: name, path: samplingPoint.name._value, type: text}
key: [id]
checks: {max_quarantined_share: 1}
"""


def water(number: int, name: Any) -> dict[str, Any]:
    return {"_about": f"/id/{number}", "samplingPoint": {"name": name}}


@pytest.fixture
def waters(api) -> None:
    names = [{"_value": "Y Traeth", "_lang": "cy"}, {"_value": "The Beach", "_lang": "en"}]
    single = {"_value": "Serpentine", "_lang": "en"}
    api.on("/doc", {"result": {"items": [water(1, single), water(2, names), water(3, [])]}})


def test_a_value_below_a_list_is_a_list_and_not_silently_null(take, waters):
    rows = take(WATERS, "all")

    assert rows == [("/id/1", "Serpentine"), ("/id/3", None)]
    assert take.books == [3, 2, 0, 1]
    assert take.quarantine[0][:2] == ("name", "type")


@pytest.mark.parametrize(
    ("word", "names"),
    [("first", ["Serpentine", "Y Traeth", None]), ("last", ["Serpentine", "The Beach", None]),
     ("explode", ["Serpentine", "Y Traeth", "The Beach", None])],
)  # fmt: skip
def test_list_value_says_which_value_below_a_list_is_taken(take, waters, word, names):
    key = "key: [id, name]" if word == "explode" else "key: [id]"
    contract = WATERS.replace("type: text}\nkey: [id]", f"type: text, list_value: {word}}}\n{key}")

    assert [row[1] for row in take(contract, "all")] == names


def test_values_below_lists_in_lists_are_one_list_of_json(api, take):
    streets = [{"segments": [{"toid": "1"}, {"toid": "2"}]}, {"segments": [{"toid": "3"}]}, {}]
    api.on("/Road", [{"id": "A", "streets": streets}, {"id": "B", "streets": []}])

    rows = take(
        """
name: disruptions
period: all
extract: {request: {path: /Road/All/Disruption}}
columns:
  - {name: id, type: text, required: true}
  - {name: toids, path: streets.segments.toid, type: jsonb}
key: [id]
""",
        "all",
    )

    assert rows == [("A", ["1", "2", "3", None]), ("B", None)]


# --- Breathe London: a list in a list ---


def test_records_of_a_list_in_a_list(api, take):
    api.on("/api/ListSensors", [[{"SiteCode": "BL0001"}, {"SiteCode": "BL0002"}]])

    rows = take(
        """
name: sensors
period: all
extract: {request: {path: /api/ListSensors}}
format: {records: "*"}
columns:
  - {name: site, path: SiteCode, type: text, required: true}
key: [site]
""",
        "all",
    )

    assert rows == [("BL0001",), ("BL0002",)]


# --- PostgREST: https://docs.postgrest.org/en/stable/references/api/pagination_count.html ---

CASES = """
name: cases
period: all
extract:
  request: {path: /rest/v1/cases, query: {order: id}, headers: {Prefer: count=exact}}
  paging: {kind: offset, parameter: offset, size_parameter: limit, size: 2,
           total: "header:Content-Range"}
columns:
  - {name: id, type: integer, required: true}
key: [id]
"""


def cases(asked: Asked, whole: str = "5") -> Reply:
    start, size = int(asked.values["offset"]), int(asked.values["limit"])
    found = [{"id": number} for number in range(1, 6)][start:][:size]
    if not found:
        return Reply(b'{"code": "PGRST103", "message": "Range not satisfiable"}', 416)
    headers = {"Content-Range": f"{start}-{start + len(found) - 1}/{whole}"}
    return Reply(json.dumps(found).encode(), 206, headers)


def test_the_total_of_a_content_range_is_after_its_slash(api, take):
    api.on("/rest/v1/cases", cases)

    assert take(CASES, "all") == [(number,) for number in range(1, 6)]
    assert len(api.asked) == 3


def test_a_content_range_of_unknown_length_is_not_a_total(api, take):
    api.on("/rest/v1/cases", lambda asked: cases(asked, "*"))

    with pytest.raises(UnexpectedPayload, match=r"number of records at 'header:Content-Range'"):
        take(CASES, "all")


# --- Contracts Finder: https://www.contractsfinder.service.gov.uk/apidocumentation/V2 ---


def test_fewer_notices_than_the_search_hit_are_never_green(api, take):
    notices = [{"item": {"id": f"n{number}"}} for number in range(2)]
    api.on("/search_notices", {"hitCount": 1500, "noticeList": notices})

    with pytest.raises(UnexpectedPayload, match="hitCount"):
        take(
            """
name: notices
period: day
extract:
  request:
    method: POST
    path: /api/rest/2/search_notices/json
    json: {searchCriteria: {publishedFrom: "{period:%Y-%m-%d}"}, size: 1000}
format: {records: noticeList}
columns:
  - {name: id, path: item.id, type: text, required: true}
key: [id]
""",
            "2026-11-24",
        )
