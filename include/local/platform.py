"""Bring the platform on this machine up and down, and say how it is."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from include.local import airflow, postgres, processes, services
from include.local.doctor import Finding, doctor
from include.local.home import HOST, log_path, port
from include.local.lock import hold
from include.local.processes import Recorded, Service, recorded
from include.local.state import as_variables, prepare, read_secrets, set_as_of
from include.settings import Settings

__all__ = [
    "Finding",
    "ServiceStatus",
    "doctor",
    "down",
    "environment",
    "set_as_of",
    "status",
    "up",
]

Report = Callable[[str], None]

NAMES = ("postgresql", "s3", "sandbox", *airflow.PROCESSES)
STOP_SECONDS = 10.0
POSTGRES_STOP_SECONDS = 30.0

SHOWN = (
    *(
        "reader_dsn",
        "loader_dsn",
        "s3_endpoint",
        "s3_access_key",
        "s3_secret_key",
        "bucket",
    ),
    *("airflow_url", "airflow_user", "airflow_password"),
)


@dataclass(frozen=True)
class ServiceStatus:
    """How one service is: `running`, `stopped`, `dead`, or `port taken by another`."""

    name: str
    state: str
    pid: int | None
    address: str
    log: Path
    since: datetime | None


def up(settings: Settings, *, report: Report = print) -> None:
    """Start what is not running, in the mode that `settings` ask for, and wait until all answers.

    Idempotent. Raises `PlatformFailed` naming the service and the end of its
    log, or `PlatformBusy` when another command is at work on the state folder.
    """
    with hold(settings.home, "up", report=report):
        local = prepare(settings)
        airflow.write_login(local)
        with ThreadPoolExecutor() as pool:
            side = [pool.submit(_ensure, local, services.s3(local), report)]
            if local.live:
                side.append(pool.submit(_stop_sandbox, local, report))
            elif find_spec("include.sandbox.serve"):
                side.append(
                    pool.submit(_ensure, local, services.sandbox(local), report)
                )
            _ensure_postgres(local, report)
            postgres.create_databases(local)
            warehouse = pool.submit(_migrate_warehouse, local)
            began = time.monotonic()
            if airflow.migrate_metadata(local):
                report(
                    f"airflow: metadata database made ({time.monotonic() - began:.1f} s)"
                )
            started = [
                pool.submit(_ensure, local, service, report)
                for service in airflow.services(local)
            ]
            for future in (*side, warehouse, *started):
                future.result()
        report(f"Airflow  {local.airflow_url}  (user {local.airflow_user})")
        report(f"S3       {local.s3_endpoint}  (bucket {local.bucket})")
        report(
            f"Database {HOST}:{port(local.port_base, 'postgresql')}  (see `wandle env`)"
        )


def down(settings: Settings, *, report: Report = print) -> None:
    """Stop every service, Airflow first and PostgreSQL last; what does not end is killed."""
    if not settings.home.exists():
        report("Nothing to stop: there is no platform in this state folder.")
        return
    with hold(settings.home, "down", report=report):
        home = settings.home
        stopped = processes.stop(home, airflow.PROCESSES, signal.SIGTERM, STOP_SECONDS)
        stopped += processes.stop(home, ("sandbox", "s3"), signal.SIGTERM, STOP_SECONDS)
        stopped += processes.stop(
            home, ("postgresql",), postgres.STOP_SIGNAL, POSTGRES_STOP_SECONDS
        )
        postgres.recover(settings)
        report(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def status(settings: Settings) -> list[ServiceStatus]:
    """How each service is, in the order they are started. Changes nothing."""
    return [_status(settings, name) for name in NAMES]


def environment(settings: Settings) -> dict[str, str]:
    """What a person's own tools need to reach the warehouse, the bucket and Airflow."""
    return as_variables(prepare(settings), SHOWN)


def _status(settings: Settings, name: str) -> ServiceStatus:
    home = settings.home
    start = recorded(home, name)
    process = start.process() if start else None
    key = "airflow" if name == "api-server" else name
    listens = None
    if name not in airflow.HEALTH_NAMES:
        listens = start.port if start and start.port else port(settings.port_base, key)
    if process is not None:
        state = "running"
    elif start is not None:
        state = "dead"
    elif listens and processes.port_owner(listens):
        state = "port taken by another"
    else:
        state = "stopped"
    return ServiceStatus(
        name=name,
        state=state,
        pid=process.pid if process else None,
        address=f"{HOST}:{listens}" if listens else "",
        log=log_path(home, name),
        since=datetime.fromisoformat(start.since) if start and process else None,
    )


def _ensure(settings: Settings, service: Service, report: Report) -> None:
    home = settings.home
    start = recorded(home, service.name)
    if start is not None:
        if start.process() and start.fingerprint == service.fingerprint:
            return
        report(f"{service.name}: {_why_restarted(start)}")
        processes.stop(home, [service.name], signal.SIGTERM, STOP_SECONDS)
    _start(home, service, report)


def _ensure_postgres(settings: Settings, report: Report) -> None:
    home = settings.home
    began = time.monotonic()
    if postgres.create_cluster(settings):
        report(f"postgresql: cluster made ({time.monotonic() - began:.1f} s)")
    service = postgres.service(settings)
    start = recorded(home, service.name)
    if (
        start is not None
        and start.process()
        and start.fingerprint == service.fingerprint
    ):
        return
    if start is not None:
        report(f"{service.name}: {_why_restarted(start)}")
        processes.stop(home, airflow.PROCESSES, signal.SIGTERM, STOP_SECONDS)
        processes.stop(
            home, [service.name], postgres.STOP_SIGNAL, POSTGRES_STOP_SECONDS
        )
    postgres.recover(settings)
    _start(home, service, report)


def _start(home: Path, service: Service, report: Report) -> None:
    clock = time.monotonic()
    began = datetime.now().astimezone()
    child = processes.start(home, service)
    try:
        processes.wait_until_it_answers(home, service, child, began)
    except BaseException:
        processes.stop(home, [service.name], signal.SIGTERM, STOP_SECONDS)
        raise
    report(f"{service.name}: started ({time.monotonic() - clock:.1f} s)")


def _stop_sandbox(settings: Settings, report: Report) -> None:
    if processes.stop(settings.home, ["sandbox"], signal.SIGTERM, STOP_SECONDS):
        report("sandbox: stopped, because WANDLE_LIVE asks for the live APIs")


def _why_restarted(start: Recorded) -> str:
    if start.process() is None:
        return f"process {start.pid} is dead; starting it again"
    return "its settings have changed; starting it again"


# SEAM: until include/jobs/migrate.py is there, nothing but the login roles is made.
def _migrate_warehouse(settings: Settings) -> None:
    passwords = {
        role: password
        for role, password in read_secrets(settings.home).items()
        if role.startswith("wandle_") and role != postgres.SUPERUSER
    }
    try:
        from include.jobs.migrate import migrate
    except ModuleNotFoundError:
        postgres.create_login_roles(settings, passwords)
        return
    migrate(settings.need("admin_dsn"), passwords)
