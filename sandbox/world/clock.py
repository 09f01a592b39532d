"""The sandbox's current date and the seed of its data.

The state file, `{"seed": 7, "as_of": "2026-11-21"}`, is read again whenever it
changes, so the date can be changed while the sandbox is running. With
`"national": true`, gauges are generated all over the country instead of only
around the councils.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from include.errors import PermanentError

log = logging.getLogger("wandle.sandbox")


def file_version(path: Path) -> tuple[int, int, int] | None:
    """A value that changes whenever the file does; None if there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


class WrongState(PermanentError):
    """The sandbox's state file cannot be read."""


@dataclass(frozen=True)
class Moment:
    """What generated responses depend on, besides the request."""

    seed: int
    as_of: date
    national: bool = False

    @property
    def now(self) -> datetime:
        """The last second of the day, UTC, so that all of the day is in the past."""
        midnight = datetime(self.as_of.year, self.as_of.month, self.as_of.day, tzinfo=UTC)
        return midnight + timedelta(days=1, seconds=-1)


def read_state(state: Path) -> Moment:
    """Read a state file. Raises `WrongState`."""
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
        national = bool(content.get("national", False))
        return Moment(int(content["seed"]), date.fromisoformat(content["as_of"]), national)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongState(
            f'sandbox: {state}: expected {{"seed": <number>, "as_of": "YYYY-MM-DD"}}, '
            f"found {type(error).__name__}: {error}. Correct the file."
        ) from error


class Clock:
    """The current moment; a state file overrides the initial one."""

    def __init__(
        self, seed: int, as_of: date, state: Path | None = None, *, national: bool = False
    ) -> None:
        self._moment = Moment(seed, as_of)
        self._national = national
        self._state = state
        self._version: tuple[int, int, int] | None = None

    def now(self) -> Moment:
        """The moment of the state file, else the last one known.

        A state file that cannot be read is reported in the log, once, and the
        last known moment stays.
        """
        if self._state is not None:
            version = file_version(self._state)
            if version is not None and version != self._version:
                self._version = version
                try:
                    self._moment = read_state(self._state)
                except WrongState as error:
                    log.warning("%s Until then it is %s.", error, self._moment.as_of)
        return replace(self._moment, national=True) if self._national else self._moment
