"""Send OpenLineage events to a file or a server; what goes wrong there fails nothing."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from openlineage.client.serde import Serde

log = logging.getLogger(__name__)

# A server that is down delays a process by as long, once.
SECONDS = 5
# What an answer may take; what is more is counted, up to as much as above.
QUICK = 0.25
_PATH = "/api/v1/lineage"
# Of an answer, only the status counts; this much is read, so that the connection can be reused.
_READ = 65_536


class _NotAccepted(Exception):
    """An event was not accepted, in words that have no secret in them."""


class Sender:
    """Sends events to a URL: `file:///path` appends them as lines, `https://host` posts them.

    After the first event that is not accepted, it warns once and sends no more.
    """

    def __init__(self, url: str, api_key: str = "") -> None:
        self._url = url
        self._broken = False
        self._late = 0.0
        self._session = requests.Session()
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"

    def send(self, *events: Any) -> None:
        """Send the events in order. Raises nothing."""
        try:
            for event in () if self._broken else events:
                self._send(Serde.to_json(event).encode())
        except Exception as error:
            self._broken = True
            log.warning(
                "lineage: %s did not accept an event (%s), so this process sends no more. The job "
                "itself continues. Check WANDLE_LINEAGE_URL.",
                *(_place(self._url), _why(error)),
            )

    def _send(self, body: bytes) -> None:
        if self._url.startswith("file:"):
            _append(Path(unquote(urlsplit(self._url).path)), body + b"\n")
            return
        began = time.monotonic()
        self._post_in_time(body)
        self._late += max(0, time.monotonic() - began - QUICK)
        if self._late > SECONDS:
            raise _NotAccepted("its answers take too long")

    def _post_in_time(self, body: bytes) -> None:
        """Post, and wait no longer than that: a server can send its answer byte by byte."""
        failed: list[Exception] = []

        def post() -> None:
            try:
                self._post(body)
            except Exception as error:
                failed.append(error)

        thread = threading.Thread(target=post, name="lineage", daemon=True)
        thread.start()
        thread.join(SECONDS)
        if thread.is_alive():
            raise _NotAccepted(f"no answer within {SECONDS} seconds")
        if failed:
            raise failed[0]

    def _post(self, body: bytes) -> None:
        # A redirect would turn it into a GET, or take the key elsewhere.
        with self._session.post(
            self._url.partition("?")[0].rstrip("/") + _PATH,
            data=body,
            headers=self._headers,
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        ) as answer:
            if not 200 <= answer.status_code < 300:
                raise _NotAccepted(f"status {answer.status_code}")
            next(answer.iter_content(_READ), b"")


def _append(path: Path, line: bytes) -> None:
    # In one piece: several processes append at the same time. A pipe that nobody reads is an error.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
    try:
        written = os.write(file, line)
        if written < len(line):
            # The disk is full: no line of which the end is missing, to which others would append.
            end = os.lseek(file, 0, os.SEEK_CUR)
            if os.fstat(file).st_size == end:
                os.ftruncate(file, end - written)
            raise _NotAccepted("no space left")
    finally:
        os.close(file)


def _place(url: str) -> str:
    """What a message may say of a URL: no login and no parameters."""
    if url.startswith("file:"):
        return url
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, _NotAccepted) else type(error).__name__


@cache
def sender(url: str, api_key: str = "") -> Sender:
    """The sender of this process to a URL."""
    return Sender(url, api_key)
