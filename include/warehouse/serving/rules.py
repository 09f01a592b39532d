"""Check the values of a sample against the rules of a contract's column. No I/O."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from include.sources.columns import Column, Scalar
from include.warehouse.columns.cast import full_match
from include.warehouse.serving.table import MOST_CHARACTERS, Kind


def broken_rules(column: Column, kind: Kind, values: pd.Series) -> dict[str, int]:
    """The rules that values break, and how many values break each.

    Loading quarantines such records: what is found was loaded under an earlier
    contract, or made since. A text that was cut is not compared with `pattern`.
    """
    present = values.dropna()
    broken = {}
    if column.required:
        broken["required"] = int(values.isna().sum())
    if kind == "number":
        if column.minimum is not None:
            broken["minimum"] = int((present < float(column.minimum)).sum())
        if column.maximum is not None:
            broken["maximum"] = int((present > float(column.maximum)).sum())
    if column.allowed:
        allowed = [_value(value, kind) for value in column.allowed]
        broken["allowed"] = int((~present.isin(allowed)).sum())
    if column.pattern and kind == "text":
        whole = present[present.str.len() < MOST_CHARACTERS]
        broken["pattern"] = int((~full_match(pa.array(whole, pa.string()), column.pattern)).sum())
    return {rule: count for rule, count in broken.items() if count}


def _value(value: Scalar, kind: Kind) -> object:
    if kind == "number":
        return float(value)
    if kind == "time":
        moment = pd.Timestamp(str(value))
        return moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
    return value if kind == "boolean" else str(value)
