"""The model of a council file: its area, wards and weather points."""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path

from pydantic import Field, model_validator

from include.definitions import NAME_PATTERN, Definition, did_you_mean, read_folder
from include.errors import UnknownName, WrongDefinition

FOLDER = Path(__file__).parent

# The name for sources without a council, e.g. bank holidays.
UK = "uk"


class Ward(Definition):
    """An electoral ward, with its codes in official statistics and at the police."""

    code: str = Field(pattern=r"^E05\d{6}$", description="GSS code, e.g. E05000400.")
    name: str = Field(min_length=1, description="The ward's official name.")
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

    @model_validator(mode="after")
    def _is_a_span_of_distinct_wards(self) -> WardSet:
        if self.last_day and self.last_day < self.first_day:
            raise ValueError(
                f"`until` ({self.last_day}) must not be before `from` ({self.first_day})"
            )
        for field in ("code", "name", "police_neighbourhood"):
            seen: set[str] = set()
            for ward in self.wards:
                value = getattr(ward, field)
                if value in seen:
                    raise ValueError(f"wards must be unique, but {field} {value!r} appears twice")
                seen.add(value)
        return self


class Point(Definition):
    """A place to fetch weather for."""

    name: str = Field(min_length=1)
    latitude: float = Field(ge=-90, le=90, description="Degrees north, WGS 84.")
    longitude: float = Field(ge=-180, le=180, description="Degrees east, WGS 84.")


class Council(Definition):
    """One `include/councils/<council>.yaml`."""

    name: str = Field(pattern=NAME_PATTERN.pattern, description="The file's name without .yaml.")
    title: str = Field(min_length=1, description="Display name.")
    gss_code: str = Field(pattern=r"^[EKNSW]\d{8}$", description="GSS code, e.g. E09000021.")
    police_force: str = Field(min_length=1, description="Police force ID on data.police.uk.")
    latitude: float = Field(ge=-90, le=90, description="Latitude of its centre, degrees north.")
    longitude: float = Field(ge=-180, le=180, description="Longitude of its centre, degrees east.")
    radius_km: float = Field(
        gt=0, le=100, description="Radius of a circle around the centre that contains the council."
    )
    points: tuple[Point, ...] = Field(default=(), description="Places to fetch weather for.")
    ward_sets: tuple[WardSet, ...] = Field(default=(), description="Its wards, oldest set first.")

    @model_validator(mode="after")
    def _ward_sets_follow_each_other(self) -> Council:
        for earlier, later in zip(self.ward_sets, self.ward_sets[1:], strict=False):
            if earlier.last_day is None or earlier.last_day >= later.first_day:
                raise ValueError(
                    f"the ward set from {earlier.first_day} must end before the next one "
                    f"begins on {later.first_day}, found `until: {earlier.last_day}`"
                )
        return self

    def wards_on(self, day: date) -> tuple[Ward, ...]:
        """The wards valid on `day`. Raises `WrongDefinition` if no set covers it."""
        for ward_set in self.ward_sets:
            if ward_set.first_day <= day and (
                ward_set.last_day is None or day <= ward_set.last_day
            ):
                return ward_set.wards
        raise WrongDefinition(
            f"include/councils/{self.name}.yaml: no ward set covers {day}. "
            "Add one under `ward_sets`, or choose a period that one covers."
        )


@cache
def councils(folder: Path = FOLDER) -> dict[str, Council]:
    """Every council by name. Raises `WrongDefinition`."""
    found = read_folder(folder, Council)
    if UK in found:
        raise WrongDefinition(
            f"{folder / UK}.yaml: field `name`: {UK!r} is reserved for sources without a council."
        )
    return found


def council(name: str) -> Council:
    """One council. Raises `UnknownName` with the names that exist."""
    try:
        return councils()[name]
    except KeyError:
        raise UnknownName(
            f"unknown council {name!r}. Known: {', '.join(councils())}."
            f"{did_you_mean(name, councils())} "
            f"Add include/councils/{name}.yaml, or choose one of these."
        ) from None
