"""A small TCP proxy in front of S3 that cuts downloads and uploads, or refuses what is too much."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass

REQUEST = re.compile(rb"^(?P<method>GET|PUT|POST|HEAD|DELETE) (?P<path>\S+) HTTP/1\.1\r\n")
LENGTH = re.compile(rb"^content-length: (\d+)\r?$", re.I | re.M)
FULL = b"<Error><Code>XMinioStorageFull</Code><Message>No space left</Message></Error>"
REFUSAL = (
    b"HTTP/1.1 507 Insufficient Storage\r\nContent-Type: application/xml\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(FULL), FULL)
)


@dataclass
class Rules:
    """What goes wrong: requests whose path holds `path`, the first `times` of them.

    A GET's answer, or a PUT's body, ends after `after_bytes`; a PUT that
    makes more than `quota_bytes` in all is refused, as a full store does.
    """

    path: str = ".json.gz"
    cut_get_after: int | None = None
    cut_put_after: int | None = None
    quota_bytes: int | None = None
    times: int = 1


class Proxy:
    """Listens on a port of its own, and passes on what comes unless a rule says otherwise."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.rules = Rules()
        self.failures = 0
        self._used = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def disturb(self, rules: Rules) -> None:
        """Let requests go wrong from here on."""
        self.failures = self._used = 0
        self.rules = rules

    def repair(self) -> None:
        """Pass on everything again."""
        self.rules = Rules()

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._upstream)
            except OSError:
                client.close()
                continue
            pair = _Pair(self, client, server)
            for pump in (pair.upwards, pair.downwards):
                threading.Thread(target=pump, daemon=True).start()

    def must_fail(self, path: bytes) -> bool:
        """Whether this request is one that goes wrong; it counts."""
        if self.rules.path.encode() not in path or self.failures >= self.rules.times:
            return False
        self.failures += 1
        return True

    def too_much(self, length: int) -> bool:
        """Whether so many bytes more are over the quota."""
        if self.rules.quota_bytes is None:
            return False
        self._used += length
        if self._used <= self.rules.quota_bytes:
            return False
        self.failures += 1
        return True


class _Pair:
    """One connection and its other half."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._down: int | None = None
        self._up: int | None = None

    def upwards(self) -> None:
        """What the client says."""
        with suppress(OSError):
            while data := self._client.recv(65_536):
                if self._refused(data):
                    self._client.sendall(REFUSAL)
                    break
                kept = data if self._up is None else data[: self._up]
                self._server.sendall(kept)
                if self._up is not None:
                    self._up -= len(kept)
                    if self._up <= 0:
                        break
        self._close()

    def downwards(self) -> None:
        """What S3 says."""
        with suppress(OSError):
            while data := self._server.recv(65_536):
                kept = data if self._down is None else data[: self._down]
                self._client.sendall(kept)
                if self._down is not None:
                    self._down -= len(kept)
                    if self._down <= 0:
                        break
        self._close()

    def _refused(self, data: bytes) -> bool:
        request = REQUEST.match(data)
        if request is None:
            return False
        rules, head = self._proxy.rules, data.partition(b"\r\n\r\n")[0]
        method, path = request["method"], request["path"]
        self._down = self._up = None
        if method == b"GET" and rules.cut_get_after is not None and self._proxy.must_fail(path):
            self._down = rules.cut_get_after
        if method != b"PUT":
            return False
        if rules.cut_put_after is not None and self._proxy.must_fail(path):
            self._up = len(head) + 4 + rules.cut_put_after
        length = LENGTH.search(head)
        return self._proxy.too_much(int(length[1]) if length else 0)

    def _close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
