"""Logging in, at real servers: keys, basic, bearer, and tokens that expire, fail or are revoked."""

from __future__ import annotations

import gzip
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.responses import Response

from include.errors import PermanentError, SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.login import tokens
from include.extract.login.secret import Secret
from include.jobs import lake as lakes
from include.jobs.pipeline import extract as job
from include.sources.model import Contract
from tests.integration.login_server import (
    JSONResponse,
    LoginServer,
    PlainTextResponse,
    RedirectResponse,
    serving_logins,
)
from tests.samples import contract, extracting

KEY = "k3y-of-the-gauges-0123456789"
CLIENT, CLIENT_SECRET = "council", "cl13nt-secret-0123456789"
PERIOD = "2017-05"
OFFSET = {"kind": "offset", "size": 2, "parameter": "offset"}
AUTH: dict[str, dict[str, Any]] = {
    "api_key": {"type": "api_key", "name": "X-Api-Key"},
    "in the query": {"type": "api_key", "name": "api_key", "location": "query"},
    "bearer": {"type": "bearer"},
    "http_basic": {"type": "http_basic"},
    "oauth2": {"type": "oauth2_client_credentials", "scope": "gauges:read"},
    "oauth2, by form": {
        "type": "oauth2_client_credentials",
        "token_endpoint_auth_method": "client_secret_post",
    },
}


@pytest.fixture
def api(monkeypatch, deployment) -> Iterator[LoginServer]:
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    tokens._tokens.clear()
    server = LoginServer(accepts={KEY}, clients={CLIENT: CLIENT_SECRET})
    with serving_logins(server):
        yield server


@pytest.fixture
def fetch(api, lake) -> Callable[..., Any]:
    """Lands the gauges; returns the manifest."""

    def run(auth: dict[str, Any], secret: Any = None, **extract: Any) -> Any:
        source = gauges(api, auth, **extract)
        given = secret if callable(secret) else lambda name: secret or secret_of(auth)
        place = source.partition("kingston", PERIOD)
        landing = job.extract(source, place, lake=lake, run_id="run", secret_of=given)
        return lake.landings.manifest(place, landing)

    return run


def gauges(api: LoginServer, auth: dict[str, Any], **extract: Any) -> Contract:
    auth = {"secret": "gauges_key"} | auth
    if auth["type"].startswith("oauth2"):
        auth = {"access_token_url": f"{api.url}/token"} | auth
    changes = {"base_url": f"{api.url}/v1", "auth": auth, "paging": OFFSET, "attempts": 2}
    return contract(extract=extracting(**changes | extract), format={"records": "items"})


def secret_of(auth: dict[str, Any], value: str = "") -> Secret:
    oauth2 = auth["type"].startswith("oauth2")
    return Secret("gauges_key", value or (CLIENT_SECRET if oauth2 else KEY), CLIENT)


@pytest.mark.parametrize("auth", AUTH.values(), ids=AUTH)
def test_every_page_is_requested_with_the_login_and_the_manifest_does_not_know_it(fetch, api, auth):
    manifest = fetch(auth)

    assert manifest.totals.records == 6
    assert all(asked.logged_in for asked in api.asked if asked.path.startswith("/v1"))
    for value in (KEY, CLIENT_SECRET, *api.issued, "api_key"):
        assert value not in manifest.model_dump_json()


@pytest.mark.parametrize("auth", AUTH.values(), ids=AUTH)
def test_a_wrong_secret_fails_at_once_and_says_which_and_how_to_set_it(fetch, api, auth):
    with pytest.raises(
        SourceRejected, match=r"refuses the secret `gauges_key`.*secrets set gauges_key"
    ):
        fetch(auth, secret_of(auth, "wrong-0123456789"))

    assert len(api.asked) == 1


@pytest.mark.parametrize("auth", AUTH.values(), ids=AUTH)
def test_a_missing_secret_fails_before_anything_is_requested(fetch, api, auth):
    with pytest.raises(PermanentError, match=r"'gauges_key' is not set.*wandle secrets set gauges"):
        fetch(auth, lambda name: None)

    assert api.asked == []


