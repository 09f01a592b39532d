"""A secret that a source logs in with is sent to its API, and is nowhere else.

Every kind of login meets an API that repeats the secret wherever it can; then
all that was written is searched: logs with everything switched on, what
commands print, objects in S3, tables, files. New kinds of login are picked up
by themselves.
"""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import logging
import os
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import psycopg
import pytest
import requests
import yaml
from starlette.responses import JSONResponse, PlainTextResponse

from include.errors import PermanentError
from include.extract.login import tokens
from include.jobs.logins import FILE
from include.sources.extract.auth import AuthType
from include.sources.model import contracts
from include.warehouse.schema.migrate import migrate
from tests.broken import copied
from tests.integration.conftest import Warehouse
from tests.integration.login_server import LoginServer, serving_logins
from tests.samples import contract_fields, extracting

SECRET = "c4n4ry/secret+of=the?gauges&more"
CLIENT = "council"
FORMS = {
    "as it is": SECRET,
    "in a URL": quote(SECRET, safe=""),
    "in Base64": base64.b64encode(SECRET.encode()).decode(),
}
# What basic authentication sends.
PAIR = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
KINDS = {
    **{kind: {"type": kind} for kind in get_args(AuthType)},
    "api_key in the query": {"type": "api_key", "location": "query"},
    "client_secret_post": {
        "type": "oauth2_client_credentials",
        "token_endpoint_auth_method": "client_secret_post",
    },
}


def auth_of(how: dict[str, Any], url: str) -> dict[str, Any]:
    """A login of this kind. Fails for a kind that it does not know: then add it."""
    needed = {
        "api_key": {"name": "api_key" if "location" in how else "X-Api-Key"},
        "bearer": {},
        "http_basic": {},
        "oauth2_client_credentials": {"access_token_url": f"{url}/token"},
    }
    return {"secret": "gauges_key", **needed[how["type"]], **how}


def repeating(asked: Any, *secrets: str) -> dict[str, Any]:
    """A body that holds the secret in data, around data, and where a record breaks a rule."""
    every = " ".join(secrets)
    return {
        "request": {"headers": asked.headers, "query": asked.query},
        "items": [{"id": 1, "note": every}, {"id": every, "note": "x"}, {"id": 2, every: every}],
    }


def answers_well(server: LoginServer) -> Callable[[Any], Any]:
    return lambda asked: JSONResponse(
        repeating(asked, *FORMS.values(), *server.issued, *(PAIR,) * (PAIR in str(asked))),
        headers={"ETag": f'"{SECRET}"', "Last-Modified": SECRET, "X-Total-Count": SECRET},
    )


def _moved(asked: Any) -> Any:
    return PlainTextResponse(
        "", 302, headers={"Location": f"https://{SECRET}.example.org/{SECRET}"}
    )


API: dict[str, Callable[[LoginServer], Any]] = {
    "answers well": answers_well,
    "refuses": lambda _: JSONResponse({"you sent": list(FORMS.values())}, 401),
    "forbids": lambda _: JSONResponse({"you sent": list(FORMS.values())}, 403),
    "fails": lambda _: PlainTextResponse(SECRET, 500),
    "is not JSON": lambda _: PlainTextResponse(f"<html>{SECRET}"),
    "is JSON of another shape": lambda _: JSONResponse({SECRET: SECRET}),
    "redirects": lambda _: _moved,
    "redirects here": lambda _: (
        lambda asked: PlainTextResponse(
            "", 302, headers={"Location": f"/v1/other?token={quote(SECRET)}"}
        )
    ),
    "links elsewhere": lambda _: (
        lambda asked: JSONResponse(
            {"items": [{"id": 1}], "next": f"https://evil.example.org/{SECRET}"}
        )
    ),
    "breaks off": lambda _: PlainTextResponse(SECRET, headers={"Content-Length": "1000"}),
}
ENDPOINT: dict[str, Any] = {
    "refuses": JSONResponse({"error": SECRET, "error_description": SECRET}, 400),
    "is not JSON": PlainTextResponse(f"<html>{SECRET}"),
    "redirects": PlainTextResponse("", 302, headers={"Location": f"https://evil.test/{SECRET}"}),
}


