"""The handbook in the Airflow UI: who has access, and what they see."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def app(metadata, tmp_path_factory) -> Iterator[Any]:
    """Airflow's own app with the project's plugins, and a small site below a secret."""
    from airflow import plugins_manager, settings
    from airflow.api_fastapi.app import create_app

    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    site = outside / "site"
    (site / "handbook").mkdir(parents=True)
    (site / "index.html").write_text("<h1>Wandle</h1>")
    (site / "handbook" / "testing.html").write_text("<h1>Testing</h1>")
    (site / "404.html").write_text("<h1>No such page</h1>")
    cached = (
        plugins_manager._get_plugins,
        plugins_manager._get_ui_plugins,
        plugins_manager.get_fastapi_plugins,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "PLUGINS_FOLDER", str(CHECKOUT / "plugins"))
        for function in cached:
            function.cache_clear()
        assert plugins_manager.get_import_errors() == {}
        made = create_app(apps="core")
        patch.setattr(handbook(), "_folder", site)
        yield made
    for function in cached:
        function.cache_clear()


def handbook() -> Any:
    """The mounted app."""
    return sys.modules["handbook"].HandbookPlugin.fastapi_apps[0]["app"]


@pytest.fixture
def anonymous(app) -> TestClient:
    return TestClient(app, base_url="http://localhost", follow_redirects=False)


@pytest.fixture
def viewer(app) -> TestClient:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    user = SimpleAuthManagerUser(username="ann", role="VIEWER")
    headers = {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}
    return TestClient(app, base_url="http://localhost", headers=headers, follow_redirects=False)


@pytest.mark.parametrize("path", ["", "index.html", "handbook/testing.html", "nothing", "../docs"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_nobody_gets_anything_without_a_login(anonymous, method, path):
    answer = anonymous.request(method, f"/handbook/{path}")

    assert answer.status_code == 401 or path == "../docs"
    assert "Wandle" not in answer.text


def test_a_logged_in_user_reads_its_pages(viewer):
    first, chapter = viewer.get("/handbook/"), viewer.get("/handbook/handbook/testing.html")

    assert (first.status_code, first.text) == (200, "<h1>Wandle</h1>")
    assert (chapter.status_code, chapter.text) == (200, "<h1>Testing</h1>")
    assert "default-src 'none'" in first.headers["content-security-policy"]
    assert first.headers["cache-control"] == "private, no-cache"


def test_the_address_without_its_last_slash_leads_to_the_first_page(viewer):
    answer = viewer.get("/handbook")

    assert (answer.status_code, answer.headers["location"]) == (307, "handbook/")


@pytest.mark.parametrize(
    "path", ["gone.html", "%2e%2e/secret.txt", "handbook/%2e%2e/%2e%2e/secret.txt"]
)
def test_nothing_but_the_site_is_served(viewer, path):
    answer = viewer.get(f"/handbook/{path}")

    assert (answer.status_code, answer.text) == (404, "<h1>No such page</h1>")


def test_a_site_that_was_not_built_names_the_command(viewer, monkeypatch, tmp_path):
    monkeypatch.setattr(handbook(), "_folder", tmp_path / "none")

    answer = viewer.get("/handbook/")

    assert answer.status_code == 404
    assert "make docs" in answer.text
