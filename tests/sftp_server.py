"""An SFTP server on the loopback address, on a folder: asyncssh's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import asyncssh

USER, PASSWORD = "council", "a pass/word"


@dataclass(frozen=True)
class SftpServer:
    """Where it listens, its key, and the key that may log in."""

    port: int
    host_key: str
    client_key: str
    folder: Path

    def uri(self, **changes: str) -> str:
        """The address as Airflow writes a Connection; `None` values are left out."""
        given = {"password": PASSWORD, "host_key": self.host_key} | changes
        user = f"{USER}:{quote(given.pop('password'), safe='')}"
        extra = urlencode({name: value for name, value in given.items() if value})
        return f"sftp://{user}@127.0.0.1:{self.port}/?{extra}"


class _Logins(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


def _text(key: asyncssh.SSHKey, what: str) -> str:
    exported = key.export_public_key() if what == "public" else key.export_private_key()
    return exported.decode().strip()


@contextmanager
def sftp_server(
    folder: Path, factory: Callable[..., Any] = asyncssh.SFTPServer
) -> Iterator[SftpServer]:
    """Serves a folder, from which nothing leads out."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    client_key = asyncssh.generate_private_key("ssh-ed25519")
    loop, ready, found = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> None:
        listening = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=_Logins,
            server_host_keys=[host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(_text(client_key, "public")),
            sftp_factory=lambda channel: factory(channel, chroot=str(folder).encode()),
        )
        found.append(listening)
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield SftpServer(
            found[0].get_port(), _text(host_key, "public"), _text(client_key, "private"), folder
        )
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
