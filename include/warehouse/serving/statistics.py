"""Describe the values of a column with pandas: quantiles, distribution, outliers. No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

# Bins of a distribution of numbers, and the most periods in one of times.
BINS = 12
MOST_PERIODS = 62
MOST_COMMON = 10
# Tukey's fences: so many interquartile ranges beyond the quartiles, and for values far out.
FENCE, FAR_FENCE = 1.5, 3.0
# Of the outliers that are listed.
MOST_EXAMPLES = 5
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Bar:
    """One bar of a distribution: a value, or `from` (inclusive) `to` a bound, and its count."""

    label: str
    count: int


@dataclass(frozen=True)
class Outliers:
    """The values beyond Tukey's fences; `far` of them beyond three interquartile ranges.

    `examples` are the most extreme ones, the furthest first.
    """

    lower: float
    upper: float
    below: int
    above: int
    far: int
    examples: list[float]

    @property
    def count(self) -> int:
        """How many there are."""
        return self.below + self.above


def describe_numbers(values: pd.Series) -> dict[str, Any]:
    """Mean, standard deviation, quantiles, zeros, negative and infinite values."""
    finite = _finite(values)
    if finite.empty:
        return {"infinite": int(values.notna().sum())}
    found = finite.describe(percentiles=list(QUANTILES))
    described = {str(name): _plain(value) for name, value in found.items() if name != "count"}
    return described | {
        "distinct": int(finite.nunique()),
        "zeros": int((finite == 0).sum()),
        "negative": int((finite < 0).sum()),
        "infinite": int(values.notna().sum() - len(finite)),
    }


def describe_times(values: pd.Series) -> dict[str, Any]:
    """The number of different moments."""
    return {"distinct": int(values.nunique())}


def describe_texts(values: pd.Series) -> dict[str, Any]:
    """How many are distinct, occur only once, or are blank."""
    present = values.dropna()
    counts = present.value_counts()
    return {
        "distinct": len(counts),
        "once": int((counts == 1).sum()),
        "blank": int((present.str.strip() == "").sum()),
    }


def spread_of_numbers(values: pd.Series) -> list[Bar]:
    """A histogram with bins of one width; of at most `BINS` different whole numbers, each one."""
    finite = _finite(values)
    if finite.empty:
        return []
    different = finite.unique()
    if len(different) <= BINS and (different == np.floor(different)).all():
        return [Bar(_number(value), int(count)) for value, count in _in_order(finite)]
    counts, edges = np.histogram(finite, bins=BINS)
    return [
        Bar(f"{_number(edges[place])} to {_number(edges[place + 1])}", int(count))
        for place, count in enumerate(counts)
    ]


def spread_of_times(values: pd.Series) -> list[Bar]:
    """Counts for each year, month, day or hour: the shortest that gives few enough bars."""
    present = values.dropna()
    if present.empty:
        return []
    forms = {"h": "%Y-%m-%dT%H", "D": "%Y-%m-%d", "M": "%Y-%m", "Y": "%Y"}
    has_hours = bool((present != present.dt.normalize()).any())
    for frequency, form in forms.items():
        if frequency == "h" and not has_hours:
            continue
        periods = present.dt.to_period(frequency)
        first, last = periods.min(), periods.max()
        if last.ordinal - first.ordinal < MOST_PERIODS or frequency == "Y":
            counts = periods.value_counts()
            every = pd.period_range(first, last, freq=frequency)
            if len(every) > MOST_PERIODS:
                every = pd.PeriodIndex(sorted(counts.index))[:MOST_PERIODS]
            return [Bar(period.strftime(form), int(counts.get(period, 0))) for period in every]
    return []


def most_common(values: pd.Series) -> list[Bar]:
    """The most frequent values with their counts; those of one count in order of the alphabet."""
    counts = [(str(value), int(count)) for value, count in values.dropna().value_counts().items()]
    counts.sort(key=lambda item: (-item[1], item[0]))
    return [Bar(value, count) for value, count in counts[:MOST_COMMON]]


def outliers(values: pd.Series) -> Outliers | None:
    """The values beyond Tukey's fences.

    None if the middle half of the values is one value, so that the fences mean
    nothing, or if there are fewer than four.
    """
    finite = _finite(values)
    if len(finite) < 4:
        return None
    first, third = (float(quantile) for quantile in finite.quantile([0.25, 0.75]))
    width = third - first
    if width <= 0 or not math.isfinite(width):
        return None
    lower, upper = first - FENCE * width, third + FENCE * width
    beyond = finite[(finite < lower) | (finite > upper)]
    far = (finite < first - FAR_FENCE * width) | (finite > third + FAR_FENCE * width)
    distance = np.maximum(lower - beyond, beyond - upper)
    furthest = beyond[distance.sort_values(ascending=False, kind="stable").index]
    return Outliers(
        lower=lower,
        upper=upper,
        below=int((finite < lower).sum()),
        above=int((finite > upper).sum()),
        far=int(far.sum()),
        examples=[float(value) for value in furthest.drop_duplicates()[:MOST_EXAMPLES]],
    )


def _finite(values: pd.Series) -> pd.Series:
    present = values.dropna()
    return present[np.isfinite(present.astype("float64"))]


def _in_order(values: pd.Series) -> Any:
    return values.value_counts().sort_index().items()


def _plain(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _number(value: float) -> str:
    return f"{value:.6g}"
