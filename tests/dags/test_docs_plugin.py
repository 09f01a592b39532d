"""The dbt docs in the Airflow UI: who has access, and what they see."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import boto3
import pytest
from fastapi.testclient import TestClient
from moto.server import ThreadedMotoServer

from include.transform import docs

CHECKOUT = Path(__file__).parents[2]
BUCKET = "wandle-docs"
PATHS = [
    "/dbt-docs/",
    "/dbt-docs/index.html",
    "/dbt-docs/nothing/there",
    "/dbt-docs/docs",
    "/dbt-docs/openapi.json",
    "/dbt-docs/static/main.js",
    "/dbt-docs/../dbt-docs/",
    "/dbt-docs/%2e%2e/current.json",
    "/dbt-docs//",
]


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_url) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="eu-west-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"}
    )
    yield client
    for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)


@pytest.fixture(scope="module")
def whole_app(metadata, s3_url) -> Iterator[Any]:
    """Airflow's own app with the project's plugins, as its API server makes it."""
    from airflow import plugins_manager, settings
    from airflow.api_fastapi.app import create_app

    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "test",
        "extra": {
            "endpoint_url": s3_url,
            "region_name": "eu-west-2",
            "service_config": {"s3": {"bucket_name": BUCKET}},
        },
    }
    cached = (
        plugins_manager._get_plugins,
        plugins_manager._get_ui_plugins,
        plugins_manager.get_fastapi_plugins,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_WANDLE_S3", json.dumps(connection))
        patch.setattr(settings, "PLUGINS_FOLDER", str(CHECKOUT / "plugins"))
        for function in cached:
            function.cache_clear()
        assert plugins_manager.get_import_errors() == {}
        yield create_app(apps="core")
    for function in cached:
        function.cache_clear()


@pytest.fixture
def app(whole_app) -> Any:
    """The app as if just started: nothing read from S3 yet."""
    module = sys.modules["docs_site"]
    module.DocsSitePlugin.fastapi_apps[0]["app"]._site = module.Site()
    return whole_app


@pytest.fixture
def anonymous(app) -> TestClient:
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.fixture
def viewer(app) -> TestClient:
    return TestClient(app, base_url="http://localhost", headers=bearer("VIEWER"))


def bearer(role: str) -> dict[str, str]:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="ann", role=role))
    return {"Authorization": f"Bearer {token}"}


def publish(s3: Any, text: str, tmp_path: Path, day: int = 1) -> None:
    page = tmp_path / "page.html"
    page.write_text(text, encoding="utf-8")
    docs.publish(s3, BUCKET, page, datetime(2026, 11, day, tzinfo=UTC))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS", "DELETE", "TRACE"])
def test_nobody_gets_anything_without_a_login(anonymous, s3, tmp_path, method, path):
    publish(s3, "secret page", tmp_path)

    answer = anonymous.request(method, path)

    assert answer.status_code == 401
    assert "secret page" not in answer.text


@pytest.mark.parametrize("credentials", ["Bearer nonsense", "Basic YTpi", "Bearer "])
def test_a_wrong_credential_is_not_a_login(anonymous, s3, tmp_path, credentials):
    publish(s3, "secret page", tmp_path)

    answer = anonymous.get("/dbt-docs/", headers={"Authorization": credentials})

    assert answer.status_code == 401


def test_a_forged_cookie_is_not_a_login(anonymous, s3):
    answer = anonymous.get("/dbt-docs/", headers={"Cookie": "_token=nonsense"})

    assert answer.status_code == 401


def test_a_browser_without_a_login_is_shown_the_way_to_it(anonymous, s3):
    answer = anonymous.get("/dbt-docs/", headers={"Accept": "text/html"})

    assert 'href="/api/v2/auth/login?next=%2Fdbt-docs%2F"' in answer.text
    assert "Traceback" not in answer.text


def test_the_address_without_its_last_slash_leads_to_the_guarded_one(anonymous, s3):
    answer = anonymous.get("/dbt-docs")

    assert (answer.status_code, answer.headers["location"]) == (307, "dbt-docs/")
    assert anonymous.get("/dbt-docs", follow_redirects=True).status_code == 401


def test_a_websocket_is_refused(anonymous):
    from starlette.websockets import WebSocketDisconnect

    with (
        pytest.raises(WebSocketDisconnect) as refused,
        anonymous.websocket_connect("/dbt-docs/"),
    ):
        pass

    assert refused.value.code == 1008


def test_a_logged_in_user_reads_the_page(viewer, s3, tmp_path):
    publish(s3, "<h1>Wandle</h1>", tmp_path)

    answer = viewer.get("/dbt-docs/")

    assert (answer.status_code, answer.text) == (200, "<h1>Wandle</h1>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_the_ui_s_own_cookie_is_a_login(anonymous, s3, tmp_path):
    publish(s3, "<h1>Wandle</h1>", tmp_path)
    token = bearer("VIEWER")["Authorization"].removeprefix("Bearer ")

    answer = anonymous.get("/dbt-docs/", headers={"Cookie": f"_token={token}"})

    assert (answer.status_code, answer.text) == (200, "<h1>Wandle</h1>")


def test_a_role_without_the_right_to_plugins_is_refused(app, viewer, s3, tmp_path, monkeypatch):
    from airflow.api_fastapi.app import get_auth_manager

    publish(s3, "secret page", tmp_path)
    monkeypatch.setattr(
        type(get_auth_manager()),
        "is_authorized_view",
        lambda self, *, access_view, user: access_view.value != "PLUGINS",
    )

    answer = viewer.get("/dbt-docs/")

    assert answer.status_code == 403
    assert "secret page" not in answer.text


def test_an_error_while_checking_the_login_lets_nobody_in(app, viewer, s3, tmp_path, monkeypatch):
    from airflow.api_fastapi.app import get_auth_manager

    publish(s3, "secret page", tmp_path)

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the user database is away")

    monkeypatch.setattr(type(get_auth_manager()), "is_authorized_view", broken)
    client = TestClient(app, headers=viewer.headers, raise_server_exceptions=False)

    answer = client.get("/dbt-docs/")

    assert answer.status_code == 500
    assert "secret page" not in answer.text


def test_only_airflow_may_frame_the_page_and_it_may_not_request_any_host(viewer, s3, tmp_path):
    publish(s3, "<h1>Wandle</h1>", tmp_path)

    policy = viewer.get("/dbt-docs/").headers["content-security-policy"]

    assert "frame-ancestors 'self'" in policy
    assert "connect-src 'none'" in policy
    assert "default-src 'none'" in policy


def test_a_page_that_the_browser_has_is_not_sent_again(viewer, s3, tmp_path):
    publish(s3, "<h1>Wandle</h1>", tmp_path)
    tag = viewer.get("/dbt-docs/").headers["etag"]

    answer = viewer.get("/dbt-docs/", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_a_page_is_sent_compressed_once_and_readable_without(viewer, s3, tmp_path):
    text = "<h1>Wandle</h1>" * 500
    publish(s3, text, tmp_path)

    with viewer.stream("GET", "/dbt-docs/", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    plain = viewer.get("/dbt-docs/", headers={"Accept-Encoding": "identity"})

    assert gzip.decompress(raw).decode() == text
    assert plain.text == text


def test_before_the_first_publication_the_page_says_how_to_get_one(viewer, s3):
    answer = viewer.get("/dbt-docs/")

    assert answer.status_code == 404
    assert "wandle transform" in answer.text


def test_a_new_publication_is_shown_within_seconds(viewer, s3, tmp_path, monkeypatch):
    publish(s3, "first", tmp_path)
    assert viewer.get("/dbt-docs/").text == "first"
    monkeypatch.setattr(sys.modules["docs_site"], "POINTER_SECONDS", 0)

    publish(s3, "second", tmp_path, day=2)

    assert viewer.get("/dbt-docs/").text == "second"


def test_while_s3_is_down_the_last_known_page_is_shown(viewer, s3, tmp_path, monkeypatch):
    publish(s3, "first", tmp_path)
    assert viewer.get("/dbt-docs/").text == "first"
    monkeypatch.setattr(sys.modules["docs_site"], "POINTER_SECONDS", 0)

    monkeypatch.delenv("AIRFLOW_CONN_WANDLE_S3")

    assert viewer.get("/dbt-docs/").text == "first"


def test_without_s3_the_page_names_the_connection(viewer, s3, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_WANDLE_S3")

    answer = viewer.get("/dbt-docs/")

    assert answer.status_code == 503
    assert "wandle_s3" in answer.text


@pytest.mark.parametrize("path", [path for path in PATHS[1:] if ".." not in path][:5])
def test_there_is_one_page_and_no_other(viewer, s3, tmp_path, path):
    publish(s3, "<h1>Wandle</h1>", tmp_path)

    assert viewer.get(path).status_code == 404


def test_the_menu_of_the_ui_has_an_entry(viewer):
    plugins = viewer.get("/api/v2/plugins").json()["plugins"]
    views = [view for plugin in plugins for view in plugin["external_views"]]

    assert [(view["name"], view["href"]) for view in views] == [
        ("dbt docs", "dbt-docs/"),
        ("Dashboard", "dashboard/"),
        ("Portal", "portal/"),
    ]


def test_loading_the_plugin_imports_nothing_heavy():
    code = (
        "import sys; import airflow.plugins_manager; before = set(sys.modules); import docs_site; "
        "print(sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        (sys.executable, "-c", code),
        cwd=CHECKOUT / "plugins",
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "['docs_site']"


def test_the_page_of_dbt_asks_for_no_icons_that_do_not_exist(viewer, s3, tmp_path):
    page = Path(str(files("dbt.task.docs").joinpath("index.html"))).read_text(encoding="utf-8")
    assert "${require(" in page[:2000]
    assert ' xlink:href="{{' in page

    publish(s3, page, tmp_path)

    sent = viewer.get("/dbt-docs/").text
    assert ' xlink:href="{{' not in sent
    assert "${require(" not in sent[:2000]
    assert '<link rel="icon" href="data:,">' in sent[:2000]
