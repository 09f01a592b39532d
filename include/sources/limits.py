"""The limits on fetches, the checks that a load must pass, and when a person is asked before."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from include.definitions import Definition

_MIB = 1024 * 1024
_GIB = 1024 * _MIB


class Limits(Definition):
    """Limits; exceeding one is a permanent error that names it.

    The defaults keep a load within the memory that promise 8 allows. Of
    `record_bytes` and `whole_bytes`, a load takes about ten times as much
    memory as the limit.
    """

    answer_bytes: int = Field(
        default=_GIB,
        ge=_MIB,
        description="Bytes of one answer, as received and uncompressed. They are written to a "
        "temporary file.",
    )
    record_bytes: int = Field(
        default=8 * _MIB,
        ge=_MIB,
        description="Bytes of one record, in the answer or in a landing. They are in memory at "
        "once. A value counts as at least 16 bytes. What `list_value: explode` repeats may take up "
        "to 32 times as much.",
    )
    whole_bytes: int = Field(
        default=8 * _MIB,
        ge=_MIB,
        description="Bytes of one answer whose records cannot be read one by one: `columnar`, "
        "`rows`, a `*` in `records`, or a list that begins after the first MiB. A value counts as "
        "at least 16 bytes. Of Parquet, an eighth of the pages that are unpacked at once.",
    )
    partition_bytes: int = Field(
        default=10 * _GIB,
        ge=_MIB,
        description="Bytes of all answers of one partition, uncompressed.",
    )
    files: int = Field(
        default=10_000,
        ge=1,
        description="Files in an inbox or folder, or links on a page.",
    )
    request_seconds: float = Field(
        default=600,
        gt=0,
        description="Seconds of one request, from connecting to the last byte of its answer.",
    )
    fetch_seconds: float = Field(
        default=6 * 3600,
        gt=0,
        description="Seconds of fetching one partition, with all its requests and pauses.",
    )


DEFAULT = Limits()

# Of a text that is smaller, the values take little memory whatever they are.
SMALL_BYTES = _MIB
# A parsed value takes some 64 bytes; most are written in more bytes than this.
VALUE_BYTES = 16


def weight(text: bytes, marks: Sequence[bytes] = (b",", b"[", b"{")) -> int:
    """The size of a text by which it is limited: its bytes, or more if it holds many values.

    `marks` are what begins or separates values.
    """
    if len(text) <= SMALL_BYTES:
        return len(text)
    return max(len(text), VALUE_BYTES * sum(map(text.count, marks)))


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


class Approval(Definition):
    """When a run asks a person before it replaces rows; by default, never.

    Scheduled runs never ask. Who may start runs may answer, in Airflow under
    *Required Actions*. See docs/runbook.md.
    """

    rows: int = Field(
        ge=0,
        description="Ask for approval if the partitions of a run that a person starts, or "
        "of one run of a "
        "backfill, hold more rows than this.",
    )
    hours: float = Field(
        default=24,
        gt=0,
        le=24 * 30,
        description="Hours to answer. No answer means no: the run fails and replaces nothing.",
    )
