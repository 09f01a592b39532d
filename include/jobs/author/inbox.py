"""The pattern of files' names, found in the name of one of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from include.councils.model import councils
from include.errors import PermanentError
from include.sources.extract import file_pattern
from include.sources.partition import Grain, Period

# The ways in which names say a period, by its grain; the longest first.
_FORMS: dict[str, tuple[str, ...]] = {
    "day": ("%Y-%m-%d", "%Y_%m_%d", "%d-%m-%Y", "%d_%m_%Y", "%d.%m.%Y", "%Y%m%d"),
    "month": (
        *("%Y-%m", "%Y_%m", "%B %Y", "%B-%Y", "%B_%Y", "%b %Y", "%b-%Y", "%b_%Y"),
        *("%B%Y", "%b%Y", "%m-%Y", "%m_%Y", "%Y%m"),
    ),
    "year": ("%Y",),
}


@dataclass(frozen=True)
class Inbox:
    """The pattern of a contract, and the first day of the file that it was found in."""

    pattern: str
    first_day: date | None

    @property
    def of_council(self) -> bool:
        """Whether names have the council."""
        return "{council." in self.pattern


def inbox_of(file_name: str, period: Grain, pattern: str = "") -> Inbox | None:
    """The pattern that is given, else one that the name suggests; None if it has no period.

    Raises `PermanentError` for a pattern that names of files cannot have.
    """
    if pattern:
        try:
            return Inbox(file_pattern.check(pattern), None)
        except ValueError as error:
            raise PermanentError(f"new-source: --pattern {pattern}: {error}.") from error
    for form in _FORMS.get(period, ()):
        for found in re.finditer(_outside_of_digits(form), file_name):
            try:
                day = datetime.strptime(found[0], form).date()
            except ValueError:
                continue
            before, after = file_name[: found.start()], file_name[found.end() :]
            made = f"{_literal(before)}{{period:{form}}}{_literal(after)}"
            return Inbox(made, Period.of(day, period).first_day)
    return None


def _outside_of_digits(form: str) -> str:
    return rf"(?<![0-9]){file_pattern.date_pattern(form)}(?![0-9])"


def _literal(text: str) -> str:
    """The text as a pattern, with the council's name as a placeholder."""
    for name in councils():
        found = re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", text)
        if found:
            before, after = text[: found.start()], text[found.end() :]
            return f"{file_pattern.literal(before)}{{council.name}}{file_pattern.literal(after)}"
    return file_pattern.literal(text)
