"""The field names of a header, and whether it has those that the contract reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from include.errors import UnexpectedPayload
from include.records.recognise import is_busy
from include.sources.evidence import Evidence
from include.sources.paths import joined

NAMES_SHOWN = 6
NAME_LENGTH = 80
DELIMITERS = ";\t|,"


def names_of_rows(rows: Sequence[Mapping[int, str]]) -> dict[int, str]:
    """The name of each column in a header of several rows, by its place.

    `rows` are the texts of each row, by place. A text above others also counts for
    the columns to the right of it that have none in its row.
    """
    found: dict[int, list[str]] = {}
    for number, row in enumerate(rows, start=1):
        above = ""
        for place in sorted(set().union(*rows)):
            above = row.get(place) or above
            if row.get(place) or (above and any(lower.get(place) for lower in rows[number:])):
                found.setdefault(place, []).append(above)
    return {place: " ".join(texts) for place, texts in sorted(found.items())}


def field_names(names: Sequence[str], evidence: Evidence) -> list[str]:
    """The names of the fields, in order; the second occurrence of a name is `name#2`.

    Raises `UnexpectedPayload` for a header that lacks a name that the contract
    reads, or repeats one that the contract does not distinguish.
    """
    found = _numbered(names)
    missing = [name for name in evidence.header if name not in set(found)]
    if missing:
        raise UnexpectedPayload(_without(missing, found, evidence))
    for name, count in Counter(names).items():
        told_apart = {f"{name}#{number}" for number in range(2, count + 1)} & evidence.fields
        if count > 1 and name in evidence.fields and not told_apart:
            places = [str(place) for place, other in enumerate(names, start=1) if other == name]
            raise UnexpectedPayload(
                f"expected a header line that names {name!r} once, found it as fields "
                f"{', '.join(places)}: name the others in the contract too, as `{name}#2`"
            )
    return found


def _numbered(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    twice = sorted(name for name, count in Counter(found).items() if count > 1)
    if twice:
        raise UnexpectedPayload(f"expected a header line, found {twice[0]!r} twice")
    return found


def _without(missing: list[str], found: list[str], evidence: Evidence) -> str:
    if any("\udc80" <= letter <= "\udcff" for name in found for letter in name):
        return (
            "expected a header in UTF-8, found other bytes: name the `encoding` under `format`, "
            "such as windows-1252"
        )
    wanted = ", ".join(map(repr, missing[:NAMES_SHOWN]))
    if len(missing) > NAMES_SHOWN:
        wanted += f" and {len(missing) - NAMES_SHOWN} more"
    if evidence.personal:
        return f"expected a header line with {wanted}, found none"
    shown = ", ".join(repr(name[:NAME_LENGTH]) for name in found[:NAMES_SHOWN])
    dotted = [name for name in found if any(name.startswith(f"{part}.") for part in missing)]
    advice = ""
    if dotted:
        advice = f": write {dotted[0]!r} as {joined(dotted[:1])} in `path`"
    elif delimiter := _other_delimiter(missing, found):
        advice = f". The delimiter seems to be {delimiter!r}: name it as `delimiter` under `format`"
    elif len(found) < len(evidence.header) and not is_busy(" ".join(found)):
        advice = ". Lines above the header are left out by `skip_rows_before_header`"
    return f"expected a header line with {wanted}, found {shown or 'an empty line'}{advice}"


def _other_delimiter(missing: list[str], found: list[str]) -> str:
    """The delimiter by which a name falls into those that are missing; empty if none does."""
    for delimiter in DELIMITERS:
        names = {part.strip(' "') for name in found for part in name.split(delimiter)}
        if len(missing) > 1 and names.issuperset(missing):
            return delimiter
    return ""
