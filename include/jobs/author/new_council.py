"""Write a council's file, with the wards that the police API has in a bounding box."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import requests
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from shapely.geometry import Polygon

from include.councils.model import FOLDER, UK, Council, councils, read_again
from include.definitions import NAME_PATTERN, validated, yaml_text
from include.errors import PermanentError, SourceUnavailable, UnexpectedPayload, UnknownName
from include.extract.answer import Answer
from include.extract.client import Client
from include.extract.pages import KM_PER_DEGREE
from include.printable import one_line
from include.settings import Settings
from include.sources.extract.http import Extract
from include.sources.limits import Limits
from include.sources.page import SentRequest

API = Extract.model_validate(
    {
        "base_url": "https://data.police.uk/api",
        "rate": {"per_second": 14, "burst": 20},
        "parallel": 1,
        "request": {"path": "/"},
    }
)
# An answer is read at once.
LIMITS = Limits(answer_bytes=8 * 1024 * 1024)
# The id of a neighbourhood that is a ward is, or starts with, its GSS code.
WARD = re.compile(r"(E05\d{6})\w*")
# More than a London borough has: 8 km around its centre, 28 wards.
MOST_RADIUS_KM = 20.0
MOST_WARDS = 40
# What data.police.uk has.
PUBLISHED_YEARS = 3


class _Neighbourhood(BaseModel):
    """An item of the police API's list of a force's neighbourhoods."""

    id: str
    name: str


class _Place(BaseModel):
    """A point of a neighbourhood's boundary, in degrees."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)


_NEIGHBOURHOODS = TypeAdapter(list[_Neighbourhood])
_BOUNDARY = TypeAdapter(list[_Place])
Shape = TypeVar("Shape")


class Box(NamedTuple):
    """The bounding box of a council, in degrees."""

    south: float
    west: float
    north: float
    east: float

    @classmethod
    def parse(cls, text: str) -> Box:
        """From `51.38,-0.26,51.45,-0.12`. Raises `UnknownName`."""
        try:
            box = cls(*map(float, text.split(",")))
            if -90 <= box.south < box.north <= 90 and -180 <= box.west < box.east <= 180:
                return box
        except (TypeError, ValueError):
            pass
        raise UnknownName(
            f"{text!r} is not a box. Write it as south,west,north,east: 51.38,-0.26,51.45,-0.12."
        )

    def holds(self, longitude: float, latitude: float) -> bool:
        """Whether a place is in the box."""
        return self.west <= longitude <= self.east and self.south <= latitude <= self.north

    @property
    def size_km(self) -> tuple[float, float]:
        """From west to east, and from south to north."""
        across = (self.east - self.west) * KM_PER_DEGREE
        across *= math.cos(math.radians((self.north + self.south) / 2))
        return across, (self.north - self.south) * KM_PER_DEGREE

    @property
    def radius_km(self) -> float:
        """The radius of a circle around the centre that contains the whole box."""
        return round(math.hypot(*self.size_km) / 2, 1)

    def __str__(self) -> str:
        return f"{self.south:g},{self.west:g},{self.north:g},{self.east:g}"


@dataclass(frozen=True)
class Written:
    """The file that was written, its wards, and those in the box that are other councils'.

    The API has no boundary of `unplaced` wards, so any of them may be missing.
    """

    path: Path
    wards: list[str]
    others: dict[str, list[str]]
    unplaced: list[str]


def new_council(
    name: str,
    *,
    title: str,
    gss_code: str,
    box: str,
    force: str,
    wards: int | None = None,
    folder: Path = FOLDER,
) -> Written:
    """Write `include/councils/<name>.yaml`.

    A neighbourhood of the force belongs to the council if the centre of its
    boundary is in the box, and no other council's file names it; those whose
    id is not the GSS code of a ward are skipped, and those without a boundary
    are named. `wards` is the number of wards that the council has, if known.

    Raises `PermanentError` if the file exists, or if the box has no ward, more
    wards of other councils than of this one, more than one council would have,
    or not the expected number; `UnexpectedPayload` or `SourceUnavailable` if
    the API does not answer as it should.
    """
    path = folder / f"{name}.yaml"
    if not NAME_PATTERN.fullmatch(name) or name == UK:
        raise UnknownName(f"{name!r} is not a valid name. Use a-z, 0-9 and underscores.")
    if path.exists():
        raise PermanentError(f"{path} exists. Edit it, or choose another name.")
    place = Box.parse(box)
    known = councils(folder) if any(folder.glob("*.yaml")) else {}
    content = _content(name, title, gss_code, force, place)
    # The wards are added below; all else is checked before the API is asked.
    validated(content, Council, "new-council")
    if same := [other.title for other in known.values() if other.gss_code == gss_code]:
        raise PermanentError(
            f"new-council: {gss_code} is the GSS code of {same[0]}. Correct --gss."
        )
    _refuse_huge(place, wards)
    inside, unplaced = _wards_in(place, force)
    found, others = _without_others(inside, known)
    _refuse_wrong(title, place, force, found, others, wards)
    content["ward_sets"] = [_ward_set(place, found)]
    validated(content, Council, "new-council")
    text = yaml_text(content)
    path.write_text("# yaml-language-server: $schema=council.schema.json\n" + text, "utf-8")
    read_again()
    return Written(path, [ward["name"] for ward in found], others, unplaced)


def _content(name: str, title: str, gss_code: str, force: str, place: Box) -> dict[str, Any]:
    middle = {
        "latitude": round((place.south + place.north) / 2, 5),
        "longitude": round((place.west + place.east) / 2, 5),
    }
    return {
        "name": name,
        "title": title,
        "gss_code": gss_code,
        "police_force": force,
        **middle,
        "radius_km": place.radius_km,
        "points": [{"name": f"{title} centre", **middle}],
    }


