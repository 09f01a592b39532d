"""What an answer is, by what it contains: records, none, or something else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from include.errors import UnexpectedPayload
from include.records.diagnose import diagnose
from include.records.read import BodyCutShort, read_records
from include.sources.formats import Format
from tests.samples import column, contract

COLUMNS = (column("id", "integer", required=True), column("note", path="more.note"))


def layout_of(**words: Any) -> Format:
    """The layout of a small contract."""
    return contract(*COLUMNS, format=words).layout()


ITEMS = layout_of(records="meta.items", one_or_many=True)
LIST, CSV, LINES = layout_of(), layout_of(kind="csv"), layout_of(kind="jsonl")
NAMED = contract(column("id"), column("more"), format={"kind": "csv"}).layout()


def read(body: bytes, layout: Format) -> list[Any]:
    chunks = read_records(io.BytesIO(body), len(body), layout)
    return [record for chunk in chunks for record in chunk]


def failure(body: bytes, layout: Format) -> Any:
    """What is said of a body that is not the data."""
    with pytest.raises((BodyCutShort, UnexpectedPayload)) as caught:
        read(body, layout)
    return diagnose(caught.value, io.BytesIO(body), len(body), layout)


@pytest.mark.parametrize(
    ("body", "records"),
    [
        ({"meta": {"items": []}}, 0),
        ({"meta": {"items": None}}, 0),
        ({"meta": {}}, 0),
        ({"meta": {"items": {"id": 1}}, "error": None, "status": 200}, 1),
        ({"meta": {"items": [{"id": 1}]}, "errors": [], "success": True, "message": "OK"}, 1),
        ({"meta": {"items": [{"note": 1}, {"id": None}]}}, 2),
    ],
    ids=str,
)
def test_an_envelope_without_an_error_is_believed(body, records):
    assert len(read(json.dumps(body).encode(), ITEMS)) == records


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        {"error": {"code": 503}},
        {"meta": {"total": 0}},
        {"meta": None},
        {"meta": {"items": None}, "error": "busy"},
        {"meta": {"items": [], "message": "Service Unavailable"}},
        {"meta": {"items": []}, "status": "error"},
        {"meta": {"items": []}, "status": 503},
        {"meta": {"items": []}, "success": False},
        {"meta": {"items": [{"id": 1}]}, "errors": [{"message": "timeout"}]},
        {"meta": {"items": [{"error": "busy"}]}},
        {"meta": {"items": [{}, {}]}},
        {"meta": {"items": ["busy"]}},
        {"meta": {"items": {"message": "busy"}}},
        {"meta": {"items": [{"more": None, "error": "x"}]}},
    ],
    ids=str,
)
def test_anything_else_is_not_taken_for_no_records(body):
    with pytest.raises((UnexpectedPayload, BodyCutShort)):
        read(json.dumps(body).encode(), ITEMS)


def test_an_envelope_that_the_contract_names_makes_absence_mean_none():
    layout = layout_of(records="items", envelope=["kind", "page.size"])

    assert read(b'{"kind": "x", "page": {"size": 5}}', layout) == []
    assert len(read(b'{"kind": "x", "page": {"size": 5}, "items": [{"id": 1}]}', layout)) == 1
    for body in (b'{"kind": "x", "page": {}}', b'{"error": 1}', b'{"items": [{"id": 1}]}'):
        with pytest.raises(UnexpectedPayload, match=r"expected '(kind|page\.size)' beside"):
            read(body, layout)


@pytest.mark.parametrize("size", [1, 50 * 1024 * 1024], ids=["whole", "streamed"])
def test_an_error_beside_the_records_of_a_large_body_is_found(size):
    body = io.BytesIO(b'{"meta": {"items": [{"id": 1}, {"id": 2}]}, "error": {"code": 503}}')

    with pytest.raises(UnexpectedPayload, match="`error`"):
        list(read_records(body, size, ITEMS))


def test_branches_without_records_are_no_answer():
    layout = contract(column("day"), format={"records": "*.events"}).layout()

    for body in (b"{}", b'{"error": {"code": 1}}', b'{"error": "busy"}', b"null", b'"busy"'):
        with pytest.raises(UnexpectedPayload):
            read(body, layout)


def test_a_header_must_have_what_the_columns_read():
    with pytest.raises(UnexpectedPayload, match="a header line with 'more', found 'id', 'other'"):
        read(b"id,other\n1,2\n", NAMED)

    optional = contract(column("id"), column("more", optional=True), format={"kind": "csv"})
    assert read(b"id,other\n1,2\n", optional.layout()) == [{"id": "1", "other": "2"}]


@pytest.mark.parametrize("kind", ["columnar", "rows"])
def test_names_beside_or_above_arrays_are_a_header_too(kind):
    layout = contract(column("id"), column("more"), format={"kind": kind}).layout()
    body = {"id": [1], "x": [2]} if kind == "columnar" else [["id", "x"], [1, 2]]

    with pytest.raises(UnexpectedPayload, match="with 'more', found 'id', 'x'"):
        read(json.dumps(body).encode(), layout)


def test_lines_of_no_bytes_are_no_answer_and_an_empty_line_is():
    with pytest.raises(BodyCutShort, match="empty"):
        read(b"", LINES)

    assert read(b"\n", LINES) == []


def test_a_field_whose_name_has_the_dot_is_named():
    with pytest.raises(UnexpectedPayload, match=r"a field 'more\.note': write .* as more\\\.note"):
        read(b'[{"id": 1, "more.note": "x"}]', LIST)


@pytest.mark.parametrize(
    ("body", "layout", "what", "retry"),
    [
        (b"<html>Service Unavailable</html>", LIST, r"expected JSON, found a web page", True),
        (b"<html><p>Welcome</html>", CSV, r"expected CSV, found a web page", False),
        (b"<!doctype html><form><input type=password>", LIST, "a sign-in page", False),
        (b"<html><title>Log in</title> try again later", CSV, "a sign-in page", False),
        (b"<?xml version='1.0'?><error>x</error>", LINES, "lines of JSON, found XML", False),
        (b"\x89PNG\r\n\x1a\n0000", CSV, "expected CSV, found a PNG image", False),
        (b"%PDF-1.7", LIST, "found a PDF document", False),
        (b"The server is busy, try again later", LIST, "expected JSON, found text", True),
        (b"Not for you", LIST, "expected JSON, found text", False),
        (b"Not for you", LINES, "expected lines of JSON, found text", False),
        (b'{"error": "overloaded"}\n', CSV, "expected CSV, found JSON", True),
        (b'{"error": {"status": 503}}', LIST, "an object with error", True),
        (b'{"error": {"id": 7}}', LIST, "an object with error", False),
        (b'[{"id": 1}, {"id"', LIST, "not complete JSON", True),
        (b"", LIST, "it is empty", True),
        (b"", CSV, "no header line", True),
        (b"Come back in a minute.", NAMED, "a header line with 'id', 'more'", True),
    ],
)
def test_what_it_is_and_whether_to_try_again_is_said(body, layout, what, retry):
    found = failure(body, layout)

    assert what in found.what
    assert found.retry is retry
    shown = not body.startswith((b"\x89", b"%"))
    assert found.begins.startswith(" It begins ") is bool(body and shown)


def test_nothing_is_quoted_where_it_may_be_personal():
    personal = contract(
        column("id", "integer"), column("email", personal="drop"),
        format={"kind": "csv"}, retention_days=30,
    ).layout()  # fmt: skip

    for body in (b"Jane Doe,jane@doe.example\n", b"<html>Jane Doe</html>", b'{"name":"Jane Doe"}'):
        found = failure(body, personal)
        assert "ane" not in found.what + found.begins
