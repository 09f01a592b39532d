"""Recorded police data: real responses served byte for byte from a payload directory.

    police/crimes/<council>/<YYYY-MM>/<ward code>.json     one response of all-crime
    police/crimes/<council>/<YYYY-MM>/<ward code>_<n>.json the same for the n-th part of a ward
    police/boundaries/<council GSS code>.json              GeoJSON of the wards

Bodies and months are looked up per request; boundaries are read at the start.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from sandbox.police.api import Answer, NotHeld
from sandbox.police.boundaries import Boundaries, placeholder, read_boundaries
from sandbox.police.crimes import minified
from sandbox.police.vocabulary import ALL_CRIME, CATEGORIES, outcome_code
from sandbox.world.area import Area
from sandbox.world.payloads import LAYOUT, WrongPayloads

MONTH_FOLDER = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
WARD_FILE = re.compile(r"(?P<ward>[A-Z]\d{8})(?:_(?P<part>\d+))?\.json")

log = logging.getLogger("wandle.sandbox")


def holds_police(payloads: Path) -> bool:
    """Whether a directory, or its `police`, holds a recorded body."""
    try:
        police_folder(payloads)
    except WrongPayloads:
        return False
    return True


def police_folder(payloads: Path) -> Path:
    """The folder with `crimes` in it: the directory itself, or its `police`.

    Raises `WrongPayloads` if neither holds a single recorded body.
    """
    for folder in (payloads / "police", payloads):
        if any(True for _ in _bodies(folder / "crimes")):
            return folder
    raise WrongPayloads(f"sandbox: {payloads} holds no recorded police data. Expected {LAYOUT}")


def recorded_months(payloads: Path) -> dict[str, list[str]]:
    """The months that each council's folder holds bodies for, oldest first.

    Raises `WrongPayloads` as `police_folder` does.
    """
    found: dict[str, set[str]] = {}
    for council, month, _ in _bodies(police_folder(payloads) / "crimes"):
        found.setdefault(council, set()).add(month)
    return {council: sorted(found[council]) for council in sorted(found)}


class RecordedPolice:
    """Police data from a payload directory.

    The recording does not say which force a ward belongs to: every known
    force answers for all its wards, whose ids are their codes. Bodies were
    recorded below the live cap, so no cap applies.
    """

    def __init__(self, payloads: Path, force_of: Callable[[str], str]) -> None:
        """`force_of` gives the force of a ward code, for `locate` and stop and search."""
        folder = police_folder(payloads)
        self._crimes = folder / "crimes"
        self._force_of = force_of
        self._council_of = {ward: council for council, _, ward in _bodies(self._crimes)}
        self._boundaries = self._read_boundaries(folder / "boundaries")

    def _read_boundaries(self, folder: Path) -> Boundaries:
        try:
            known = read_boundaries(folder)
        except (ValueError, TypeError, KeyError) as error:
            raise WrongPayloads(
                f"sandbox: {folder}: {error}. Expected one GeoJSON FeatureCollection for each "
                "council, with the ward's code and name among the properties."
            ) from error
        without = sorted(self._council_of.keys() - {ward.code for ward in known})
        if without:
            log.warning(
                "sandbox: no boundary for %s wards of %s; each gets a placeholder square at sea.",
                len(without),
                ", ".join(sorted({self._council_of[ward] for ward in without})),
            )
        return Boundaries([*known, *map(placeholder, without)])

    def months(self) -> list[str]:
        """Every month that any council has, newest first."""
        held = {
            folder.name
            for _, folder in _month_folders(self._crimes)
            if any(WARD_FILE.fullmatch(path.name) for path in folder.iterdir())
        }
        return sorted(held, reverse=True)

    def forces(self) -> list[str]:
        """The forces of the recorded wards."""
        return sorted({self._force_of(ward) for ward in self._council_of})

    def crimes(self, area: Area, month: str, category: str) -> Answer:
        """The recorded body of the ward that a polygon belongs to, or crimes around a point.

        A polygon belongs to the ward with the same ring, else to the one that
        it overlaps most; `[]` if it overlaps none. Raises `NotHeld` for a
        month that the ward's council, or for no ward any council, has not.
        """
        if area.centre is not None:
            return Answer(_dumped(self._around(area, month), category), 0)
        found = self._boundaries.belonging(area)
        if found is None:
            if month not in self.months():
                raise NotHeld(month)
            return Answer(b"[]", 0)
        body = self._body(*found, month)
        return Answer(body if category == ALL_CRIME else _dumped(_parsed(body), category), 0)

    def crimes_without_place(self, force: str, month: str, category: str) -> Answer:
        """None was recorded. Raises `NotHeld` for a month that no council has."""
        if month not in self.months():
            raise NotHeld(month)
        return Answer(b"[]", 0)

    def outcomes(self, area: Area | int, month: str) -> Answer:
        """The latest outcomes of recorded crimes, where they are dated `month`."""
        months = self.months()
        if month not in months:
            raise NotHeld(month)
        found = []
        for earlier in sorted(held for held in months if held <= month):
            for crime in self._crimes_of(area, earlier):
                outcome = crime.pop("outcome_status", None)
                if outcome and outcome["date"] == month:
                    name = outcome["category"]
                    code = {"code": outcome_code(name), "name": name}
                    found.append(
                        {"category": code, "date": month, "person_id": None, "crime": crime}
                    )
        return Answer(minified(found), 0)

    def neighbourhoods(self, force: str) -> list[dict[str, str]]:
        """Every recorded ward."""
        return self._boundaries.names()

    def boundary(self, force: str, neighbourhood: str) -> list[dict[str, str]]:
        """The exterior ring of a ward's largest part, with the recording's own digits."""
        ring = self._boundaries.ring(neighbourhood)
        if ring is None:
            raise NotHeld(neighbourhood)
        return ring

    def locate(self, area: Area) -> dict[str, str]:
        """The ward that the area's centre lies in. Raises `NotHeld`."""
        found = self._boundaries.touching(shapely.Point(area.centre))
        if not found:
            raise NotHeld(f"no neighbourhood at {area.centre}")
        return {"force": self._force_of(found[0][0]), "neighbourhood": found[0][0]}

    def _body(self, ward: str, part: int | None, month: str) -> bytes:
        """The body for a ward, or for its part. Raises `NotHeld`."""
        folder = self._crimes / self._council_of.get(ward, "-") / month
        names = [f"{ward}.json"] if part is None else [f"{ward}_{part}.json", f"{ward}.json"]
        names += [path.name for path in sorted(folder.glob(f"{ward}_*.json"), key=_part)]
        for name in names:
            if (folder / name).is_file():
                return (folder / name).read_bytes()
        raise NotHeld(f"{ward} {month}")

    def _crimes_of(self, area: Area | int, month: str) -> list[dict[str, Any]]:
        try:
            if isinstance(area, int):
                everywhere = self._distinct(((ward, None) for ward in self._council_of), month)
                return [crime for crime in everywhere if crime["location"]["street"]["id"] == area]
            if area.centre is not None:
                return self._around(area, month)
            found = self._boundaries.belonging(area)
            return _parsed(self._body(*found, month)) if found else []
        except NotHeld:
            return []

    def _around(self, area: Area, month: str) -> list[dict[str, Any]]:
        """The recorded crimes within a mile, each once."""
        crimes = self._distinct(self._boundaries.touching(area.shape), month)
        places = [crime["location"] for crime in crimes]
        x = np.array([float(place["longitude"]) for place in places])
        y = np.array([float(place["latitude"]) for place in places])
        return [crime for crime, near in zip(crimes, area.covers(x, y), strict=True) if near]

    def _distinct(
        self, wards: Iterable[tuple[str, int | None]], month: str
    ) -> list[dict[str, Any]]:
        """The crimes of the wards that have the month, each once. Raises `NotHeld` if none has."""
        found: dict[int, dict[str, Any]] = {}
        held = False
        for ward, part in wards:
            try:
                crimes = _parsed(self._body(ward, part, month))
            except NotHeld:
                continue
            held = True
            found.update((crime["id"], crime) for crime in crimes)
        if not held and month not in self.months():
            raise NotHeld(month)
        return list(found.values())


