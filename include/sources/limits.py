"""The limits on the size and the duration of fetches."""

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
        "once. A value counts as at least 16 bytes.",
    )
    whole_bytes: int = Field(
        default=8 * _MIB,
        ge=_MIB,
        description="Bytes of one answer whose records cannot be read one by one: `columnar`, "
        "`rows`, a `*` in `records`, or a list that begins after the first MiB. A value counts as "
        "at least 16 bytes.",
    )
    partition_bytes: int = Field(
        default=10 * _GIB,
        ge=_MIB,
        description="Bytes of all answers of one partition, uncompressed.",
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
