"""Which councils and periods the demo fetches from each source."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sandbox.app import recorded_apis
from sandbox.police.api import HOST as POLICE
from sandbox.police.months import published_months
from sandbox.police.recorded import recorded_months

from include.councils.model import UK
from include.councils.model import council as council_named
from include.councils.model import councils as every_council
from include.errors import PermanentError
from include.local.home import read_json
from include.settings import Settings
from include.sources.consistency import needed
from include.sources.extract.http import Extract
from include.sources.model import Contract, broken_contracts, contracts
from include.sources.model import contract as contract_named
from include.sources.partition import Grain, Period

# Defaults on generated data or live APIs.
MONTHS_BY_DEFAULT = 3
DAYS_BY_DEFAULT = 14
PERIODS_BY_DEFAULT: dict[Grain, int] = {
    "hour": 48,
    "day": DAYS_BY_DEFAULT,
    "week": 4,
    "quarter": 2,
    "year": 1,
    "financial_year": 1,
}

OPTIONS = "`--council`, `--from`, `--to` (of `make demo`: COUNCILS, FROM, TO)"


@dataclass(frozen=True)
class Window:
    """The requested councils and months, and the newest day with data.

    `replayed` is the API whose recorded months are used, empty on generated data.
    `recorded` holds the council and month of each of them.
    """

    councils: tuple[str, ...]
    first: Period
    last: Period
    as_of: date
    replayed: str = ""
    recorded: frozenset[tuple[str, Period]] = frozenset()


@dataclass(frozen=True)
class Asked:
    """The councils and periods requested of one source; no periods for a snapshot or `all`.

    If `recorded` is not empty, only the pairs that it holds.
    """

    contract: Contract
    councils: tuple[str, ...]
    periods: tuple[Period, ...]
    recorded: frozenset[tuple[str, Period]] = frozenset()

    @property
    def parents(self) -> set[str]:
        """The sources whose landings it depends on."""
        return {parent.source for parent in self.contract.extract.parents.values()}

    def holds(self, source: str, council: str, period: str) -> bool:
        """Whether a partition is among the requested ones."""
        if source != self.contract.name or council not in self.councils:
            return False
        return not self.periods or self.contract.parse_period(period) in self._periods_of(council)

    @property
    def stretches(self) -> list[tuple[tuple[str, ...], tuple[Period, ...]]]:
        """The same as councils with periods that follow each other without a gap."""
        found: dict[tuple[Period, ...], list[str]] = {}
        for council in self.councils:
            for stretch in _without_gaps(self._periods_of(council)):
                found.setdefault(stretch, []).append(council)
        return [(tuple(councils), stretch) for stretch, councils in found.items()]

    def _periods_of(self, council: str) -> list[Period]:
        return [
            period
            for period in self.periods
            if not self.recorded or (council, period) in self.recorded
        ]


def _without_gaps(periods: Iterable[Period]) -> list[tuple[Period, ...]]:
    found: list[tuple[Period, ...]] = []
    for period in periods:
        if found and found[-1][-1].next == period:
            found[-1] += (period,)
        else:
            found.append((period,))
    return found


def asked_of_sources(
    window: Window,
    sources: list[str] | None,
    left_out: Container[str] = (),
    *,
    live: bool = False,
) -> list[Asked]:
    """The named sources and their parents, or all but those left out; parents before children.

    With `live`, all means those that are not files; when replaying recorded
    months, the sources of that API. Raises `UnknownName` for an unknown source.
    """
    known = contracts()
    wanted: dict[str, Asked] = {}

    def add(name: str) -> None:
        asked = _asked(contract_named(name), window)
        for parent in sorted(asked.parents):
            add(parent)
        wanted.setdefault(name, asked)

    of_replayed = [
        name
        for name, contract in known.items()
        if window.replayed and _host(contract) == window.replayed
    ]
    # Nobody puts files into an inbox for a demo on live APIs.
    every = [
        name
        for name, item in known.items()
        if name not in left_out and not (live and item.extract.kind == "files")
    ]
    for name in sources or of_replayed or every:
        if sources or not needed(name, known) & broken_contracts().keys():
            add(name)
    return list(wanted.values())


def _host(contract: Contract) -> str:
    return contract.extract.host if isinstance(contract.extract, Extract) else ""


def _asked(contract: Contract, window: Window) -> Asked:
    councils = (UK,) if contract.councils == UK else window.councils
    if contract.snapshot or contract.period == "all":
        return Asked(contract, councils, ())
    if contract.period == "month":
        months = tuple(window.first.until(window.last))
        is_recorded = UK not in councils and _host(contract) == window.replayed
        return Asked(contract, councils, months, window.recorded if is_recorded else frozenset())
    # Published periods only: neither the current one nor those the source may not have yet.
    published = window.as_of - timedelta(days=contract.publication_lag_days)
    earliest = Period.of(contract.start, contract.period)
    last = max(Period.of(published, contract.period).previous, earliest)
    first = last
    for _ in range(PERIODS_BY_DEFAULT[contract.period] - 1):
        first = max(first.previous, earliest)
    return Asked(contract, councils, tuple(first.until(last)))


def choose_window(
    settings: Settings, councils: list[str] | None, first: str, last: str, today: date
) -> Window:
    """The councils and months to fetch. Default: all recorded months of the known councils.

    On generated data, on live APIs, or if no months were recorded: the last
    three published months. Raises `UnknownName`, or `PermanentError` if
    nothing is left.
    """
    known = list(every_council())
    names = [council_named(name).name for name in dict.fromkeys(councils or known)]
    as_of = _as_of(settings, today)
    recorded = _recorded_months(settings)
    if recorded is not None:
        names = [name for name in names if name in recorded]
        months = sorted({month for name in names for month in recorded[name]})
        where = f"{settings.payloads} holds"
    else:
        months = sorted(published_months(as_of)[:MONTHS_BY_DEFAULT])
        where = "the source has"
    start, end = (first or (months[0] if months else "")), (last or (months[-1] if months else ""))
    if recorded is not None:
        months = [month for month in months if start <= month <= end]
    if not names or not months:
        raise PermanentError(
            f"demo: {where} nothing for {', '.join(councils or known)} in {start or 'any month'} "
            f"to {end or 'any month'}. Check {OPTIONS} and WANDLE_PAYLOADS."
        )
    window = Window(
        councils=tuple(names),
        first=Period.parse(start, "month"),
        last=Period.parse(end, "month"),
        as_of=as_of,
        replayed=POLICE if recorded is not None else "",
        recorded=frozenset(
            (name, Period.parse(month, "month")) for name in names for month in recorded[name]
        )
        if recorded is not None
        else frozenset(),
    )
    if window.first > window.last:
        raise PermanentError(f"demo: {start} is after {end}. Correct {OPTIONS}.")
    return window


def _recorded_months(settings: Settings) -> dict[str, Any] | None:
    """By council, what the payload directory holds; None where months are generated or live."""
    if settings.live or not settings.payloads or POLICE not in recorded_apis(settings.payloads):
        return None
    return recorded_months(settings.payloads)


def _as_of(settings: Settings, today: date) -> date:
    sandbox = read_json(settings.home / "sandbox.json")
    return date.fromisoformat(sandbox["as_of"]) if sandbox and not settings.live else today
