"""Start, find and stop the platform's processes, which keep running after the command exits."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event

import psutil

from include.disk import warning
from include.errors import PermanentError
from include.local.home import (
    HOST,
    log_path,
    make_private_folder,
    read_json,
    record_path,
    write_private,
)
from include.settings import CHECKOUT

MOST_LOG_BYTES = 10_000_000
LOG_LINES_SHOWN = 15
GIVE_UP_SECONDS = 5.0

# A process's start time depends on the boot time, which clock corrections can shift.
SAME_START_SECONDS = 2.0

INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM"),
    *(
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "AWS_CA_BUNDLE",
    ),
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ),
)
# These differ from one terminal, login or cron job to the next, and change nothing of a service:
# programs are started by their full path, and times are UTC. Proxies and certificates do.
OF_A_SHELL = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ")
# A listener on one of these addresses also blocks the port on `HOST`.
BLOCKING = (HOST, "0.0.0.0", "::")  # noqa: S104, looked for, not listened on
LOOPBACK = {"NO_PROXY": f"{HOST},localhost", "no_proxy": f"{HOST},localhost"}


class PlatformFailed(PermanentError):
    """A service did not start; the message quotes its log."""


@dataclass(frozen=True)
class Service:
    """How to start, probe and stop one process of the platform."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    address: str
    answers: Callable[[datetime], bool] = field(repr=False)
    port: int | None = None
    start_seconds: float = 60.0
    poll_seconds: float = 0.05

    @property
    def fingerprint(self) -> str:
        """A hash of the command and environment; a running process with another one is outdated.

        Variables of the shell that started it do not count: another terminal restarts nothing.
        """
        own = {name: value for name, value in self.environment.items() if name not in OF_A_SHELL}
        material = json.dumps([self.command, sorted(own.items())])
        return hashlib.sha256(material.encode()).hexdigest()


@dataclass(frozen=True)
class Recorded:
    """The last start, from `run/<service>.json`."""

    pid: int
    created: float
    port: int | None
    fingerprint: str
    since: str
    # The one whose command started it; unknown for earlier versions.
    checkout: str = ""

    def process(self) -> psutil.Process | None:
        """The process, if it is still running and its PID was not reused."""
        try:
            process = psutil.Process(self.pid)
            is_same = self._is(process) and process.status() != psutil.STATUS_ZOMBIE
            return process if is_same else None
        except psutil.NoSuchProcess:
            return None

    def has_lost_its_id(self) -> bool:
        """Whether its PID was reused, which it is not while a process of its session runs."""
        try:
            return not self._is(psutil.Process(self.pid))
        except psutil.NoSuchProcess:
            return False

    def _is(self, process: psutil.Process) -> bool:
        return bool(abs(process.create_time() - self.created) <= SAME_START_SECONDS)


def inherited_environment() -> dict[str, str]:
    """The few environment variables that services inherit; nothing personal."""
    mine = os.environ  # noqa: TID251 # only to hand it on
    return {name: mine[name] for name in INHERITED if name in mine} | LOOPBACK


def recorded(home: Path, name: str) -> Recorded | None:
    """The last start of a service, or None if it was never started or was stopped."""
    content = read_json(record_path(home, name))
    try:
        return Recorded(**content) if content else None
    except TypeError:
        return None


def start(home: Path, service: Service, *, give_up: Event | None = None) -> None:
    """Start a service in its own session, record it, and wait until it responds.

    Raises `PlatformFailed` with the end of its log if it exits, does not
    respond in time, or `give_up` is set; then none of it is left running.
    """
    if service.port is not None and (owner := port_owner(service.port)) is not None:
        raise PlatformFailed(
            f"{service.name}: port {service.port} is in use by {owner}. "
            "Stop that process, or choose other ports with WANDLE_PORT_BASE."
        )
    began = datetime.now().astimezone()
    child = _spawn(home, service)
    try:
        _wait_until_it_answers(home, service, child, began, give_up or Event())
    except BaseException:
        stop(home, [service.name], signal.SIGTERM, GIVE_UP_SECONDS)
        raise


def _spawn(home: Path, service: Service) -> subprocess.Popen[bytes]:
    log = log_path(home, service.name)
    make_private_folder(log.parent)
    if log.exists() and log.stat().st_size > MOST_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as output:
        child = subprocess.Popen(
            service.command,
            env=dict(service.environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            umask=0o077,
        )
    try:
        content = {
            "pid": child.pid,
            "created": psutil.Process(child.pid).create_time(),
            "port": service.port,
            "fingerprint": service.fingerprint,
            "since": datetime.now().astimezone().isoformat(timespec="seconds"),
            "checkout": str(CHECKOUT),
        }
        write_private(record_path(home, service.name), json.dumps(content) + "\n")
    except BaseException:
        # Without a record nothing would ever stop it.
        child.kill()
        child.wait()
        raise
    return child


def _wait_until_it_answers(
    home: Path,
    service: Service,
    child: subprocess.Popen[bytes],
    began: datetime,
    give_up: Event,
) -> None:
    deadline = time.monotonic() + service.start_seconds
    while not service.answers(began):
        code = child.poll()
        if code is not None:
            raise PlatformFailed(
                f"{service.name}: exited with code {code} while starting. {warning(home)}"
                f"{_end_of_log(home, service.name)}"
            )
        if time.monotonic() > deadline:
            raise PlatformFailed(
                f"{service.name}: no response from {service.address} within "
                f"{service.start_seconds:.0f} s. {warning(home)}{_end_of_log(home, service.name)}"
            )
        if give_up.wait(service.poll_seconds):
            raise PlatformFailed(f"{service.name}: start aborted, because another service failed.")


def stop(home: Path, names: Iterable[str], signal_number: int, seconds: float) -> list[str]:
    """Terminate services, wait, then kill the rest. Returns the names of those that ran.

    Also cleans up the records and orphans of services that are already dead.
    """
    starts = {name: start for name in names if (start := recorded(home, name))}
    running = {name: p for name, start in starts.items() if (p := start.process())}
    family = [m for start in starts.values() for m in _session(start)]
    for process in running.values():
        _send(process, signal_number)
    psutil.wait_procs(running.values(), timeout=seconds)
    family += [m for start in starts.values() for m in _session(start)]
    remaining = {process for process in family if process.is_running()}
    for process in remaining:
        _send(process, signal.SIGKILL)
    psutil.wait_procs(remaining, timeout=5)
    for name in starts:
        record_path(home, name).unlink(missing_ok=True)
    return list(running)


def port_owner(port: int) -> str | None:
    """The process that listens on a local port, as text; None if the port is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind((HOST, port))
            return None
    with suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.pid
            # The same port may be in use on another address.
            if listens and connection.laddr.port == port and connection.laddr.ip in BLOCKING:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return "another process (not visible to this user)"


def _session(start: Recorded) -> list[psutil.Process]:
    """The processes of a service: its session, which orphans keep after the leader dies."""
    members: list[psutil.Process] = []
    if start.has_lost_its_id():
        return members
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == start.pid and (
                process.create_time() >= start.created - SAME_START_SECONDS
            ):
                members.append(process)
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return members


def _send(process: psutil.Process, signal_number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal_number)


def _end_of_log(home: Path, name: str) -> str:
    path = log_path(home, name)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
    return f" The end of {path}:\n" + "\n".join(f"  {line}" for line in lines)
