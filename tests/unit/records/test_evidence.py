"""What an answer is, by what it contains: records, none, or something else."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from include.errors import UnexpectedPayload
from include.records.diagnose import diagnose
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.sources.formats import Format
from tests.samples import column, contract

COLUMNS = (column("id", "integer", required=True), column("note", path="more.note"))


def layout_of(**words: Any) -> Format:
    """The layout of a small contract."""
    return contract(*COLUMNS, format=words).layout()


ITEMS = layout_of(records="meta.items", one_or_many=True)
LIST, LINES = layout_of(), layout_of(kind="jsonl")
CSV = contract(COLUMNS[0], column("note"), format={"kind": "csv"}).layout()
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
def test_an_error_next_to_the_records_of_a_large_body_is_found(size):
    body = io.BytesIO(b'{"meta": {"items": [{"id": 1}, {"id": 2}]}, "error": {"code": 503}}')

    with pytest.raises(UnexpectedPayload, match="`error`"):
        list(read_records(body, size, ITEMS))


def test_branches_without_records_are_not_an_answer():
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
def test_names_next_to_or_above_arrays_are_a_header_too(kind):
    layout = contract(column("id"), column("more"), format={"kind": kind}).layout()
    body = {"id": [1], "x": [2]} if kind == "columnar" else [["id", "x"], [1, 2]]

    with pytest.raises(UnexpectedPayload, match="with 'more', found 'id', 'x'"):
        read(json.dumps(body).encode(), layout)


def test_no_bytes_are_not_an_answer_but_an_empty_line_is():
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
        (b"", CSV, "it is empty (0 bytes)", True),
        (b"\n", CSV, "nothing but white space", True),
        (b" \r\n", LIST, "nothing but white space", True),
        (b"id;more\n1;2\n", NAMED, "The delimiter seems to be ';'", False),
        (b"id\tmore\n1\t2\n", NAMED, "The delimiter seems to be '\\t'", False),
        (b"Come back in a minute.", NAMED, "a header line with 'id', 'more'", True),
    ],
)
def test_the_message_says_what_it_is_and_whether_to_retry(body, layout, what, retry):
    found = failure(body, layout)

    assert what in found.what
    assert found.retry is retry
    shown = not body.startswith((b"\x89", b"%"))
    assert found.begins.startswith(" It begins ") is bool(body.strip() and shown)


def test_nothing_is_quoted_where_it_may_be_personal():
    personal = contract(
        column("id", "integer"), column("email", personal="drop"),
        format={"kind": "csv"}, retention_days=30,
    ).layout()  # fmt: skip

    for body in (b"Jane Doe,jane@doe.example\n", b"<html>Jane Doe</html>", b'{"name":"Jane Doe"}'):
        found = failure(body, personal)
        assert "ane" not in found.what + found.begins


@pytest.mark.parametrize(
    "beside",
    [
        {"status": "partial"},
        {"partial": True},
        {"truncated": "true"},
        {"_shards": {"total": 5, "failed": 2}},
        {"@odata.error": {"code": "x"}},
        {"resultCode": 500},
        {"success": 0},
        {"Success": "no"},
    ],
)
@pytest.mark.parametrize("items", [[], [{"id": 1}]])
def test_what_says_that_records_are_missing_is_an_error(beside, items):
    with pytest.raises(UnexpectedPayload, match=r"at 'items', found (1|no) records? and `"):
        read(json.dumps({"items": items, **beside}).encode(), layout_of(records="items"))


@pytest.mark.parametrize(
    "beside",
    [
        {"status": "complete", "partial": False, "truncated": None, "timed_out": "false"},
        {"_shards": {"total": 5, "failed": 0}, "resultCode": 200, "success": 1},
    ],
)
def test_a_message_that_all_is_well_is_not_an_error(beside):
    body = json.dumps({"items": [{"id": 1}], **beside}).encode()

    assert read(body, layout_of(records="items")) == [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (b'[{"id": 1}, {"id": 2}, {"error": "timeout"}]', LIST),
        (b'[{"id": 1}, {"id": 2}, "upstream timed out"]', LIST),
        (b'{"id": 1}\n{"status": 500, "message": "gone"}\n', LINES),
        (b'{"id": 1}\nInternal Server Error\n', LINES),
        (b"id,more\n1,2\nError: the query was cancelled\n", NAMED),
        (b"id,more\n1,2\nService Unavailable\n", NAMED),
        (b"id,more\n1,2\n<html><body>timeout</body></html>\n", NAMED),
        (b"id,more\n1,2\nERROR,a,b,c\n", NAMED),
    ],
)
def test_an_error_message_at_the_end_shows_that_the_answer_was_cut_short(body, layout):
    found = failure(body, layout)

    assert "is an error message: the answer was broken off" in found.what
    assert found.retry


@pytest.mark.parametrize(
    ("body", "layout"),
    [
        (b'[{"id": 1}, {"id": 2, "error": "timeout"}]', LIST),
        (b'[{"error": "timeout"}, {"id": 2}]', LIST),
        (b"id,more\nError: a,b\n", NAMED),
        (b"id,more\n1,2\nTotal: 1\n", NAMED),
        (b"id,more\nError: the first,a,b\n1,2\n", NAMED),
        (b"id,more\n1,2\n3,Status update unavailable,\n", NAMED),
    ],
)
def test_other_records_may_be_odd_and_mention_errors(body, layout):
    assert read(body, layout)


def test_a_header_in_place_of_a_row_is_not_a_record_of_the_source():
    body = b"id,more\n1,2\nid,more\n3,4\n"

    assert read(body, NAMED) == [{"id": "1", "more": "2"}, "id,more", {"id": "3", "more": "4"}]


KEYED = contract(
    column("key"), column("id", "integer"), format={"records": "*", "inherit": {"key": "*"}}
).layout()


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"code": 499, "message": "Token Required"}},
        {"data": {"things": None}, "errors": [{"message": "x"}]},
        {"a": {"id": 1}, "error": {"code": 499}},
        {"items": {}},
    ],
)
def test_the_name_above_an_object_does_not_make_it_a_record(body):
    with pytest.raises(UnexpectedPayload):
        read(json.dumps(body).encode(), KEYED)


def test_a_record_may_have_the_name_of_an_error():
    body = b'{"error": {"id": 1}, "a": {"id": 2}}'

    assert read(body, KEYED) == [{"key": "error", "id": 1}, {"key": "a", "id": 2}]


@pytest.mark.parametrize("more", [b'"error": "not found"', b'"message": "Rate limit exceeded"'])
def test_a_single_object_with_an_error_is_not_a_record(more):
    layout = layout_of(one_or_many=True)

    assert read(b'{"id": 7, "message": "All is well"}', layout)
    with pytest.raises(UnexpectedPayload, match=r"and `(error|message)`"):
        read(b'{"id": 7, %b}' % more, layout)


def test_a_field_that_errors_have_too_does_not_make_a_record():
    layout = contract(column("id"), column("message"), column("status")).layout()

    assert read(b'[{"message": "x", "status": "open", "id": 1}, {"message": "y"}]', layout)
    with pytest.raises(UnexpectedPayload, match="expected records with id"):
        read(b'[{"message": "Rate limit exceeded", "status": "error"}]', layout)


@pytest.mark.parametrize("indent", [None, 1])
def test_lines_of_json_are_not_a_list(indent):
    body = json.dumps([{"id": 1}, {"id": 2}], indent=indent).encode()

    assert "say `kind: json`" in failure(body, LINES).what
