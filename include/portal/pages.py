"""Pages from templates: every value is escaped, and nothing in a page runs but `portal.js`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from include.portal import words

_HERE = Path(__file__).parent
ASSETS = {
    "portal.css": "text/css; charset=utf-8",
    "portal.js": "text/javascript; charset=utf-8",
}
NAVIGATION = (
    ("", "Overview"),
    ("quarantine", "Quarantine and drift"),
    ("data", "Data"),
    ("lineage", "Lineage"),
    ("costs", "Costs"),
)


@dataclass(frozen=True)
class Page:
    """What is sent."""

    body: bytes
    media_type: str = "text/html; charset=utf-8"
    status: int = 200


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=words.number,
        size=words.size,
        duration=words.duration,
        moment=words.moment,
        short_moment=words.short_moment,
    )
    made.globals.update(link=words.link, counted=words.counted, navigation=NAVIGATION)
    return made


def render(template: str, here: str, *, status: int = 200, **values: Any) -> Page:
    """The page of a template; `here` is its name in the navigation."""
    text = _environment().get_template(template).render(values, here=here)
    return Page(text.encode(), status=status)


def asset(name: str) -> Page | None:
    """One of the files that all pages use; None if there is none with that name."""
    if name not in ASSETS:
        return None
    return Page((_HERE / "assets" / name).read_bytes(), ASSETS[name])
