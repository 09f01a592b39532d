"""A real API server of Airflow, and every request to it, as each role: `python -m` this module.

Runs in an `AIRFLOW_HOME` of its own, with the platform's settings. Prints what was answered, as
JSON, in its last line. Routes are those that the app has, so that new ones are tried too.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
CONNECTION, VARIABLE, PAGE = "canary-of-connection", "canary-of-variable", "canary-of-page"
DAG = "ingest_bank_holidays"
# What paths name: things that are there, so that an answer could hold them.
NAMED = {
    "dag_id": DAG,
    "connection_id": "canary",
    "variable_key": "canary",
    "pool_name": "default_pool",
    "section": "core",
    "option": "fernet_key",
    "provider": "simple",
}
# What is sent where an empty object is not looked at any further.
BODIES: dict[str, Any] = {
    "/api/v2/connections/enqueue-test": {"connection_id": "evil", "conn_type": "http"},
    "/api/v2/dags/{dag_id}/clearDagRuns": {"dag_runs": [{"dag_run_id": "1"}]},
    "/api/v2/dags/{dag_id}/dagRuns": {"actions": [{"action": "delete", "entities": ["1"]}]},
    **{
        f"/api/v2/{name}": {"actions": [{"action": "create", "entities": [entity]}]}
        for name, entity in (
            ("connections", {"connection_id": "evil", "conn_type": "http"}),
            ("pools", {"name": "evil", "slots": 1}),
            ("variables", {"key": "evil", "value": "x"}),
        )
    },
}
# To make one, as each role.
MADE: dict[str, dict[str, Any]] = {
    "connections": {"connection_id": "{role}", "conn_type": "http"},
    "pools": {"name": "{role}", "slots": 1},
    "variables": {"key": "{role}", "value": "x"},
}
# Another way to write a path, or to say who asks or what is asked for.
TRICKS: dict[str, Callable[[str], str]] = {
    "two slashes": lambda path: f"/{path}",
    "two slashes within": lambda path: path.replace("/", "//").replace("//", "/", 1),
    "a slash at the end": lambda path: f"{path}/",
    "dots": lambda path: f"/static/../{path.lstrip('/')}",
    "dots, encoded": lambda path: f"/static/%2e%2e{path}",
    "a dot, encoded": lambda path: f"/%2e{path}",
    "slashes, encoded": lambda path: f"/{path[1:].replace('/', '%2f')}",
    "letters, encoded": lambda path: f"/%{ord(path[1]):02x}{path[2:]}" if len(path) > 1 else path,
    "upper case": str.upper,
    "parameters of the path": lambda path: f"{path};x=1",
    "a question mark, encoded": lambda path: f"{path}%3fx=1",
    "a NUL": lambda path: f"{path}%00",
    "behind the login": lambda path: f"/auth/login/..{path}",
    "behind the docs": lambda path: f"/dbt-docs/..{path}",
}
UNSIGNED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiIsInJvbGUiOiJBRE1JTiJ9."
HEADERS = {
    "another path": {"X-Original-URL": "/api/v2/version", "X-Rewrite-URL": "/api/v2/version"},
    "another method": {"X-HTTP-Method-Override": "GET"},
    "a proxy": {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-User": "admin", "Remote-User": "a"},
    "no algorithm": {"Authorization": f"Bearer {UNSIGNED}"},
    "a password": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "a cookie": {"Cookie": f"_token={UNSIGNED}"},
}


def serve(home: Path) -> tuple[Any, int]:
    """The app as the API server makes it, and the port at which it listens."""
    import uvicorn
    from airflow.api_fastapi.app import create_app
    from airflow.models import Connection, Variable
    from airflow.utils.session import create_session

    from tests.aws.run_dag import make_tables

    make_tables()
    with create_session() as session:
        secret = {"conn_id": "canary", "conn_type": "http", "password": CONNECTION}
        session.add(Connection(**secret, extra=json.dumps({"api_key": CONNECTION})))
    Variable.set("canary", VARIABLE)
    app = create_app("all")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    return app, server.servers[0].sockets[0].getsockname()[1]


def routes(app: Any, prefix: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Each path of the app and of what is mounted in it, with the methods that it has."""
    versions = getattr(getattr(app, "router", None), "versioned_routers", {})
    for router in versions.values():
        yield from routes(router, prefix)
    for route in getattr(app, "routes", ()):
        path = prefix + route.path
        if hasattr(route, "app") and not hasattr(route, "endpoint"):
            yield f"{path}/", frozenset(METHODS)
            yield from routes(route.app, path)
        else:
            yield path, frozenset(getattr(route, "methods", None) or METHODS)


def filled(path: str) -> str:
    """The path with something in the place of each parameter."""
    return re.sub(r"\{([^}:]+)(:\w+)?\}", lambda found: NAMED.get(found[1], "1"), path)


