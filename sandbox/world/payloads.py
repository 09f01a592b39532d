"""Find the recordings in a payload directory, and which of them are complete responses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from include.errors import PermanentError

# Markers in the names of incomplete recordings.
CUT = re.compile(r"_(excerpt|trimmed|items)(_|\.)")
RECORDED_ON = re.compile(r"\d{4}(-\d{2}(-\d{2}(T\d{4}Z)?)?)?")

LAYOUT = (
    "police/crimes/<council>/<YYYY-MM>/<ward code>.json and "
    "police/boundaries/<council GSS code>.json below it, ea/*.json, open_meteo/*.json or "
    "gov_uk/*.json, or it to be that police folder. "
    "Correct WANDLE_PAYLOADS, or leave it out for generated data."
)


class WrongPayloads(PermanentError):
    """A payload directory does not have the expected layout."""


def whole_answers(folder: Path) -> Iterator[tuple[Path, bytes, Any]]:
    """Path, bytes and content of each complete JSON body of a folder, newest first.

    The newest has the latest date in its file name. Raises
    `WrongPayloads` for a file that is not JSON.
    """
    paths = [path for path in folder.glob("*.json") if not CUT.search(path.name)]
    for path in sorted(paths, key=_recorded_on, reverse=True):
        body = path.read_bytes()
        try:
            content = json.loads(body)
        except ValueError as error:
            raise WrongPayloads(
                f"sandbox: {path} is not JSON: {error}. Record it again, or remove it."
            ) from error
        yield path, body, content


def holds_answers(folder: Path) -> bool:
    """Whether a folder has a complete JSON body."""
    return any(not CUT.search(path.name) for path in folder.glob("*.json"))


def _recorded_on(path: Path) -> tuple[str, str]:
    found = [match[0] for match in RECORDED_ON.finditer(path.stem)]
    return (found[-1] if found else ""), path.name
