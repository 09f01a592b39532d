"""The partitions of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from include.councils import model as council_model
from include.councils.model import UK
from include.errors import PermanentError
from include.extract.requests import require_council
from include.sources.model import Contract
from include.sources.partition import Partition, Period

log = logging.getLogger(__name__)

# Airflow's `core.max_map_length`, unless the caller knows better.
MOST_PARTITIONS = 1024


@dataclass(frozen=True)
class Names:
    """What the parameters of a run are called where its reader entered them."""

    councils: str
    window: str
    last: str
    reload: str


FORM = Names("`councils`", "`from` and `to`", "`to`", "mode `reload`")


def plan(
    contract: Contract,
    *,
    today: date,
    councils: list[str] | None = None,
    first: str | None = None,
    last: str | None = None,
    interval: tuple[datetime, datetime] | None = None,
    lookback: bool = False,
    reload: bool = False,
    most: int = MOST_PARTITIONS,
    names: Names = FORM,
) -> list[Partition]:
    """List the partitions, councils within periods.

    `first` and `last` (inclusive; also as longer periods, such as months of a
    daily source) take precedence over `interval`, whose *start* decides the
    period, so that consecutive intervals share no period. Messages call them
    by `names`. `today` is a day, or the moment that decides the current hour.
    With `lookback`, the contract's earlier periods are added; how many may
    differ for the run on the first day of a month. A snapshot has the current
    period only, unless another is to be reloaded.

    A council whose file is broken, or lacks what the requests need, is planned
    in a run for all councils: its partitions fail, and no others.

    Raises `UnknownName` for an invalid council or period, and
    `PermanentError` for an empty window, more than `most` partitions, a
    snapshot of another period, or a chosen council whose file lacks what the
    requests need.
    """
    periods = _periods(contract, today, first, last, interval, lookback, reload, names)
    of_councils = _council_names(contract, councils, names)
    if councils and not reload:
        _require(contract, councils)
    wanted = len(periods) * len(of_councils)
    if wanted > most:
        raise PermanentError(
            f"{contract.name}: {len(periods)} periods from {periods[0]} to {periods[-1]} for "
            f"{len(of_councils)} councils are {wanted} partitions; the limit for one run is "
            f"{most}. "
            "Choose a shorter window, or use a backfill, which starts one run per period."
        )
    return [Partition(contract.name, name, period) for period in periods for name in of_councils]


def with_changed(
    contract: Contract,
    planned: list[Partition],
    changed: Iterable[Partition],
    councils: list[str] | None,
    most: int = MOST_PARTITIONS,
) -> list[Partition]:
    """The partitions of a run, and those of files that are new or changed.

    More than `most` are left to the next run, which finds them changed.
    """
    chosen = [one for one in changed if not councils or one.council in councils]
    every = sorted({*planned, *chosen}, key=lambda one: (one.period, one.council))
    if len(every) > most:
        kept = [*planned, *(one for one in every if one not in planned)][:most]
        log.warning(
            "%s: %d of %d partitions are left for the next run",
            contract.name,
            len(every) - len(kept),
            len(every),
        )
        return kept
    return every


def _require(contract: Contract, chosen: list[str]) -> None:
    """Raise `PermanentError` for a chosen council that lacks what the requests need."""
    # The form names all of them by default.
    if not council_model.council_titles().keys() <= {*chosen}:
        for name in chosen:
            if name in council_model.councils():
                require_council(contract, council_model.council(name))


def _periods(
    contract: Contract,
    today: date,
    first: str | None,
    last: str | None,
    interval: tuple[datetime, datetime] | None,
    lookback: bool,
    reload: bool,
    names: Names,
) -> list[Period]:
    current = Period.of(today, contract.period)
    if contract.snapshot and not (reload and (first or last)):
        return _current_only(contract, current, first, last, interval, names)
    if first or last:
        start, end = _window(contract, current, first or str(last), last or str(first), names)
    elif contract.period == "all":
        return [current]
    elif interval and interval[0] < interval[1]:
        start = Period.of(interval[0], contract.period)
        end = max(start, Period.of(interval[1], contract.period).previous)
        first_day = interval[0].astimezone(UTC).date()
        for _ in range(_earlier(contract, first_day) if lookback else 0):
            start = start.previous
    else:
        raise PermanentError(
            f"{contract.name}: this run has no period: it has neither {names.window} nor a data "
            f"interval. Fill in {names.window}, or start a backfill."
        )
    begin = Period.of(contract.start, contract.period)
    if end < begin:
        raise _too_early(contract, str(end), begin, names)
    if end > current:
        raise PermanentError(
            f"{contract.name}: {end} has not started; the current one is {current}. "
            f"Correct {names.last}."
        )
    return max(start, begin).until(end)


def _window(
    contract: Contract, current: Period, first: str, last: str, names: Names
) -> tuple[Period, Period]:
    """The periods that a person names; a longer one is cut off at the current period."""
    start, starts_within = Period.span(first, contract.period)
    begins, end = Period.span(last, contract.period)
    begin = Period.of(contract.start, contract.period)
    if end < start:
        raise PermanentError(
            f"{contract.name}: {first} is after {last}. Swap them in {names.window}."
        )
    if starts_within < begin:
        raise _too_early(contract, first, begin, names)
    return start, min(end, current) if begins <= current else end


def _too_early(contract: Contract, text: str, begin: Period, names: Names) -> PermanentError:
    return PermanentError(
        f"{contract.name}: the data start at {begin}, and {text} is earlier. Correct "
        f"{names.window}."
    )


def _earlier(contract: Contract, first_day: date) -> int:
    """The number of earlier periods that a run on this day fetches again."""
    of_month = contract.lookback_monthly if first_day.day == 1 else 0
    return max(contract.lookback, of_month)


def _current_only(
    contract: Contract,
    current: Period,
    first: str | None,
    last: str | None,
    interval: tuple[datetime, datetime] | None,
    names: Names,
) -> list[Period]:
    asked = [text for text in (first, last) if text]
    if not asked and interval:
        asked = [str(Period.of(interval[0], contract.period))]
    spans = [Period.span(text, contract.period) for text in asked]
    if any(not start <= current <= end for start, end in spans):
        raise PermanentError(
            f"{contract.name}: the source is a snapshot: its API returns {current} only, not "
            f"{', '.join(sorted(set(asked)))}. Omit {names.window}, "
            f"or reload that period from S3 ({names.reload})."
        )
    return [current]


def _council_names(contract: Contract, asked: list[str] | None, names: Names) -> list[str]:
    if contract.councils == "uk":
        for name in asked or ():
            if name != UK:
                raise PermanentError(
                    f"{contract.name}: belongs to no council, but the run names {name!r}. "
                    f"Omit {names.councils}, or use {UK!r}."
                )
        return [UK]
    # A council whose file is broken is planned, too, so that the run cannot be green without it.
    known = council_model.council_titles()
    distinct = dict.fromkeys(asked or known)
    return [name if name in known else council_model.council(name).name for name in distinct]
