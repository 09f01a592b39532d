"""The two servers side by side, what they take, and a new version of the data."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg import sql

from include.local import processes
from include.publish.versions import with_version
from include.settings import CHECKOUT, Settings
from tests.api_server import ObjectStore, free_port, object_store, served, wait_until
from tests.benchmarks.api import fastapi_app
from tests.benchmarks.api.mix import HOT, KEY, NAME, TYPES, table
from tests.benchmarks.platform import platform
from tests.published_version import publish, write_version

WORKERS = 2
OURS, OTHER = "wandle serve", "FastAPI over PostgreSQL"


@dataclass
class Served:
    """A server that is measured: its port, and the processes that work for it."""

    name: str
    port: int
    roots: list[psutil.Process]

    @property
    def etag(self) -> str:
        """The entity tag of its answer to the hot request."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{HOT}", headers={"accept-encoding": ""})
        answer.raise_for_status()
        return answer.headers["etag"]

    def _processes(self) -> list[psutil.Process]:
        return [one for root in self.roots for one in (root, *root.children(recursive=True))]

    def cpu_seconds(self) -> float:
        """The CPU time that its processes took so far."""
        return sum(sum(one.cpu_times()[:2]) for one in self._processes())

    def memory(self) -> dict[str, float]:
        """Memory in MB: resident of its largest process, and of all, shared pages once."""
        found = self._processes()
        return {
            "rss_mb": round(max(one.memory_info().rss for one in found) / 1e6, 1),
            "all_mb": round(sum(one.memory_full_info().pss for one in found) / 1e6, 1),
        }


@dataclass
class Here:
    """Both servers, and the S3 that ours reads."""

    ours: Served
    other: Served
    store: ObjectStore
    folder: Path
    parquet_mb: float
    switched: int = 0

    @property
    def home(self) -> Path:
        """The folder of ours."""
        return self.folder / "home"

    def switch(self) -> float:
        """Publish other rows; returns how many seconds later every process serves them."""
        published = self.store.published
        self.switched += 1
        folder = self.folder / f"next-{self.switched}"
        entry = write_version(published, {NAME: table(shift=self.switched)}, folder)
        begun = time.monotonic()
        published.write_index(with_version(published.index(), entry))
        # Each process looks for itself: one answer says nothing of the others.
        seen = 0
        while seen < 10 * WORKERS:
            answer = httpx.get(f"http://127.0.0.1:{self.ours.port}/readyz")
            seen = seen + 1 if answer.text.strip() == entry.version else 0
            if time.monotonic() - begun > 60:
                raise SystemExit("bench-api: the new version was not served within 60 s")
            time.sleep(0.02)
        return time.monotonic() - begun


@contextmanager
def servers(folder: Path) -> Iterator[Here]:
    """Both, on data of a platform of their own; gone afterwards."""
    with platform([]) as settings, object_store(folder / "s3") as store:
        publish(store.published, {NAME: table()}, folder / "files")
        parquet = folder / "files" / NAME / f"{NAME}.parquet"
        _fill(settings)
        options = ("--rate", "0", "--workers", str(WORKERS))
        with served(store, folder / "home", *options) as ours, _fastapi(settings) as other:
            mine = Served(
                OURS, int(ours.url.rpartition(":")[2]), [psutil.Process(ours.process.pid)]
            )
            yield Here(mine, other, store, folder, parquet.stat().st_size / 1e6)


def _fill(settings: Settings) -> None:
    """The same rows as a table with the key that they are asked by."""
    names = sql.SQL(", ").join(map(sql.Identifier, TYPES))
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_))
        for name, type_ in TYPES.items()
    )
    here = sql.Identifier(NAME)
    with psycopg.connect(settings.admin_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create table {} ({}, primary key ({}))").format(
                here, columns, sql.SQL(", ").join(map(sql.Identifier, KEY))
            )
        )
        copying = sql.SQL("copy {} ({}) from stdin").format(here, names)
        with connection.cursor().copy(copying) as copy:
            for row in table().rows:
                copy.write_row([row[name] for name in TYPES])
        connection.execute(sql.SQL("vacuum analyze {}").format(here))


@contextmanager
def _fastapi(settings: Settings) -> Iterator[Served]:
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", f"{fastapi_app.__name__}:app", "--port", str(port),
        "--workers", str(WORKERS), "--loop", "uvloop", "--http", "httptools",
        "--no-access-log", "--log-level", "warning", "--backlog", "4096",
    ]  # fmt: skip
    environment = {**os.environ, fastapi_app.DSN: settings.admin_dsn}
    process = subprocess.Popen(command, cwd=CHECKOUT, env=environment)
    database = processes.recorded(settings.home, "postgresql")
    cluster = database and database.process()
    assert cluster, "PostgreSQL runs"
    found = Served(OTHER, port, [psutil.Process(process.pid), cluster])
    try:
        wait_until(lambda: _answers(found, process), "FastAPI did not start")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(server: Served, process: subprocess.Popen[Any]) -> bool:
    assert process.poll() is None, "FastAPI ended"
    try:
        return bool(server.etag)
    except httpx.TransportError:
        return False
