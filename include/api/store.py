"""Keeps the current version in memory: looks for a new one, and keeps the last good one.

All processes of a server share the folder with its files, so one that is started again while S3 is
unavailable has the last good version too.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from include.api.version import Version, forget, load, load_kept, sweep, with_history
from include.errors import PipelineError
from include.publish.versions import Index, Published

log = logging.getLogger(__name__)

# Files of the version before are deleted when answers that were being sent have ended.
_SWEPT_AFTER = 60.0


class Store:
    """The version that is served now: `current`, None before the first is there.

    `found_at` is when the index was last read, by the clock of `time.monotonic`.
    """

    def __init__(self, published: Published, folder: Path, every_seconds: float = 2.0) -> None:
        self._published, self._folder, self._every = published, folder, every_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
        self._sweep_at = 0.0
        self._said = ""
        self.current: Version | None = None
        self.found_at = 0.0
        self.failures = 0
        self.loaded_seconds = 0.0

    def start(self) -> None:
        """Look for the first version, so that it is there for the first request; then watch."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    def gauges(self) -> dict[str, float]:
        """What is measured of it: how old its knowledge of the index is, failures, loading."""
        return {
            "index_age_seconds": time.monotonic() - self.found_at if self.found_at else 0.0,
            "index_failures": float(self.failures),
            "load_seconds": self.loaded_seconds,
            "ready": float(self.current is not None),
        }

    def look(self) -> None:
        """Read the index, and the current version if it has changed.

        Whatever fails is logged once, and the last good version stays.
        """
        try:
            self._look()
        except PipelineError as error:
            self._failed(str(error))
        except Exception as error:
            self._failed(f"serve: the version cannot be read: {type(error).__name__}: {error}")
        else:
            self._said = ""

    def _look(self) -> None:
        index = self._published.index()
        now = time.monotonic()
        last = self.current
        if not index.current and index != Index():
            # Everything was withdrawn. If the index itself is missing, the last version stays.
            self.current = None
            forget(self._folder)
        elif index.current and (
            last is None or last.version != index.current or last.lacks_files()
        ):
            self.current = load(self._published, index.current, index.versions, self._folder, last)
            self.loaded_seconds = time.monotonic() - now
            self._sweep_at = now + _SWEPT_AFTER
            log.info("serve: version %s in %.2f s", index.current, self.loaded_seconds)
        elif last is not None and index.versions != last.history:
            self.current = with_history(last, index.versions)
        self.found_at = now
        if self.current and self._sweep_at and now > self._sweep_at:
            sweep(self._folder, self.current)
            self._sweep_at = 0.0

    def _failed(self, why: str) -> None:
        self.failures += 1
        if why != self._said:
            log.warning("%s", why)
        self._said = why
        if self.current is None:
            self._recover()

    def _recover(self) -> None:
        try:
            self.current = load_kept(self._published, self._folder)
        except Exception as error:
            log.warning("serve: no local copy either: %s: %s", type(error).__name__, error)
        if self.current:
            log.info("serve: version %s, from the local copy", self.current.version)

    def _watch(self) -> None:
        while not self._stop.wait(self._every):
            self.look()