class Search:
    """All that was written in a test."""

    def __init__(self, bucket: Any, warehouse: Warehouse, folders: list[Path]) -> None:
        self.said: list[str] = []
        self._bucket, self._warehouse, self._folders = bucket, warehouse, folders

    def places(self) -> Iterator[tuple[str, bytes]]:
        for number, text in enumerate(self.said):
            yield f"output {number}", text.encode()
        for key in self._bucket.listed():
            body = self._bucket.body(key)
            yield f"s3 {key}", gzip.decompress(body) if key.endswith(".gz") else body
        with psycopg.connect(self._warehouse.admin) as connection:
            tables = connection.execute(
                "select format('%I.%I', schemaname, tablename) from pg_tables "
                "where schemaname in ('raw', 'ops')"
            ).fetchall()
            for (table,) in tables:
                for (row,) in connection.execute(f"select t::text from {table} t"):
                    # Quarantined records are bytes, which PostgreSQL writes in hexadecimal.
                    yield f"table {table}", row.encode()
                    for part in row.replace('"', ",").split("\\x")[1:]:
                        yield f"table {table}", _hexadecimal(part)
        for folder in self._folders:
            for path in folder.rglob("*"):
                if path.is_file() and path.name != FILE:
                    yield f"file {path}", path.read_bytes()

    def found(self, *secrets: str) -> list[str]:
        return sorted(
            {
                place
                for place, content in self.places()
                for secret in secrets
                if secret.encode() in content
            }
        )


def _hexadecimal(text: str) -> bytes:
    digits = text.split(",")[0].split(")")[0].rstrip("\\")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


@pytest.fixture(scope="module")
def made(new_database, tmp_path_factory) -> Warehouse:
    database = new_database()
    with copied(tmp_path_factory.mktemp("definitions")) as found:
        fields = source_fields({"type": "bearer", "secret": "gauges_key"}, "http://127.0.0.1")
        found.write(found.sources / "gauges.yaml", yaml.safe_dump(fields))
        migrate(database.admin, [*contracts().values()], {})
    return database


@pytest.fixture
def warehouse(made) -> Warehouse:
    """The database of this module, for `wandle`."""
    made.query("truncate raw.gauges, ops.landing, ops.load, ops.quarantine, ops.schema_drift")
    return made


def source_fields(auth: dict[str, Any], url: str) -> dict[str, Any]:
    extract = extracting(
        base_url=f"{url}/v1", auth=auth, attempts=2, paging={"kind": "link", "next": "next"}
    )
    return contract_fields(extract=extract, format={"records": "items"})


@pytest.fixture
def server(monkeypatch) -> Iterator[LoginServer]:
    tokens._tokens.clear()
    with serving_logins(LoginServer(accepts={SECRET}, clients={CLIENT: SECRET})) as found:
        yield found


