"""Which page answers which address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from include.councils import model as council_model
from include.councils.model import UK, council_titles
from include.errors import UnknownName
from include.lineage.graph import Graph
from include.portal import books, costs, data, lineage, overview, quarantine, runs
from include.portal.pages import Page, asset, render
from include.portal.partition import partition_view
from include.sources import model as source_model
from include.sources.model import Contract, contracts
from include.sources.partition import FORMS, Partition, grain_label
from include.warehouse.connection import Cursor


@dataclass(frozen=True)
class Visit:
    """A request of somebody who may look.

    `base` is Airflow's base path, `bucket` finds that of the landings, `may_run`
    says whether the user may start runs of a DAG. `lineage` returns the graph that
    `transform` published last, None before the first time.
    """

    path: str
    query: Mapping[str, str]
    base: str
    bucket: Callable[[], str]
    may_run: Callable[[str], bool]
    now: datetime
    lineage: Callable[[], Graph | None]


class Definitions:
    """The contracts and councils, read again when a file has changed."""

    def __init__(self) -> None:
        self._seen: tuple[tuple[str, int], ...] = ()

    def read(self) -> tuple[dict[str, Contract], dict[str, str]]:
        """Contracts and council titles by name."""
        seen = tuple(
            (file.name, file.stat().st_mtime_ns)
            for folder in (source_model.FOLDER, council_model.FOLDER)
            for file in sorted(Path(folder).glob("*.yaml"))
        )
        if seen != self._seen:
            source_model.read_again()
            council_model.read_again()
            self._seen = seen
        return contracts(), council_titles()


DEFINITIONS = Definitions()


def answer(visit: Visit, dsn: Callable[[], str]) -> Page:
    """The page at an address. Raises our errors if the database does not answer."""
    kind, _, name = visit.path.partition("/")
    if kind == "assets" and name:
        return asset(name) or not_found(visit)
    made = _PAGES.get(visit.path)
    if made is None:
        return not_found(visit)
    known, councils = DEFINITIONS.read()
    if visit.query.get("source") and visit.query["source"] not in known:
        return not_found(visit, "There is no source with that name.")
    with books.reading(dsn()) as cursor:
        return made(visit, cursor, known, councils)


def not_found(visit: Visit, text: str = "There is no such page.") -> Page:
    """What is said of an address that leads nowhere."""
    return render(
        "message.html", "none", status=404, title="Page not found", text=text, now=visit.now
    )


def _overview(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    council = visit.query.get("council") or None
    if council not in (None, UK, *councils):
        return not_found(visit, "There is no council with that name.")
    made = overview.overview(
        cursor,
        known,
        councils,
        visit.now,
        source=visit.query.get("source") or None,
        council=council,
    )
    return render("overview.html", "", title=made.heading, view=made, now=visit.now)


def _asked(
    visit: Visit, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> tuple[Contract, Partition, str] | None:
    """Contract, partition and council title that an address names; None if it names none."""
    contract = known.get(visit.query.get("source", ""))
    council = visit.query.get("council", "")
    if contract is None or council not in overview.of(contract, councils):
        return None
    try:
        partition = contract.partition(council, visit.query.get("period", ""))
        partition.period.starts_at.isoformat()
    except (UnknownName, ValueError, OverflowError):
        return None
    return contract, partition, overview.of(contract, councils)[council]


def _partition(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    asked = _asked(visit, known, councils)
    if asked is None:
        return not_found(visit, "There is no such partition.")
    contract, partition, title = asked
    return render(
        "partition.html",
        "",
        title=f"{contract.title}, {title}, {partition.period}",
        view=partition_view(cursor, contract, partition, title, visit.bucket(), visit.now),
        forms=runs.forms_of(contract, partition),
        may_run=visit.may_run(f"ingest_{contract.name}"),
        base=visit.base,
        now=visit.now,
    )


def _run(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    asked = _asked(visit, known, councils)
    form = runs.form(visit.query.get("do", ""), *asked[:2]) if asked else None
    if asked is None or form is None:
        return not_found(visit, "There is no such form.")
    contract, partition, title = asked
    return render(
        "run.html",
        "",
        title=form.title,
        form=form,
        contract=contract,
        partition=partition,
        council_title=title,
        councils=overview.of(contract, councils),
        grain=f"{grain_label(contract.period)}, as {FORMS[contract.period].shown}",
        may_run=visit.may_run(form.dag_id),
        base=visit.base,
        now=visit.now,
    )


def _quarantine(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    made = quarantine.quarantine_view(cursor, known, visit.now, visit.query.get("source") or None)
    return render("quarantine.html", "quarantine", title=made.heading, view=made, now=visit.now)


def _data(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    made = data.data_view(cursor)
    return render(
        "data.html", "data", title=made.heading, view=made, base=visit.base, now=visit.now
    )


def _lineage(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    graph, of = visit.lineage(), visit.query.get("of", "")
    view = None
    if of and graph:
        try:
            view = lineage.lineage_view(graph, of)
        except UnknownName as error:
            return not_found(visit, str(error))
    return render(
        "lineage.html",
        "lineage",
        title=view.heading if view else "Lineage",
        view=view,
        is_column=isinstance(view, lineage.ColumnView),
        layers=lineage.tables_view(graph) if graph else [],
        meanings=lineage.MEANINGS,
        now=visit.now,
    )


def _costs(
    visit: Visit, cursor: Cursor, known: Mapping[str, Contract], councils: Mapping[str, str]
) -> Page:
    made = costs.costs_view(cursor, known, visit.now)
    return render(
        "costs.html",
        "costs",
        title="What the sources cost",
        view=made,
        sources=costs.largest(made.sources),
        now=visit.now,
    )


_PAGES: Mapping[str, Callable[[Visit, Cursor, Mapping[str, Contract], Mapping[str, str]], Page]] = {
    "": _overview,
    "partition": _partition,
    "run": _run,
    "quarantine": _quarantine,
    "data": _data,
    "lineage": _lineage,
    "costs": _costs,
}
ADDRESSES = tuple(_PAGES)
