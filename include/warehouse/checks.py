"""The checks before a load is committed; each returns why it fails, or None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from include.records.recognise import is_failure
from include.sources.model import Contract
from include.sources.raw_table import EXTRA
from include.warehouse.books.counts import Counts
from include.warehouse.books.ledger import Landing
from include.warehouse.parts import Emptied

# Most parts named in a message.
SHOWN = 5


def of_landing(
    contract: Contract, landing: Landing, previous: Mapping[str, Any] | None
) -> str | None:
    """Whether a landing has enough records, also compared with the current load."""
    least = contract.checks.min_records
    if landing.records < least:
        return (
            f"expected at least {least} records, found {landing.records} "
            f"in landing {landing.landing_id}"
        )
    share = contract.checks.min_share_of_previous
    before = previous["records"] if previous else 0
    if before and not landing.records and not contract.may_empty:
        return (
            f"expected records, as the {before} of the current load (landing "
            f"{previous['landing_id'] if previous else ''}), found none in landing "
            f"{landing.landing_id}"
        )
    if landing.records < share * before:
        return (
            f"expected at least {share:g} of the {before} records of the current load "
            f"(landing {previous['landing_id'] if previous else ''}), found {landing.records} "
            f"in landing {landing.landing_id}"
        )
    return None


def of_parts(
    contract: Contract, landing: Landing, previous: str, gone: Sequence[Emptied]
) -> str | None:
    """Whether every part with records in the current load, landing `previous`, still has some."""
    most = contract.checks.max_records_of_emptied_part
    if most is None or not landing.records:
        return None
    large = [part for part in gone if part.records > most]
    if not large:
        return None
    more = f"; and {len(large) - SHOWN} more" if len(large) > SHOWN else ""
    return (
        f"expected records in every part that has more than {most} in the current load (landing "
        f"{previous}), found {len(large)} without any in landing {landing.landing_id}: "
        f"{'; '.join(map(str, large[:SHOWN]))}{more}"
    )


def of_books(landing: Landing, counts: Counts, copied: int) -> str | None:
    """Whether every record of the manifest was read, and every record read is accounted for."""
    accounted = counts.loaded + len(counts.quarantine) + counts.duplicates
    if landing.records == counts.records == accounted and copied == counts.rows:
        return None
    return (
        f"the books do not balance: the manifest says {landing.records} records, "
        f"{counts.records} were read, and {counts.loaded} loaded + {len(counts.quarantine)} "
        f"quarantined + {counts.duplicates} duplicates make {accounted}; {copied} rows were "
        f"copied, expected {counts.rows}"
    )


def of_records(contract: Contract, counts: Counts) -> str | None:
    """Whether few enough records break the contract; else the most frequent violation."""
    bad, most = len(counts.quarantine), contract.checks.max_quarantined_share
    last = next((item for item in counts.quarantine if item.record_no == counts.records), None)
    if last is not None and is_failure(last.record.decode("utf-8", "replace")):
        return (
            f"the last record, number {last.page_record_no} of {last.page}, breaks the contract "
            "and is an error message: the source may have broken off its answer. Fetch the "
            "partition again"
        )
    if bad <= most * counts.records:
        return None
    broken = Counter((item.column, item.rule) for item in counts.quarantine)
    (column, rule), times = broken.most_common(1)[0]
    first = next(item for item in counts.quarantine if (item.column, item.rule) == (column, rule))
    said = counts.differences.get((column or "", rule)) or _found(column, first.value)
    return (
        f"{bad} of {counts.records} records break the contract, more than the share of "
        f"{most:g} that it allows; {times} of them: {column or 'record'} breaks rule `{rule}`: "
        f"{said} (first: record {first.record_no}, {first.page} number {first.page_record_no})"
    )


def _found(column: str | None, value: str | None) -> str:
    """What is wrong with a record as a whole, or with its unknown fields."""
    if column == EXTRA:
        return (
            "expected JSON in the unknown fields, found text that is not UTF-8, or "
            "NaN. Is `encoding` right under `format`?"
        )
    if column is None:
        return f"expected an object, or a line with as many fields as the header, found {value}"
    return f"found {value}"


def of_columns(
    contract: Contract, counts: Counts, previous: Mapping[str, Any] | None
) -> str | None:
    """Whether every column with a value in the current load has one in the new load."""
    if contract.checks.null_columns_may_appear or not previous or not counts.rows:
        return None
    known = {column.name for column in contract.raw_columns()}
    empty = (known & {*(previous["filled_columns"] or ())}) - counts.filled
    if not empty:
        return None
    return (
        f"no record has a value in {', '.join(sorted(empty))}, where those of the current load "
        f"(landing {previous['landing_id']}) have"
    )
