"""The model of a council file: its area, wards and weather points."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from include.definitions import (
    NAME_PATTERN,
    Definition,
    Folder,
    Text,
    WrongField,
    did_you_mean,
    read_folder,
)
from include.errors import UnknownName, WrongDefinition

FOLDER = Path(__file__).parent

# The name for sources without a council, e.g. bank holidays.
UK = "uk"


class Ward(Definition):
    """An electoral ward, with its codes in official statistics and at the police."""

    code: str = Field(pattern=r"^E05\d{6}$", description="GSS code, e.g. E05000400.")
    name: Text = Field(min_length=1, description="The ward's official name.")
    police_neighbourhood: str = Field(
        default="",
        description="Its ID on data.police.uk. Default: `code`.",
    )

    @model_validator(mode="after")
    def _neighbourhood_defaults_to_the_code(self) -> Ward:
        if not self.police_neighbourhood:
            object.__setattr__(self, "police_neighbourhood", self.code)
        return self


class WardSet(Definition):
    """The wards valid during one time span; boundaries change now and then."""

    first_day: date = Field(alias="from", description="First day on which these wards are valid.")
    last_day: date | None = Field(
        default=None,
        alias="until",
        description="Last day on which they are valid. Omit for the current set.",
    )
    note: str = Field(default="", description="Where the set comes from and what is unknown.")
    wards: tuple[Ward, ...] = Field(min_length=1)

    def holds(self, day: date) -> bool:
        """Whether these wards are valid on `day`."""
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)

    @model_validator(mode="after")
    def _is_a_span_of_distinct_wards(self) -> WardSet:
        if self.last_day and self.last_day < self.first_day:
            raise WrongField(
                f"`until` ({self.last_day}) must not be before `from` ({self.first_day})", "until"
            )
        for field in ("code", "name", "police_neighbourhood"):
            seen: set[str] = set()
            for place, ward in enumerate(self.wards):
                value = getattr(ward, field)
                if value in seen:
                    raise WrongField(
                        f"wards must be unique, but {field} {value!r} appears twice",
                        *("wards", place, field),
                    )
                seen.add(value)
        return self


# The United Kingdom, so that latitude and longitude are not mixed up.
Latitude = Annotated[float, Field(ge=49, le=61)]
Longitude = Annotated[float, Field(ge=-9, le=2)]


class Point(Definition):
    """A place to fetch weather for."""

    name: Text = Field(min_length=1)
    latitude: Latitude = Field(description="Degrees north, WGS 84.")
    longitude: Longitude = Field(description="Degrees east, WGS 84.")


class Council(Definition):
    """One `include/councils/<council>.yaml`."""

    name: str = Field(pattern=NAME_PATTERN.pattern, description="The file's name without .yaml.")
    title: Text = Field(min_length=1, description="Display name.")
    gss_code: str = Field(pattern=r"^[EKNSW]\d{8}$", description="GSS code, e.g. E09000021.")
    police_force: Text = Field(min_length=1, description="Police force ID on data.police.uk.")
    latitude: Latitude = Field(description="Latitude of its centre, degrees north.")
    longitude: Longitude = Field(description="Longitude of its centre, degrees east.")
    radius_km: float = Field(
        gt=0, le=100, description="Radius of a circle around the centre that contains the council."
    )
    names: dict[
        Annotated[str, Field(pattern=NAME_PATTERN.pattern)], Annotated[Text, Field(min_length=1)]
    ] = Field(
        default_factory=dict,
        description="What publishers call it, by a name for each: `{londonair: Kingston}` is "
        "{council.names.londonair} in a contract.",
    )
    points: tuple[Point, ...] = Field(default=(), description="Places to fetch weather for.")
    ward_sets: tuple[WardSet, ...] = Field(default=(), description="Its wards, oldest set first.")

    @model_validator(mode="after")
    def _ward_sets_follow_each_other(self) -> Council:
        following = zip(self.ward_sets, self.ward_sets[1:], strict=False)
        for place, (earlier, later) in enumerate(following):
            if earlier.last_day is None or earlier.last_day >= later.first_day:
                raise WrongField(
                    f"the ward set from {earlier.first_day} must end before the next one "
                    f"begins on {later.first_day}, found `until: {earlier.last_day}`",
                    *("ward_sets", place, "until"),
                )
        return self

    @model_validator(mode="after")
    def _names_are_its_own(self) -> Council:
        if self.name == UK:
            raise WrongField(f"{UK!r} is reserved for sources without a council", "name")
        names = [point.name for point in self.points]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise WrongField(
                    f"points must be unique, but {name!r} appears twice", "points", place, "name"
                )
        return self

    def has_wards_on(self, day: date) -> bool:
        """Whether a ward set covers `day`."""
        return any(ward_set.holds(day) for ward_set in self.ward_sets)

    def wards_on(self, day: date) -> tuple[Ward, ...]:
        """The wards valid on `day`. Raises `WrongDefinition` if no set covers it."""
        for ward_set in self.ward_sets:
            if ward_set.holds(day):
                return ward_set.wards
        raise WrongDefinition(
            f"include/councils/{self.name}.yaml: no ward set covers {day}. "
            "Add one under `ward_sets`, or choose a period that one covers."
        )


@cache
def _read(folder: Path) -> Folder[Council]:
    return read_folder(folder, Council)


def councils(folder: Path | None = None) -> dict[str, Council]:
    """Every council by name, without the broken ones."""
    return _read(folder or FOLDER).valid


def broken_councils(folder: Path | None = None) -> dict[str, WrongDefinition]:
    """The error of each council's file that is not valid, by name."""
    return _read(folder or FOLDER).broken


def council_titles() -> dict[str, str]:
    """The title of every council by name; of a broken one, its name."""
    names = sorted({*councils(), *broken_councils()})
    return {name: councils()[name].title if name in councils() else name for name in names}


def read_again() -> None:
    """Forget the councils that were read."""
    _read.cache_clear()


def council(name: str) -> Council:
    """One council. Raises `UnknownName` with the names that exist, and `WrongDefinition`."""
    if name in councils():
        return councils()[name]
    if name in broken_councils():
        raise WrongDefinition(str(broken_councils()[name]))
    raise UnknownName(
        f"unknown council {name!r}. Known: {', '.join(councils())}."
        f"{did_you_mean(name, councils())} "
        f"Add include/councils/{name}.yaml, or choose one of these."
    )
