"""Rules between the fields of a contract, and between a contract and its parents.

Each names the field that breaks it, by `WrongField`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from include.definitions import WrongField
from include.sources.extract.database import DatabaseExtract
from include.sources.extract.file_rules import check_dated_selection, check_files
from include.sources.extract.files import FilesExtract
from include.sources.extract.http import Archive, Extract, Way
from include.sources.extract.landing import LandingExtract
from include.sources.extract.paging import HEADER, RECORD
from include.sources.extract.templates import (
    PERIOD_VALUES,
    POINT_VALUES,
    WARD_VALUES,
    is_council_value,
    placeholders,
)
from include.sources.formats import Format
from include.sources.paths import joined, parts
from include.sources.rules import landings, periods

if TYPE_CHECKING:
    from include.sources.model import Contract

# PostgreSQL's limit is 1,600, also counting columns that were dropped.
MOST_COLUMNS = 1000
# What is called so beside the raw tables, which have the names of contracts.
TAKEN_ENDINGS = {
    "_partition": "the index of a raw table",
    "__new": "a raw table while it is rebuilt",
}
_IN_CSV = (
    r"the rows of a CSV or sheet have no fields within fields; write a dot within a name as `\.`"
)


def check(contract: Contract) -> None:
    """Raise `WrongField` for a field that contradicts another one of the contract."""
    _check_name(contract.name)
    _check_columns(contract)
    _check_retention(contract)
    periods.check(contract)
    if isinstance(contract.extract, LandingExtract):
        landings.check(contract, contract.extract)
        return
    if not contract.schedule:
        raise WrongField("Field required", "schedule")
    if isinstance(contract.extract, DatabaseExtract):
        _check_database(contract, contract.extract)
        return
    check_dated_selection(contract)
    if isinstance(contract.extract, FilesExtract):
        check_files(contract, contract.extract)
        return
    _check_archive(contract, contract.extract)
    for name in contract.extract.ways:
        _Request(contract, contract.extract, name).check()


def _check_name(name: str) -> None:
    for ending, what in TAKEN_ENDINGS.items():
        if name.endswith(ending):
            raise WrongField(f"{name!r} ends with {ending}, as does {what}", "name")


def _check_columns(contract: Contract) -> None:
    if len(contract.columns) > MOST_COLUMNS:
        raise WrongField(
            f"expected at most {MOST_COLUMNS} columns, as PostgreSQL has no room for many more, "
            f"found {len(contract.columns)}. Read objects as `jsonb`",
            "columns",
        )
    names = [column.name for column in contract.columns]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise WrongField(
                f"columns must be unique, but {name!r} appears twice", "columns", place, "name"
            )
    before = [column.renamed_from for column in contract.columns]
    for place, name in enumerate(before):
        if name and (name in names or before.count(name) > 1):
            raise WrongField(
                f"`renamed_from` names {name!r}, which another column uses",
                *("columns", place, "renamed_from"),
            )
    for place, name in enumerate(contract.key):
        if name in contract.key[:place]:
            raise WrongField(f"`key` names {name!r} twice", "key", place)
        if name not in names:
            raise WrongField(f"`key` names {name!r}; columns: {', '.join(names)}", "key", place)
        if contract.column(name).personal == "drop":
            raise WrongField(f"`key` names {name!r}, which is dropped", "key", place)


def _check_retention(contract: Contract) -> None:
    for field in ("lookback", "lookback_monthly"):
        if contract.snapshot and getattr(contract, field):
            raise WrongField(
                "a snapshot cannot have `lookback`: the API returns only the current state", field
            )
    if contract.personal and not contract.retention_days:
        raise WrongField("personal data requires `retention_days`", "retention_days")


def _check_database(contract: Contract, extract: DatabaseExtract) -> None:
    if contract.format != Format():
        raise WrongField("`format` does not apply to a database", "format")
    for place, column in enumerate(contract.columns):
        if column.request:
            raise WrongField(
                f"column {column.name!r}: `request` does not apply to a database",
                *("columns", place, "request"),
            )
        if column.personal != "no" and (column.path or column.name) == extract.key:
            raise WrongField(
                f"`extract.key` names the personal column {extract.key!r}, but keys appear in "
                "manifests and logs",
                *("extract", "key"),
            )


def _check_archive(contract: Contract, extract: Extract) -> None:
    if extract.archive is None:
        return
    known = {column.name: column for column in contract.columns}
    for name, path in extract.archive.paths.items():
        place = ("extract", "archive", "paths", name)
        if name not in known:
            raise WrongField(f"`archive.paths` names the unknown column {name!r}", *place)
        if known[name].position:
            raise WrongField(f"{name!r} is the record's number, not a field of it", *place)
        try:
            parts(path.removeprefix("request:"))
        except ValueError as error:
            raise WrongField(str(error), *place) from error


class _Request:
    """The rules of one way to request a source."""

    def __init__(self, contract: Contract, extract: Extract, name: str) -> None:
        self._contract, self._extract = contract, extract
        self._way: Way = extract.ways[name]
        self._name = name
        self._layout = contract.layout(name)
        archived = name == "archive"
        self._place: tuple[str, ...] = ("extract", "archive") if archived else ("extract",)
        self._format = (*self._place, "format") if archived else ("format",)

    def check(self) -> None:
        """Raise `WrongField` for the first rule that is broken."""
        way = self._way
        for loop in way.for_each:
            if self._contract.councils == "uk" and loop in ("ward", "point"):
                raise WrongField(
                    f"`for_each: {loop}` needs `councils: each`", *self._place, "for_each"
                )
        self._check_paging()
        used = list(self._used())
        for where, name in used:
            if not self._extract.is_value(way, name):
                raise WrongField(
                    f"expected one of {self._extract.known_values(way)}, found {name!r}",
                    *where,
                )
        self._check_for_each({name for _, name in used})
        for where, name in (*used, *self._matched()):
            if self._contract.councils == "uk" and is_council_value(name):
                raise WrongField(f"{{{name}}} needs `councils: each`", *where)
        self._check_split()
        self._check_fields()

    def _used(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every value of the request that requests, columns or the selection use, and where."""
        for place, text in self._way.request.places():
            for name in placeholders(text):
                yield (*self._place, "request", *place), name
        archive = self._way if isinstance(self._way, Archive) else None
        for number, column in enumerate(self._contract.columns_of(self._name)):
            if column.request:
                moved = archive is not None and column.name in archive.paths
                if moved:
                    yield (*self._place, "paths", column.name), column.request
                else:
                    yield ("columns", number, "request"), column.request
        if select := self._layout.select:
            for name in select.names:
                yield (*self._format, "select", "not" if select.excludes else "among"), name
        if self._way.split:
            yield (*self._place, "split"), self._way.split

    def _matched(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        for label, parent in self._extract.parents.items():
            for place, text in parent.texts():
                for name in placeholders(text):
                    yield ("extract", "parents", label, *place), name

    def _check_for_each(self, used: set[str]) -> None:
        """Each loop is used, and what a parent is matched by is known when it is read."""
        loops = self._way.for_each
        for loop in loops:
            of_parent = self._extract.parents.get(loop)
            by_column = of_parent is not None and not of_parent.batch
            if by_column and not any(name.startswith(f"{loop}.") for name in used):
                shown = f"{{{loop}.<column>}}"
                raise WrongField(
                    f"no request uses a column of {loop!r}: {shown}", *self._place, "for_each"
                )
            is_value = loop in self._extract.constants or (of_parent and not by_column)
            if is_value and loop not in used:
                raise WrongField(f"no request uses {{{loop}}}", *self._place, "for_each")
        for where, name in self._matched():
            parent = str(where[2])
            if parent in loops:
                known = loops[: loops.index(parent)]
            elif parent in used:
                known = loops
            else:
                continue
            if not self._is_known(name, known, windows=parent not in loops):
                raise WrongField(f"{{{name}}} is not known when {parent!r} is read", *where)

    def _is_known(self, name: str, loops: tuple[str, ...], *, windows: bool) -> bool:
        if name in PERIOD_VALUES or is_council_value(name):
            return True
        if name in (*WARD_VALUES, *POINT_VALUES) or name in self._extract.constants:
            return name.partition(".")[0] in loops
        loop, dot, _ = name.partition(".")
        of_window = windows and loop == "window" and self._way.window_minutes > 0
        return bool(dot) and (loop in loops or of_window)

    def _check_split(self) -> None:
        name = self._way.split
        if not name:
            return
        place = ("extract", "parents", name)
        parent = self._extract.parents[name]
        if not parent.each or parent.join != ":":
            raise WrongField(
                "a polygon to split needs `each`, such as {latitude},{longitude}, and `join` with "
                "a colon",
                *place,
            )
        if name not in {n for text in self._way.request.texts() for n in placeholders(text)}:
            raise WrongField(f"no request uses {{{name}}}", *self._place, "split")

    def _check_paging(self) -> None:
        paging, kind = self._way.paging, self._layout.kind
        if paging is None or self._layout.has_envelope:
            return
        for field in ("total", "total_pages", "more", "next"):
            where = getattr(paging, field)
            if where not in ("", "header") and not where.startswith((HEADER, RECORD)):
                raise WrongField(
                    f"`paging` names a path in the body, which `format.kind: {kind}` does not have",
                    *(*self._place, "paging", field),
                )

    def _check_fields(self) -> None:
        """The rows of CSV and sheets have no fields within fields."""
        if not self._layout.is_table:
            return
        names = self._layout.header
        for number, column in enumerate(self._contract.columns_of(self._name)):
            if names and not {*column.record_path[:1]}.issubset(names):
                where = joined(column.record_path)
                raise WrongField(f"`format.header` names no field {where!r}", "columns", number)
            if len(column.record_path) > 1 and not column.optional:
                archived = self._name == "archive"
                raise WrongField(
                    _IN_CSV,
                    *((*self._place, "paths", column.name) if archived else ("columns", number)),
                    *(() if archived else ("path",)),
                )
        select = self._layout.select
        if select and len(parts(select.field)) > 1:
            raise WrongField(_IN_CSV, *self._format, "select", "field")


def check_parents(
    contract: Contract, known: Mapping[str, Contract], broken: Container[str]
) -> None:
    """Raise `WrongField` for a parent that does not exist or lacks a column.

    `known` are the other contracts; a parent in `broken` cannot be checked.
    """
    follows = isinstance(contract.extract, LandingExtract)
    for label, parent in contract.extract.parents.items():
        place = ("extract",) if follows else ("extract", "parents", label)
        if parent.source in broken:
            continue
        if parent.source not in known:
            raise WrongField(
                f"expected one of {', '.join(known)}, found {parent.source!r}", *place, "source"
            )
        if contract.name in needed(parent.source, known):
            raise WrongField(
                f"{contract.name} would wait for itself: {parent.source} needs it", *place, "source"
            )
        source = known[parent.source]
        if source.councils == "each" and contract.councils == "uk":
            raise WrongField(
                f"{parent.source} has `councils: each`, and this source belongs to no council",
                *(*place, "source"),
            )
        if isinstance(contract.extract, LandingExtract):
            landings.check_parent(contract, contract.extract, source)
        columns = {column.name for column in source.columns}
        asked = {*parent.compared, *placeholders(parent.each), *_columns_asked(contract, label)}
        for column in sorted(asked - columns):
            raise WrongField(
                f"{parent.source} has no column {column!r}; it has {', '.join(sorted(columns))}",
                *place,
            )


def needed(name: str, known: Mapping[str, Contract]) -> set[str]:
    """A source with its parents, their parents and so on."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        one = waiting.pop()
        if one in known and one not in found:
            waiting += [parent.source for parent in known[one].extract.parents.values()]
        found.add(one)
    return found


def _columns_asked(contract: Contract, label: str) -> Iterable[str]:
    """The columns of a parent that the child's requests use."""
    if not isinstance(contract.extract, Extract):
        return
    texts = [text for way in contract.extract.ways.values() for text in way.request.texts()]
    texts += [text for parent in contract.extract.parents.values() for _, text in parent.texts()]
    names = [name for text in texts for name in placeholders(text)]
    for way in contract.extract.ways:
        names += [column.request for column in contract.columns_of(way) if column.request]
        select = contract.layout(way).select
        names += select.names if select else ()
    for name in names:
        if name.startswith(f"{label}."):
            yield name.removeprefix(f"{label}.")
