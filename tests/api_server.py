"""A real `wandle serve` over HTTP, and the S3 of one machine below it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
from botocore.config import Config

from include.publish.versions import Published

BUCKET = "wandle"
_PATIENCE = 120.0


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: Any, message: str, seconds: float = _PATIENCE) -> None:
    """Wait until a function returns something true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, message
        time.sleep(0.05)


@dataclass
class ObjectStore:
    """`rclone serve s3` on a folder; it can be stopped and started again on its port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def published(self) -> Published:
        """The versions in its bucket."""
        session = boto3.Session("test", "test", region_name="eu-west-2")
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 4})
        client = session.client("s3", endpoint_url=self.endpoint, config=config)
        return Published(client, BUCKET)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        (self.folder / BUCKET).mkdir(parents=True, exist_ok=True)
        program = Path(sys.executable).with_name("rclone")
        self.process = subprocess.Popen(
            [program, "serve", "s3", self.folder, "--addr", f"127.0.0.1:{self.port}",
             "--config", "", "--auth-key", "test,test", "--vfs-cache-mode", "off",
             "--log-level", "CRITICAL"]
        )  # fmt: skip
        wait_until(lambda: _listens(self.port), "rclone did not start")

    def stop(self) -> None:
        """Stop it."""
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """An S3 on a folder."""
    store = ObjectStore(folder, free_port())
    store.start()
    try:
        yield store
    finally:
        store.stop()


@dataclass
class Server:
    """A `wandle serve`, its address, and the file with its log of requests."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    errors: Path

    def ready(self) -> bool:
        """Whether it has a version."""
        assert self.process.poll() is None, self.errors.read_text()
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """End it as a container runtime does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextmanager
def served(store: ObjectStore, home: Path, *options: str, ready: bool = True) -> Iterator[Server]:
    """A server of what the S3 has published; by default once it has a version."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WANDLE_", "AWS_", "AIRFLOW_"))
    } | {
        "WANDLE_HOME": str(home),
        "TMPDIR": str(home),
        "WANDLE_BUCKET": BUCKET,
        "AWS_ENDPOINT_URL_S3": store.endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    log, errors = home / f"log-{port}", home / f"errors-{port}"
    command = [Path(sys.executable).with_name("wandle"), "serve", "--port", str(port), *options]
    with log.open("wb") as out, errors.open("wb") as err:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)
    server = Server(f"http://127.0.0.1:{port}", process, log, errors)
    try:
        if ready:
            wait_until(server.ready, "the server has no version")
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def workers(home: Path) -> dict[int, dict[str, float]]:
    """The processes of a server that have a version, and the gauges that each of them writes."""
    found = {}
    for place in home.glob("wandle-serve-*/metrics-*.json"):
        process = int(place.stem.partition("-")[2])
        gauges = json.loads(place.read_bytes())["gauges"]
        if psutil.pid_exists(process) and gauges["ready"]:
            found[process] = gauges
    return found


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