def _month_folders(crimes: Path) -> Iterator[tuple[str, Path]]:
    """Each council with each of its month folders."""
    for council in sorted(crimes.iterdir()) if crimes.is_dir() else ():
        for month in sorted(council.iterdir()) if council.is_dir() else ():
            if MONTH_FOLDER.fullmatch(month.name) and month.is_dir():
                yield council.name, month


def _bodies(crimes: Path) -> Iterator[tuple[str, str, str]]:
    """Council, month and ward of each recorded body."""
    for council, folder in _month_folders(crimes):
        for name in sorted(path.name for path in folder.iterdir()):
            if body := WARD_FILE.fullmatch(name):
                yield council, folder.name, body["ward"]


def _part(path: Path) -> int:
    found = WARD_FILE.fullmatch(path.name)
    return int(found["part"]) if found and found["part"] else 0


def _parsed(body: bytes) -> list[dict[str, Any]]:
    try:
        return list(json.loads(body))
    except ValueError:
        return []


def _dumped(crimes: list[dict[str, Any]], category: str) -> bytes:
    order = list(CATEGORIES)
    found = [crime for crime in crimes if category in (ALL_CRIME, crime["category"])]
    return minified(
        sorted(
            found,
            key=lambda crime: (
                order.index(crime["category"]) if crime["category"] in order else len(order)
            ),
        )
    )
