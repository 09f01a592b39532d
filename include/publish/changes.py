"""What changed in a dataset from one version to the next, from its Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa


def changes(old: pa.Table, new: pa.Table, key: Sequence[str]) -> dict[str, Any]:
    """The number of rows `added`, `removed` and `changed`, by `key`, and columns likewise.

    Without a key, or with one that the old rows did not have, rows are only
    added and removed.
    """
    before, after = (pl.DataFrame(pl.from_arrow(table)) for table in (old, new))
    common = [name for name in after.columns if name in before.columns]
    for name in common:
        if before.schema[name] != after.schema[name]:
            before, after = (
                one.with_columns(pl.col(name).cast(pl.String)) for one in (before, after)
            )
    found: dict[str, Any] = {}
    if gained := [name for name in after.columns if name not in common]:
        found["columns_added"] = gained
    if lost := [name for name in before.columns if name not in common]:
        found["columns_removed"] = lost
    if not key or not set(key) <= set(common):
        # Equal rows are counted, as there can be several.
        counted = [frame.group_by(common).len() for frame in (before, after)]
        joined = counted[0].join(
            counted[1], on=common, how="full", coalesce=True, nulls_equal=True, suffix="_after"
        )
        more = joined.select(
            (pl.col("len_after").fill_null(0).cast(pl.Int64))
            - pl.col("len").fill_null(0).cast(pl.Int64)
        ).to_series()
        return {
            "added": int(more.clip(lower_bound=0).sum()),
            "removed": int(-more.clip(upper_bound=0).sum()),
            "changed": 0,
            **found,
        }
    both = before.select(common).join(
        after.select(common), on=list(key), how="inner", nulls_equal=True, suffix="\0after"
    )
    rest = [name for name in common if name not in key]
    differs = [pl.col(name).ne_missing(pl.col(f"{name}\0after")) for name in rest]
    return {
        "added": after.height - both.height,
        "removed": before.height - both.height,
        "changed": both.filter(pl.any_horizontal(differs)).height if differs else 0,
        **found,
    }
