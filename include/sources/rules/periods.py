"""Rules between the size of a contract's partitions and its other fields."""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import Formatter
from typing import TYPE_CHECKING

from include.definitions import WrongField
from include.sources.extract.database import DatabaseExtract
from include.sources.extract.http import Extract
from include.sources.extract.templates import PERIOD_VALUES
from include.sources.partition import Period, grain_label

if TYPE_CHECKING:
    from include.sources.model import Contract

Place = tuple[str | int, ...]

# The fields that say something about one period among others, and need a reason why not.
_OF_PERIODS = {
    "snapshot": "it is fetched as a whole each time anyway",
    "lookback": "there are no earlier periods",
    "lookback_monthly": "there are no earlier periods",
    "publication_lag_days": "it never ends",
}
_BOUND = re.compile(r"%\(period_\w+\)s")
# Python's directives that write an hour.
_HOUR = re.compile(r"%-?[HI]")


def check(contract: Contract) -> None:
    """Raise `WrongField` for a field that has no meaning with this `period`."""
    try:
        Period.of(contract.start, contract.period)
    except OverflowError as error:
        raise WrongField(f"{error}; a date from April of the year 1", "start") from error
    if contract.period == "all":
        _check_whole(contract)
    elif contract.period == "hour":
        _check_hours(contract)


def _check_whole(contract: Contract) -> None:
    for field, why in _OF_PERIODS.items():
        if getattr(contract, field):
            raise WrongField(f"`period: all` cannot have `{field}`: {why}", field)
    extract = contract.extract
    if isinstance(extract, DatabaseExtract):
        _check_whole_database(extract)
    elif isinstance(extract, Extract):
        _check_whole_api(contract, extract)


def _check_whole_database(extract: DatabaseExtract) -> None:
    if bound := _BOUND.search(extract.query):
        raise WrongField(f"`period: all` has no {bound[0]}", "extract", "query")
    if extract.changed:
        raise WrongField("`period: all` cannot have `changed`", "extract", "changed")


def _check_whole_api(contract: Contract, extract: Extract) -> None:
    if extract.archive:
        raise WrongField(
            "`period: all` cannot have `archive`: it has no older periods", "extract", "archive"
        )
    if extract.window_minutes:
        raise WrongField(
            "`period: all` cannot have `window_minutes`: it never ends", "extract", "window_minutes"
        )
    for where, text in _texts(contract, extract):
        for name, _ in _values(text):
            if name in PERIOD_VALUES:
                raise WrongField(f"`period: all` has no {{{name}}}", *where)


def _check_hours(contract: Contract) -> None:
    if contract.lookback_monthly:
        raise WrongField(
            f"`period: {contract.period}` cannot have `lookback_monthly`: several runs begin on "
            "the first day of a month. Use `lookback`",
            "lookback_monthly",
        )
    extract = contract.extract
    if not isinstance(extract, Extract) or contract.snapshot:
        return
    for way_name, way in extract.ways.items():
        place: Place = ("extract",) if way_name == "api" else ("extract", way_name)
        used = []
        for where, text in way.request.places():
            for name, form in _values(text):
                if name not in PERIOD_VALUES:
                    continue
                if not form:
                    raise WrongField(
                        f"{{{name}}} of an hour needs a format: {{{name}:%Y-%m-%dT%H:%M}}",
                        *(*place, "request", *where),
                    )
                used.append(form)
        if used and not way.window_minutes and not any(map(_HOUR.search, used)):
            raise WrongField(
                f"no request tells one {grain_label(contract.period)} of a day from the next. Use "
                "%H: {period:%Y-%m-%dT%H:%M}",
                *(*place, "request"),
            )


def _values(template: str) -> Iterator[tuple[str, str]]:
    """The placeholders of a template, and their formats."""
    for _, name, form, _ in Formatter().parse(template):
        if name is not None:
            yield name, form or ""


def _texts(contract: Contract, extract: Extract) -> Iterator[tuple[Place, str]]:
    """Every text that may contain a period, and where it is."""
    for where, text in extract.request.places():
        yield ("extract", "request", *where), text
    for label, parent in extract.parents.items():
        for place, text in parent.texts():
            yield ("extract", "parents", label, *place), text
    for number, column in enumerate(contract.columns):
        if column.request:
            yield ("columns", number, "request"), f"{{{column.request}}}"
    if select := contract.format.select:
        for name in select.names:
            yield ("format", "select", "not" if select.excludes else "among"), f"{{{name}}}"
