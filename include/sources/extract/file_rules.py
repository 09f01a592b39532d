"""Rules between the fields of a contract whose source is files, or whose records have dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.definitions import WrongField
from include.sources.extract import file_pattern
from include.sources.extract.files import FilesExtract
from include.sources.extract.templates import is_council_value
from include.sources.paths import parts

if TYPE_CHECKING:
    from include.sources.model import Contract

# From the finest grain.
_GRAINS = ("hour", "day", "week", "month", "quarter", "financial_year", "year", "all")
# What a column or the selection may take from the file and its partition.
FILE_NAME = "file.name"


def check_files(contract: Contract, extract: FilesExtract) -> None:
    """Raise `WrongField` for a contract that does not say to which partition a file belongs."""
    if contract.snapshot:
        raise WrongField(
            "`snapshot` does not apply to files; for one that is replaced in place, "
            "`extract.period_from: modified`",
            "snapshot",
        )
    _check_period(contract, extract)
    _check_council(contract, extract)
    for number, column in enumerate(contract.columns):
        name = column.request
        if name and name != FILE_NAME and not is_council_value(name):
            raise WrongField(
                f"expected {FILE_NAME}, council.name or another value of the council, found "
                f"{name!r}",
                *("columns", number, "request"),
            )
        if contract.format.kind == "csv" and len(column.record_path) > 1 and not column.optional:
            raise WrongField(
                r"the rows of a CSV have no fields within fields; write a dot within a name as "
                r"`\.`",
                *("columns", number, "path"),
            )


def _check_period(contract: Contract, extract: FilesExtract) -> None:
    select = contract.format.select
    by_records = bool(select and select.period)
    if contract.period == "all":
        return
    if (extract.period_from == "records") != by_records and not extract.is_dated:
        raise WrongField(
            "`period_from: records` and `format.select.period` need each other",
            *("extract", "period_from"),
        )
    if extract.period_from == "modified" and extract.is_dated:
        raise WrongField(
            "`period_from: modified`, but `pattern` has {period}", "extract", "period_from"
        )
    if extract.period_from == "name" and not extract.is_dated:
        raise WrongField(
            "expected {period}, such as {period:%Y-%m}, or another `period_from`",
            *("extract", "pattern"),
        )
    if not extract.is_dated:
        return
    forms = [
        item.form
        for item in file_pattern.placeholders(extract.pattern, contract.period)
        if item.name == "period"
    ]
    if not all(forms):
        if len(forms) > 1:
            raise WrongField("expected {period} without a format once", "extract", "pattern")
        return
    known = file_pattern.known_to("".join(forms))
    if not known:
        raise WrongField(f"{' '.join(forms)} is not a day, a month or a year", "extract", "pattern")
    if _GRAINS.index(known) > _GRAINS.index(contract.period) and not by_records:
        raise WrongField(
            f"names say the {known}, but a partition is a {contract.period}: add "
            "`format.select.period`, which says which records belong",
            *("extract", "pattern"),
        )


def _check_council(contract: Contract, extract: FilesExtract) -> None:
    select = contract.format.select
    selecting = [name for name in (select.names if select else ()) if is_council_value(name)]
    if contract.councils == "uk":
        if extract.council_values or selecting:
            raise WrongField("values of a council need `councils: each`", "extract", "pattern")
    elif not (extract.council_values or selecting):
        raise WrongField(
            "expected {council.name} or another value of the council, or `format.select.among` "
            "with one; or `councils: uk`",
            *("extract", "pattern"),
        )
    for name in select.names if select else ():
        if name not in ("period", "period.last") and not is_council_value(name):
            raise WrongField(
                f"expected council.name or another value of the council, found {name!r}",
                *("format", "select", "among"),
            )


def check_dated_selection(contract: Contract) -> None:
    """Raise `WrongField` if records whose date cannot be read would not be quarantined."""
    select = contract.format.select
    if not select or not select.period:
        return
    if contract.period in ("hour", "all"):
        raise WrongField(
            f"`select.period` does not apply to `period: {contract.period}`",
            *("format", "select", "period"),
        )
    for column in contract.columns:
        is_date = column.type in ("date", "timestamptz", "timestamp")
        if column.record_path == parts(select.field) and is_date and column.required:
            return
    raise WrongField(
        f"`select.period` needs a column with `path: {select.field}`, the type date or timestamp, "
        "and `required: true`, which quarantines what is not a date",
        *("format", "select", "period"),
    )