class Asking:
    """Asks as a role, by a token of its own for each request; a logout makes one worthless."""

    def __init__(self, port: int, role: str | None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.role = role

    def _token(self) -> dict[str, str]:
        from airflow.api_fastapi.app import get_auth_manager
        from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

        if self.role is None:
            return {}
        user = SimpleAuthManagerUser(username=self.role.lower(), role=self.role)
        return {"Authorization": f"Bearer {get_auth_manager().generate_jwt(user)}"}

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Status and body, the path sent as it is written."""
        connection = self._connection
        sent = (
            json.dumps({} if body is None else body) if method in ("POST", "PUT", "PATCH") else None
        )
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            given = {"Content-Type": "application/json"} | self._token() | (headers or {})
            for name, value in given.items():
                connection.putheader(name, value)
            if sent is not None:
                connection.putheader("Content-Length", str(len(sent)))
            connection.endheaders(sent.encode() if sent else None)
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except (http.client.HTTPException, OSError):
            connection.close()
            return 0, ""


def contents(home: Path) -> dict[str, str]:
    """A hash of each table, without those that say who asked for what and who has left."""
    found = {}
    with sqlite3.connect(f"file:{home}/airflow.db?mode=ro", uri=True) as database:
        tables = database.execute("select name from sqlite_master where type = 'table'").fetchall()
        for (name,) in tables:
            if name in ("log", "revoked_token", "session"):
                continue
            rows = database.execute(f'select * from "{name}"').fetchall()
            found[name] = hashlib.sha256(repr(sorted(map(repr, rows))).encode()).hexdigest()
    return found


class Attack:
    """All answers, what each role has changed, and what it could make."""

    def __init__(self, app: Any, port: int, home: Path) -> None:
        from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import (
            SimpleAuthManagerRole,
        )

        self._port, self._home = port, home
        self._secrets = (CONNECTION, VARIABLE, PAGE, DAG, os.environ["AIRFLOW__CORE__FERNET_KEY"])
        self._answers: list[list[Any]] = []
        self._paths: dict[str, frozenset[str]] = {}
        for path, methods in routes(app):
            self._paths[path] = self._paths.get(path, frozenset()) | methods
        self._roles = sorted(SimpleAuthManagerRole.__members__)

    def run(self) -> dict[str, Any]:
        """Try everything."""
        changed = {
            "anonymous": self._changed_by(None, self._everything),
            "viewer": self._changed_by("VIEWER", self._everything),
            "user": self._changed_by("USER", self._as_offered),
        }
        for role in self._roles:
            for path in self._paths:
                self._note(Asking(self._port, role), "GET", path, "again")
        return {
            "routes": {path: sorted(methods) for path, methods in self._paths.items()},
            "roles": [role.lower() for role in self._roles],
            "answers": self._answers,
            "changed": changed,
            "made": dict(self._made()),
        }

    def _changed_by(self, role: str | None, steps: Callable[[Asking], None]) -> list[str]:
        before = contents(self._home)
        steps(Asking(self._port, role))
        after = contents(self._home)
        return sorted(table for table in after if after[table] != before.get(table))

    def _as_offered(self, asking: Asking) -> None:
        for path, methods in self._paths.items():
            for method in sorted(methods):
                self._note(asking, method, path)

    def _everything(self, asking: Asking) -> None:
        for path, methods in self._paths.items():
            for method in METHODS:
                self._note(asking, method, path)
            method = "DELETE" if "DELETE" in methods and asking.role else "GET"
            for trick in TRICKS:
                self._note(asking, method, path, trick)
            for trick in HEADERS if asking.role is None else ():
                self._note(asking, "GET", path, trick)

    def _note(self, asking: Asking, method: str, path: str, trick: str = "") -> None:
        written = TRICKS.get(trick, str)(filled(path))
        body = BODIES.get(path) if method in ("POST", "PATCH") else None
        status, text = asking.ask(method, written, body, HEADERS.get(trick))
        # An error names the path itself.
        found = [item for item in self._secrets if item in text.replace(filled(path), "")]
        role = (asking.role or "anonymous").lower()
        self._answers.append([role, method, path, trick, status, found])

    def _made(self) -> Iterator[tuple[str, int]]:
        for role in (None, *self._roles):
            for name, entity in MADE.items():
                who = (role or "anonymous").lower()
                body = {key: who if value == "{role}" else value for key, value in entity.items()}
                status, _ = Asking(self._port, role).ask("POST", f"/api/v2/{name}", body)
                yield f"{name} {who}", status


def publish_docs(url: str) -> None:
    """Publish dbt docs, to the bucket of the connection `wandle_s3`."""
    import boto3

    from include.transform import docs

    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1",
                          aws_access_key_id="test", aws_secret_access_key="test")  # fmt: skip
    client.create_bucket(Bucket="wandle")
    page = Path(os.environ["AIRFLOW_HOME"]) / "page.html"
    page.write_text(PAGE, encoding="utf-8")
    docs.publish(client, "wandle", page, datetime(2026, 11, 1, tzinfo=UTC))


def main() -> None:
    """Print the answers."""
    from moto.server import ThreadedMotoServer

    home = Path(os.environ["AIRFLOW_HOME"])
    s3 = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    s3.start()
    url = "http://{}:{}".format(*s3.get_host_and_port())
    extra = {"endpoint_url": url, "region_name": "us-east-1",
             "service_config": {"s3": {"bucket_name": "wandle"}}}  # fmt: skip
    connection = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    os.environ["AIRFLOW_CONN_WANDLE_S3"] = json.dumps(connection)
    publish_docs(url)
    app, port = serve(home)
    sys.stdout.write("\n" + json.dumps(Attack(app, port, home).run()) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
