"""A folder on an SFTP server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncssh

from include.errors import BeyondLimit, PermanentError, SourceRejected, SourceUnavailable
from include.extract.files.listing import File, Received
from include.extract.files.receive import CHUNK_BYTES, Receiver
from include.sources.extract.files import FilesExtract
from include.sources.model import Contract

CONNECT_SECONDS = 10
PORT = 22
# Between two looks at files whose time says nothing.
LOOK_SECONDS = 1.0
# What clients call a file while they write it.
_TEMPORARY = (".part", ".partial", ".filepart", ".tmp", ".temp", ".swp", ".crdownload", "~")

Found = TypeVar("Found")


@dataclass(frozen=True)
class Login:
    """How to log in on a server, from the URI of an Airflow Connection."""

    host: str
    port: int
    user: str
    password: str
    private_key: str
    passphrase: str
    host_key: str

    @classmethod
    def of(cls, connection: str, uri: str) -> Login:
        """Read the URI. Raises `PermanentError`, without what is in it, for an incomplete one."""
        parts = urlsplit(uri)
        extra = dict(parse_qsl(parts.query))
        try:
            extra |= json.loads(extra.pop("__extra__", "{}"))
            port = parts.port or PORT
        except ValueError:
            raise PermanentError(
                f"the connection {connection!r} cannot be read. Set it again."
            ) from None
        login = cls(
            host=parts.hostname or "",
            port=port,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            private_key=str(extra.get("private_key", "")),
            passphrase=str(extra.get("private_key_passphrase", "")),
            host_key=str(extra.get("host_key", "")),
        )
        missing = [
            name
            for name, value in (
                ("host", login.host),
                ("login", login.user),
                ("host_key (in its extra, as `ssh-keyscan` prints it)", login.host_key),
                ("password or private_key", login.password or login.private_key),
            )
            if not value
        ]
        if missing:
            raise PermanentError(
                f"the connection {connection!r} lacks {', '.join(missing)}. Add it to the Airflow "
                "Connection, or its variable for the command line."
            )
        return login

    def options(self, connection: str) -> dict[str, Any]:
        """What asyncssh connects with. Raises `PermanentError` for keys that cannot be read."""
        doing = "host_key"
        try:
            # Of `host ssh-ed25519 AAAA...`, the key.
            words = self.host_key.split()
            place = next(i for i, w in enumerate(words) if w.startswith(("ssh-", "ecdsa-", "sk-")))
            trusted = asyncssh.import_public_key(" ".join(words[place : place + 2]))
            doing = "private_key"
            keys = (
                [asyncssh.import_private_key(self.private_key, self.passphrase or None)]
                if self.private_key
                else None
            )
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError, StopIteration):
            raise PermanentError(
                f"the connection {connection!r}: its {doing} is not a key. Set it again."
            ) from None
        return {
            "host": self.host,
            "port": self.port,
            "username": self.user,
            "password": self.password or None,
            "client_keys": keys,
            "known_hosts": ([trusted], [], []),
            "connect_timeout": CONNECT_SECONDS,
            "login_timeout": CONNECT_SECONDS,
            # Nothing of the account that runs this.
            "config": None,
            "agent_path": None,
            "gss_auth": False,
            "gss_kex": False,
        }


class Sftp:
    """The files of a folder, and of the folders in it as deep as the pattern goes.

    A link is not followed. A file that was modified a moment ago is not settled.
    """

    def __init__(self, contract: Contract, uri: str | None) -> None:
        extract = contract.extract
        if not isinstance(extract, FilesExtract):
            raise TypeError(f"{contract.name} is not fetched from files")
        if not uri:
            raise PermanentError(
                f"{contract.name}: the address of the SFTP server {extract.connection!r} is not "
                "given. Add the Airflow Connection with that name, or its variable for the command "
                "line."
            )
        self._contract, self._extract = contract, extract
        self._options = Login.of(extract.connection, uri).options(extract.connection)
        self._folder = extract.folder or "."
        self._depth = extract.pattern.count("/")
        self.address = f"sftp:{extract.connection}/{extract.folder.lstrip('/')}"

    def files(self) -> Iterator[File]:
        """Every file, link and special file, in order of their names."""
        who = f"{self._contract.name}: listing {self.address}"
        return iter(self._run(who, self._listed(who)))

    def read(self, who: str, file: File) -> Received:
        """The file's bytes. Raises `SourceUnavailable` if it changes meanwhile."""
        return self._run(who, self._received(who, file))

    def _run(self, who: str, doing: Coroutine[Any, Any, Found]) -> Found:
        seconds = self._contract.limits.request_seconds

        async def limited() -> Found:
            try:
                async with asyncio.timeout(seconds) as limit:
                    return await doing
            except TimeoutError:
                if not limit.expired():
                    raise
                what = f"one request took more than {seconds:.12g} s"
                raise BeyondLimit(what, "request_seconds", seconds, who) from None

        with _errors(who, self._extract.connection):
            return asyncio.run(limited())

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncssh.SFTPClient]:
        async with (
            asyncssh.connect(**self._options) as connection,
            connection.start_sftp_client(path_errors="surrogateescape") as client,
        ):
            yield client

    async def _listed(self, who: str) -> list[File]:
        async with self._connected() as client:
            files = await self._look(client, who)
            now = time.time()
            doubtful = {file.name for file in files if _age(file, now) is None}
            if doubtful and self._extract.settle_seconds:
                await asyncio.sleep(LOOK_SECONDS)
                before = {file.name: file.headers for file in files}
                again = await self._look(client, who)
                changed = {f.name for f in again if before.get(f.name) != f.headers}
                doubtful &= changed
            else:
                doubtful = set()
            return [
                replace(file, is_settled=file.name not in doubtful and self._is_settled(file, now))
                for file in files
            ]

    def _is_settled(self, file: File, now: float) -> bool:
        if file.trouble:
            return True
        last = file.name.rpartition("/")[2]
        if last.startswith(".") or last.lower().endswith(_TEMPORARY):
            return False
        age = _age(file, now)
        return age is None or age >= self._extract.settle_seconds

    async def _look(self, client: asyncssh.SFTPClient, who: str) -> list[File]:
        found: list[File] = []
        most = self._contract.limits.files
        waiting = [("", self._depth)]
        while waiting:
            below, depth = waiting.pop()
            path = f"{self._folder}/{below}".rstrip("/")
            async for entry in client.scandir(path):
                name = str(entry.filename)
                if name in (".", ".."):
                    continue
                if entry.attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY and "/" not in name:
                    if depth:
                        waiting.append((f"{below}{name}/", depth - 1))
                    continue
                found.append(self._file(f"{below}{name}", entry.attrs, "/" in name))
                if len(found) > most:
                    raise BeyondLimit(f"found more than {most} files", "files", most, who)
        return sorted(found, key=lambda file: file.name)

    def _file(self, name: str, attrs: asyncssh.SFTPAttrs, leads_elsewhere: bool) -> File:
        trouble = ""
        if attrs.type != asyncssh.FILEXFER_TYPE_REGULAR:
            trouble = "it is a link or a special file, which is not followed"
        if leads_elsewhere:
            trouble = "its name is not a plain relative path"
        return File(
            name=name,
            address=f"{self.address}/{name}",
            key=f"{self._folder}/{name}",
            size=attrs.size,
            modified=None if attrs.mtime is None else datetime.fromtimestamp(attrs.mtime, UTC),
            trouble=trouble,
        )

    async def _received(self, who: str, file: File) -> Received:
        receiver = Receiver(who, self._contract.limits, file.size)
        async with (
            self._connected() as client,
            client.open(file.key, "rb", encoding=None) as bytes_,
        ):
            while chunk := await bytes_.read(CHUNK_BYTES):
                receiver.add(bytes(chunk, "utf-8") if isinstance(chunk, str) else chunk)
            now = self._file(file.name, await client.lstat(file.key), leads_elsewhere=False)
        if (now.trouble, now.headers) != ("", file.headers):
            raise SourceUnavailable(
                f"{who}: changed while it was being read: it is still being written. Try again "
                "later."
            )
        return receiver.finish(file.headers)


