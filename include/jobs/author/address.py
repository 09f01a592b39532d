"""The address that `wandle new-source` gets: its placeholders, dates and parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote

from include.councils.model import council as council_named
from include.councils.model import councils
from include.errors import PermanentError
from include.extract.hosts import address_of
from include.extract.requests import common_values, point_values, ward_values
from include.sources.extract.addresses import base_url, split
from include.sources.extract.templates import (
    COUNCIL_NAMES,
    COUNCIL_VALUES,
    PERIOD_VALUES,
    POINT_VALUES,
    WARD_VALUES,
    fill,
    is_council_value,
)
from include.sources.partition import Grain, Period

KNOWN = (*PERIOD_VALUES, *COUNCIL_VALUES, *WARD_VALUES, *POINT_VALUES)
# What people write for one of them.
MEANT = {
    "council": "{council.gss_code} or {council.name}",
    "gss_code": "{council.gss_code}",
    "ward": "{ward.code}",
    "point": "{point.latitude}",
    "latitude": "{council.latitude}",
    "longitude": "{council.longitude}",
    **dict.fromkeys(("day", "date", "from", "start"), "{period:%Y-%m-%d}"),
    **dict.fromkeys(("to", "end"), "{period.next:%Y-%m-%d} or {period.last:%Y-%m-%d}"),
    "month": "{period:%Y-%m}",
    "year": "{period:%Y}",
}
# A name in braces, with a format or without; other braces are plain text, such as those of JSON.
PLACEHOLDER = re.compile(r"\{(?P<name>[A-Za-z_][\w.]*)(?P<rest>(?:![^{}:]*)?(?::[^{}]*)?)\}")
_OPEN = re.compile(r"\{(?:period|council|ward|point|window)\b[^{}]*$")
_SPECIAL = re.compile(
    rf"(?P<placeholder>{PLACEHOLDER.pattern})|(?P<brace>[{{}}])"
    r"|(?P<date>(?<!\d)(?:\d{4}-\d{2}-\d{2}|\d{4}-\d{2})(?![\d-]))"
)


@dataclass(frozen=True)
class Address:
    """An address that a contract can request, perhaps with placeholders."""

    parts: SplitResult

    @classmethod
    def parse(cls, url: str) -> Address:
        """Raises `PermanentError` for an address that no contract can request."""
        host = url.partition("://")[2].partition("/")[0]
        if "{" in host and "@" not in host:
            raise PermanentError(
                f"new-source: the host {host!r} has a placeholder. A contract has one "
                "host: put placeholders into the path or the query."
            )
        try:
            parts = split(url)
        except ValueError as error:
            if "user information" in str(error):
                raise PermanentError(
                    "new-source: the address contains a login. Remove it."
                ) from None
            raise PermanentError(
                f"new-source: {address_of(url)!r} is not an address: {error}."
            ) from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PermanentError(
                f"new-source: {address_of(url)!r} is not an address. Start with https://."
            )
        _refuse_unknown(url)
        found = cls(parts)
        try:
            base_url(found.origin)
        except ValueError as error:
            again = address_of(parts._replace(scheme="https").geturl())
            hint = f" Try {again}." if parts.scheme == "http" else ""
            raise PermanentError(
                f"new-source: {address_of(url)!r} cannot be requested: {error}.{hint}"
            ) from None
        return found

    @property
    def origin(self) -> str:
        """Scheme and host, as in `base_url`."""
        return f"{self.parts.scheme}://{self.parts.netloc}"

    @property
    def base_url(self) -> str:
        """The contract's `base_url`."""
        return base_url(self.origin)

    @property
    def query(self) -> dict[str, str]:
        """The parameters. Raises `PermanentError` if one is repeated."""
        pairs = parse_qsl(self.parts.query, keep_blank_values=True)
        query = dict(pairs)
        if len(query) < len(pairs):
            twice = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
            raise PermanentError(
                f"new-source: the address repeats the parameters {', '.join(twice)}. Give one "
                "value, and put the list into `query` of the contract."
            )
        return query

    @property
    def for_each(self) -> list[str]:
        """What the contract requests one by one: each `ward`, each `point`, or neither."""
        groups = {name.partition(".")[0] for name in self._names()}
        return [each for each in ("ward", "point") if each in groups]

    @property
    def of_council(self) -> bool:
        """Whether it needs a council."""
        return any(name.partition(".")[0] in ("council", "ward", "point") for name in self._names())

    @property
    def has_placeholders(self) -> bool:
        """Whether it has any."""
        return bool(self._names())

    def filled(self, period: Period, council: str) -> str:
        """The path and query with the values of a period and a council, quoted.

        Raises `PermanentError` for a format that does not fit its value.
        """
        target = self.parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        values = {
            name: quote(value, safe=",:") if isinstance(value, str) else value
            for name, value in self._values(period, council).items()
        }
        try:
            return fill(_template(target), values)
        except (ValueError, TypeError) as error:
            raise PermanentError(
                f"new-source: a placeholder's format does not fit its value: {error}. Write "
                "{period:%Y-%m-%d}, or {council.latitude:.3f}."
            ) from None

    def _names(self) -> set[str]:
        return {found["name"] for found in PLACEHOLDER.finditer(self.parts.geturl())}

    def _values(self, period: Period, council: str) -> Mapping[str, Any]:
        if not self.of_council:
            return common_values(period, None)
        place = council_named(council or next(iter(councils())))
        values = common_values(period, place)
        for name in self._names():
            if name.startswith(COUNCIL_NAMES) and name not in values:
                missing = name.removeprefix(COUNCIL_NAMES)
                raise PermanentError(
                    f"new-source: include/councils/{place.name}.yaml has no `names.{missing}`. Add "
                    f"`names: {{{missing}: ...}}` to it, or choose another council with "
                    "--for-council."
                )
        if "ward" in self.for_each:
            values |= ward_values(place.wards_on(period.last_day)[0])
        if "point" in self.for_each:
            if not place.points:
                raise PermanentError(
                    f"new-source: {place.name} has no weather points. Choose another council with "
                    "--for-council."
                )
            values |= point_values(place.points[0])
        return values

    def request(
        self, paging: Mapping[str, Any] | None, period: Grain
    ) -> tuple[date | None, dict[str, Any]]:
        """The first date in it, and the request with placeholders in place of dates."""
        paged = {(paging or {}).get(name, "") for name in ("parameter", "size_parameter")}
        kept = {name: value for name, value in self.query.items() if name not in paged}
        texts = (self.parts.path, *kept.values())
        written = [found["date"] for text in texts for found in _SPECIAL.finditer(text)]
        days = sorted({day for day in map(_day, filter(None, written)) if day})

        def dated(text: str) -> str:
            return _template(text, lambda written: _placeholder(written, days, period))

        asked = {name: dated(value) for name, value in kept.items()}
        request = {"path": dated(self.parts.path) or "/"} | ({"query": asked} if asked else {})
        return days[0] if days else None, request


