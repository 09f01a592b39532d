"""The status of each service, without changing anything."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.errors import PermanentError
from include.local.home import HOST, log_path, port
from include.local.processes import port_owner, recorded
from include.local.services import airflow
from include.local.state import Addresses
from include.settings import Settings

NAMES = ("postgresql", "s3", "sandbox", *airflow.PROCESSES)


@dataclass(frozen=True)
class ServiceStatus:
    """The status of a service: `running`, `stopped`, `dead` or `port in use`."""

    name: str
    state: str
    pid: int | None
    address: str
    log: Path
    since: datetime | None
    owner: str | None = None


def status(settings: Settings) -> list[ServiceStatus]:
    """The status of each service, in start order.

    `dead`: it was started and not stopped, but its process is gone. `owner`
    is the process that uses the port, if it is a different one.
    """
    return [_status(settings, name) for name in NAMES]


class PlatformStopped(PermanentError):
    """A command needs a service of this machine's platform, which is stopped."""


def refuse_stopped(settings: Settings, needed: Iterable[str]) -> None:
    """Raise `PlatformStopped` if a needed service, by its address of this machine, is stopped."""
    here = Addresses.of_this_machine(settings.port_base)
    ours = {
        "postgresql": f"@{here.postgresql}/" in settings.loader_dsn,
        "s3": here.s3 == settings.s3_endpoint,
        "sandbox": here.sandbox == settings.sandbox_url and not settings.live,
    }
    stopped = [name for name in needed if ours[name] and not _runs(settings, name)]
    if stopped:
        raise PlatformStopped(
            f"platform: not running: {', '.join(stopped)}. Start it: `wandle up`."
        )


def _runs(settings: Settings, name: str) -> bool:
    start = recorded(settings.home, name)
    return start is not None and start.process() is not None


def _status(settings: Settings, name: str) -> ServiceStatus:
    start = recorded(settings.home, name)
    process = start.process() if start else None
    listens = start.port if start else None
    if listens is None and name not in airflow.HEALTH_NAMES:
        listens = port(settings.port_base, "airflow" if name == "api-server" else name)
    owner = None
    if process is not None:
        state = "running"
    elif start is not None:
        state = "dead"
    elif listens is not None and (owner := port_owner(listens)):
        state = "port in use"
    else:
        state = "stopped"
    return ServiceStatus(
        name=name,
        state=state,
        pid=process.pid if process else None,
        address=f"{HOST}:{listens}" if listens else "",
        log=log_path(settings.home, name),
        since=datetime.fromisoformat(start.since) if start and process else None,
        owner=owner,
    )
