"""The checks of a contract: what must hold before a load is committed."""

from __future__ import annotations

from pydantic import Field

from include.definitions import Definition


class Checks(Definition):
    """Checks that a load must pass before it is committed."""

    min_records: int = Field(default=0, ge=0, description="Refuse a landing with fewer records.")
    min_share_of_previous: float = Field(
        default=0,
        ge=0,
        le=1,
        description="Refuse a landing with less than this share of the current load's records.",
    )
    partition_may_empty: bool | None = Field(
        default=None,
        description="Whether a partition with records may be replaced by a landing without "
        "any. Default: no, except for a database query by `changed`, whose rows move to later "
        "periods.",
    )
    max_records_of_emptied_part: int | None = Field(
        default=0,
        ge=0,
        description="Refuse a landing in which a part of the partition (ward, point, record of a "
        "parent, window, page) is empty, if it has more records than this in the current load. "
        "`null`: parts may become empty.",
    )
    null_columns_may_appear: bool = Field(
        default=False,
        description="Allow columns to become entirely null that have values in the current load.",
    )
    max_quarantined_share: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Refuse a load that quarantines a larger share of its records.",
    )
