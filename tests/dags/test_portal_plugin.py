"""The portal in the Airflow UI: who has access, what they get, and that nothing else is open."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from fastapi.testclient import TestClient

from include.lineage.stored import dumped
from include.sources.model import contracts
from include.transform import docs
from tests.dags.test_docs_plugin import (
    BUCKET,
    CHECKOUT,
    anonymous,
    bearer,
    s3,
    s3_url,
    viewer,
    whole_app,
)
from tests.portal_books import SCRIPT, WRITTEN, write
from tests.unit.lineage.test_graph import project

__all__ = ["anonymous", "s3", "s3_url", "viewer", "whole_app"]

SOURCE = "police_street_crime"
# The last full month but one, so that it is in the grid whatever day it is.
PERIOD = (datetime.now(UTC).replace(day=1) - timedelta(days=40)).replace(
    day=1, hour=0, minute=0, second=0, microsecond=0, tzinfo=None
)
PLACE = urlencode({"source": SOURCE, "council": "sutton", "period": f"{PERIOD:%Y-%m}"})
PAGES = [
    "/portal/",
    f"/portal/?source={SOURCE}",
    f"/portal/partition?{PLACE}",
    *(f"/portal/run?do={doing}&{PLACE}" for doing in ("fetch", "reload", "replay")),
    "/portal/quarantine",
    f"/portal/quarantine?source={SOURCE}",
    "/portal/data",
    "/portal/costs",
    "/portal/lineage",
    "/portal/lineage?of=marts.crimes",
    "/portal/lineage?of=marts.crimes.ward_code",
    "/portal/assets/portal.css",
    "/portal/assets/portal.js",
]
TRICKS = [
    *("/portal//", "/portal/../portal/", "/portal/%2e%2e/portal/", "/portal/..%2fdata/"),
    *("/portal/assets/../site.py", "/portal/assets/..%2f..%2fsite.py", "/portal/assets/%2e%2e"),
    *("/portal/assets/portal.css%00", "/portal/assets//portal.css", "/portal/./costs"),
    *("/portal/openapi.json", "/portal/docs", "/portal/redoc", "/portal/static/main.js"),
    *("/%2fportal/costs", "/portal/costs;a=b", "/portal/COSTS", "/portal/%63osts"),
]
OURS = ("/portal", "/dashboard", "/data", "/dbt-docs")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.fixture(scope="module")
def books(services) -> Iterator[None]:
    """A partition in the books, and the connection that the portal reads them by."""
    import psycopg

    place = {
        "source": SOURCE,
        "period": PERIOD,
        "at": datetime.now(UTC) - timedelta(hours=1),
        "hash": contracts()[SOURCE].contract_hash,
    }
    with psycopg.connect(services.admin_dsn) as connection:
        write(connection, place | {"quarantined": 2, "value": SCRIPT, "record": SCRIPT})
        write(
            connection,
            place
            | {"status": "refused", "error": SCRIPT, "run_id": SCRIPT, "at": datetime.now(UTC)},
        )
    sockets = parse_qs(urlsplit(services.admin_dsn).query)["host"][0]
    connection = {
        "conn_type": "postgres",
        "login": "wandle_portal",
        "password": "a/p@ss:word",
        "schema": "warehouse",
        "extra": {"sqlalchemy_query": {"host": sockets}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WANDLE_PORTAL", json.dumps(connection))
        yield
    with psycopg.connect(services.admin_dsn) as opened:
        for table in ("load", "landing", "quarantine"):
            opened.execute(f"delete from ops.{table} where landing_id like '%-{WRITTEN}'")


@pytest.fixture
def published(s3) -> None:
    """The lineage of a small project, as `transform` publishes it."""
    docs.publish_lineage(s3, BUCKET, dumped(project()))


@pytest.fixture
def app(books, whole_app, published) -> Any:
    """Airflow's own app with the project's plugins, as if just started."""
    module = sys.modules["portal"]
    module.PortalPlugin.fastapi_apps[0]["app"]._lineage = module.Lineage()
    return whole_app


def as_role(app: Any, role: str) -> TestClient:
    return TestClient(app, base_url="http://localhost", headers=bearer(role))


@pytest.mark.parametrize("path", [*PAGES, *TRICKS])
def test_nobody_gets_anything_without_a_login(anonymous, path):
    for method in METHODS:
        answer = anonymous.request(method, path)

        assert not any(part in answer.text for part in ("Sutton", "--band", "Wandle</a>"))
        if path.startswith("/portal/"):
            assert answer.status_code == 401, method


@pytest.mark.parametrize("credentials", ["Bearer nonsense", "Basic YTpi", "Bearer "])
def test_a_wrong_credential_is_not_a_login(anonymous, credentials):
    answer = anonymous.get("/portal/", headers={"Authorization": credentials})

    assert answer.status_code == 401


def test_a_login_leads_back_to_the_portal(anonymous):
    answer = anonymous.get("/portal/", headers={"Accept": "text/html"})

    assert 'href="/api/v2/auth/login?next=%2Fportal%2F"' in answer.text
    assert anonymous.get("/portal").headers["location"] == "portal/"


def test_a_websocket_is_refused(anonymous):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), anonymous.websocket_connect("/portal/"):
        pass


@pytest.mark.parametrize("role", ["VIEWER", "USER", "OP", "ADMIN"])
@pytest.mark.parametrize("path", PAGES)
def test_every_role_sees_every_page_and_changes_nothing(app, role, path):
    client = as_role(app, role)

    assert client.get(path).status_code == 200
    assert client.head(path).status_code == 200
    assert client.head(path).content == b""
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, path).status_code == 405


@pytest.mark.parametrize("path", TRICKS)
def test_a_trick_leads_to_a_page_of_the_portal_or_to_none(app, path):
    answer = as_role(app, "ADMIN").get(path)

    assert answer.status_code in (200, 404)
    assert "def answer" not in answer.text


def test_viewers_see_and_operators_act(app):
    seen = {
        role: as_role(app, role).get(f"/portal/run?do=fetch&{PLACE}").text
        for role in ("VIEWER", "OP")
    }

    assert "Start the run" not in seen["VIEWER"]
    assert "Start the run" in seen["OP"]
    assert "Fetch again" not in as_role(app, "VIEWER").get(f"/portal/partition?{PLACE}").text
    assert "Fetch again" in as_role(app, "OP").get(f"/portal/partition?{PLACE}").text


def test_airflow_itself_refuses_a_viewer_who_starts_a_run(app):
    answer = as_role(app, "VIEWER").post(
        f"/api/v2/dags/ingest_{SOURCE}/dagRuns", json={"logical_date": None, "conf": {}}
    )

    assert answer.status_code == 403


def test_the_pages_come_from_the_books(app):
    client = as_role(app, "VIEWER")
    title = contracts()[SOURCE].title

    assert title in client.get("/portal/").text
    assert "998" in client.get(f"/portal/partition?{PLACE}").text
    assert "manifest.json" in client.get(f"/portal/partition?{PLACE}").text


@pytest.mark.parametrize("path", PAGES[:9])
def test_script_in_a_value_or_an_address_is_shown_as_text(app, path):
    client = as_role(app, "ADMIN")

    text = client.get(path).text + client.get(path, params={"council": SCRIPT}).text

    assert SCRIPT not in text
    if "partition" in path:
        assert client.get(path).text.count("&lt;script&gt;") >= 3


@pytest.mark.parametrize("path", [*PAGES, "/portal/nothing"])
def test_nothing_in_a_page_may_run_or_frame_it_but_airflow(app, path):
    answer = as_role(app, "VIEWER").get(path)
    policy = answer.headers["content-security-policy"]

    assert "unsafe" not in policy
    assert {"default-src 'none'", "frame-ancestors 'self'", "form-action 'none'"} <= {
        part.strip() for part in policy.split(";")
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "query",
    [
        "source=nothing&council=sutton&period=2026-08",
        f"source={SOURCE}&council=nowhere&period=2026-08",
        f"source={SOURCE}&council=sutton&period=9999-99",
        f"source={SOURCE}&council=sutton&period=",
        f"source={SOURCE}&council=sutton&period=2026-08%00",
        f"source={SOURCE}&council=%00&period=2026-08",
        "",
    ],
)
def test_an_address_of_no_partition_is_not_found(app, query):
    client = as_role(app, "VIEWER")

    assert client.get(f"/portal/partition?{query}").status_code == 404
    assert client.get(f"/portal/run?do=fetch&{query}").status_code == 404


def test_an_unknown_source_or_council_is_not_found(app):
    client = as_role(app, "VIEWER")

    for query in ("source=nothing", "council=nowhere", "council=%00", "source=%00"):
        assert client.get(f"/portal/?{query}").status_code == 404
    assert client.get("/portal/quarantine?source=%00").status_code == 404


def test_before_the_first_publication_the_lineage_says_what_publishes_it(app, s3):
    s3.delete_object(Bucket=BUCKET, Key=docs.LINEAGE)

    answer = as_role(app, "VIEWER").get("/portal/lineage")

    assert answer.status_code == 200
    assert "<code>transform</code> publishes the lineage" in answer.text


def test_the_lineage_is_read_again_only_when_another_one_was_published(app, s3):
    lineage = sys.modules["portal"].Lineage()

    def now() -> Any:
        lineage._looked_at = float("-inf")
        return lineage.graph()

    before = now()
    assert now() is before
    docs.publish_lineage(s3, BUCKET, dumped(project("district")))
    assert now() != before


def test_a_column_of_the_lineage_is_found_by_name_only(app):
    client = as_role(app, "VIEWER")

    assert "raw.crimes.ward" in client.get("/portal/lineage?of=marts.crimes.ward_code").text
    for name in ("marts.nothing", "nothing", SCRIPT, "%00", "marts.crimes."):
        answer = client.get("/portal/lineage", params={"of": name})
        assert answer.status_code == 404
        assert SCRIPT not in answer.text


def test_without_the_database_the_page_names_the_connection(app, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_WANDLE_PORTAL")

    answer = as_role(app, "VIEWER").get("/portal/")

    assert answer.status_code == 503
    assert "wandle_portal" in answer.text


# What Airflow itself answers to anybody: its login, its health, and the UI's empty page.
OPEN = {
    # Gone since Airflow 3, and what the login page is made of.
    "/health",
    "/api/{_:path}",
    "/api/v1/{_:path}",
    "/static/",
    "/auth/static/",
    "/api/v2/monitor/health",
    "/api/v2/version",
    "/api/v2/auth/login",
    "/api/v2/auth/logout",
    "/auth/token",
    "/auth/login",
    "/auth/logout",
    "/auth/token/login",
    "/auth/token/cli",
    "/auth/{rest_of_path:path}",
    "/{rest_of_path:path}",
}


def addresses(routes: Any, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Every route with its methods, also below mounts; a mounted app as its path."""
    for route in routes:
        path = before + getattr(route, "path", "")
        below = getattr(route, "routes", None)
        if below:
            yield from addresses(below, path)
        elif not getattr(route, "methods", None):
            yield f"{path}/", {"GET", "POST"}
        else:
            yield path, set(route.methods)


