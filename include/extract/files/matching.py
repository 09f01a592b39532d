"""To which partitions a file belongs, by its name, its records or its date."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from include.councils.model import UK, Council
from include.errors import UnexpectedPayload, UnknownName
from include.extract.files.listing import File
from include.extract.requests import council_values
from include.sources.extract import file_pattern
from include.sources.extract.files import FilesExtract
from include.sources.model import Contract
from include.sources.partition import Partition, Period

# The longest number that a version or part may be.
_NUMBER = re.compile(r"([0-9]{1,18})")
# One file, or one of several that are loaded together.
WHOLE = "file"


@dataclass(frozen=True)
class Match:
    """A file that belongs to a source: to which partitions, which part it is, and its version.

    Without partitions, it belongs to none that can be fetched today, for the
    reason `problem`.
    """

    file: File
    partitions: tuple[Partition, ...] = ()
    part: str = WHOLE
    version: str = ""
    problem: str = ""
    is_ignored: bool = False


class Matcher:
    """Compares names with a contract's pattern, in time linear to their length (RE2)."""

    def __init__(self, contract: Contract, councils: Sequence[Council], now: datetime) -> None:
        extract = contract.extract
        if not isinstance(extract, FilesExtract):
            raise TypeError(f"{contract.name} is not fetched from files")
        self._contract, self._extract = contract, extract
        self._councils = [] if contract.councils == "uk" else list(councils)
        self._now = now
        self._items = file_pattern.split(extract.pattern, contract.period)
        self._values = {name: _councils_by(name, self._councils) for name in extract.council_values}

    def match(self, files: Iterable[File]) -> list[Match]:
        """What each file is, in their order."""
        found = list(files)
        names = [file.name if not file.problem else "" for file in found]
        groups = _groups(names, self._pattern())
        ignored = _groups(names, self._extract.ignore) if self._extract.ignore else None
        return [
            self._one(file, groups[place], ignored is not None and ignored[place] is not None)
            for place, file in enumerate(found)
            if file.is_certain or groups[place] is not None
        ]

    def _pattern(self) -> str:
        text = ""
        for item in self._items:
            if isinstance(item, str):
                text += item
            elif item.name == "period":
                text += f"(?P<{item.group}>{item.pattern})"
            else:
                known = sorted(self._values[item.name], key=len, reverse=True)
                names = "|".join(map(file_pattern.literal, known)) or r"[^\s\S]"
                text += f"(?P<{item.group}>(?i:{names}))"
        return text

    def _one(self, file: File, groups: dict[str, str] | None, is_ignored: bool) -> Match:
        if is_ignored:
            return Match(file, is_ignored=True)
        if file.problem:
            return Match(file, problem=file.problem)
        if groups is None:
            return Match(file, problem="its name does not match `extract.pattern`")
        if file.trouble:
            return Match(file, problem=file.trouble)
        try:
            councils = self._councils_of(groups)
            first, last, part = self._periods(file, groups)
        except (ValueError, OverflowError, UnknownName) as error:
            return Match(file, problem=str(error))
        grain = self._contract.period
        start, now = Period.of(self._contract.start, grain), Period.of(self._now, grain)
        part = ",".join(filter(None, (part, groups.get(file_pattern.PART, "")))) or WHOLE
        version = groups.get(file_pattern.VERSION, "")
        if last < start:
            why = f"it is for {last}, before the `start` of the data, {self._contract.start}"
            return Match(file, (), part, version, why, is_ignored=True)
        if first > now:
            return Match(file, (), part, version, f"it is for {first}, which is in the future")
        partitions = tuple(
            Partition(self._contract.name, council, period)
            for period in max(first, start).until(min(last, now))
            if not self._contract.is_past_limit(period, self._now.date())
            for council in councils
        )
        why = "" if partitions else "its personal data are past their retention: delete it"
        return Match(file, partitions, part, version, why)

    def _councils_of(self, groups: dict[str, str]) -> list[str]:
        if self._contract.councils == "uk":
            return [UK]
        named = [
            self._values[item.name][groups[item.group].casefold()]
            for item in self._items
            if not isinstance(item, str) and item.name != "period"
        ]
        if len({*named}) > 1:
            raise ValueError(f"its name matches several councils: {', '.join(named)}")
        return named[:1] or [council.name for council in self._councils]

    def _periods(self, file: File, groups: dict[str, str]) -> tuple[Period, Period, str]:
        """The first and the last period that it is of, and the part, if it is shorter than one.

        Raises `ValueError` and `UnknownName` with what is wrong.
        """
        grain = self._contract.period
        dates = [i for i in self._items if not isinstance(i, str) and i.name == "period"]
        if self._extract.period_from == "modified":
            if file.modified is None:
                raise ValueError("its source does not say when it was modified")
            period = Period.of(file.modified, grain)
            return period, period, ""
        if not dates:
            return Period.of(self._contract.start, grain), Period.of(self._now, grain), ""
        if not dates[0].form:
            period = Period.parse(groups[dates[0].group], grain)
            return period, period, ""
        first, last = _days([(item.form, groups[item.group]) for item in dates])
        if isinstance(first, datetime):
            period = Period.of(first, grain)
            whole = grain == "hour" and not any("%M" in item.form for item in dates)
            return period, period, "" if whole else str(first)
        begins, ends = Period.of(first, grain), Period.of(last, grain)
        whole = (begins.first_day, ends.last_day) == (first, last) or begins != ends
        return begins, ends, "" if whole else str(first)


