"""PostgreSQL and S3 as the platform runs them, in a state folder of their own."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from include.local import processes
from include.local.home import HOST, PORT_OFFSETS, port
from include.local.services import object_store, postgres
from include.local.state import ROLES, prepare, read_secrets
from include.settings import Settings
from include.sources.model import Contract
from include.warehouse.schema.migrate import migrate

API = "sandbox"
FOREIGN = ("WANDLE_", "AIRFLOW", "AWS_")


@contextmanager
def platform(contracts: Iterable[Contract]) -> Iterator[Settings]:
    """The settings of a fresh platform with the raw tables of `contracts`; gone afterwards.

    Until then the environment of this process says so too, for its children.
    """
    outer = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="wandle-bench-", ignore_cleanup_errors=True) as home:
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            del os.environ[name]
        os.environ["WANDLE_HOME"] = home
        os.environ["WANDLE_PORT_BASE"] = str(_free_ports())
        os.environ["WANDLE_CODE_VERSION"] = "bench"
        settings = prepare(Settings.read())
        try:
            postgres.create_cluster(settings)
            processes.start(settings.home, postgres.service(settings))
            processes.start(settings.home, object_store.s3(settings))
            postgres.create_databases(settings)
            generated = read_secrets(settings.home)
            migrate(
                settings.admin_dsn, contracts, {role: generated[role] for role in ROLES.values()}
            )
            yield settings
        finally:
            processes.stop(settings.home, ["s3", API], signal.SIGTERM, 10)
            postgres.stop(settings)
            os.environ.clear()
            os.environ.update(outer)


def serve(settings: Settings, folder: Path) -> str:
    """Serve the files of a folder, in the sandbox's place; returns the address."""
    listens = port(settings.port_base, API)
    rclone = str(Path(sys.executable).with_name("rclone"))
    command = (rclone, "serve", "http", str(folder), "--addr", f"{HOST}:{listens}", "--config", "")
    service = processes.Service(
        name=API,
        command=command,
        environment=processes.inherited_environment(),
        address=f"http://{HOST}:{listens}",
        answers=lambda _: object_store.accepts_connections(listens),
        port=listens,
    )
    processes.start(settings.home, service)
    return service.address


def run_sql(settings: Settings, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as the superuser, each committed; the rows of the last."""
    rows: list[tuple[object, ...]] = []
    with psycopg.connect(settings.admin_dsn, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            rows = cursor.fetchall() if cursor.description else []
    return rows


def _free_ports() -> int:
    """A port base at which each service of the platform finds its port free."""
    for base in range(18_400, 28_000, 20):
        if all(processes.port_owner(base + offset) is None for offset in PORT_OFFSETS.values()):
            return base
    raise SystemExit(f"bench: no free ports for the platform on {socket.gethostname()}")
