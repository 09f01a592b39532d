"""wandle new-source: what is guessed from one response, and that it is ready to run."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import yaml

from include.definitions import read_definition
from include.errors import PermanentError, UnexpectedPayload, UnknownName
from include.jobs.author import new_source as job
from include.jobs.author.samples.answer import read_sample
from include.sources.model import Contract
from include.transform.sources import synced_model

URL = "https://api.test/v2/readings?from=2026-11-01&to=2026-11-02&limit=3&offset=0&unit=m"
ANSWER = {
    "meta": {"total": 7, "next": None},
    "data": {
        "items": [
            {"siteId": "a", "at": "2026-11-01T00:00:00", "level": "1.5", "pos": {"x": 1}, "n": ""},
            {"siteId": "a", "at": "2026-11-01T01:00:00", "level": "", "pos": {"x": 2}, "n": "y"},
            {"siteId": "b", "at": "2026-11-01T00:00:00", "level": "2", "pos": {"x": 3.5}, "n": "z"},
        ]
    },
}


@pytest.fixture
def places(tmp_path, monkeypatch) -> Any:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(job, "sync", list)
    return tmp_path


def drafted(
    places, answer: Any, url: str = URL, period: str = "day", records: str = ""
) -> job.Drafted:
    file = places / "answer"
    file.write_bytes(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    return job.new_source(
        "air_quality",
        url=url,
        file=file,
        period=period,
        options=job.Options(records),
        folder=places,
    )


def written(places, *answer: Any, **how: Any) -> Contract:
    drafted(places, *answer, **how)
    return read_definition(places / "air_quality.yaml", Contract)


def test_records_columns_types_and_key_are_found(places):
    found = written(places, ANSWER)

    assert found.format.records == "data.items"
    assert {column.name: column.type for column in found.columns} == {
        "site_id": "text",
        "at": "timestamptz",
        "level": "double",
        "x": "double",
        "n": "text",
    }
    assert found.column("site_id").path == "siteId"
    assert found.column("x").path == "pos.x"
    assert found.column("at").zone == "UTC"
    assert found.key == ("site_id", "at")
    assert found.column("level").null_values == ("",)
    assert found.format.null_values == ()


def test_dates_of_the_address_become_those_of_the_period_and_paging_is_reported(places):
    found = written(places, ANSWER)

    assert found.extract.base_url == "https://api.test"
    assert found.extract.request.path == "/v2/readings"
    assert found.extract.request.query == {
        "from": "{period:%Y-%m-%d}",
        "to": "{period.next:%Y-%m-%d}",
        "unit": "m",
    }
    paging = found.extract.paging
    assert (paging.kind, paging.size, paging.size_parameter) == ("offset", 3, "limit")
    assert (paging.parameter, paging.first, paging.total) == ("offset", 0, "meta.total")


@pytest.mark.parametrize(
    ("above", "kind", "next_path"),
    [
        ({"links": {"next": "https://api.test/v2/x?p=2"}}, "link", "links.next"),
        ({"meta": {"next_cursor": "abc"}}, "cursor", "meta.next_cursor"),
    ],
)
def test_a_next_page_in_the_body_is_found(places, above, kind, next_path):
    found = written(places, {**above, "items": [{"id": 1}, {"id": 2}]}, "https://api.test/v2/x")

    assert (found.extract.paging.kind, found.extract.paging.next) == (kind, next_path)


def test_a_month_in_the_path_becomes_the_period(places):
    found = written(places, [{"id": 1}, {"id": 2}], "https://api.test/m/2026-10/all", "month")

    assert found.extract.request.path == "/m/{period:%Y-%m}/all"
    assert found.extract.paging is None


def test_arrays_of_one_length_are_columns(places):
    found = written(places, {"hourly": {"time": ["2026-11-01T00:00"], "rain": [0.5]}})

    assert (found.format.kind, found.format.records) == ("columnar", "hourly")
    assert [column.type for column in found.columns] == ["timestamptz", "double"]


def test_csv_with_a_byte_order_mark_is_read_by_its_header(places):
    body = "\ufeffID;Wann;Wert\r\n1;2026-11-01;0,5\r\n2;2026-11-02;\r\n".encode()

    found = written(places, body)

    assert (found.format.kind, found.format.delimiter) == ("csv", ";")
    assert [(column.name, column.type) for column in found.columns] == [
        ("id", "integer"),
        ("wann", "date"),
        ("wert", "text"),
    ]
    assert found.key == ("id",)


def test_what_is_an_object_once_and_a_list_once_is_one_column(places):
    one, many = {"Item": {"title": "a"}}, {"Item": [{"title": "b"}, {"title": "c"}]}

    found = written(places, [{"no": "1", "Items": one}, {"no": "2", "Items": many}, {"no": "3"}])

    assert [(column.name, column.type) for column in found.columns] == [
        ("no", "integer"),
        ("item", "jsonb"),
    ]
    assert found.column("item").path == "Items.Item"


def test_truth_written_as_text_is_a_boolean(places):
    assert written(places, [{"ok": "true"}, {"ok": "false"}]).column("ok").type == "boolean"


def test_json_lines_are_read(places):
    assert written(places, b'{"id": 1}\n{"id": 2}\n').format.kind == "jsonl"


def test_the_staging_model_has_the_columns_and_stays_as_it_is_when_synced(places):
    found = written(places, ANSWER)
    model = places / "staging" / "air" / "stg_air__quality.sql"
    described = yaml.safe_load(model.with_suffix(".yml").read_text())["models"][0]

    text = model.read_text()

    assert synced_model(found, text) == text
    assert "from {{ source('raw', 'air_quality') }}" in text
    assert described["name"] == "stg_air__quality"
    for column in (*found.columns, "council", "day"):
        assert getattr(column, "name", column) in {item["name"] for item in described["columns"]}


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"{}", b"[1, 2]", b'{"items": []}'])
def test_an_answer_without_records_is_refused(body):
    with pytest.raises(UnexpectedPayload, match=r"^new-source: "):
        read_sample(body)


def test_a_source_that_exists_is_not_overwritten(places):
    written(places, ANSWER)

    with pytest.raises(PermanentError, match="Edit it, or choose"):
        written(places, ANSWER)


@pytest.mark.parametrize("name", ["Air", "2nd", "air-quality", ""])
def test_an_impossible_name_is_refused(places, name):
    with pytest.raises(UnknownName):
        job.new_source(name, url=URL, file=None, period="day", folder=places)


ROWS = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
LONGER = [{"id": name, "type": "text"} for name in "abcde"]


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        ({"result": {"fields": LONGER, "records": ROWS, "total": 2}}, "result.records"),
        ({"fields": LONGER, "rows_of_it": ROWS}, "rows_of_it"),
        ({"things": LONGER, "others": ROWS, "total": 2}, "others"),
        ({"value": ROWS, "things": LONGER}, "value"),
        ({"things": LONGER, "others": ROWS}, "things"),
        ({"value": {"arrays": {"id": [1, 2], "v": [3, 4]}}}, "value.arrays"),
    ],
)
def test_the_list_is_chosen_by_name_then_total_then_length(places, answer, path):
    assert written(places, answer).format.records == path


def test_the_other_lists_are_named_and_can_be_chosen(places):
    answer = {"value": ROWS, "things": LONGER}

    said = drafted(places, answer).remarks[0]

    assert said == (
        "The records are taken from `value` (2 records). Others: `things` (5 records). "
        "Choose with `--records`."
    )
    (places / "air_quality.yaml").unlink()
    for model in (places / "staging" / "air").iterdir():
        model.unlink()
    assert written(places, answer, records="things").format.records == "things"


def test_a_place_without_records_is_refused_with_those_that_have_some():
    with pytest.raises(UnexpectedPayload, match=r"no records at 'meta'. Choose `value`"):
        read_sample(json.dumps({"value": ROWS}).encode(), "meta")


def test_lists_below_names_that_are_data_are_all_taken(places):
    answer = {"north": {"area": "N", "sites": ROWS}, "south": {"area": "S", "sites": ROWS}}

    found = written(places, answer)

    assert (found.format.records, found.format.inherit) == ("*.sites", ("area",))
    assert {column.name for column in found.columns} == {"id", "v", "area"}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5], "double"),
        ([1, "A-13"], "jsonb"),
        (["1", "A-13"], "text"),
        (["007", "12"], "text"),
        ([True, "no"], "jsonb"),
        ([2**70, 1], "numeric(38,0)"),
        (["12345678901234567890", "1"], "text"),
        (["0.12345678901234567890", "1.5"], "text"),
        (["2026-11-01T10:00:00.1234567Z", "2026-11-01T10:00:00.0000000Z"], "text"),
        (["2026-11-01", "2026-13-01"], "text"),
        ([{"a": 1}, [1]], "jsonb"),
        ([[], []], "jsonb"),
        ([None, None], "text"),
        (["١٢", "1"], "text"),
    ],
)
def test_a_type_holds_every_value_of_the_answer(places, values, kind):
    found = written(places, [{"no": number, "it": item} for number, item in enumerate(values)])

    assert [column.type for column in found.columns if column.name == "it"] == [kind]


def test_features_without_geometry_or_properties_do_not_hide_those_of_others(places):
    point = {"type": "Point", "coordinates": [1.5, 2]}
    found = written(
        places,
        {
            "type": "FeatureCollection",
            "features": [
                {"id": "a", "geometry": point, "properties": {"name": "A"}},
                {"id": "b", "geometry": None, "properties": {"name": "B"}},
                {"id": "c", "geometry": point, "properties": None},
            ],
        },
    )

    assert {column.name: (column.path, column.type) for column in found.columns} == {
        "id": ("", "text"),
        "geometry": ("", "jsonb"),
        "name": ("properties.name", "text"),
    }


def test_names_of_any_kind_become_columns_that_keep_their_paths(places):
    record = {"user": 1, "geo.lat": 2, "Id": 3, "id": 4, "council": 5, "xmin": 6, "x" * 80: 7}

    found = written(places, [record, record])

    assert {column.name: column.record_path[0] for column in found.columns} == {
        "user": "user",
        "geo_lat": "geo.lat",
        "id": "Id",
        "id_field": "id",
        "council_field": "council",
        "xmin_field": "xmin",
        "x" * 40: "x" * 80,
    }


def test_what_no_path_can_name_is_reported(places):
    said = drafted(places, [{"id": 1, "": "a"}, {"id": 2, "": "b"}]).remarks

    assert any("kept in `_extra`" in remark for remark in said)


def test_pages_that_nothing_tells_how_to_ask_for_are_reported(places):
    said = drafted(places, {"total": 9, "items": ROWS}, "https://api.test/all").remarks

    assert any("`total` declares 9 records" in remark for remark in said)


def test_a_record_that_no_column_holds_is_named_and_nothing_is_written(places):
    with pytest.raises(UnexpectedPayload, match=r"^new-source: .*`v`: record 2"):
        written(places, [{"id": 1, "v": "a"}, {"id": 2, "v": "b\0"}])

    assert not (places / "air_quality.yaml").exists()


def test_a_flag_that_says_that_there_is_more_is_part_of_the_paging(places):
    answer = {"features": ROWS, "exceededTransferLimit": True}
    url = "https://api.test/query?resultOffset=0&resultRecordCount=2"

    paging = written(places, answer, url).extract.paging

    assert (paging.more, paging.parameter, paging.size_parameter) == (
        "exceededTransferLimit",
        "resultOffset",
        "resultRecordCount",
    )


def test_braces_that_are_not_placeholders_are_requested_as_they_are(places):
    url = 'https://api.test/x?where={"a": 1}&day=2026-11-01&for={council.name}'

    query = written(places, ROWS, url).extract.request.query

    assert query["where"] == '{{"a": 1}}'
    assert query["for"] == "{council.name}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://api.test/x?id=1&id=2", "repeats the parameters id"),
        ("https://somebody:secret@api.test/x", "contains a login"),
        ("ftp://api.test/x", "is not an address"),
        ("https://[api.test/x", "is not an address"),
    ],
)
def test_an_address_that_no_contract_can_request_is_refused(places, url, said):
    with pytest.raises(PermanentError, match=said):
        written(places, ROWS, url)


def test_numbers_that_look_like_dates_stay_in_the_address(places):
    found = written(places, ROWS, "https://api.test/2026-45/x?id=5012-34")

    assert found.extract.request.path == "/2026-45/x"


def test_an_object_of_records_gives_its_names_to_a_column(places):
    found = written(places, {"stations": {"E1": {"key": 1, "v": 2}, "E2": {"key": 3, "v": None}}})

    assert (found.format.records, found.format.inherit) == ("stations.*", {"key_2": "*"})
    assert {column.name for column in found.columns} == {"key", "v", "key_2"}


def test_arrays_below_their_names_are_rows(places):
    found = written(places, {"result": [["id", "Site Name"], [1, "a"], [2, None]]})

    assert (found.format.kind, found.format.records) == ("rows", "result")
    assert [(column.name, column.type) for column in found.columns] == [
        ("id", "integer"),
        ("site_name", "text"),
    ]


@pytest.mark.parametrize("packed", [gzip.compress(b"id,v\n1,2\n"), "id,v\n1,2\n".encode("utf-16")])
def test_what_is_recognised_by_its_first_bytes_needs_no_option(places, packed):
    found = written(places, packed)

    assert (found.format.compression, found.format.encoding) == ((), "")
    assert [column.name for column in found.columns] == ["id", "v"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"\n", "the response is empty"),
        (b"<?xml version='1.0'?><a>1, 2</a>", "no element of the XML document is repeated"),
        (b"%PDF-1.4 \xe2", "found a PDF document"),
        (gzip.compress(b"[{}]")[:-4], "a gzip file that is not complete"),
        (b"id,v\n1,caf\x81\n", "name the `encoding`"),
        (b"[{}, {}]", "its records have no fields"),
        (b'[{"error": "rate limit"}]', "its only record is an error message, `error`"),
        (b'{"error": {"code": 499}}', "It says `error`"),
        (b'{"columns": [{"id": "a"}], "data": [[1], [2]]}', "the records are arrays at `data`"),
        (b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b'{"id": 1, "name": "x"}', "It is one object, with id, name"),
    ],
)
def test_what_is_not_a_list_of_records_is_named(places, answer, said):
    with pytest.raises(UnexpectedPayload, match=rf"^new-source: .*{said}"):
        written(places, answer)

    assert not (places / "air_quality.yaml").exists()
