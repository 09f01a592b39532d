"""The S3 server and the sandbox as services."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import requests

from include.local.home import HOST, port
from include.local.processes import Service, inherited_environment
from include.settings import CHECKOUT, Settings


def python_environment() -> dict[str, str]:
    """Variables for every Python service, in addition to its own."""
    return inherited_environment() | {
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(CHECKOUT),
    }


def s3(settings: Settings) -> Service:
    """`rclone serve s3` on the folder `s3`.

    Without its cache an acknowledged object is on the disk, complete and under
    its name. User metadata and content types live in its memory only, and are
    gone after a restart. A file changed by hand is noticed within five
    seconds; at zero, rclone 1.75.2 stops answering under load. The keys are
    not on the command line, where everyone could read them.
    """
    listens = port(settings.port_base, "s3")
    keys = f'"{settings.need("s3_access_key")},{settings.need("s3_secret_key")}"'
    return Service(
        name="s3",
        command=(
            *(_beside_python("rclone"), "serve", "s3", str(settings.home / "s3")),
            *("--addr", f"{HOST}:{listens}", "--config", "", "--log-level", "NOTICE"),
            *("--vfs-cache-mode", "off", "--dir-cache-time", "5s"),
        ),
        # Half of the cores are for its clients: on two, a load of small pages takes 5 % less time.
        environment=inherited_environment()
        | {"RCLONE_AUTH_KEY": keys, "GOMAXPROCS": str(max(1, (os.cpu_count() or 1) // 2))},
        address=settings.need("s3_endpoint"),
        answers=lambda _: accepts_connections(listens),
        port=listens,
    )


def sandbox(settings: Settings) -> Service:
    """The API sandbox, with generated data or recorded payloads."""
    listens = port(settings.port_base, "sandbox")
    payloads = ("--payloads", str(settings.payloads)) if settings.payloads else ()
    return Service(
        name="sandbox",
        command=(
            *(sys.executable, "-m", "sandbox.serve", "--host", HOST),
            *(
                "--port",
                str(listens),
                "--state",
                str(settings.home / "sandbox.json"),
                *payloads,
            ),
        ),
        environment=python_environment(),
        address=f"http://{HOST}:{listens}",
        answers=lambda _: answers_http(f"http://{HOST}:{listens}/health"),
        port=listens,
    )


def accepts_connections(listens: int) -> bool:
    """Whether a local port accepts connections."""
    try:
        socket.create_connection((HOST, listens), timeout=1).close()
        return True
    except OSError:
        return False


def answers_http(url: str) -> bool:
    """Whether a local URL responds with success."""
    try:
        return requests.get(url, timeout=2, proxies={"no_proxy": HOST}).ok
    except requests.RequestException:
        return False


def _beside_python(program: str) -> str:
    return str(Path(sys.executable).parent / program)