def latest_period(size: Grain) -> Period:
    """The last one that has ended."""
    current = Period.of(datetime.now(UTC), size)
    return current if size == "all" else current.previous


def _template(text: str, dated: Callable[[str], str] = str) -> str:
    """A text as a template: braces that do not enclose a placeholder are doubled."""

    def written(found: re.Match[str]) -> str:
        if found["date"]:
            return dated(found["date"])
        return found["placeholder"] or found["brace"] * 2

    return _SPECIAL.sub(written, text)


def _refuse_unknown(url: str) -> None:
    for found in PLACEHOLDER.finditer(url):
        name = found["name"]
        known = name in KNOWN or is_council_value(name)
        if known and not found["rest"].startswith("!"):
            continue
        if name.startswith("window."):
            raise PermanentError(
                f"new-source: {found[0]} needs `window_minutes`. Give an address with dates, then "
                "add both to the contract."
            )
        meant = f" Did you mean {MEANT[name.lower()]}?" if name.lower() in MEANT else ""
        raise PermanentError(
            f"new-source: unknown placeholder {found[0]}.{meant} Known: {', '.join(KNOWN)}, "
            f"{COUNCIL_NAMES}<name>. For the text itself, write %7B{name}%7D."
        )
    if unclosed := _OPEN.search(url):
        raise PermanentError(
            f"new-source: the placeholder {unclosed[0]!r} has no closing brace. Add it."
        )


def _placeholder(text: str, days: list[date], period: Grain) -> str:
    form = "%Y-%m-%d" if len(text) == 10 else "%Y-%m"
    day = _day(text)
    if day is None or period == "all":
        return text
    if day == days[0]:
        return f"{{period:{form}}}"
    # The day after the period: an exclusive end.
    if day == Period.of(days[0], period).next.first_day:
        return f"{{period.next:{form}}}"
    return f"{{period.last:{form}}}"


def _day(text: str) -> date | None:
    """The day, or the first day of the month; None if it does not exist, or stands for "never"."""
    try:
        found = date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError:
        return None
    return found if found.year < 9999 else None
