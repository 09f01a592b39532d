"""A synthetic map: each council a block of wards that share their edges. No real geometry.

All coordinates are whole millionths of a degree, and every edge runs north-south
or east-west, so a point on a shared edge lies exactly on it, for both wards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import ceil, isqrt

from include.councils.model import Council, Ward, WardSet

MICRO = 1_000_000
Point = tuple[int, int]

# Its side (south or west) of the cell in a row and a column of the grid.
Edge = tuple[str, int, int]

# Where a council's block may lie: a lattice over the south-east of England.
LATTICE_COLUMNS, LATTICE_ROWS = 20, 20
LATTICE_ORIGIN = (-1_000_000, 51_000_000)
LATTICE_STEP = (100_000, 60_000)
BLOCK_SIZE = (80_000, 50_000)

# Where `wandle new-council` looks for it in docs/adding-a-dataset.md, by GSS code; the cells of the
# lattice that it covers stay free.
OWN_CORNERS = {"E09000024": (-230_000, 51_390_000)}
COVERED = {127, 128, 147, 148}

STREETS_INSIDE = 24
STREETS_ON_AN_EDGE = 2
IDS_OF_A_COUNCIL = 10_000
IDS_OF_A_WARD_SET = 5_000


@dataclass(frozen=True)
class Street:
    """A map point that crimes are moved to."""

    number: int
    name: str
    x: int
    y: int


@dataclass(frozen=True)
class WardPlace:
    """A ward on the synthetic map; `ring` is closed."""

    ward: Ward
    ring: tuple[Point, ...]
    inside: tuple[Street, ...]
    on_edges: tuple[Street, ...]


@dataclass(frozen=True)
class WardSetPlace:
    """The wards of one span of time, by code."""

    first_day: date
    last_day: date | None
    wards: tuple[WardPlace, ...]


@dataclass(frozen=True, eq=False)
class CouncilPlace:
    """A council on the synthetic map, told apart by identity; `number`: where on the lattice."""

    name: str
    force: str
    gss_code: str
    number: int
    bounds: tuple[int, int, int, int]
    ward_sets: tuple[WardSetPlace, ...]

    def wards_in(self, month: str) -> tuple[WardPlace, ...]:
        """The wards of a month: of the set that holds on its first day, else of the last set."""
        day = date.fromisoformat(f"{month}-01")
        for ward_set in self.ward_sets:
            if ward_set.first_day <= day and (
                ward_set.last_day is None or day <= ward_set.last_day
            ):
                return ward_set.wards
        return self.ward_sets[-1].wards


def digest(*parts: object) -> int:
    """64 bits that depend on the parts and on nothing else, the same on every machine."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def share(*parts: object) -> float:
    """A number from 0 to below 1 that depends on the parts alone."""
    return (digest(*parts) >> 11) / (1 << 53)


def map_of(councils: Iterable[Council], seed: int) -> tuple[CouncilPlace, ...]:
    """Every council that has wards, on the map of a seed."""
    taken = {*COVERED}
    places = []
    for council in sorted(councils, key=lambda council: council.gss_code):
        if not council.ward_sets:
            continue
        if council.gss_code in OWN_CORNERS:
            corner = OWN_CORNERS[council.gss_code]
            number = LATTICE_COLUMNS * LATTICE_ROWS + [*OWN_CORNERS].index(council.gss_code)
            places.append(_place(council, number, corner, seed))
            continue
        number = digest(council.gss_code) % (LATTICE_COLUMNS * LATTICE_ROWS)
        while number in taken:
            number = (number + 1) % (LATTICE_COLUMNS * LATTICE_ROWS)
        taken.add(number)
        places.append(_place(council, number, _corner(number), seed))
    return tuple(places)


def _corner(number: int) -> Point:
    """The corner of a cell of the lattice."""
    row, column = divmod(number, LATTICE_COLUMNS)
    return (
        LATTICE_ORIGIN[0] + column * LATTICE_STEP[0],
        LATTICE_ORIGIN[1] + row * LATTICE_STEP[1],
    )


def _place(council: Council, number: int, corner: Point, seed: int) -> CouncilPlace:
    x, y = corner
    ward_sets = []
    for index, ward_set in enumerate(council.ward_sets):
        first_id = 10_000_000 + number * IDS_OF_A_COUNCIL + index * IDS_OF_A_WARD_SET
        block = Block(f"{seed}|{council.gss_code}|{index}", corner, ward_set, first_id)
        ward_sets.append(WardSetPlace(ward_set.first_day, ward_set.last_day, block.wards()))
    # Outer edges bulge by less than a sixth of a ward.
    margin_x, margin_y = BLOCK_SIZE[0] // 6, BLOCK_SIZE[1] // 6
    bounds = (
        x - margin_x,
        y - margin_y,
        x + BLOCK_SIZE[0] + margin_x,
        y + BLOCK_SIZE[1] + margin_y,
    )
    return CouncilPlace(
        council.name, council.police_force, council.gss_code, number, bounds, tuple(ward_sets)
    )


