"""The login of an environment: a real API server with FAB, against an identity provider."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin

import boto3
import oidc_provider_mock
import pytest
import requests
from oidc_provider_mock import User

from include.transform import docs
from tests.aws.postgres import free_port

CHECKOUT = Path(__file__).parents[2]
BUCKET = "wandle-docs"
CUSTOM_ROLES = {
    "DbtDocs": [
        {"action": "can_read", "resource": "Plugins"},
        {"action": "menu_access", "resource": "Plugins"},
    ]
}
PEOPLE = {
    "vera": ["data-viewers"],
    "otto": ["data-operators"],
    "ada": ["data-admins"],
    "bo": ["data-viewers", "data-operators", "canteen"],
    "una": ["canteen"],
    "nil": [],
}
DAG = "ingest_bank_holidays"


@dataclass(frozen=True)
class Airflow:
    """An API server, and the identity provider that it trusts."""

    url: str
    provider: str
    log: Path

    def session(self) -> requests.Session:
        """A browser, as far as cookies go."""
        made = requests.Session()
        made.trust_env = False
        return made

    def log_in(self, sub: str) -> tuple[requests.Session, requests.Response]:
        """Go through the login as a browser does; the session, and the page that it ends on."""
        browser = self.session()
        form = browser.get(f"{self.url}/auth/login/oidc", timeout=60)
        assert form.url.startswith(self.provider), form.url
        return browser, browser.post(form.url, data={"sub": sub}, timeout=60)


@pytest.fixture(scope="module")
def airflow(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    home = tmp_path_factory.mktemp("login")
    _publish_docs(moto_url, home / "page.html")
    port = free_port()
    url = f"http://localhost:{port}"
    people = [
        User(
            sub=sub,
            claims={"preferred_username": sub, "email": f"{sub}@example.org", "groups": groups},
        )
        for sub, groups in PEOPLE.items()
    ]
    with oidc_provider_mock.run_server_in_thread(user_claims=people) as provider:
        issuer = f"http://localhost:{provider.server_port}"
        variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WANDLE_", "AIRFLOW", "AWS_"))
        } | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
            "AIRFLOW__CORE__AUTH_MANAGER": (
                "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
            ),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW__FAB__CONFIG_FILE": str(CHECKOUT / "config/webserver_config.py"),
            "AIRFLOW__FAB__CUSTOM_ROLES": json.dumps(CUSTOM_ROLES),
            "AIRFLOW__FAB__AUTH_RATE_LIMITED": "False",
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": "k" * 48,
            "AIRFLOW__API_AUTH__JWT_SECRET": "j" * 64,
            "AIRFLOW_CONN_WANDLE_S3": _connection(moto_url),
            "WANDLE_HOME": str(home / "wandle"),
            "WANDLE_OIDC_ISSUER": issuer,
            "WANDLE_OIDC_CLIENT_ID": "wandle",
            "WANDLE_OIDC_CLIENT_SECRET": "not a secret",
            "WANDLE_OIDC_VIEWERS": "data-viewers",
            "WANDLE_OIDC_OPERATORS": "data-operators, other-operators",
            "WANDLE_OIDC_ADMINS": "data-admins",
        }
        prepare = "import tests.aws.run_dag as run; run.make_tables()"
        subprocess.run(
            (sys.executable, "-c", prepare),
            env=variables,
            cwd=CHECKOUT,
            check=True,
            capture_output=True,
        )
        log = home / "log"
        with log.open("wb") as out:
            server = subprocess.Popen(
                (sys.executable, "-m", "airflow", "api-server"),
                env=variables,
                cwd=CHECKOUT,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            _wait(url, server, log)
            yield Airflow(url, issuer, log)
        finally:
            server.terminate()
            server.wait(timeout=60)


@pytest.fixture(scope="module")
def people(airflow: Airflow) -> Callable[[str], requests.Session]:
    """Who logs in, once."""
    sessions: dict[str, requests.Session] = {}

    def logged_in(sub: str) -> requests.Session:
        if sub not in sessions:
            sessions[sub], page = airflow.log_in(sub)
            assert page.ok, page.text
        return sessions[sub]

    return logged_in


# Request -> who may. Everybody else is refused.
MATRIX = {
    ("GET", "/api/v2/dags", None): {"vera", "otto", "ada", "bo"},
    ("GET", "/dbt-docs/", None): {"vera", "otto", "ada", "bo"},
    ("POST", f"/api/v2/dags/{DAG}/dagRuns", '{"logical_date": null}'): {"otto", "ada", "bo"},
    ("PATCH", f"/api/v2/dags/{DAG}", '{"is_paused": true}'): {"otto", "ada", "bo"},
    ("GET", "/api/v2/connections", None): {"otto", "ada", "bo"},
    ("GET", "/auth/fab/v1/users", None): {"ada"},
}


@pytest.mark.parametrize("sub", ["vera", "otto", "ada", "bo", "una", "nil"])
@pytest.mark.parametrize("request_made", MATRIX, ids=lambda item: f"{item[0]} {item[1]}")
def test_a_group_may_do_what_its_role_may_and_nothing_else(airflow, people, sub, request_made):
    method, path, body = request_made

    answer = people(sub).request(
        method,
        airflow.url + path,
        data=body,
        headers={"Content-Type": "application/json"},
        timeout=60,
        allow_redirects=False,
    )

    assert answer.ok == (sub in MATRIX[request_made]), f"{answer.status_code} {answer.text[:300]}"
    assert answer.status_code in (200, 201, 401, 403)


@pytest.mark.parametrize("sub", ["una", "nil"])
def test_a_user_without_a_known_group_ends_on_the_login_page_without_a_session(airflow, sub):
    browser, page = airflow.log_in(sub)

    assert "/auth/login" in page.url
    assert "Invalid login" in page.text
    assert browser.get(f"{airflow.url}/api/v2/dags", timeout=60).status_code == 401


@pytest.mark.parametrize("path", ["/api/v2/dags", "/dbt-docs/", "/dbt-docs/manifest.json"])
def test_nobody_gets_anything_without_a_login(airflow, path):
    answer = airflow.session().get(airflow.url + path, timeout=60)

    assert answer.status_code == 401
    assert "page of dbt" not in answer.text


def test_the_dbt_docs_are_shown_to_a_viewer(airflow, people):
    assert "page of dbt" in people("vera").get(f"{airflow.url}/dbt-docs/", timeout=60).text


def test_a_user_who_loses_the_group_loses_the_role_at_the_next_login(airflow):
    browser, _ = airflow.log_in("otto")
    claims = {"preferred_username": "otto", "email": "otto@example.org", "groups": []}
    requests.put(f"{airflow.provider}/users/otto", json=claims, timeout=10).raise_for_status()
    try:
        airflow.log_in("otto")
        pools = browser.get(f"{airflow.url}/api/v2/connections", timeout=60)
        for _ in range(40):  # what a user may do is kept for `[fab] cache_ttl` seconds
            if not pools.ok:
                break
            time.sleep(1)
            pools = browser.get(f"{airflow.url}/api/v2/connections", timeout=60)
    finally:
        claims["groups"] = PEOPLE["otto"]
        requests.put(f"{airflow.provider}/users/otto", json=claims, timeout=10).raise_for_status()

    assert pools.status_code in (401, 403)


def test_the_login_offers_no_password(airflow):
    page = airflow.session().get(f"{airflow.url}/auth/login/", timeout=60)

    assert 'type="password"' not in page.text
    token = airflow.session().post(
        f"{airflow.url}/auth/token", json={"username": "ada", "password": "ada"}, timeout=60
    )
    assert token.status_code in (400, 401, 403)


def test_a_forged_answer_of_the_provider_is_not_a_login(airflow):
    browser = airflow.session()
    started = browser.get(f"{airflow.url}/auth/login/oidc", timeout=60, allow_redirects=False)
    assert started.status_code == 302
    state = re.search(r"state=([^&]+)", started.headers["Location"])
    assert state

    page = browser.get(
        urljoin(airflow.url, f"/auth/oauth-authorized/oidc?code=forged&state={state[1]}"),
        timeout=60,
    )

    assert "/auth/login" in page.url
    assert browser.get(f"{airflow.url}/api/v2/dags", timeout=60).status_code == 401


def test_no_token_and_no_secret_is_in_the_log(airflow, people):
    people("vera")

    log = airflow.log.read_text(encoding="utf-8", errors="replace")

    assert "not a secret" not in log
    assert "access_token" not in log


def started_with(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Airflow reading the login's configuration."""
    read = (
        "from flask import Flask; app = Flask('a'); "
        f"app.config.from_pyfile('{CHECKOUT / 'config/webserver_config.py'}'); "
        "print(app.config['AUTH_TYPE'], app.config.get('AUTH_USER_REGISTRATION'))"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDLE_", "AIRFLOW"))}
    return subprocess.run(
        (sys.executable, "-c", read),
        env={**kept, "AIRFLOW_HOME": str(tmp_path), "WANDLE_HOME": str(tmp_path), **variables},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


def test_without_a_group_that_may_log_in_the_server_does_not_start(tmp_path):
    done = started_with(tmp_path, WANDLE_OIDC_ISSUER="https://login.example.org")

    assert done.returncode != 0
    assert "no groups are configured" in done.stderr


def test_without_a_client_the_server_does_not_start(tmp_path):
    done = started_with(
        tmp_path, WANDLE_OIDC_ISSUER="https://login.example.org", WANDLE_OIDC_ADMINS="admins"
    )

    assert done.returncode != 0
    assert "WANDLE_OIDC_CLIENT_ID is not set" in done.stderr


def test_without_an_identity_provider_only_airflow_s_own_users_log_in_and_none_signs_up(tmp_path):
    from flask_appbuilder.const import AUTH_DB

    done = started_with(tmp_path)

    assert done.stdout.split()[-2:] == [str(AUTH_DB), "None"], done.stderr


def _publish_docs(moto_url: str, page: Path) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=moto_url,
        region_name="eu-west-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    page.write_text("page of dbt", encoding="utf-8")
    docs.publish(s3, BUCKET, page, datetime(2026, 11, 1, tzinfo=UTC))


def _connection(moto_url: str) -> str:
    extra = {
        "endpoint_url": moto_url,
        "region_name": "eu-west-2",
        "service_config": {"s3": {"bucket_name": BUCKET}},
    }
    return json.dumps({"conn_type": "aws", "login": "test", "password": "test", "extra": extra})


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 200
    while True:
        try:
            if requests.get(f"{url}/api/v2/monitor/health", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        assert server.poll() is None, log.read_text()[-5000:]
        assert time.monotonic() < end, log.read_text()[-5000:]
        time.sleep(0.5)
