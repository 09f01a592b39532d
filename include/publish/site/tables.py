"""The marts that pages are made from: the columns they need, in the types they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from include.errors import PermanentError

_TEXT, _COUNT, _NUMBER, _DAY, _FLAG = pl.String, pl.Int64, pl.Float64, pl.Date, pl.Boolean

# Other columns of a mart are not read.
SCHEMAS: Mapping[str, Mapping[str, type[pl.DataType]]] = {
    "ward_crime_monthly": {
        **dict.fromkeys(("council", "ward_code", "ward_name", "category"), _TEXT),
        "month": _DAY,
        **dict.fromkeys(("crimes", "with_outcome"), _COUNT),
    },
    "ward_crime_summary": {
        **dict.fromkeys(("council", "ward_code", "ward_name"), _TEXT),
        **dict.fromkeys(("first_month", "last_month"), _DAY),
        **dict.fromkeys(("months", "crimes", "with_outcome", "crimes_year_before"), _COUNT),
        "change": _COUNT,
        "change_percent": _NUMBER,
        **dict.fromkeys(("rank_in_council", "wards_in_council"), _COUNT),
    },
    "dim_ward": {
        **dict.fromkeys(("council", "ward_code", "ward_name"), _TEXT),
        "is_current": _FLAG,
        "boundary_month": _DAY,
        "geometry": _TEXT,
    },
    "crime_outcomes_monthly": {
        **dict.fromkeys(("council", "category", "outcome_category"), _TEXT),
        "month": _DAY,
        "crimes": _COUNT,
    },
    "crime_outcomes_by_age": {
        "council": _TEXT,
        "month": _DAY,
        **dict.fromkeys(("months_elapsed", "crimes", "with_outcome", "months_known"), _COUNT),
        "share_with_outcome": _NUMBER,
        "is_mature": _FLAG,
    },
    "river_levels_daily": {
        **dict.fromkeys(("council", "measure", "station_name", "river_name"), _TEXT),
        **dict.fromkeys(("qualifier", "unit_name"), _TEXT),
        "day": _DAY,
        "readings": _COUNT,
        **dict.fromkeys(("lowest", "highest", "mean", "typical_high"), _NUMBER),
        "is_above_typical": _FLAG,
    },
    "dim_station": {
        **dict.fromkeys(("council", "station_reference"), _TEXT),
        "valid_from": _DAY,
        **dict.fromkeys(("typical_low", "typical_high"), _NUMBER),
    },
    "borough_conditions_daily": {
        "council": _TEXT,
        "day": _DAY,
        **dict.fromkeys(("lowest_celsius", "highest_celsius", "rain_mm"), _NUMBER),
        "strongest_wind_kmh": _NUMBER,
        **dict.fromkeys(("gauges", "gauges_above_typical"), _COUNT),
        "highest_gauge": _TEXT,
        "metres_above_typical": _NUMBER,
        "bank_holiday": _TEXT,
    },
    "weather_daily": {
        **dict.fromkeys(("council", "point_name"), _TEXT),
        "day": _DAY,
        "hours_with_data": _COUNT,
        **dict.fromkeys(("lowest_celsius", "highest_celsius", "mean_celsius"), _NUMBER),
        **dict.fromkeys(("rain_mm", "strongest_wind_kmh"), _NUMBER),
    },
    "supplier_spend_monthly": {
        **dict.fromkeys(("council", "supplier_name"), _TEXT),
        "month": _DAY,
        "payments": _COUNT,
        "net_amount": _NUMBER,
    },
    "planning_applications": {
        **dict.fromkeys(("council", "reference", "application_type", "decision"), _TEXT),
        "entity": _COUNT,
        **dict.fromkeys(("start_date", "decision_date"), _DAY),
        **dict.fromkeys(("is_decided", "is_listed"), _FLAG),
        "days_to_decision": _COUNT,
    },
}


@dataclass(frozen=True)
class Marts:
    """The marts by name; one that is not published is missing."""

    frames: Mapping[str, pl.DataFrame]

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table]) -> Marts:
        """Raises PermanentError if a mart lacks a column or holds values of another type."""
        return cls(
            {
                name: _frame(name, tables[name], schema)
                for name, schema in SCHEMAS.items()
                if name in tables
            }
        )

    def rows(self, mart: str, council: str) -> pl.DataFrame:
        """The rows of a council; none if the mart is not published.

        Raises PermanentError for a mart whose columns are not in `SCHEMAS`.
        """
        if mart not in SCHEMAS:
            raise PermanentError(
                f"The dashboard: a page shows the mart {mart}, which SCHEMAS in "
                "include/publish/site/tables.py lacks. Add the columns that the page reads."
            )
        if mart not in self.frames:
            return pl.DataFrame(schema=pl.Schema(SCHEMAS[mart]))
        return self.frames[mart].filter(pl.col("council") == council)

    def gap(self, mart: str, title: str) -> str:
        """Why the mart has nothing for the council of that title."""
        if mart not in self.frames:
            return f"The dataset {mart} is not published."
        if self.frames[mart].is_empty():
            return f"The dataset {mart} is published, but empty."
        return f"The dataset {mart} has no rows for {title}; it has rows for other councils."

    def councils(self) -> set[str]:
        """The councils that any mart names."""
        return {name for frame in self.frames.values() for name in frame["council"].unique()}


def _frame(name: str, table: pa.Table, schema: Mapping[str, type[pl.DataType]]) -> pl.DataFrame:
    missing = sorted(schema.keys() - set(table.column_names))
    if missing:
        raise PermanentError(
            f"The dashboard: the mart {name} lacks {', '.join(missing)}, which its pages show. "
            "Restore them, or change include/publish/site/."
        )
    try:
        return pl.DataFrame(table.select(list(schema))).cast(pl.Schema(schema))
    except pl.exceptions.PolarsError as error:
        raise PermanentError(
            f"The dashboard: the mart {name} has columns of other types than its pages expect "
            f"({error}). Restore them, or change include/publish/site/tables.py."
        ) from error