class Block:
    """A grid of wards whose edges bulge, each edge once, for the wards on both its sides."""

    def __init__(self, key: str, corner: Point, ward_set: WardSet, first_id: int) -> None:
        self.key = key
        self.corner = corner
        self.ordered = sorted(ward_set.wards, key=lambda ward: digest(key, ward.code))
        count = len(self.ordered)
        self.columns = isqrt(count - 1) + 1
        self.width = BLOCK_SIZE[0] // self.columns
        self.height = BLOCK_SIZE[1] // ceil(count / self.columns)
        self.next_id = first_id
        self.first_id = first_id

    def wards(self) -> tuple[WardPlace, ...]:
        """The wards, by code."""
        on_edges = {edge: self._streets_on(edge) for edge in self._shared_edges()}
        places = []
        for index, ward in enumerate(self.ordered):
            edges = self._edges_of(index)
            streets = [street for edge in edges for street in on_edges.get(edge, ())]
            places.append(
                WardPlace(ward, self._ring(index), self._streets_in(index), tuple(streets))
            )
        return tuple(sorted(places, key=lambda place: place.ward.code))

    def _edges_of(self, index: int) -> list[Edge]:
        row, column = divmod(index, self.columns)
        return [
            ("south", row, column),
            ("west", row, column + 1),
            ("south", row + 1, column),
            ("west", row, column),
        ]

    def _shared_edges(self) -> list[Edge]:
        seen: set[Edge] = set()
        shared: list[Edge] = []
        for index in range(len(self.ordered)):
            for edge in self._edges_of(index):
                if edge in seen:
                    shared.append(edge)
                seen.add(edge)
        return shared

    def _ring(self, index: int) -> tuple[Point, ...]:
        south, east, north, west = (self._path(edge) for edge in self._edges_of(index))
        return (*south, *east[1:], *north[-2::-1], *west[-2::-1])

    def _path(self, edge: Edge) -> tuple[Point, ...]:
        """An edge from west to east or from south to north, with its bulge."""
        side, row, column = edge
        along, across = (self.width, self.height) if side == "south" else (self.height, self.width)
        start = int(along * (1 / 3 + share(self.key, edge, "start") / 12))
        end = start + int(along * (1 / 8 + share(self.key, edge, "length") / 8))
        bulge = int(across * (1 / 24 + share(self.key, edge, "depth") / 10))
        if share(self.key, edge, "side") < 0.5:
            bulge = -bulge
        steps = ((0, 0), (start, 0), (start, bulge), (end, bulge), (end, 0), (along, 0))
        x = self.corner[0] + column * self.width
        y = self.corner[1] + row * self.height
        if side == "south":
            return tuple((x + a, y + b) for a, b in steps)
        return tuple((x + b, y + a) for a, b in steps)

    def _streets_in(self, index: int) -> tuple[Street, ...]:
        row, column = divmod(index, self.columns)
        x = self.corner[0] + column * self.width
        y = self.corner[1] + row * self.height
        streets = []
        for number in range(STREETS_INSIDE):
            # Away from the edge by a sixth of the ward, further than any bulge reaches.
            across, up = (1 / 6 + share(self.key, index, number, way) * 2 / 3 for way in "xy")
            kind = "Station" if number == 0 else "Park/open Space" if number % 8 == 7 else "Street"
            streets.append(
                self._street(kind, x + int(self.width * across), y + int(self.height * up))
            )
        return tuple(streets)

    def _streets_on(self, edge: Edge) -> tuple[Street, ...]:
        path = self._path(edge)
        streets = []
        for number in range(STREETS_ON_AN_EDGE):
            at = int(share(self.key, edge, number, "segment") * (len(path) - 1))
            (x0, y0), (x1, y1) = path[at], path[at + 1]
            way = 0.1 + share(self.key, edge, number, "way") * 0.8
            streets.append(
                self._street("Street", x0 + int((x1 - x0) * way), y0 + int((y1 - y0) * way))
            )
        return tuple(streets)

    def _street(self, kind: str, x: int, y: int) -> Street:
        number = self.next_id
        self.next_id += 1
        name = f"On or near Sandbox {kind} {number - self.first_id + 1}"
        return Street(number, name, x, y)