def test_every_route_and_mount_requires_a_login(whole_app):
    # A login without a body is an error of the server.
    anonymous = TestClient(
        whole_app,
        base_url="http://localhost",
        follow_redirects=False,
        raise_server_exceptions=False,
    )
    found = list(addresses(whole_app.routes))
    assert {f"{prefix}/" for prefix in OURS} <= {path for path, _ in found}
    assert len(found) > 100

    answered = set()
    for path, methods in found:
        filled = path.replace("{rest_of_path:path}", "x")
        for part in [part for part in filled.split("/") if part.startswith("{")]:
            filled = filled.replace(part, "1")
        for method in methods:
            status = anonymous.request(method, filled).status_code
            if status not in (401, 403):
                answered.add(path)

    assert {path for path in answered if path.startswith(OURS)} == set()
    assert answered <= OPEN


def test_a_logged_in_user_reads_the_documentation_of_the_api(whole_app):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert as_role(whole_app, "VIEWER").get(path).status_code == 200
        answer = TestClient(whole_app, base_url="http://localhost").get(path)
        assert answer.status_code == 401
        assert "paths" not in answer.text


def test_loading_the_plugin_imports_nothing_heavy():
    code = (
        "import sys; import airflow.plugins_manager; before = set(sys.modules); import portal; "
        "print(sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        (sys.executable, "-c", code),
        cwd=CHECKOUT / "plugins",
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "['portal']"
