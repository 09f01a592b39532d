"""wandle new-source: what is guessed from one answer, and that it is ready to run."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from include.definitions import read_definition
from include.errors import PermanentError, UnexpectedPayload, UnknownName
from include.jobs.author import new_source as job
from include.jobs.author.sample import read_sample
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


def written(places, answer: Any, url: str = URL, period: str = "day") -> Contract:
    file = places / "answer"
    file.write_bytes(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
    job.new_source("air_quality", url=url, file=file, period=period, folder=places)
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
    assert found.format.null_values == ("",)


def test_dates_of_the_address_become_those_of_the_period_and_paging_is_told(places):
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
def test_a_name_that_cannot_be_is_refused(places, name):
    with pytest.raises(UnknownName):
        job.new_source(name, url=URL, file=None, period="day", folder=places)
