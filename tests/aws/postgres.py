"""Debian's PostgreSQL with TLS: the embedded one is built without."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from include.local.account import as_unprivileged, unprivileged
from tests.leftovers import short_folder

ADMIN = "wandle_admin"
MISSING = "Debian's PostgreSQL is missing: apt install postgresql"
HBA = """
local all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class TlsServer:
    """A server that takes no connection without TLS."""

    port: int
    sockets: Path
    ca: Path
    password: str

    @property
    def address(self) -> str:
        """As the certificate names it."""
        return f"localhost:{self.port}"

    @property
    def root(self) -> str:
        """For the superuser, which RDS keeps to itself."""
        return self.of("postgres")

    def of(self, database: str) -> str:
        """Another database for the superuser."""
        return f"postgresql://postgres@/{database}?host={self.sockets}&port={self.port}"

    def log(self) -> str:
        """What it wrote down, every statement with it."""
        return (self.sockets / "log").read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def plain_connections_allowed(self) -> Iterator[None]:
        """Drop the insistence on TLS for a while."""
        file = self.sockets / "data" / "pg_hba.conf"
        file.write_text(HBA.replace("hostssl", "host"), encoding="utf-8")
        try:
            self._reload()
            yield
        finally:
            file.write_text(HBA, encoding="utf-8")
            self._reload()

    def _reload(self) -> None:
        with psycopg.connect(self.root, autocommit=True) as connection:
            connection.execute("select pg_reload_conf()")
        time.sleep(0.3)  # until the postmaster has read it

    def empty(self) -> None:
        """As RDS makes it: the warehouse's database, owned by an admin who is not a superuser."""
        with psycopg.connect(self.root, autocommit=True) as connection:
            for name in ("warehouse", "airflow"):
                connection.execute(f"drop database if exists {name} with (force)")  # type: ignore[arg-type]
            roles = connection.execute(
                "select rolname from pg_roles where rolname like 'wandle%' or rolname = 'airflow'"
            ).fetchall()
            for (role,) in roles:
                connection.execute(f"drop role {role}")  # type: ignore[arg-type]
            connection.execute(
                f"create role {ADMIN} login createrole createdb password '{self.password}'"  # type: ignore[arg-type]
            )
            connection.execute(f"create database warehouse owner {ADMIN}")  # type: ignore[arg-type]


def debians() -> list[Path]:
    """Debian's servers on this machine, the newest last."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


@contextmanager
def tls_server(name: str = "localhost") -> Iterator[TlsServer]:
    """Start a server with a certificate for `name`, of an authority of its own.

    Skips where Debian's PostgreSQL is missing.
    """
    found = debians()
    if not found:
        pytest.skip(MISSING)
    binaries = found[-1].parent
    with short_folder() as made:
        folder = Path(made)
        ca = certificates(folder, name)
        port = free_port()
        _own(folder)
        _run(folder, binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust")
        (folder / "data" / "pg_hba.conf").write_text(HBA, encoding="utf-8")
        server = TlsServer(port, folder, ca, secrets.token_urlsafe(12) + "/@:p")
        options = (
            *("-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={folder}", "-c", "fsync=off"),
            *("-c", "log_statement=all"),
            *("-c", "ssl=on", "-c", f"ssl_cert_file={folder}/server.crt"),
            *("-c", f"ssl_key_file={folder}/server.key"),
        )
        command = as_unprivileged(
            (str(binaries / "postgres"), "-D", str(folder / "data"), *options), (folder,)
        )
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            _wait(server, process, folder / "log")
            yield server
        finally:
            # A fast shutdown, which waits for no client.
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)


def certificates(folder: Path, name: str) -> Path:
    """Make `server.crt` and `server.key` for a name; the certificate of their authority."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is missing. On Debian: apt install openssl"
    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    subprocess.run(
        (openssl, "req", "-x509", *key, "-subj", "/CN=Test authority",
         "-keyout", "ca.key", "-out", "ca.crt"),
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    subprocess.run(
        (openssl, "req", "-x509", *key, "-subj", "/CN=server", "-addext",
         f"subjectAltName=DNS:{name}", "-addext", "basicConstraints=critical,CA:FALSE",
         "-CA", "ca.crt", "-CAkey", "ca.key", "-keyout", "server.key", "-out", "server.crt"),
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "server.key").chmod(0o600)
    return folder / "ca.crt"


def _own(folder: Path) -> None:
    account = unprivileged()
    if account is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.pw_uid, account.pw_gid)
        folder.chmod(0o755)


def _run(folder: Path, *command: object) -> None:
    subprocess.run(
        as_unprivileged(tuple(str(part) for part in command), (folder,)),
        check=True,
        capture_output=True,
        cwd=folder,
    )


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait(server: TlsServer, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server.root).close()
            return
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
