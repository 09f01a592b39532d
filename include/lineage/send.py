"""Send OpenLineage events to a file or a server; what goes wrong there fails nothing."""

from __future__ import annotations

import logging
import os
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from openlineage.client.serde import Serde
from openlineage.client.transport.http import HttpConfig, HttpTransport

log = logging.getLogger(__name__)

# A server that is down delays a process by as long, once.
SECONDS = 5


class Sender:
    """Sends events to a URL: `file:///path` appends them as lines, `https://host` posts them.

    After the first event that is not accepted, it warns once and sends no more.
    """

    def __init__(self, url: str, api_key: str = "") -> None:
        self._url = url
        self._place = url if url.startswith("file:") else urlsplit(url).netloc.rpartition("@")[2]
        self._broken = False
        self._http: HttpTransport | None = None
        if not url.startswith("file:"):
            auth = {"type": "api_key", "apiKey": api_key} if api_key else {}
            retry = {"total": 0, "connect": 0, "read": 0}
            self._http = HttpTransport(
                HttpConfig.from_dict({"url": url, "timeout": SECONDS, "retry": retry, "auth": auth})
            )

    def send(self, *events: Any) -> None:
        """Send the events in order. Raises nothing."""
        try:
            for event in () if self._broken else events:
                self._send(event)
        except Exception as error:
            self._broken = True
            log.warning(
                "lineage: %s did not accept an event (%s), so this process sends no more. What it "
                "does goes on. Check WANDLE_LINEAGE_URL.",
                *(self._place, type(error).__name__),
            )

    def _send(self, event: Any) -> None:
        if self._http:
            self._http.emit(event)
            return
        path = Path(unquote(urlsplit(self._url).path))
        line = (Serde.to_json(event) + "\n").encode()
        # In one piece: several processes append at the same time.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(file, line)
        finally:
            os.close(file)


@cache
def sender(url: str, api_key: str = "") -> Sender:
    """The sender of this process to a URL."""
    return Sender(url, api_key)
