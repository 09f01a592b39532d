"""Find the parts of a partition that had records in one landing and have none in a later one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import unquote

from include.sources.extract.files import FilesExtract
from include.sources.extract.http import Extract, Way
from include.sources.model import Contract

# Labels: `<part>`, for a split area `<part>/1/2`, from the second page on followed by `#<page>`.
_PAGE = re.compile(r"#([1-9][0-9]*)$")
_SPLIT = re.compile(r"(/[0-9]+)+$")


class Requested(NamedTuple):
    """A request, or one page of it, and the number of records in its answer, possibly 0."""

    label: str
    records: int
    way: str = "api"


@dataclass(frozen=True)
class Emptied:
    """A part, or a page of one, that had `records`, and whether it is now empty or missing."""

    name: str
    records: int
    now: Literal["empty", "not requested", "missing"]

    def __str__(self) -> str:
        what = {"empty": "has none", "not requested": "was not requested", "missing": "is missing"}
        return f"{self.name} had {self.records}, {what[self.now]}"


def emptied(
    contract: Contract, before: Sequence[Requested], after: Sequence[Requested]
) -> list[Emptied]:
    """The parts that had records before and have none after, in order of their requests.

    A part is one item of `for_each` in one window, whatever its number of
    pages and split areas. Pages count too, unless they are just after an
    earlier end: see `_empty_pages`.

    A ward or point that is no longer requested does not count as empty: people
    edit the list in the council's file. A record of a parent does, since its
    absence from another answer is not evidence; so does a combination with
    one, unless its constant is gone from the contract. Nothing is compared across
    ways (a file of an archive has every part: see `columns_of_parts`), nor if
    the landings have no part in common, because the contract divides the
    partition differently. A database is read by key, so its pages are not
    parts. Each file is one; of one that is gone, the landing keeps the records.
    """
    if isinstance(contract.extract, FilesExtract):
        return list(_empty_files(_records(before, "api"), _records(after, "api")))
    if not isinstance(contract.extract, Extract):
        return []
    found: list[Emptied] = []
    for name, way in contract.extract.ways.items():
        old, new = (_records(pages, name) for pages in (before, after))
        expected = _Expected(contract, name)
        parts = list(_empty_parts(_by_part(old, way), _by_part(new, way), expected))
        reported = {part.name for part in parts}
        pages = (page for page in _empty_pages(old, new) if _part(page.name, way) not in reported)
        found += [*parts, *pages]
    return found


def columns_of_parts(
    contract: Contract, before: Sequence[Requested], after: Sequence[Requested]
) -> tuple[str, ...]:
    """The columns that name the part of a row, where one landing came from the API and the other
    from the archive, so that only rows can be compared. None otherwise, and unless a part is a
    record of a parent, or a combination with one, and each of its items has a column."""
    extract = contract.extract
    ways = [{page.way for page in pages} for pages in (before, after)]
    if not isinstance(extract, Extract) or not all(ways) or ways[0] == ways[1]:
        return ()
    looped = [extract.parents[loop] for loop in extract.for_each if loop in extract.parents]
    if not looped or any(parent.batch for parent in looped):
        return ()
    found = [
        next((c.name for c in contract.columns if c.request.partition(".")[0] == loop), "")
        for loop in extract.for_each
    ]
    return tuple(found) if all(found) else ()


def _records(pages: Sequence[Requested], way: str) -> Counter[str]:
    """The number of records by label, including empty pages."""
    records: Counter[str] = Counter()
    for page in pages:
        if page.way == way:
            records[page.label] += page.records
    return records


def _by_part(pages: Counter[str], way: Way) -> Counter[str]:
    parts: Counter[str] = Counter()
    for label, records in pages.items():
        parts[_part(label, way)] += records
    return parts


def _part(label: str, way: Way) -> str:
    request = _PAGE.sub("", label)
    return _SPLIT.sub("", request) if way.split else request


class _Expected:
    """Which parts must still be requested."""

    def __init__(self, contract: Contract, way: str) -> None:
        extract = contract.extract
        items = contract.items_of(way)
        constants = extract.constants if isinstance(extract, Extract) else {}
        self._of_parent = any(loop in extract.parents for loop in items)
        self._windows = isinstance(extract, Extract) and extract.ways[way].window_minutes > 0
        # For each value in a label: those that the contract has, if they are constants.
        self._constants = [constants.get(loop) for loop, names in items.items() for _ in names]

    def __call__(self, part: str) -> bool:
        label = part.rpartition(" ")[0] if self._windows else part
        values = label.split(",") if len(self._constants) > 1 else [label]
        if not self._of_parent or len(values) != len(self._constants):
            return self._of_parent
        return all(
            known is None or unquote(value) in known
            for value, known in zip(values, self._constants, strict=True)
        )


def _empty_parts(old: Counter[str], new: Counter[str], expected: _Expected) -> Iterator[Emptied]:
    comparable = not old.keys().isdisjoint(new)
    for name, records in old.items():
        if not records or new[name]:
            continue
        if name in new:
            yield Emptied(name, records, "empty")
        elif comparable and expected(name):
            yield Emptied(name, records, "not requested")


def _empty_files(old: Counter[str], new: Counter[str]) -> Iterator[Emptied]:
    if old.keys().isdisjoint(new):
        return
    for name, records in old.items():
        if records and not new[name]:
            yield Emptied(name, records, "empty" if name in new else "missing")


def _empty_pages(old: Counter[str], new: Counter[str]) -> Iterator[Emptied]:
    """Pages that should still have records: in a split area, or between pages of a request.

    An empty last page is the usual end of paging, but not if the page before
    it still has as many records as before.
    """
    last = {_PAGE.sub("", label): _number(label) for label, records in new.items() if records}
    for label, records in old.items():
        if not records or label not in new or new[label]:
            continue
        request, number = _PAGE.sub("", label), _number(label)
        previous = request if number == 2 else f"{request}#{number - 1}"
        more_follow = last.get(request, 0) > number
        if number == 1 or more_follow or new[previous] == old[previous]:
            yield Emptied(label, records, "empty")


def _number(label: str) -> int:
    found = _PAGE.search(label)
    return int(found[1]) if found else 1