def _days(dates: list[tuple[str, str]]) -> tuple[date, date]:
    """The first and the last day of what is written in these forms, or one moment in UTC.

    Raises `ValueError`.
    """
    forms = "\n".join(form for form, _ in dates)
    texts = [text for _, text in dates]
    try:
        moment = datetime.strptime("\n".join(texts), forms.replace("%-", "%"))
    except ValueError:
        raise ValueError(f"{' '.join(texts)!r} is not a date") from None
    first = moment.date()
    match file_pattern.known_to(forms):
        case "hour":
            return moment, moment
        case "month":
            return first, Period.of(first, "month").last_day
        case "year":
            return first, date(first.year, 12, 31)
    return first, first


def _councils_by(name: str, councils: Iterable[Council]) -> dict[str, str]:
    """Councils' names by a value of theirs, in lower case."""
    found: dict[str, str] = {}
    for council in councils:
        value = str(council_values(council).get(name, "")).casefold()
        if value and value in found:
            # Two councils have it: it names neither.
            found[value] = ""
        elif value:
            found[value] = council.name
    return {value: council for value, council in found.items() if council}


def _groups(names: list[str], pattern: str) -> list[dict[str, str] | None]:
    """The groups of the pattern in each name that all of it matches; None for others."""
    # A struct needs a field.
    array = pa.array(names, pa.string())
    matches = pc.extract_regex(array, rf"\A(?P<_all>(?:{pattern}))\z").to_pylist()
    return [None if found is None or not found["_all"] else found for found in matches]


def chosen(partition: Partition, matches: Iterable[Match]) -> list[Match]:
    """The files of a partition that count: of each part the highest version, in order of parts.

    Raises `UnexpectedPayload` if two files are the same part in the same version.
    """
    parts: dict[str, list[Match]] = {}
    for match in matches:
        if partition in match.partitions:
            parts.setdefault(match.part, []).append(match)
    return [_newest(partition, parts[part]) for part in sorted(parts, key=_natural)]


def _newest(partition: Partition, files: list[Match]) -> Match:
    ranked = sorted(files, key=lambda match: _rank(match.version))
    newest = ranked[-1]
    rivals = [m for m in ranked if _rank(m.version) == _rank(newest.version)]
    if len(rivals) > 1:
        names = ", ".join(sorted(match.file.name for match in rivals)[:5])
        raise UnexpectedPayload(
            f"{partition}: expected one file, found {len(rivals)}: {names}. Retrying will not "
            "help. If they are parts, let `extract.pattern` tell them apart by (?P<part>...); if "
            "one corrects the other, by (?P<version>...), a number; or remove what does not count."
        )
    return newest


def _rank(version: str) -> tuple[int, tuple[int, ...]]:
    """The place of a version among others: none, then other text, then numbers: 1.9, 1.10."""
    numbers = tuple(map(int, _NUMBER.findall(version)))
    return (2 if numbers else 1 if version else 0, numbers)


def _natural(text: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sorts `part2` before `part10`, and `2` before `02`."""
    pieces = _NUMBER.split(text)
    return [(1, int(p), "") if p.isdecimal() else (0, 0, p) for p in pieces], text
