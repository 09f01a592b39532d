"""Overview: each source by council, its periods, and how old it is against what was promised."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from markupsafe import Markup

from include.councils.model import UK
from include.portal import books
from include.portal.books import Row
from include.portal.sparkline import sparkline
from include.portal.states import RANK, STATES, WRONG, Window, state_of, window, worst
from include.portal.words import ago, counted, duration, link, short_moment
from include.sources.model import Contract
from include.sources.partition import Period, grain_label
from include.warehouse.connection import Cursor

# With more sources and councils than this, a source is one row, and its page has the councils.
MOST_ROWS = 60
MOST_PROBLEMS = 12

# What the cells mean, good things first.
LEGEND = {
    name: STATES[name]
    for name in (
        *("loaded", "unchanged", "waiting", "late", "missing", "refused", "failed"),
        *("before", "removed", "expired"),
    )
}

Checks = Mapping[tuple[str, str], Row]
Removed = set[tuple[str, str, datetime]]


@dataclass(frozen=True)
class Cell:
    """One period: of one council, or of all of them (`detail` has how many are what)."""

    period: str
    state: str
    detail: str
    href: str

    @property
    def label(self) -> str:
        """All of it in words."""
        return f"{self.period}: {self.detail}"


@dataclass(frozen=True)
class Strip:
    """A council of a source, or a whole source, by period."""

    title: str
    cells: Sequence[Cell]
    line: Markup
    age: str
    promise: str
    is_late: bool
    href: str = ""


@dataclass(frozen=True)
class Group:
    """A source with its strips."""

    source: str
    title: str
    publisher: str
    grain: str
    strips: Sequence[Strip]


@dataclass(frozen=True)
class Problem:
    """A partition that needs somebody, and its page."""

    text: str
    state: str
    href: str


@dataclass
class Overview:
    """All that the page shows; `states` counts the partitions in view."""

    groups: list[Group]
    states: Counter[str]
    problems: list[Problem]
    more_problems: int
    quarantined: int
    never: int
    councils: Mapping[str, str]
    source: str | None = None
    council: str | None = None
    is_summary: bool = False
    legend: Mapping[str, str] = field(default_factory=lambda: LEGEND)

    @property
    def heading(self) -> str:
        """What there is to know, in one sentence."""
        wrong = sum(self.states[name] for name in WRONG)
        if wrong:
            verb = "needs" if wrong == 1 else "need"
            return f"{counted(wrong, 'partition')} {verb} attention"
        if not sum(self.states[name] for name in ("loaded", "unchanged")):
            return "Nothing is loaded yet"
        return "Everything that was due is loaded"


def overview(
    cursor: Cursor,
    contracts: Mapping[str, Contract],
    councils: Mapping[str, str],
    now: datetime,
    *,
    source: str | None = None,
    council: str | None = None,
) -> Overview:
    """Read the books, and make the page of all sources, or of one source or council."""
    chosen = {name: one for name, one in contracts.items() if source in (None, name)}
    windows = {name: window(one, now) for name, one in chosen.items()}
    since = {name: found.since for name, found in windows.items()}
    number = sum(len(of(one, councils, council)) for one in chosen.values())
    checks = books.checks(cursor, source)
    if number > MOST_ROWS and source is None and council is None:
        return summary(chosen, windows, councils, checks, books.summed(cursor, since), now)
    return detailed(
        chosen,
        windows,
        councils,
        checks,
        books.newest(cursor, since, council),
        books.kept(cursor, since, council),
        books.removed(cursor, source),
        now,
        source=source,
        council=council,
    )


def of(
    contract: Contract, councils: Mapping[str, str], council: str | None = None
) -> dict[str, str]:
    """The councils that a source has, with their titles."""
    every = dict(councils) if contract.councils == "each" else {UK: "Whole UK"}
    return {name: title for name, title in every.items() if council in (None, name)}


def detailed(
    contracts: Mapping[str, Contract],
    windows: Mapping[str, Window],
    councils: Mapping[str, str],
    checks: Checks,
    newest: Iterable[Row],
    kept: Iterable[Row],
    removed: Removed,
    now: datetime,
    *,
    source: str | None = None,
    council: str | None = None,
) -> Overview:
    """The page with a strip for each council of each source."""
    entries = {(row["source"], row["council"], row["period"]): row for row in newest}
    records = {(row["source"], row["council"], row["period"]): int(row["loaded"]) for row in kept}
    states: Counter[str] = Counter()
    problems: list[Problem] = []
    groups, never = [], 0
    for name, contract in contracts.items():
        strips = []
        for place, title in of(contract, councils, council).items():
            check = checks.get((name, place))
            cells = _cells(contract, place, windows[name], check, entries, records, removed)
            states.update(cell.state for cell in cells)
            never += check is None
            problems += [
                Problem(f"{contract.title}, {title}, {cell.period}", cell.state, cell.href)
                for cell in reversed(cells)
                if cell.state in WRONG
            ]
            values = [
                records.get((name, place, period.starts_at)) for period in windows[name].periods
            ]
            strips.append(_strip(title, cells, values, windows[name], check, now))
        if strips:
            groups.append(_group(contract, strips))
    return Overview(
        groups,
        states,
        sorted(problems, key=lambda one: RANK[one.state])[:MOST_PROBLEMS],
        max(0, len(problems) - MOST_PROBLEMS),
        sum(int(row["quarantined"]) for row in entries.values()),
        never,
        councils,
        source,
        council,
    )


def summary(
    contracts: Mapping[str, Contract],
    windows: Mapping[str, Window],
    councils: Mapping[str, str],
    checks: Checks,
    summed: Iterable[Row],
    now: datetime,
) -> Overview:
    """The page with one strip for each source, all its councils in one cell."""
    found: dict[tuple[str, datetime], list[Row]] = defaultdict(list)
    for row in summed:
        found[row["source"], row["period"]].append(row)
    of_source: dict[str, dict[str, Row]] = defaultdict(dict)
    for (name, council), row in checks.items():
        of_source[name][council] = row
    states: Counter[str] = Counter()
    problems: list[Problem] = []
    groups = []
    for name, contract in contracts.items():
        known = {one: of_source[name].get(one) for one in of(contract, councils)}
        cells, values = [], []
        for period in windows[name].periods:
            rows = found[name, period.starts_at]
            counts = _counts(rows, period, windows[name], known)
            states.update(counts)
            state = worst(counts)
            detail = ", ".join(f"{number} {STATES[one]}" for one, number in counts.items())
            cells.append(Cell(str(period), state, detail, link("", source=name)))
            values.append(sum(int(row["loaded"]) for row in rows) if rows else None)
            if state in WRONG:
                text = f"{contract.title}, {period}: {detail}"
                problems.append(Problem(text, state, link("", source=name)))
        oldest = min(
            (row["checked"] for row in known.values() if row and row["checked"]), default=None
        )
        check = {"checked": oldest} if oldest else None
        title = counted(len(known), "council") if contract.councils == "each" else "Whole UK"
        strip = _strip(title, cells, values, windows[name], check, now, link("", source=name))
        groups.append(_group(contract, [strip]))
    return Overview(
        groups,
        states,
        sorted(problems, key=lambda one: RANK[one.state])[:MOST_PROBLEMS],
        max(0, len(problems) - MOST_PROBLEMS),
        0,
        sum(row is None for name in contracts for row in [of_source.get(name)]),
        councils,
        is_summary=True,
    )


def _counts(
    rows: Sequence[Row], period: Period, window: Window, known: Mapping[str, Row | None]
) -> Counter[str]:
    """How many councils of a source are in which state in a period."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[state_of(row["status"], period, window, None, False)] += int(row["partitions"])
    lacking = len(known) - sum(counts.values())
    if lacking > 0:
        asked = [row["first"] for row in known.values() if row and row["first"] <= period.starts_at]
        missing = max(0, min(lacking, len(asked) - sum(counts.values())))
        if missing:
            counts[state_of(None, period, window, period.starts_at, False)] += missing
        if lacking > missing:
            counts["before"] += lacking - missing
    return counts or Counter(before=1)


