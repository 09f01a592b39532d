"""Whether a drafted contract loads the answer that it was drafted from."""

from __future__ import annotations

import io
from typing import Any

from include.errors import UnexpectedPayload
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.warehouse.books.counts import Counts
from include.warehouse.prepare import PageBody, prepare

KEY = "key"
_OF_EVERY_TYPE = ("name", "path", "type", "description", "required")


def misfits(contract: Contract, content: bytes, records: int) -> tuple[Counts, dict[str, str]]:
    """Load the answer as a load would, but without the database.

    Returns the counts, and for each column, or `key`, what does not fit in the
    first such record. Raises `UnexpectedPayload` for records that do not load
    whatever the types of the columns.
    """
    counts = Counts()
    page = PageBody("0001", {}, records, len(content), io.BytesIO(content))
    partition = Partition(contract.name, "uk", Period.of(contract.start, contract.period))
    for batch in prepare(contract, partition, "draft", [page]):
        counts.add(batch.counts)
    found: dict[str, str] = {}
    for item in counts.quarantine:
        where = KEY if item.rule == KEY else item.column
        if where is None or (where != KEY and not _is_column(contract, where)):
            raise UnexpectedPayload(
                f"new-source: record {item.page_record_no} cannot be loaded: {item.rule} "
                f"{item.value or ''}. Remove it from the response and pass the rest with `--file`."
            )
        said = counts.differences.get((where, item.rule), item.rule)
        found.setdefault(where, f"record {item.page_record_no}: {said}")
    return counts, found


def wider(column: dict[str, Any], all_text: bool, misfit: str) -> dict[str, Any]:
    """The column with a wider type: text for texts, else any JSON.

    Raises `UnexpectedPayload` where even that does not hold the value.
    """
    kind = "text" if all_text and column["type"] != "text" else "jsonb"
    if column["type"] in ("text", "jsonb") and (all_text or column["type"] == "jsonb"):
        raise UnexpectedPayload(
            f"new-source: PostgreSQL has no type for a value of `{column['name']}`: {misfit}. "
            "Remove the record from the response and pass the rest with `--file`."
        )
    kept = {name: value for name, value in column.items() if name in _OF_EVERY_TYPE}
    return {**kept, "type": kind}


def _is_column(contract: Contract, name: str) -> bool:
    return any(column.name == name for column in contract.columns)