def _ward_set(place: Box, wards: list[dict[str, str]]) -> dict[str, Any]:
    today = datetime.now(UTC).date()
    return {
        "from": today.replace(year=today.year - PUBLISHED_YEARS, day=1),
        "note": f"From data.police.uk on {today}, in the box {place}. Assumed to be valid for the "
        f"{PUBLISHED_YEARS} years that it publishes; correct `from` if the wards are newer.",
        "wards": wards,
    }


def _refuse_huge(place: Box, wards: int | None) -> None:
    """Before hundreds of boundaries are requested."""
    if wards is None and place.radius_km > MOST_RADIUS_KM:
        across, up = place.size_km
        raise PermanentError(
            f"new-council: the box {place} is {across:.0f} km by {up:.0f} km, larger than a "
            "borough. Correct it (south,west,north,east), or say how many wards the council has: "
            "--wards."
        )


def _without_others(
    wards: list[dict[str, str]], known: dict[str, Council]
) -> tuple[list[dict[str, str]], dict[str, list[str]]]:
    """The wards that no council's file names, and the names of the others, by council."""
    owners = {
        ward.code: council.title
        for council in known.values()
        for ward_set in council.ward_sets
        for ward in ward_set.wards
    }
    others: dict[str, list[str]] = {}
    for ward in wards:
        if ward["code"] in owners:
            others.setdefault(owners[ward["code"]], []).append(ward["name"])
    return [ward for ward in wards if ward["code"] not in owners], others


def _refuse_wrong(
    title: str,
    place: Box,
    force: str,
    found: list[dict[str, str]],
    others: dict[str, list[str]],
    wards: int | None,
) -> None:
    """Raise `PermanentError` for a box that is not that of one council."""
    said = [f"{len(names)} of {owner} ({_some(names)})" for owner, names in others.items()]
    names = [ward["name"] for ward in found]
    if not found and not others:
        raise PermanentError(
            f"new-council: the police API has no ward of the force {force!r} in {place}. "
            "Correct the box (south,west,north,east) or the force."
        )
    if sum(map(len, others.values())) >= len(found):
        raise PermanentError(
            f"new-council: the box {place} has {len(found)} wards for {title}, and "
            f"{', '.join(said)}. Correct the box: it is mostly another council's."
        )
    if wards is None and len(found) > MOST_WARDS:
        raise PermanentError(
            f"new-council: the box {place} has {len(found)} wards, more than a borough: "
            f"{_some(names)}. Make it smaller, or say how many wards {title} has: --wards."
        )
    if wards is not None and len(found) != wards:
        raise PermanentError(
            f"new-council: expected {wards} wards of {title} in the box {place}, found "
            f"{len(found)}: {_some(names, len(names))}. Correct the box, or --wards."
        )


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _wards_in(box: Box, force: str) -> tuple[list[dict[str, str]], list[str]]:
    """The wards whose centre is in the box, and the names of those without a boundary."""
    settings = Settings.read()
    shared_in = settings.loader_dsn or None
    plays = settings.in_sandbox(API.base_url)
    client = Client(API, API.rate, shared_in, limits=LIMITS, public_only=not plays)
    quoted = quote(force, safe="")
    known = _asked(client, f"/{quoted}/neighbourhoods", _NEIGHBOURHOODS)
    if known is None:
        raise UnknownName(f"new-council: the police API has no force {force!r}.")
    found, unplaced = [], []
    for item in known:
        ward = WARD.fullmatch(item.id)
        if not ward:
            continue
        boundary = _asked(client, f"/{quoted}/{item.id}/boundary", _BOUNDARY)
        if not boundary:
            unplaced.append(item.name)
        elif box.holds(*_middle(boundary)):
            also = {"police_neighbourhood": item.id} if ward[1] != item.id else {}
            found.append({"code": ward[1], "name": item.name, **also})
    return sorted(found, key=lambda ward: ward["code"]), unplaced


def _middle(boundary: list[_Place]) -> tuple[float, float]:
    ring = [(point.longitude, point.latitude) for point in boundary]
    if len(ring) < 4:
        return ring[0]
    point = Polygon(ring).centroid
    return point.x, point.y


def _asked(client: Client, path: str, shape: TypeAdapter[Shape]) -> Shape | None:
    """What an answer holds; None for 404. Raises `UnexpectedPayload` if it is something else."""
    url = Settings.read().api_url(API.base_url) + path
    request = SentRequest(method="GET", url=url)
    answer = client.ask("new-council", request, accept=frozenset({404}), check=_is_json)
    if answer.status != requests.codes.ok:
        return None
    try:
        return shape.validate_json(answer.body.read())
    except ValidationError as error:
        raise UnexpectedPayload(f"new-council: {_unlike(path, error)}") from error


def _unlike(path: str, error: ValidationError) -> str:
    """What is wrong with an answer, by its first error."""
    first = error.errors(include_url=False)[0]
    where = [f"item {part + 1}" if isinstance(part, int) else part for part in first["loc"]]
    wanted = "latitude and longitude" if path.endswith("boundary") else "id and name, both texts"
    place = f"{', '.join(where)}: " if where else ""
    return (
        f"{API.base_url}{path}: expected a JSON list of objects with {wanted}; {place}"
        f"{first['msg']}, found {one_line(json.dumps(first['input'], default=str)[:100])}. The API "
        "has changed, or answered with an error: open that address. You can write the council's "
        "file by hand, too."
    )


def _is_json(answer: Answer) -> None:
    try:
        json.load(answer.body)
    except RecursionError:
        return  # it is complete, but nothing that is expected
    except ValueError as error:
        raise SourceUnavailable(f"new-council: the answer is not complete JSON: {error}") from error
