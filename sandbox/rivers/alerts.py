"""Generated flood warnings around the councils: none on most days."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from include.councils.model import Council

from sandbox.rivers.gauges import surroundings
from sandbox.rivers.measures import URI, Item
from sandbox.world.clock import Moment
from sandbox.world.places import share

SEVERITIES = {2: "Flood warning", 3: "Flood alert", 4: "Warning no longer in force"}
DAYS_IN_FORCE = 4
IN_FORCE_SHARE = 0.15


def warnings_of(councils: Iterable[Council], moment: Moment) -> list[Item]:
    """The warnings in force, with the place of each; times have no zone, as live."""
    found = []
    for council in sorted(councils, key=lambda council: council.gss_code):
        place = surroundings(council)
        for number, river in enumerate(place.rivers, start=1):
            code = f"SB{council.gss_code[-4:]}FW{number}"
            spell = (moment.as_of.toordinal() + number) // DAYS_IN_FORCE
            if share(moment.seed, code, spell) < IN_FORCE_SHARE:
                warning = _warning(code, council.title, river, moment, number)
                found.append(warning | {"lat": place.latitude, "long": place.longitude})
    return found


def _warning(code: str, title: str, river: str, moment: Moment, number: int) -> Item:
    first = moment.as_of - timedelta(days=(moment.as_of.toordinal() + number) % DAYS_IN_FORCE)
    level = 2 + int(share(moment.seed, code, moment.as_of) * 3)
    raised = f"{first.isoformat()}T06:12:00"
    return {
        "@id": f"{URI}/id/floods/{code}",
        "description": f"Sandbox warning for the {river} in {title}",
        "eaAreaName": "Hertfordshire and North London",
        "eaRegionName": "No longer used",
        "floodArea": {
            "@id": f"{URI}/id/floodAreas/{code}",
            "county": f"Greater London, {title}",
            "notation": code,
            "polygon": f"{URI}/id/floodAreas/{code}/polygon",
            "riverOrSea": river,
        },
        "floodAreaID": code,
        "isTidal": False,
        "message": f"This is not a real warning. The {river} is high.",
        "severity": SEVERITIES[level],
        "severityLevel": level,
        "timeMessageChanged": raised,
        "timeRaised": raised,
        "timeSeverityChanged": raised,
    }
