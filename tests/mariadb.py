"""Debian's MariaDB, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
import pytest

from include.local.account import as_unprivileged, unprivileged
from tests.aws.postgres import certificates, free_port
from tests.leftovers import short_folder

MISSING = "MariaDB is missing: apt install --no-install-recommends mariadb-server"
READER, PASSWORD = "reader", "s3cret/@:%p"
PLAIN_READER = "plain"
# Others than the server's defaults, which are hostile.
PLAIN_SESSION = "set sql_mode = '', time_zone = '+00:00', sql_select_limit = 1000000"


@dataclass
class MariaDb:
    """A server, with a database `council` that the user `reader` may read, only over TLS."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self.folder / "ca.crt"

    def address(
        self, host: str = "localhost", user: str = READER, password: str = PASSWORD, **options: str
    ) -> str:
        """Its address, by default with a verified certificate."""
        options = options or {"ssl_ca": str(self.ca)}
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in options.items())
        login = f"{user}:{quote(password, safe='')}"
        return f"mysql://{login}@{host}:{self.port}/council?{query}"

    @contextmanager
    def session(self, **settings: Any) -> Iterator[Any]:
        """A cursor of its administrator."""
        with pymysql.connect(
            unix_socket=str(self.folder / "socket"), user="root", autocommit=True,
            charset="utf8mb4", init_command=PLAIN_SESSION, **({"database": "council"} | settings),
        ) as connection, connection.cursor() as cursor:  # fmt: skip
            yield cursor

    def query(self, *statements: str) -> Any:
        """The rows of the last statement."""
        with self.session() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall()

    def kill(self) -> None:
        """As by the kernel, when memory is gone."""
        self.process.kill()
        self.process.wait(timeout=30)

    def restart(self) -> None:
        """Start it again, at the same port."""
        self.process = _started(self.folder, self.port).process


@contextmanager
def mariadb() -> Iterator[MariaDb]:
    """Start a server. Skips where MariaDB is not installed, which `.ci/run` does."""
    if shutil.which("mariadbd") is None or shutil.which("mariadb-install-db") is None:
        pytest.skip(MISSING)
    with short_folder() as made:
        folder = Path(made)
        certificates(folder, "localhost")
        _own(folder)
        _run(
            folder, "mariadb-install-db", "--no-defaults", f"--datadir={folder}/data",
            "--auth-root-authentication-method=normal", "--skip-test-db",
            "--innodb-log-file-size=4M",
        )  # fmt: skip
        server = _started(folder, free_port())
        try:
            _prepare(server)
            yield server
        finally:
            server.process.send_signal(signal.SIGKILL)
            server.process.wait(timeout=30)


def _started(folder: Path, port: int) -> MariaDb:
    options = (
        f"--datadir={folder}/data", f"--socket={folder}/socket", f"--port={port}",
        "--bind-address=127.0.0.1", f"--pid-file={folder}/pid", f"--tmpdir={folder}",
        "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
        "--innodb-log-file-size=4M", "--max-allowed-packet=64M", "--skip-name-resolve",
        "--performance-schema=off", "--default-time-zone=-09:30",
        "--sql-mode=ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE",
        f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key",
    )  # fmt: skip
    command = as_unprivileged(("mariadbd", "--no-defaults", *options), (folder,))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    server = MariaDb(folder, port, process)
    end = time.monotonic() + 60
    while True:
        try:
            with server.session(database=None):
                return server
        except pymysql.OperationalError:
            told = (folder / "log").read_text()
            assert process.poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.1)


def _prepare(server: MariaDb) -> None:
    with server.session(database=None) as cursor:
        cursor.execute("set global sql_select_limit = 5")
        cursor.execute("create database council character set utf8mb4")
        for name, demand in ((READER, "require ssl"), (PLAIN_READER, "")):
            cursor.execute(f"create user {name}@'%%' identified by %s {demand}", (PASSWORD,))
            cursor.execute(f"grant select, execute on council.* to {name}@'%'")


def _own(folder: Path) -> None:
    account = unprivileged()
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
        folder.chmod(0o755)


def _run(folder: Path, *command: str) -> None:
    subprocess.run(as_unprivileged(command, (folder,)), check=True, capture_output=True, cwd=folder)