@pytest.mark.parametrize("value", ["a\nb: c", "a\0b", "k\x85"])
def test_a_secret_that_no_header_can_hold_is_refused_without_showing_it(fetch, api, value):
    with pytest.raises(PermanentError, match="holds control characters") as said:
        fetch(AUTH["api_key"], secret_of(AUTH["api_key"], value))

    assert value not in str(said.value)
    assert api.asked == []


@pytest.mark.parametrize("kind", ["http_basic", "oauth2"])
def test_a_secret_without_its_user_name_says_how_to_set_it(fetch, kind):
    with pytest.raises(PermanentError, match="wandle secrets set gauges_key --login LOGIN"):
        fetch(AUTH[kind], Secret("gauges_key", CLIENT_SECRET))


@pytest.mark.parametrize("kind", ["api_key", "in the query", "bearer", "http_basic"])
def test_a_secret_that_is_rotated_while_paging_is_read_again(fetch, api, kind):
    new = "n3w-key-of-the-gauges-0123456789"
    now = [secret_of(AUTH[kind])]

    def rotate(asked: Any) -> None:
        if asked.query.get("offset") == ["2"] and KEY in api.accepts:
            api.accepts = {new}
            now[0] = secret_of(AUTH[kind], new)

    api.said["/gauges"] = rotate

    assert fetch(AUTH[kind], lambda name: now[0]).totals.records == 6
    assert len(api.asked) == 4 + 1


def test_a_secret_that_is_revoked_while_paging_fails_and_names_it(fetch, api):
    api.said["/gauges"] = lambda asked: (
        api.accepts.clear() if asked.query["offset"] == ["4"] else None
    )

    with pytest.raises(SourceRejected, match=r"2017-05#3: HTTP 401 .*secret `gauges_key`, sent as"):
        fetch(AUTH["api_key"])


def test_403_says_that_the_secret_may_not_read_this(fetch, api):
    api.said["/gauges"] = JSONResponse({}, 403)

    with pytest.raises(SourceRejected, match=r"HTTP 403 .*`gauges_key`.*that it may read this"):
        fetch(AUTH["bearer"])


def test_a_token_is_used_for_all_pages_and_for_the_next_fetch(fetch, api):
    fetch(AUTH["oauth2"])
    fetch(AUTH["oauth2"])

    assert api.paths().count("/token") == 1
    (asked, *_) = [asked for asked in api.asked if asked.path == "/token"]
    assert asked.body == b"grant_type=client_credentials&scope=gauges%3Aread"


def test_a_token_is_renewed_before_it_expires(fetch, api, monkeypatch):
    """A quarter of its time before; with the clock standing still, only then."""
    now = [1000.0]
    monkeypatch.setattr(tokens.time, "monotonic", lambda: now[0])
    api.valid_seconds = 40

    def later(asked: Any) -> None:
        now[0] += 16

    api.said["/gauges"] = later

    assert fetch(AUTH["oauth2"]).totals.records == 6
    statuses = [asked.path for asked in api.asked]
    assert statuses.count("/token") == 2
    assert statuses.count("/v1/gauges") == 4


def test_a_token_that_is_refused_while_paging_is_replaced_once(fetch, api):
    api.valid_requests = 3

    assert fetch(AUTH["oauth2"]).totals.records == 6
    assert api.paths().count("/token") == 2
    assert api.paths().count("/v1/gauges") == 4 + 1


def test_a_token_that_is_refused_although_it_is_new_fails(fetch, api):
    api.said["/gauges"] = JSONResponse({}, 401)

    with pytest.raises(SourceRejected, match=r"secret `gauges_key`, sent as a token"):
        fetch(AUTH["oauth2"])

    assert api.paths().count("/token") == 2
    assert api.paths().count("/v1/gauges") == 2


