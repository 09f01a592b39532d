"""The dashboard and the open data in the Airflow UI: who has access, and what they get."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from typing import Any

import pytest

from include.publish.versions import Entry, Index, Published
from tests.dags.test_docs_plugin import (
    BUCKET,
    CHECKOUT,
    anonymous,
    s3,
    s3_url,
    viewer,
    whole_app,
)

__all__ = ["anonymous", "s3", "s3_url", "viewer", "whole_app"]

PAGES = {
    "site/index.html": (b"<h1>secret dashboard</h1>", "text/html; charset=utf-8"),
    "site/ward/E05000401/index.html": (b"secret ward", "text/html; charset=utf-8"),
    "site/style.css": (b"h1 { color: navy }", "text/css; charset=utf-8"),
    "data/a/a.csv": (b"secret,value\r\n1,2\r\n", "text/csv; charset=utf-8; header=present"),
}
PATHS = [
    *("/dashboard/", "/dashboard/index.html", "/dashboard/ward/E05000401/", "/dashboard/nothing"),
    *("/dashboard/../data/a/a.csv", "/dashboard/%2e%2e/version.json", "/dashboard//"),
    *("/data/", "/data/a/a.csv", "/data/../data/a/a.csv", "/data/%2e%2e%2findex.json"),
    *("/data/openapi.json", "/data/docs", "/dashboard/docs", "/dashboard/openapi.json"),
]


@pytest.fixture
def app(whole_app) -> Any:
    """The app as if just started: nothing read from S3 yet."""
    module = sys.modules["open_data"]
    module.CURRENT.__init__()
    return whole_app


def publish(s3: Any, version: str = "v1", pages: dict[str, tuple[bytes, str]] = PAGES) -> None:
    store = Published(s3, BUCKET)
    files = {
        path: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body), "media_type": kind}
        for path, (body, kind) in pages.items()
    }
    store.write_version(
        version,
        {"version": version, "files": files, "datasets": {}},
        [(path, *page) for path, page in pages.items()],
    )
    store.write_index(Index(version, (Entry(version, "2026-11-26T00:00:00+00:00", {}),)))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_nobody_gets_anything_without_a_login(anonymous, s3, method, path):
    publish(s3)

    answer = anonymous.request(method, path)

    assert answer.status_code in (401, 404)
    assert "secret" not in answer.text
    if ".." not in path and "%2e" not in path:
        assert answer.status_code == 401


def test_a_login_leads_back_to_the_dashboard(anonymous, s3):
    answer = anonymous.get("/dashboard/", headers={"Accept": "text/html"})

    assert 'href="/api/v2/auth/login?next=%2Fdashboard%2F"' in answer.text


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/dashboard/", "site/index.html"),
        ("/dashboard/index.html", "site/index.html"),
        ("/dashboard/ward/E05000401/", "site/ward/E05000401/index.html"),
        ("/dashboard/style.css", "site/style.css"),
        ("/data/a/a.csv", "data/a/a.csv"),
    ],
)
def test_a_logged_in_user_gets_the_files_of_the_current_version(viewer, s3, path, file):
    publish(s3)

    answer = viewer.get(path)

    assert (answer.status_code, answer.content) == (200, PAGES[file][0])
    assert answer.headers["content-type"] == PAGES[file][1]


@pytest.mark.parametrize("path", [path for path in PATHS if "%2e" in path or path[-1] not in "/lv"])
def test_only_files_of_the_version_are_served(viewer, s3, path):
    publish(s3)

    assert viewer.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/dashboard", "/data"])
def test_the_address_without_its_last_slash_leads_to_the_guarded_one(anonymous, s3, path):
    answer = anonymous.get(path)

    assert (answer.status_code, answer.headers["location"]) == (307, f"{path[1:]}/")
    assert anonymous.get(path, follow_redirects=True).status_code == 401


def test_a_websocket_is_refused(anonymous):
    from starlette.websockets import WebSocketDisconnect

    with (
        pytest.raises(WebSocketDisconnect) as refused,
        anonymous.websocket_connect("/dashboard/"),
    ):
        pass

    assert refused.value.code == 1008


def test_a_role_without_the_right_to_plugins_is_refused(viewer, s3, monkeypatch):
    from airflow.api_fastapi.app import get_auth_manager

    publish(s3)
    monkeypatch.setattr(
        type(get_auth_manager()),
        "is_authorized_view",
        lambda self, *, access_view, user: access_view.value != "PLUGINS",
    )

    answer = viewer.get("/data/a/a.csv")

    assert answer.status_code == 403
    assert "secret" not in answer.text


def test_pages_run_and_load_only_what_comes_from_the_site(viewer, s3):
    publish(s3)

    policy = viewer.get("/dashboard/").headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert set(re.findall(r"[a-z]+:", policy)) == {"data:"}
    assert "connect-src 'none'" in policy


def test_a_file_that_the_browser_has_is_not_sent_again(viewer, s3):
    publish(s3)
    tag = viewer.get("/data/a/a.csv").headers["etag"]

    answer = viewer.get("/data/a/a.csv", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_a_head_request_says_how_long_a_file_is(viewer, s3):
    publish(s3)

    answer = viewer.head("/data/a/a.csv", headers={"Accept-Encoding": "identity"})

    assert answer.headers["content-length"] == str(len(PAGES["data/a/a.csv"][0]))
    assert answer.content == b""


def test_the_address_of_all_data_leads_to_the_page_that_lists_them(viewer, s3):
    publish(s3, pages={**PAGES, "site/data.html": (b"secret list", "text/html; charset=utf-8")})

    answer = viewer.get("/data/", follow_redirects=True)

    assert answer.url.path == "/dashboard/data.html"
    assert answer.text == "secret list"


def test_before_the_first_publication_the_page_says_how_to_get_one(viewer, s3):
    answer = viewer.get("/dashboard/")

    assert answer.status_code == 404
    assert "wandle transform" in answer.text


def test_a_new_version_is_shown_within_seconds(viewer, s3, monkeypatch):
    publish(s3)
    assert "secret dashboard" in viewer.get("/dashboard/").text
    monkeypatch.setattr(sys.modules["open_data"], "POINTER_SECONDS", 0)

    publish(s3, "v2", {"site/index.html": (b"second", "text/html")})

    assert viewer.get("/dashboard/").text == "second"
    assert viewer.get("/data/a/a.csv").status_code == 404


def test_without_s3_the_page_names_the_connection(viewer, s3, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_WANDLE_S3")

    answer = viewer.get("/dashboard/")

    assert answer.status_code == 503
    assert "wandle_s3" in answer.text


def test_loading_the_plugin_imports_nothing_heavy():
    code = (
        "import sys; import airflow.plugins_manager; before = set(sys.modules); import open_data; "
        "print(sorted(set(sys.modules) - before))"
    )

    done = subprocess.run(
        (sys.executable, "-c", code),
        cwd=CHECKOUT / "plugins",
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "['open_data']"