def _cells(
    contract: Contract,
    council: str,
    window: Window,
    check: Row | None,
    entries: Mapping[tuple[str, str, datetime], Row],
    records: Mapping[tuple[str, str, datetime], int],
    removed: Removed,
) -> list[Cell]:
    cells = []
    for period in window.periods:
        place = (contract.name, council, period.starts_at)
        entry = entries.get(place)
        state = state_of(
            entry["status"] if entry else None,
            period,
            window,
            check["first"] if check else None,
            place in removed,
        )
        detail = STATES[state]
        if place in records and state != "expired":
            detail += f", {counted(records[place], 'record')}"
        if entry and entry["quarantined"]:
            detail += f", {entry['quarantined']} quarantined"
        href = link("partition", source=contract.name, council=council, period=str(period))
        cells.append(Cell(str(period), state, detail, href))
    return cells


def _strip(
    title: str,
    cells: Sequence[Cell],
    values: Sequence[int | None],
    window: Window,
    check: Row | None,
    now: datetime,
    href: str = "",
) -> Strip:
    known = [value for value in values if value is not None]
    label = ""
    if known:
        last = next(n for n in range(len(values) - 1, -1, -1) if values[n] is not None)
        label = (
            f"Records by period: from {min(known):,} to {max(known):,}; "
            f"{values[last]:,} in {cells[last].period}"
        )
    checked = check["checked"] if check else None
    is_late = bool(checked and window.check and checked < window.check)
    age = f"Checked {ago(checked, now)}" if checked else "Not loaded yet"
    promise = "Follows another source or has no schedule"
    if is_late and window.check:
        promise = f"Late: due {short_moment(window.check)} UTC"
    elif window.following:
        promise = f"Next in {duration((window.following - now).total_seconds())}"
    return Strip(
        title, cells, sparkline(values if len(values) > 1 else [], label), age, promise, is_late,
        href,
    )  # fmt: skip


def _group(contract: Contract, strips: Sequence[Strip]) -> Group:
    grain = "one table" if contract.period == "all" else f"by {grain_label(contract.period)}"
    return Group(contract.name, contract.title, contract.publisher, grain, strips)
