"""Every route of Airflow's API server, tried as each of its roles and as nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from include.local.services.airflow import shared_environment
from tests.security.airflow_roles import CONNECTION, DAG, PAGE, VARIABLE

CHECKOUT = Path(__file__).parents[2]
FERNET = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="

# Pages without data: the login, the application that a browser loads before it, and whether the
# services run. `{rest_of_path}` is that application.
PUBLIC = {
    *("/api/v2/auth/login", "/api/v2/auth/logout", "/api/v2/monitor/health", "/api/v2/version"),
    *("/auth/", "/auth/static/", "/auth/token", "/auth/token/cli", "/auth/{rest_of_path:path}"),
    *("/execution/health", "/execution/health/ping", "/static/", "/ui/auth/token"),
    "/{rest_of_path:path}",
}
REFUSED = {401, 403}
# What a viewer may send without a GET: to ask with a body, to log in, to mark for oneself.
VIEWERS_OWN = {
    ("POST", "/api/v2/dags/{dag_id}/dagRuns/list"),
    ("POST", "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/list"),
    ("POST", "/api/v2/dags/{dag_id}/favorite"),
    ("POST", "/api/v2/dags/{dag_id}/unfavorite"),
    ("POST", "/auth/token"),
    ("POST", "/auth/token/cli"),
    ("POST", "/ui/auth/token"),
}
CHANGES = {"POST", "PUT", "PATCH", "DELETE"}
# Airflow's own mistake: an XCom without a name.
OF_AIRFLOW = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries"


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("airflow")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WANDLE_", "AIRFLOW", "AWS_"))
    }
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": FERNET,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__API__SECRET_KEY": "k" * 48,
        "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
        "PYTHONPATH": str(CHECKOUT),
        "WANDLE_HOME": str(home / "wandle"),
    }
    done = subprocess.run(
        (sys.executable, "-m", "tests.security.airflow_roles"),
        env=kept | shared_environment() | settings,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def leaks(found: dict[str, Any], role: str) -> dict[str, set[str]]:
    """The answers to a role, and where."""
    told = defaultdict(set)
    for who, method, path, trick, _, secrets in found["answers"]:
        for secret in secrets if who == role else ():
            told[secret].add(f"{method} {path} {trick}".strip())
    return told


def test_all_routes_are_tried_as_every_role(found):
    asked = {(role, path) for role, _, path, *_ in found["answers"]}

    assert found["roles"] == ["admin", "op", "user", "viewer"]
    assert len(found["routes"]) > 130
    assert {path for path in found["routes"] if "GET" in found["routes"][path]} <= {
        path for role, path in asked if role == "admin"
    }
    assert {path for role, path in asked if role == "anonymous"} == set(found["routes"])
    ours = ("/dbt-docs/", "/dashboard/", "/data/")
    for prefix in ("/api/v2/", "/ui/", "/auth/", "/execution/", "/static/", *ours):
        assert any(path.startswith(prefix) for path in found["routes"]), prefix


def test_nobody_gets_anything_without_a_login(found):
    got = {
        (method, path)
        for role, method, path, trick, status, _ in found["answers"]
        if role == "anonymous" and not trick and path not in PUBLIC
        and status not in {*REFUSED, 404, 405}
    }  # fmt: skip

    assert got == set()
    assert leaks(found, "anonymous") == {}


def test_every_change_is_refused_without_a_login_before_anything_is_read(found):
    open_to_all = {
        (method, path)
        for role, method, path, trick, status, _ in found["answers"]
        if role == "anonymous" and not trick and method in CHANGES
        and method in found["routes"][path] and status not in REFUSED
        and not path.endswith("/")
    }  # fmt: skip

    assert {path for _, path in open_to_all} <= PUBLIC


def test_viewers_are_refused_every_change(found):
    let_in = {
        (method, path)
        for role, method, path, trick, status, _ in found["answers"]
        if role == "viewer" and not trick and method in CHANGES
        and method in found["routes"][path] and status not in {*REFUSED, 404, 405}
    }  # fmt: skip

    assert let_in <= VIEWERS_OWN


@pytest.mark.parametrize("role", ["anonymous", "viewer"])
def test_nothing_has_changed(found, role):
    assert found["changed"][role] == []


def test_a_user_changes_dags_and_nothing_else(found):
    shared = {"connection", "variable", "slot_pool", "asset", "import_error", "trigger", "job"}

    assert shared.isdisjoint(found["changed"]["user"])
    assert found["changed"]["user"]


def test_viewers_and_users_read_no_connection_no_variable_and_no_setting(found):
    for role in ("viewer", "user"):
        assert set(leaks(found, role)) <= {DAG, PAGE}


def test_no_role_reads_a_password(found):
    for role in found["roles"]:
        assert CONNECTION not in leaks(found, role)
        assert FERNET not in leaks(found, role)
    assert leaks(found, "op")[VARIABLE], "an operator reads variables, or nothing is shown at all"


def test_the_docs_are_shown_to_every_role_and_only_at_their_address(found):
    for role in found["roles"]:
        assert {path.split()[1] for path in leaks(found, role)[PAGE]} == {"/dbt-docs/"}


@pytest.mark.parametrize("name", ["connections", "pools", "variables"])
def test_only_operators_and_administrators_make_them(found, name):
    made = {role: found["made"][f"{name} {role}"] for role in ("anonymous", *found["roles"])}

    assert made == {"anonymous": 401, "viewer": 403, "user": 403, "op": 201, "admin": 201}


def test_no_request_is_an_error_of_the_server(found):
    broken = {path for _, _, path, _, status, _ in found["answers"] if status >= 500}

    # The portal says that it has no database here.
    assert broken <= {OF_AIRFLOW, "/portal/"}
