"""Profile a table: how its values are distributed, what is missing, what stands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from include.errors import PermanentError, UnknownName
from include.jobs.pipeline.selection import Selection
from include.jobs.serving.tables import Named, named
from include.settings import Settings
from include.sources.columns import Column
from include.sources.partition import Grain, Period
from include.sources.raw_table import SCHEMA
from include.warehouse.books import quarantine
from include.warehouse.connection import connect
from include.warehouse.serving import statistics
from include.warehouse.serving.rules import broken_rules
from include.warehouse.serving.statistics import Bar, Outliers
from include.warehouse.serving.table import Contents, Counted, Slice, Table, read, types_of

SAMPLED_ROWS = 100_000

# Columns of a model that say which period a row is about; of several, the shortest counts.
_PERIOD_COLUMNS: dict[str, Grain] = {
    "hour": "hour", "day": "day", "week": "week", "month": "month", "quarter": "quarter",
}  # fmt: skip


@dataclass(frozen=True)
class ColumnProfile:
    """One column. `values` and `missing` count all rows; everything else describes the sample.

    `hidden` says why values are not shown: `personal` or `unclassified`; then
    there are only counts and lengths. `broken` counts values in the sample
    that break a rule of the contract, `quarantined` records that were not
    loaded because of one.
    """

    name: str
    type: str
    kind: str
    hidden: str
    values: int
    missing: int
    lowest: Any = None
    highest: Any = None
    lengths: dict[str, float] | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    distribution: list[Bar] = field(default_factory=list)
    outliers: Outliers | None = None
    broken: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """A table and its columns; `sample` has the sampled rows, without hidden values."""

    table: str
    about: str
    rows: int
    sampled: int
    columns: list[ColumnProfile]
    sample: pd.DataFrame = field(repr=False)

    @property
    def is_sampled(self) -> bool:
        """Whether only some of the rows are described."""
        return self.sampled < self.rows

    def as_json(self) -> dict[str, Any]:
        """The profile without its sample."""
        found = {name: value for name, value in vars(self).items() if name != "sample"}
        return found | {"columns": [asdict(column) for column in self.columns]}


def profile(
    table: str,
    *,
    settings: Settings,
    selection: Selection | None = None,
    rows: int = SAMPLED_ROWS,
) -> Profile:
    """Profile `raw.<source>`, a model or a mart; `rows` is how many are sampled at most.

    Reads as the role that may do least, and never a value of a personal
    column. The councils and periods of `selection` narrow it. Raises
    `UnknownName` for a table that is not there, `PermanentError` for one that
    cannot be narrowed, and the errors of `connect`.
    """
    if rows < 1:
        raise PermanentError(f"profile: cannot sample {rows} rows. Pass 1 or more.")
    selection = selection or Selection()
    found = named(table, settings, "profile")
    _check(selection, found)
    with connect(found.dsn(settings)) as connection:
        with connection.cursor() as cursor:
            types = types_of(cursor, found.schema, found.name)
        connection.rollback()
        if not types:
            command = "wandle migrate" if found.schema == SCHEMA else "wandle transform"
            raise UnknownName(
                f"profile: {found.full_name} is not in the database yet. Create it: `{command}`."
            )
        hidden = found.hidden(types)
        shape = Table(found.schema, found.name, types, frozenset(hidden))
        contents = read(connection, shape, _slice(found, types, selection), rows)
    kept_back = _quarantined(found, settings, selection)
    rules = {column.name: column for column in found.contract.columns} if found.contract else {}
    columns = [
        _column(shape, name, hidden.get(name, ""), contents, rules.get(name), kept_back)
        for name in types
    ]
    shown = [name for name in contents.sample if shape.kind(name) not in ("masked", "json")]
    return Profile(
        found.full_name,
        found.about,
        contents.rows,
        len(contents.sample) if len(contents.sample.columns) else contents.rows,
        columns,
        contents.sample[shown],
    )


def _column(
    table: Table,
    name: str,
    hidden: str,
    contents: Contents,
    rules: Column | None,
    kept_back: Mapping[str, dict[str, int]],
) -> ColumnProfile:
    kind, counted = table.kind(name), contents.counted[name]
    base: dict[str, Any] = {
        "name": name,
        "type": table.types[name],
        "kind": kind,
        "hidden": hidden,
        "values": counted.values,
        "missing": contents.rows - counted.values,
        "lengths": _lengths(counted),
        "lowest": counted.lowest,
        "highest": counted.highest,
        "quarantined": kept_back.get(name, {}),
    }
    if kind in ("masked", "other") or name not in contents.sample:
        return ColumnProfile(**base)
    values = contents.sample[name]
    broken = broken_rules(rules, kind, values) if rules else {}
    return ColumnProfile(**base, broken=broken, **_described(kind, values))


def _described(kind: str, values: pd.Series) -> dict[str, Any]:
    if kind == "number":
        return {
            "statistics": statistics.describe_numbers(values),
            "distribution": statistics.spread_of_numbers(values),
            "outliers": statistics.outliers(values),
        }
    if kind == "time":
        return {
            "statistics": statistics.describe_times(values),
            "distribution": statistics.spread_of_times(values),
        }
    common = {"distribution": statistics.most_common(values)}
    return common | ({"statistics": statistics.describe_texts(values)} if kind == "text" else {})


def _lengths(counted: Counted) -> dict[str, float] | None:
    if counted.shortest is None or counted.longest is None or counted.mean_length is None:
        return None
    return {
        "shortest": counted.shortest,
        "mean": round(counted.mean_length, 1),
        "longest": counted.longest,
    }


def _check(selection: Selection, found: Named) -> None:
    named_sources = (found.name,) if found.schema == SCHEMA else ()
    Selection(
        named_sources, selection.councils, selection.periods, selection.first, selection.last
    ).check({(found.name, "")})


def _slice(found: Named, types: Mapping[str, str], selection: Selection) -> Slice:
    """The rows that a selection leaves. Raises `PermanentError` without a column for it."""
    grain: Grain
    if found.schema == SCHEMA:
        council, period = "_council", "_period"
        grain = found.contract.period if found.contract else "day"
    else:
        council = "council" if "council" in types else ""
        period = next((name for name in _PERIOD_COLUMNS if _is_time(types.get(name, ""))), "")
        grain = _PERIOD_COLUMNS.get(period, "day")
    ranges = _ranges(selection, grain)
    for column, needed, option in (
        (council, selection.councils, "--council"),
        (period, ranges, "--period, --from and --to"),
    ):
        if needed and not column:
            raise PermanentError(
                f"profile: {found.full_name} has no column for {option}. Leave it out. It has "
                f"{', '.join(types)}."
            )
    return Slice(council, period, selection.councils, ranges)


def _is_time(sql_type: str) -> bool:
    return sql_type == "date" or sql_type.startswith("timestamp")


def _ranges(selection: Selection, grain: Grain) -> tuple[tuple[datetime, datetime], ...]:
    if selection.first or selection.last:
        first = _bounds(selection.first, grain)[0] if selection.first else datetime.min
        last = _bounds(selection.last, grain)[1] if selection.last else datetime.max
        return ((first, last),)
    return tuple(_bounds(text, grain) for text in selection.periods)


def _bounds(text: str, grain: Grain) -> tuple[datetime, datetime]:
    """Begin and end of a period, in UTC without a zone."""
    try:
        first, last = Period.span(text, grain)
    except UnknownName:
        # A shorter period than the rows have limits a range.
        first = last = Period.read(text, grain)
    return first.starts_at, last.end.replace(tzinfo=None)


def _quarantined(
    found: Named, settings: Settings, selection: Selection
) -> dict[str, dict[str, int]]:
    """How many records of a raw table broke which rule of which column."""
    if found.schema != SCHEMA:
        return {}
    grain: Grain = found.contract.period if found.contract else "day"
    part = Slice("council", "period", selection.councils, _ranges(selection, grain))
    with connect(settings.need("portal_dsn")) as connection, connection.cursor() as cursor:
        return quarantine.by_rule(cursor, found.name, part.where({"period": "timestamp"}))