def test_a_client_secret_that_is_rotated_is_read_again_when_a_token_is_renewed(fetch, api):
    api.valid_requests = 2
    now = [secret_of(AUTH["oauth2"])]

    def rotate(asked: Any) -> None:
        if asked.query.get("offset") == ["2"]:
            api.clients[CLIENT] = "n3w-client-secret-0123456789"
            now[0] = secret_of(AUTH["oauth2"], "n3w-client-secret-0123456789")

    api.said["/gauges"] = rotate

    assert fetch(AUTH["oauth2"], lambda name: now[0]).totals.records == 6


GARBAGE = {
    "HTML": PlainTextResponse("<html>Sign in</html>"),
    "no token": JSONResponse({"token": "x"}),
    "a list": JSONResponse([1]),
    "empty": PlainTextResponse(""),
    "a number": JSONResponse({"access_token": 7}),
    "two lines": JSONResponse({"access_token": "a\r\nX-Evil: 1"}),
    "another type": JSONResponse({"access_token": "abcdefgh", "token_type": "mac"}),
    "too large": PlainTextResponse("x" * 100_000),
    "nested": PlainTextResponse("[" * 60_000),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_an_answer_without_a_token_fails_and_names_the_endpoint(fetch, api, garbage):
    api.said["/token"] = garbage

    with pytest.raises(UnexpectedPayload, match=rf"token endpoint {api.url}/token"):
        fetch(AUTH["oauth2"])

    assert api.paths() == ["/token"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_token_endpoint_that_is_down_is_tried_again(fetch, api, status):
    answers = [JSONResponse({}, status), None]
    api.said["/token"] = lambda asked: answers.pop(0)

    assert fetch(AUTH["oauth2"]).totals.records == 6


def test_a_token_endpoint_that_stays_down_is_a_failure_to_retry(fetch, api):
    api.said["/token"] = JSONResponse({}, 503)

    with pytest.raises(SourceUnavailable, match=rf"HTTP 503 from the token endpoint {api.url}"):
        fetch(AUTH["oauth2"])


def test_a_token_endpoint_where_nobody_listens_is_a_failure_to_retry(fetch):
    with pytest.raises(SourceUnavailable, match="no answer from the token endpoint"):
        fetch(AUTH["oauth2"] | {"access_token_url": "http://127.0.0.1:9/token"})


def test_a_slow_token_endpoint_is_given_up(fetch, api):
    import asyncio

    async def slow() -> Any:
        await asyncio.sleep(2)
        return JSONResponse({})

    api.said["/token"] = lambda asked: slow()

    with pytest.raises(SourceUnavailable, match="no answer from the token endpoint"):
        fetch(AUTH["oauth2"], timeout_seconds=0.2, attempts=1)


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_of_the_token_endpoint_is_not_followed(fetch, api, status):
    api.said["/token"] = RedirectResponse(f"{api.url}/elsewhere?x=1", status)

    with pytest.raises(
        SourceRejected, match=rf"redirects to {api.url}/elsewhere: the secret is no"
    ):
        fetch(AUTH["oauth2"])

    assert api.paths() == ["/token"]


@pytest.mark.parametrize("error", ["invalid_client", "invalid_scope"])
def test_a_refusal_of_the_token_endpoint_is_quoted_without_the_secret(fetch, api, error):
    said = {"error": error, "error_description": f"no: {CLIENT_SECRET}"}
    api.said["/token"] = JSONResponse(said, 400)

    with pytest.raises(SourceRejected, match=rf"{error}: no: \[secret gauges_key\]") as failure:
        fetch(AUTH["oauth2"])

    assert CLIENT_SECRET not in str(failure.value)


@pytest.mark.parametrize("kind", AUTH)
def test_a_redirect_to_another_host_does_not_carry_the_secret(fetch, api, kind):
    with serving_logins(LoginServer()) as other:
        host = other.url.removeprefix("http://")
        location = f"https://{host}/files?api_key={KEY}&offset=0"
        api.said["/gauges"] = RedirectResponse(location, 302)
        # Redirects to hosts of the contract are followed by TLS, which this server does not have.
        with pytest.raises((SourceRejected, SourceUnavailable)):
            fetch(AUTH[kind], hosts=[host], private_hosts=[host], attempts=1)
        assert not any(asked.logged_in for asked in other.asked)


def test_a_link_that_repeats_the_key_is_followed_and_kept_without_it(fetch, api):
    def linked(asked: Any) -> Any:
        if KEY not in str(asked.query):
            return None
        offset = int(asked.query.get("offset", ["0"])[0])
        more = offset + 2 < api.rows
        following = f"{api.url}/v1/gauges?offset={offset + 2}&api_key={KEY}" if more else None
        return api.page(asked, next=following)

    api.said["/gauges"] = linked

    manifest = fetch(AUTH["in the query"], paging={"kind": "link", "next": "next"})

    assert manifest.totals.records == 6
    assert [asked.query["api_key"] for asked in api.asked] == [[KEY]] * 3
    assert KEY not in manifest.model_dump_json()


@pytest.mark.parametrize("paging", [{"kind": "link"}, {"kind": "cursor", "parameter": "after"}])
def test_a_next_page_that_holds_the_secret_elsewhere_is_refused(fetch, api, paging):
    api.said["/gauges"] = lambda asked: api.page(asked, next=f"/v1/gauges?other={KEY}")

    with pytest.raises(UnexpectedPayload, match="holds the secret") as said:
        fetch(AUTH["api_key"], paging={"next": "next", **paging})

    assert KEY not in str(said.value)


def test_a_body_that_repeats_the_key_is_landed_without_it(fetch, api, bucket):
    api.said["/gauges"] = lambda asked: api.page(asked, request={"key": KEY})

    manifest = fetch(AUTH["api_key"])

    prefix = f"landing/gauges/kingston/{PERIOD}/{manifest.landing_id}/"
    body = gzip.decompress(bucket.body(prefix + manifest.pages[0].name))
    assert json.loads(body)["request"]["key"] == "*" * len(KEY)
    assert len(json.loads(body)["items"]) == 2


def test_a_short_key_is_replaced_after_the_name_that_it_was_sent_as(fetch, api, bucket):
    short, name = "pin4711", AUTH["api_key"]["name"]
    api.accepts = {short}
    api.said["/gauges"] = lambda asked: api.page(asked, request={name.upper(): short}, town=short)

    manifest = fetch(AUTH["api_key"], Secret("gauges_key", short))

    prefix = f"landing/gauges/kingston/{PERIOD}/{manifest.landing_id}/"
    body = json.loads(gzip.decompress(bucket.body(prefix + manifest.pages[0].name)))
    assert body["request"] == {name.upper(): "*" * len(short)}
    assert body["town"] == short


def test_no_log_shows_the_secret_even_when_everything_is_logged(fetch, api, caplog):
    caplog.set_level(logging.DEBUG)
    fetch(AUTH["in the query"])
    fetch(AUTH["oauth2"])

    assert "GET /v1/gauges" in caplog.text
    for value in (KEY, CLIENT_SECRET, *api.issued):
        assert value not in caplog.text


def test_a_login_of_a_person_in_netrc_is_not_sent(api, fetch, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password of-a-person\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    fetch(AUTH["api_key"])

    assert not any("authorization" in asked.headers for asked in api.asked)


def test_headers_a_json_body_and_repeated_parameters_arrive_as_the_contract_says(fetch, api):
    body = {
        "area": {"lat": "{council.latitude}", "as_text": "{council.latitude:.1f}"},
        "n": [1, "x"],
    }
    request = {
        "method": "POST",
        "path": "/gauges",
        "query": {"ward": ["a b", "{council.gss_code}"]},
        "headers": {"Accept": "application/json", "X-Version": "{period:%Y}"},
        "json": body,
    }
    paging = {"kind": "offset", "size": 10, "parameter": "page.offset", "location": "body"}

    def answer(asked: Any) -> Any:
        offset = json.loads(asked.body)["page"]["offset"]
        return JSONResponse({"items": [{"id": 1, "note": "x"}] if offset == 0 else []})

    api.said["/gauges"] = answer

    manifest = fetch(AUTH["api_key"], request=request, paging=paging)

    first = api.asked[0]
    assert json.loads(first.body) == {
        "area": {"lat": 51.393, "as_text": "51.4"},
        "n": [1, "x"],
        "page": {"offset": 0},
    }
    assert first.query == {"ward": ["a b", "E09000021"]}
    assert first.headers["content-type"] == "application/json"
    assert (first.headers["accept"], first.headers["x-version"]) == ("application/json", "2017")
    assert manifest.pages[0].request.body == json.loads(first.body)


def test_a_server_in_place_of_the_sandbox_is_given_the_secret_that_is_set(
    api, wandle, warehouse, monkeypatch, tmp_path
):
    """As `shared/cases` does: it refuses the sandbox's own secret, then takes the source's."""
    monkeypatch.setenv("WANDLE_LIVE", "0")
    monkeypatch.setenv("WANDLE_SANDBOX_URL", api.url)
    source = gauges(api, AUTH["api_key"], base_url="https://key-in-header.example.org/v1")
    api.said["/gauges"] = lambda asked: None if len(api.asked) < 5 else api.page(asked, items=[])
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{KEY}\n"))
    assert wandle("secrets", "set", "gauges_key")[0] == 0

    place = source.partition("kingston", PERIOD)
    job.extract(source, place, lake=lakes.lake_of(None), run_id="run")

    assert api.asked[0].path == "/key-in-header.example.org/v1/gauges"
    given = [asked.headers["x-api-key"] for asked in api.asked]
    assert given == ["made-up-for-the-sandbox-gauges_key", *[KEY] * 4]


def test_a_source_that_replays_a_sample_needs_no_secret(api, deployment, monkeypatch, tmp_path):
    from include.jobs.logins import login_of
    from include.settings import Settings

    monkeypatch.setenv("WANDLE_LIVE", "0")
    source = gauges(api, AUTH["api_key"])
    settings = Settings.read()
    assert login_of(source, settings, "api") is not None
    path = settings.sample("gauges", f"{api.url}/v1")
    path.parent.mkdir(parents=True)
    path.write_text("{}")

    assert login_of(source, settings, "api") is None


def test_the_secret_is_sent_only_over_tls_unless_to_this_machine(api, fetch, monkeypatch):
    """A sandbox in another container, say, gets its own secret and no other."""
    monkeypatch.setattr("include.extract.client.is_loopback", lambda host: False)

    with pytest.raises(SourceRejected, match=r"`gauges_key` is sent over https:// only"):
        fetch(AUTH["bearer"])

    assert api.asked == []


@pytest.mark.parametrize(
    ("accept", "came", "taken"),
    [
        ("application/json", "application/json; charset=utf-8", True),
        ("application/json", "application/vnd.api+json", True),
        ("text/csv, application/json;q=0.5", "application/json", True),
        ("application/*", "application/json", True),
        ("text/html, */*;q=0.1", "application/json", True),
        ("application/geo+json", "application/json", False),
        ("text/csv", "application/json", False),
        ("*/*, application/json;q=0", "text/html", True),
        ("application/json;q=0", "application/json", False),
        ("text/csv", "application/octet-stream", True),
    ],
)
def test_an_answer_of_a_type_that_was_not_asked_for_is_refused(fetch, api, accept, came, taken):
    body = json.dumps({"items": []})
    api.said["/gauges"] = Response(body, media_type=None, headers={"content-type": came})
    request = {"path": "/gauges", "headers": {"Accept": accept}}
    if taken:
        assert fetch(AUTH["bearer"], request=request).totals.records == 0
    else:
        with pytest.raises(UnexpectedPayload, match="as `Accept` asks for, found application/json"):
            fetch(AUTH["bearer"], request=request)


@pytest.mark.parametrize(("status", "said"), [(401, "wants a login"), (406, "check `Accept`")])
def test_a_refusal_without_a_login_says_what_to_declare(api, lake, status, said):
    api.said["/gauges"] = JSONResponse({}, status)
    source = contract(extract=extracting(base_url=f"{api.url}/v1"))

    with pytest.raises(SourceRejected, match=said):
        job.extract(source, source.partition("kingston", PERIOD), lake=lake, run_id="run")
