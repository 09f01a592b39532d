"""www.gov.uk/bank-holidays.json: generated from the legal rules, or recorded.

    gov_uk/*.json    complete responses; the newest is served byte for byte

Source of the rules: Banking and Financial Dealings Act 1971 and the lists at
https://www.gov.uk/bank-holidays, which give substitutes for holidays on weekends.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from sandbox.middleware.faults import Faults
from sandbox.world.clock import Moment
from sandbox.world.payloads import holds_answers, whole_answers

HOST = "www.gov.uk"
FOLDER = "gov_uk"
YEARS_AROUND = 2
MONDAY, SATURDAY = 0, 5
APOSTROPHE = "\N{RIGHT SINGLE QUOTATION MARK}"

ENGLAND, SCOTLAND, IRELAND = "england-and-wales", "scotland", "northern-ireland"
DIVISIONS = (ENGLAND, SCOTLAND, IRELAND)
WITHOUT_BUNTING = ("Good Friday", "Bank Holiday for the State Funeral of Queen Elizabeth II")

# Proclaimed for one year, in every division; a moved holiday replaces its usual day.
PROCLAIMED = {
    date(2022, 6, 3): "Platinum Jubilee bank holiday",
    date(2022, 9, 19): "Bank Holiday for the State Funeral of Queen Elizabeth II",
    date(2023, 5, 8): "Bank holiday for the coronation of King Charles III",
}
MOVED = {
    ("Early May bank holiday", 2020): date(2020, 5, 8),
    ("Spring bank holiday", 2022): date(2022, 6, 2),
}

Named = tuple[str, date]


def holidays_mount(
    payloads: Path | None, *, moment: Callable[[], Moment], faults: Path | None
) -> Mount:
    """The API under its host's name."""
    held = payloads is not None and recorded_holidays(payloads)

    async def answer(request: Request) -> Response:
        """Every division with its holidays, from two years back to two years on."""
        body = next(whole_answers(payloads / FOLDER))[1] if held and payloads else None
        return Response(body or divisions(moment().as_of.year), media_type="application/json")

    return Mount(
        f"/{HOST}",
        routes=[Route("/bank-holidays.json", answer, methods=["GET"])],
        middleware=[Middleware(Faults, control=faults)],
    )


def recorded_holidays(payloads: Path) -> bool:
    """Whether a directory has recordings."""
    return holds_answers(payloads / FOLDER)


def divisions(year: int) -> bytes:
    """The three divisions around a year, as the API writes them."""
    content = {
        division: {
            "division": division,
            "events": [
                {
                    "title": title,
                    "date": day.isoformat(),
                    "notes": "Substitute day" if is_substitute else "",
                    "bunting": title not in WITHOUT_BUNTING,
                }
                for each in range(year - YEARS_AROUND, year + YEARS_AROUND + 1)
                for title, day, is_substitute in holidays_of(division, each)
            ],
        }
        for division in DIVISIONS
    }
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def holidays_of(division: str, year: int) -> list[tuple[str, date, bool]]:
    """Title, day and whether it is a substitute, by day."""
    usual = [(title, MOVED.get((title, year), day)) for title, day in _by_rule(division, year)] + [
        (title, day) for day, title in PROCLAIMED.items() if day.year == year
    ]
    taken = {day for _, day in usual if day.weekday() < SATURDAY}
    found = []
    for title, day in sorted(usual, key=lambda holiday: holiday[1]):
        kept = day.weekday() < SATURDAY
        while not kept and (day.weekday() >= SATURDAY or day in taken):
            day += timedelta(days=1)
        taken.add(day)
        found.append((title, day, not kept))
    return sorted(found, key=lambda holiday: holiday[1])


def easter(year: int) -> date:
    """Easter Sunday: the anonymous Gregorian computus (Meeus, Jones, Butcher)."""
    golden, (century, of_century) = year % 19, divmod(year, 100)
    leaps, rest = divmod(century, 4)
    shift = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - leaps - shift + 15) % 30
    quarter, single = divmod(of_century, 4)
    weekday = (32 + 2 * rest + 2 * quarter - epact - single) % 7
    late = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * late + 114, 31)
    return date(year, month, day + 1)


def _by_rule(division: str, year: int) -> Iterator[Named]:
    sunday = easter(year)
    yield f"New Year{APOSTROPHE}s Day", date(year, 1, 1)
    if division == SCOTLAND:
        yield "2nd January", date(year, 1, 2)
    if division == IRELAND:
        yield f"St Patrick{APOSTROPHE}s Day", date(year, 3, 17)
    yield "Good Friday", sunday - timedelta(days=2)
    if division != SCOTLAND:
        yield "Easter Monday", sunday + timedelta(days=1)
    yield "Early May bank holiday", _first_monday(year, 5)
    yield "Spring bank holiday", _last_monday(year, 5)
    if division == IRELAND:
        yield f"Battle of the Boyne (Orangemen{APOSTROPHE}s Day)", date(year, 7, 12)
    summer = _first_monday if division == SCOTLAND else _last_monday
    yield "Summer bank holiday", summer(year, 8)
    if division == SCOTLAND:
        yield f"St Andrew{APOSTROPHE}s Day", date(year, 11, 30)
    yield "Christmas Day", date(year, 12, 25)
    yield "Boxing Day", date(year, 12, 26)


def _first_monday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(MONDAY - first.weekday()) % 7)


def _last_monday(year: int, month: int) -> date:
    last = date(year, month, 31)
    return last - timedelta(days=last.weekday())
