"""What a contract says of requests and logins is checked when it is read."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from include.definitions import read_definition
from include.errors import UnexpectedPayload, WrongDefinition
from include.extract.requests import request_of
from include.sources.extract.http import Extract
from include.sources.extract.request import filled
from include.sources.model import Contract
from include.sources.page import SentRequest
from tests.samples import contract, contract_fields, extracting

KEY = {"type": "api_key", "secret": "a_key", "name": "X-Api-Key"}
IN_QUERY = KEY | {"name": "api_key", "location": "query"}
BEARER = {"type": "bearer", "secret": "a_key"}
OAUTH2 = {
    "type": "oauth2_client_credentials",
    "secret": "a_key",
    "access_token_url": "https://login.test/token",
}
OFFSET = {"kind": "offset", "size": 2, "parameter": "offset"}


def asking(**request: Any) -> dict[str, Any]:
    return {"request": {"path": "/gauges", **request}}


def posting(**request: Any) -> dict[str, Any]:
    return asking(method="POST", **request)


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("auth.secret", {"auth": BEARER | {"secret": "wandle_loader"}}),
    ("auth.secret", {"auth": BEARER | {"secret": "S3cret-value"}}),
    ("auth.secret", {"auth": BEARER | {"secret": "x" * 49}}),
    ("auth.name", {"auth": {"type": "api_key", "secret": "a_key"}}),
    ("auth.name", {"auth": KEY | {"name": "X Api Key"}}),
    ("auth.name", {"auth": KEY | {"name": "Host"}}),
    ("auth.name", {"auth": BEARER | {"name": "X-Api-Key"}}),
    ("auth.location", {"auth": BEARER | {"location": "query"}}),
    ("auth.scope", {"auth": KEY | {"scope": "read"}}),
    ("auth.access_token_url", {"auth": OAUTH2 | {"access_token_url": ""}}),
    ("auth.access_token_url", {"auth": OAUTH2 | {"access_token_url": "http://login.test/token"}}),
    ("auth.access_token_url", {"auth": OAUTH2 | {"access_token_url": "https://a:b@c.test/t"}}),
    ("auth.access_token_url", {"auth": OAUTH2 | {"access_token_url": "https://c.test/t?key=1"}}),
    ("auth.access_token_request_data.client_secret",
     {"auth": OAUTH2 | {"access_token_request_data": {"client_secret": "x"}}}),
    ("request.headers.x-api-key", {"auth": BEARER, **asking(headers={"x-api-key": "x"})}),
    ("request.headers.Authorization", asking(headers={"Authorization": "Bearer x"})),
    ("request.headers.Subscription-Key", asking(headers={"Subscription-Key": "x"})),
    ("request.headers.Content-Length", asking(headers={"Content-Length": "3"})),
    ("request.headers.A", asking(headers={"A": "x\r\nB: y"})),
    ("request.headers.A", asking(headers={"A": "x", "a": "y"})),
    ("request.headers.A", asking(headers={"A": "{nobody}"})),
    ("request.query.api_key", asking(query={"api_key": "x"})),
    ("request.query.a", asking(query={"a": []})),
    ("request.query.a.1", asking(query={"a": ["x", "{nobody}"]})),
    ("request.query.key2", {"auth": IN_QUERY | {"name": "key2"}, **asking(query={"key2": "x"})}),
    ("paging", {"auth": IN_QUERY | {"name": "offset"}, "paging": OFFSET}),
    ("request.json", asking(json={"a": 1})),
    ("request.json", posting(json={"a": 1}, form={"b": "x"})),
    ("request.json.a.0.b", posting(json={"a": [{"b": "{nobody}"}]})),
    ("request.json.a", posting(json={"a": "{period:%}"})),
    ("request.json.a", posting(json={"a": "{"})),
    ("request.json.from", posting(json={"from": date(2026, 7, 1)})),
    ("request.json.a", posting(json={"a": float("inf")})),
    ("request.json", posting(json={1: "x"})),
    ("paging.location", {**posting(), "paging": OFFSET | {"location": "body"}}),
    ("paging.location",
     {**posting(json={"page": 1}),
      "paging": OFFSET | {"location": "body", "parameter": "page.offset"}}),
    ("answers.not_published", {"auth": KEY, "answers": {"not_published": [401]}}),
    ("answers.empty", {"auth": KEY, "answers": {"empty": [403]}}),
    ("paging.end_status", {"auth": KEY, "paging": OFFSET | {"end_status": [403]}}),
]  # fmt: skip


def read(tmp_path: Any, extract: dict[str, Any]) -> Contract:
    path = tmp_path / "gauges.yaml"
    path.write_text(yaml.safe_dump(contract_fields(extract=extracting(**extract))))
    return read_definition(path, Contract)


@pytest.mark.parametrize(("field", "extract"), REFUSED)
def test_an_impossible_definition_is_refused_with_its_field(tmp_path, field, extract):
    with pytest.raises(WrongDefinition) as said:
        read(tmp_path, extract)

    assert f"field `extract.{field}`" in str(said.value)


TAKEN: list[dict[str, Any]] = [
    {"auth": KEY},
    {"auth": IN_QUERY},
    {"auth": BEARER},
    {"auth": {"type": "http_basic", "secret": "a_key"}},
    {"auth": OAUTH2 | {"scope": "a b", "access_token_request_data": {"audience": "x"}}},
    {"auth": OAUTH2, "private_hosts": ["login.test"]},
    {"auth": OAUTH2 | {"access_token_url": "http://127.0.0.1:9000/token"}},
    # An archive at another host is not sent the secret: its 403 is its own.
    {
        "auth": KEY,
        "archive": {
            "from_age_days": 9,
            "base_url": "https://files.test",
            "request": {"path": "/x"},
            "answers": {"not_published": [403]},
        },
    },
    asking(headers={"Accept": "text/csv", "X-Area": "{council.gss_code}"}),
    asking(query={"ward": ["a", "{council.gss_code}"]}),
    posting(json={"query": "{{ sites {{ id }} }}", "n": [1, None, True, {"a": 1.5}]}),
    {**posting(json={}), "paging": OFFSET | {"location": "body", "parameter": "page.offset"}},
    {**posting(form={"a": "b"}), "paging": OFFSET | {"location": "body"}},
]


@pytest.mark.parametrize("extract", TAKEN)
def test_a_possible_definition_is_read_and_recorded_as_it_is(tmp_path, extract):
    found = read(tmp_path, extract)

    assert Contract.model_validate_json(found.as_recorded) == found


def test_a_login_does_not_change_what_is_loaded():
    without = contract()

    for extract in TAKEN[:5]:
        assert contract(extract=extracting(**extract)).rules_hash == without.rules_hash


VALUES = {"council.latitude": 51.4, "period": date(2026, 7, 1), "site.id": 7, "name": 'a"{b}'}


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("{council.latitude}", 51.4),
        ("{council.latitude:.1f}", "51.4"),
        (" {council.latitude}", " 51.4"),
        ("{site.id}", 7),
        ("{period}", "2026-07-01"),
        ("{period:%d/%m/%Y}", "01/07/2026"),
        ("{name}", 'a"{b}'),
        ({"a": ["{site.id}", {"b": "{name}!"}]}, {"a": [7, {"b": 'a"{b}!'}]}),
        ("{{ x }}", "{ x }"),
        ([1, 1.5, True, None, ""], [1, 1.5, True, None, ""]),
    ],
)
def test_placeholders_of_a_json_body_are_filled(body, sent):
    assert filled(body, VALUES) == sent
    json.dumps(sent)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text().filter(lambda text: "{" not in text and "}" not in text),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_json_without_placeholders_is_sent_as_it_is(body):
    assert filled(body, {}) == body


@given(st.text())
def test_a_header_is_one_line_of_latin_1_or_refused(text):
    extract = contract(extract=extracting(**asking(headers={"A": "{council.name}"}))).extract
    assert isinstance(extract, Extract)
    try:
        sent = request_of(extract, "https://api.test", {"council.name": text}).header("a")
    except UnexpectedPayload:
        return
    assert "\n" not in sent
    assert "\r" not in sent
    assert sent.encode("latin-1").decode("latin-1") == text.strip()


def test_pages_are_requested_in_the_body_where_the_contract_says_so():
    first = SentRequest(method="POST", url="https://a.test", body={"page": {"size": 1}, "q": "x"})

    second = first.with_parameters({"page.offset": 4, "page.size": 2}, in_body=True)

    assert second.body == {"page": {"size": 2, "offset": 4}, "q": "x"}
    assert first.body == {"page": {"size": 1}, "q": "x"}
    form = SentRequest(method="POST", url="https://a.test", form={"q": "x"})
    assert form.with_parameters({"offset": 4}, in_body=True).form == {"q": "x", "offset": "4"}
    assert form.with_parameters({"offset": 4}).query == {"offset": "4"}