def _age(file: File, now: float) -> float | None:
    """The seconds since a file was modified; None if its time is missing or in the future."""
    age = None if file.modified is None else now - file.modified.timestamp()
    return None if age is None or age < -1 else age


@contextmanager
def _errors(who: str, connection: str) -> Iterator[None]:
    """Turn the library's errors into ours."""
    server = f"the SFTP server {connection!r}"
    try:
        yield
    except asyncssh.HostKeyNotVerifiable:
        raise SourceRejected(
            f"{who}: {server} has a host key other than `host_key` of the connection. Retrying "
            "will not help. Ask its operator whether the key was changed; if not, somebody else is "
            "answering in its place."
        ) from None
    except asyncssh.PermissionDenied:
        raise SourceRejected(
            f"{who}: {server} refuses the login. Check the connection's login, and its password or "
            "private_key."
        ) from None
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
        raise SourceRejected(
            f"{who}: {server} has no such file or folder. Retrying will not help; check "
            "`extract.folder` in the contract."
        ) from None
    except asyncssh.SFTPPermissionDenied:
        raise SourceRejected(
            f"{who}: {server} denies access. Check the rights of the connection's login."
        ) from None
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise SourceUnavailable(
            f"{who}: no answer from {server} ({type(error).__name__}). Try again later."
        ) from None
