"""Which months or days the rows of a dataset are about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl
import pyarrow as pa


def period_of(rows: pa.Table, key: Sequence[str]) -> str:
    """An ISO 8601 interval from the first to the last date; empty without dates.

    The dates of the key count; of a key without dates those of all columns. Months if the
    columns are named so: `2025-09/2026-08`, else days: `2025-09-01/2026-08-31`.
    """
    dated = [field.name for field in rows.schema if pa.types.is_date(field.type)]
    dates = pl.DataFrame(rows.select([name for name in dated if name in key] or dated))
    ends = (value for column in dates for value in (column.min(), column.max()))
    known = [value for value in ends if isinstance(value, date)]
    if not known:
        return ""
    is_monthly = all("month" in column.name for column in dates)
    form = "%Y-%m" if is_monthly else "%Y-%m-%d"
    return f"{min(known):{form}}/{max(known):{form}}"
