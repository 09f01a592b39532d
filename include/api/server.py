"""Granian with the application: processes, time-outs, and an end that loses no request."""

from __future__ import annotations

import gc
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from include.api import draining

# What the server says goes to stderr: lines of requests are alone on stdout.
_LOGGING = {
    name: {"class": "logging.StreamHandler", "formatter": "generic", "stream": "ext://sys.stderr"}
    for name in ("console", "access")
}
# A client must have sent its headers by then; an idle connection is closed.
_HEADERS_MILLISECONDS = 15_000
# Of the headers of a request.
_MOST_BYTES = 64 << 10
_BACKLOG = 4096
# Answers that are being sent get so long to end.
_STOP_SECONDS = 30
# Allocations between two runs of the garbage collector; the default, 700, is a few requests.
_UNSEARCHED = 100_000


@dataclass(frozen=True)
class Place:
    """Where it listens, and in how many processes."""

    host: str
    port: int
    workers: int = 1


# Makes the application in each process; it can be pickled.
Make = Callable[[Path], Any]


def serve(place: Place, make: Make) -> None:
    """Serve until a signal ends it. Files are kept in a temporary folder, which is deleted."""
    with tempfile.TemporaryDirectory(prefix="wandle-serve-") as folder:
        # Of a process that has not reached the loader yet, the signal must not be the end.
        signal.signal(draining.SIGNAL, signal.SIG_IGN)
        _Server(
            "wandle",
            address=place.host,
            port=place.port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            workers=place.workers,
            websockets=False,
            backlog=_BACKLOG,
            http1_settings=HTTP1Settings(
                header_read_timeout=_HEADERS_MILLISECONDS, max_buffer_size=_MOST_BYTES
            ),
            respawn_failed_workers=True,
            workers_kill_timeout=_STOP_SECONDS,
            log_access=False,
            log_dictconfig={"handlers": _LOGGING},
        ).serve(target_loader=_Loader(make, Path(folder)), wrap_loader=False)


class _Server(Granian):  # type: ignore[misc, valid-type]
    """Drains before it stops."""

    def shutdown(self, exit_code: int = 0) -> None:
        """Stop serving. After a signal, clients get a second to send what they have begun."""
        if self.interrupt_signal:
            # One that ends in the meantime, for a signal to all processes, is not a failure.
            for worker in self.wrks:
                worker.interrupt_by_parent = True
            self.interrupt_children.clear()
            draining.drain()
        super().shutdown(exit_code)


class _Loader:
    """What Granian calls in each process."""

    def __init__(self, make: Make, folder: Path) -> None:
        self._make, self._folder = make, folder

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # Nobody waits for a process that starts. It has inherited what the main process does for
        # these signals, which would keep it until it is killed.
        for number in (draining.SIGNAL, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        made = self._make(self._folder)
        _search_less()
        return made


def _search_less() -> None:
    """Run the garbage collector less often, and not over what lasts as long as the process.

    Requests leave next to no cycles. A search of all modules and remembered answers stops the
    process for up to 40 ms: with the defaults, the 99th percentile at the peak is 50 ms, not 10.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_UNSEARCHED, *gc.get_threshold()[1:])
