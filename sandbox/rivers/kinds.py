"""What gauges measure: the words and units of the API, and how such a value behaves."""

from __future__ import annotations

from typing import Any, NamedTuple

from sandbox.rivers.measures import LEVEL, RAIN, TIDE, URI, WARMTH, Item, Trait
from sandbox.world.places import share

PERIODS = {300: "5_min", 900: "15_min", 3_600: "1_h"}
METRE = "http://qudt.org/1.1/vocab/unit#Meter"


class Kind(NamedTuple):
    """One thing that stations measure."""

    parameter: str
    parameter_name: str
    qualifier: str
    unit_name: str
    model: int
    base: float
    swing: float
    value_type: str = "instantaneous"
    unit: str | None = METRE


KINDS = {
    "stage": Kind("level", "Water Level", "Stage", "mASD", LEVEL, 0.4, 0.25),
    "downstream": Kind("level", "Water Level", "Downstream Stage", "m", LEVEL, 0.3, 0.2),
    "tide": Kind("level", "Water Level", "Tidal Level", "mAOD", TIDE, 0.4, 2.8),
    "tide_mm": Kind("level", "Water Level", "Tidal Level", "mm", TIDE, 6_400, 3_200, unit=None),
    "groundwater": Kind("level", "Water Level", "Groundwater", "mAOD", LEVEL, 42.0, 1.5),
    "flow": Kind("flow", "Flow", "", "m3/s", LEVEL, 1.6, 0.9, unit=None),
    "rainfall": Kind(
        "rainfall", "Rainfall", "Tipping Bucket Raingauge", "mm", RAIN, 0, 1, "total", None
    ),
    "temperature": Kind("temperature", "Temperature", "Water", "deg C", WARMTH, 11, 4, unit=None),
}


def measure_of(station: Item, kind: Kind, period: int) -> Item:
    """The measure of a station in the API's shape, without a reading."""
    words = (
        station["notation"], kind.parameter, kind.qualifier.lower(), kind.value_type[0],
        PERIODS[period], kind.unit_name.replace("/", "_"),
    )  # fmt: skip
    notation = "-".join(words).replace(" ", "_")
    measure: Item = {"@id": f"{URI}/id/measures/{notation}"}
    if kind.unit_name in ("mASD", "mAOD"):
        measure["datumType"] = f"{URI}/def/core/datum{kind.unit_name[1:]}"
    measure |= {
        "label": f"{station['label']} - {notation.removeprefix(station['notation'] + '-')}",
        "notation": notation,
        "parameter": kind.parameter,
        "parameterName": kind.parameter_name,
        "period": period,
        "qualifier": kind.qualifier,
        "station": station["@id"],
        "stationReference": station["stationReference"],
    }
    if kind.unit:
        measure["unit"] = kind.unit
    return measure | {"unitName": kind.unit_name, "valueType": kind.value_type}


def trait_of(kind: Kind, key: int, odd: dict[str, Any]) -> Trait:
    """How such a measure behaves; `odd` holds fields of `Trait` that differ from the usual."""
    base = kind.base * (0.7 + 0.6 * share(key, "base"))
    swing = kind.swing * (0.6 + 0.6 * share(key, "swing"))
    usual = Trait(key=key, kind=kind.model, base=base, swing=swing)
    return usual._replace(**{name: odd[name] for name in odd if name in Trait._fields})
