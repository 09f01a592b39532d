"""Rules of a source that reads another source's landings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.definitions import WrongField
from include.sources.extract.http import Extract
from include.sources.extract.landing import LandingExtract
from include.sources.paths import parts

if TYPE_CHECKING:
    from include.sources.model import Contract

# Decided by the source that is fetched.
_OF_PARENT = ("schedule", "snapshot", "publication_lag_days", "lookback", "lookback_monthly")
_SAME = ("period", "councils", "retention_days")


def check(contract: Contract, extract: LandingExtract) -> None:
    """Raise `WrongField` for what only the source that is fetched can have."""
    for field in _OF_PARENT:
        if getattr(contract, field):
            raise WrongField(
                f"`kind: landing` cannot have `{field}`: it follows {extract.source}", field
            )
    if contract.format.select:
        raise WrongField("`kind: landing` cannot have `select`", "format", "select")


def check_parent(contract: Contract, extract: LandingExtract, parent: Contract) -> None:
    """Raise `WrongField` for what does not fit the source whose landings are read."""
    if not isinstance(parent.extract, Extract):
        raise WrongField(
            f"expected a source of `kind: http`, found {parent.name} of `kind: "
            f"{parent.extract.kind}`",
            *("extract", "source"),
        )
    if parent.extract.archive:
        raise WrongField(
            f"{parent.name} has an `archive`, whose answers have another form", "extract", "source"
        )
    for field in _SAME:
        wanted, found = getattr(parent, field), getattr(contract, field)
        if wanted != found:
            raise WrongField(f"expected {wanted}, as {parent.name} has, found {found}", field)
    kept = parent.values_kept()
    for number, column in enumerate(contract.columns):
        if column.request and column.request not in kept:
            raise WrongField(
                f"{parent.name} keeps {', '.join(kept) or 'no value'} of its requests, not "
                f"{column.request!r}",
                *("columns", number, "request"),
            )
    _check_personal(contract, parent)


def _overlap(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether one of two paths is the other, or leads to it."""
    return all(a == b for a, b in zip(one, other, strict=False))


def _check_personal(contract: Contract, parent: Contract) -> None:
    """What is personal in the one is personal in the other."""
    personal = {column.record_path for column in parent.columns if column.personal != "no"}
    records = tuple(part for part in contract.format.path if part != "*")
    around = {path for path in personal if path and path == records[-len(path) :]}
    if around and not contract.personal:
        raise WrongField(
            f"{'.'.join(min(around))} is personal data in {parent.name}: mark what is personal in "
            "its records (`personal`)",
            "columns",
        )
    inherited = contract.format.inherited
    for number, column in enumerate(contract.columns):
        path = column.record_path
        above = inherited.get(path[0]) if path else None
        names = (*parts(above), *path[1:]) if above else ()
        taken = any(names and field and _overlap(names, field) for field in personal)
        if taken and column.personal == "no":
            raise WrongField(
                f"{above!r} is personal data in {parent.name}", "columns", number, "personal"
            )
