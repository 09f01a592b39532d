"""Write a council's file, with the wards that the police API has in a bounding box."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import requests
from shapely.geometry import Polygon

from include.councils.model import FOLDER, Council, read_again
from include.definitions import NAME_PATTERN, yaml_text
from include.errors import PermanentError, SourceUnavailable, UnknownName
from include.extract.client import Answer, Client
from include.extract.pages import KM_PER_DEGREE
from include.settings import Settings
from include.sources.extract import Extract
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
            if box.south < box.north and box.west < box.east:
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
    def radius_km(self) -> float:
        """The radius of a circle around the centre that contains the whole box."""
        up = (self.north - self.south) / 2 * KM_PER_DEGREE
        across = (self.east - self.west) / 2 * KM_PER_DEGREE
        across *= math.cos(math.radians((self.north + self.south) / 2))
        return round(math.hypot(up, across), 1)


def new_council(
    name: str, *, title: str, gss_code: str, box: str, force: str, folder: Path = FOLDER
) -> tuple[Path, int]:
    """Write `include/councils/<name>.yaml`; returns its path and the number of wards.

    A neighbourhood of the force belongs to the council if the centre of its
    boundary is in the box; those whose id is not the GSS code of a ward are
    skipped. Raises `PermanentError` if the file exists or no ward is found,
    and `SourceUnavailable` if the API does not answer.
    """
    path = folder / f"{name}.yaml"
    if not NAME_PATTERN.fullmatch(name):
        raise UnknownName(f"{name!r} is not a valid name. Use a-z, 0-9 and underscores.")
    if path.exists():
        raise PermanentError(f"{path} exists. Edit it, or choose another name.")
    place = Box.parse(box)
    wards = _wards_in(place, force)
    if not wards:
        raise PermanentError(
            f"new-council: the police API has no ward of the force {force!r} in {box}. "
            "Correct the box (south,west,north,east) or the force."
        )
    today = datetime.now(UTC).date()
    middle = {
        "latitude": round((place.south + place.north) / 2, 5),
        "longitude": round((place.west + place.east) / 2, 5),
    }
    content = {
        "name": name,
        "title": title,
        "gss_code": gss_code,
        "police_force": force,
        **middle,
        "radius_km": place.radius_km,
        "points": [{"name": f"{title} centre", **middle}],
        "ward_sets": [
            {
                "from": today.replace(day=1),
                "note": f"From data.police.uk on {today}, in the box {box}.",
                "wards": wards,
            }
        ],
    }
    Council.model_validate(content)
    text = yaml_text(content)
    path.write_text("# yaml-language-server: $schema=council.schema.json\n" + text, "utf-8")
    read_again()
    return path, len(wards)


def _wards_in(box: Box, force: str) -> list[dict[str, str]]:
    client = Client(
        API,
        API.rate,
        Settings.read().loader_dsn or None,
        limits=LIMITS,
        public_only=Settings.read().live,
    )
    known = _asked(client, f"/{force}/neighbourhoods")
    if known is None:
        raise UnknownName(f"new-council: the police API has no force {force!r}.")
    found = []
    for item in known:
        ward = WARD.fullmatch(item["id"])
        boundary = _asked(client, f"/{force}/{item['id']}/boundary") if ward else None
        if ward and boundary and box.holds(*_middle(boundary)):
            also = {"police_neighbourhood": item["id"]} if ward[1] != item["id"] else {}
            found.append({"code": ward[1], "name": item["name"], **also})
    return sorted(found, key=lambda ward: ward["code"])


def _middle(boundary: list[dict[str, str]]) -> tuple[float, float]:
    ring = [(float(point["longitude"]), float(point["latitude"])) for point in boundary]
    if len(ring) < 4:
        return ring[0]
    point = Polygon(ring).centroid
    return point.x, point.y


def _asked(client: Client, path: str) -> Any:
    """The JSON of an answer; None for 404."""
    url = Settings.read().api_url(API.base_url) + path
    request = SentRequest(method="GET", url=url)
    answer = client.ask("new-council", request, accept=frozenset({404}), check=_is_json)
    return json.load(answer.body) if answer.status == requests.codes.ok else None


def _is_json(answer: Answer) -> None:
    try:
        json.load(answer.body)
    except ValueError as error:
        raise SourceUnavailable(f"new-council: the answer is not complete JSON: {error}") from error