@pytest.fixture
def search(wandle, bucket, warehouse, monkeypatch, tmp_path, caplog) -> Search:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("WANDLE_LIVE", "1")
    monkeypatch.setattr("include.extract.network.receive.IN_MEMORY_BYTES", 1)
    caplog.set_level(logging.DEBUG)
    for noisy in ("botocore", "boto3", "hypothesis", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    home = Path(os.environ["WANDLE_HOME"])
    home.mkdir()
    return Search(bucket, warehouse, [temporary, home])


@pytest.fixture
def run(search, server, wandle, monkeypatch, tmp_path, caplog) -> Iterator[Callable[..., str]]:
    """Sets the secret by the command, ingests, and runs every command that shows something."""
    with copied(tmp_path / "definitions") as found:

        def go(how: dict[str, Any], *more: str) -> str:
            fields = source_fields(auth_of(how, server.url), server.url)
            found.write(found.sources / "gauges.yaml", yaml.safe_dump(fields))
            monkeypatch.setattr("sys.stdin", Typed(SECRET))
            partition = ("--council", "kingston", "--period", "2017-05")
            commands: list[tuple[str, ...]] = [
                ("secrets", "set", "gauges_key", "--login", CLIENT),
                ("secrets", "list", "--json"),
                ("ingest", "gauges", *partition),
                *(("ledger", "--json"), ("quarantine", "--json"), ("drift", "--json")),
                ("explain", "gauges", *partition, "--json"),
                *((name,) for name in more),
            ]
            for command in commands:
                search.said += map(str, wandle(*command))
            search.said.append(caplog.text)
            search.said += [json.dumps(vars(record), default=repr) for record in caplog.records]
            search.said += [
                "".join(traceback.format_exception(*record.exc_info))
                for record in caplog.records
                if record.exc_info
            ]
            return "\n".join(search.said)

        yield go


class Typed:
    """Standard input that is not a terminal."""

    def __init__(self, text: str) -> None:
        self.text = text

    def isatty(self) -> bool:
        return False

    def read(self) -> str:
        return f"{self.text}\n"


# Every kind with an API that answers and one that refuses; two kinds with every API.
TRIED = [
    (kind, api)
    for kind in KINDS
    for api in API
    if api in ("answers well", "refuses") or kind.startswith("api_key")
]


@pytest.mark.parametrize(("kind", "api"), TRIED)
def test_no_secret_is_left_anywhere(run, search, server, kind, api):
    server.said["/gauges"] = API[api](server)

    said = run(KINDS[kind])

    assert any(asked.path == "/v1/gauges" and asked.logged_in for asked in server.asked)
    assert "gauges_key" in said
    assert "GET /v1/gauges" in said
    assert search.found(*FORMS.values(), PAIR, *server.issued) == []


@pytest.mark.parametrize("answer", ENDPOINT.values(), ids=ENDPOINT)
def test_no_secret_is_left_where_a_token_endpoint_repeats_it(run, search, server, answer):
    server.said["/token"] = answer

    run({"type": "oauth2_client_credentials"})

    assert "/token" in server.paths()
    assert search.found(*FORMS.values(), PAIR) == []


LEAKS = ("output", "s3", "table", "file")


@pytest.mark.parametrize("place", LEAKS)
def test_a_leak_is_found(search, run, server, bucket, warehouse, place):
    """What the tests above rest on: put anywhere, a secret is found."""
    server.said["/gauges"] = lambda asked: JSONResponse({"items": [{"id": 1, "note": "n"}]})
    run({"type": "bearer"})
    assert search.found(SECRET) == []
    if place == "output":
        search.said.append(f"GET /v1?api_key={SECRET}")
    elif place == "s3":
        bucket.put("landing/x/0001.json.gz", gzip.compress(SECRET.encode()))
    elif place == "table":
        warehouse.query(f"update ops.load set run_id = '{SECRET}'")
    else:
        (Path(os.environ["WANDLE_HOME"]) / "leak").write_text(SECRET)

    assert [where.split()[0] for where in search.found(SECRET)] == [place]


def test_a_secret_that_an_api_repeats_would_be_in_s3_and_in_quarantine(search, run, server):
    """Were it not taken out of the body."""
    server.said["/gauges"] = lambda asked: JSONResponse({"items": [{"id": SECRET}, {"id": 2}]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("include.extract.client.receive", _without_scrubbing)
        said = run({"type": "bearer"})

    found = " ".join(search.found(SECRET))
    assert "s3 landing/gauges" in found, said[-3000:]
    assert "table ops.quarantine" in found


def _without_scrubbing(*arguments: Any, **named: Any) -> Any:
    from include.extract.network.receive import receive

    return receive(*arguments, **named | {"scrubs": False})


def test_what_http_itself_prints_and_what_requests_keeps_has_no_secret(server, monkeypatch, capsys):
    """The request that `requests` prepared, kept by an exception for one, has no login."""
    from include.extract.network.connection import Guard, Session, guarded
    from include.extract.network.credentials import Credentials, logged_in
    from include.extract.network.deadline import Fetch
    from include.sources.limits import DEFAULT

    credentials = Credentials(headers={"Authorization": SECRET}, query={"key": SECRET})
    with guarded(Guard(Fetch(DEFAULT).request(), lambda host: True)), logged_in(credentials):
        answer = Session().get(f"{server.url}/v1/gauges")

    assert server.asked[0].query == {"key": [SECRET]}
    assert (
        SECRET not in f"{answer.url} {answer.request.headers} {answer.request.url} {credentials!r}"
    )
    assert http.client.HTTPConnection.debuglevel == 0
    assert isinstance(answer, requests.Response)


@pytest.mark.parametrize("name", ["wandle_loader", "airflow_db", "wandle_s3"])
def test_a_contract_cannot_name_a_connection_of_the_platform(name):
    from tests.samples import contract

    with pytest.raises(ValueError, match="not beginning with wandle_ or airflow"):
        contract(extract=extracting(auth={"type": "bearer", "secret": name}))


def test_a_connection_of_a_database_is_not_a_secret_of_a_source():
    """A contract that names one would send its password to whatever API it names, too."""
    from include.jobs.logins import secret_in

    with pytest.raises(PermanentError, match="is not a source's secret") as said:
        secret_in("cases", {"conn_type": "postgres", "login": "me", "password": SECRET})

    assert SECRET not in str(said.value)


def test_commands_that_compare_and_check_show_no_secret(run, search, server):
    server.said["/gauges"] = answers_well(server)

    run({"type": "bearer"}, "verify", "validate", "ledger", "quarantine", "sources")

    assert search.found(*FORMS.values()) == []
    assert SECRET not in contracts()["gauges"].as_recorded
